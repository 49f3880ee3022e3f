from rest_framework.request import Request
from rest_framework.response import Response

from billing.authentication import authenticated
from studio_gateway.api.views import APIView
from workflows import brochure, documentation
from workflows.serializers import ModelList, WorkflowList


class WorkflowsView(APIView):
    """What can be ordered."""

    @documentation.workflows
    def get(self, request: Request) -> Response:
        _, credentials = authenticated(request)
        return Response(WorkflowList({"workflows": brochure.workflows(version=credentials.config_version)}).data)


class ModelsView(APIView):
    """The engines that are on."""

    @documentation.models
    def get(self, request: Request) -> Response:
        _, credentials = authenticated(request)
        return Response(ModelList({"models": brochure.models(version=credentials.config_version)}).data)
