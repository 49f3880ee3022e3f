from rest_framework.request import Request
from rest_framework.response import Response

from billing.authentication import authenticated
from studio_gateway.api.views import APIView
from workflows import documentation
from workflows.serializers import UsageQuery, UsageReport
from workflows.usage import usage


class UsageView(APIView):
    """What a client's orders cost and gave back."""

    @documentation.usage
    def get(self, request: Request) -> Response:
        query = UsageQuery.of(request)
        client, group_by = authenticated(request)[0], query["group_by"]
        sums = usage(client=client, group_by=group_by, begin=query["from"], end=query["to"])
        return Response(UsageReport({**query, "total": sums.total, "groups": sums.groups}).data)
