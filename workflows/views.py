from typing import Any

from django.core.files.storage import default_storage
from django.db.models import Prefetch
from django.http import FileResponse, Http404, HttpRequest
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.authentication import authenticated
from requestlog.entries import draft
from studio_gateway.api.fields import StrictSerializer
from workflows import jobs, offers
from workflows.catalogue import Definition
from workflows.models import Job, Output
from workflows.serializers import JobSerializer, WorkflowAcceptedResponse
from workflows.storage import signature_holds


class SubmitView(APIView):
    """Accept an order of one workflow: POST /v1/{name}."""

    definition: Definition = None  # type: ignore[assignment]  # given to as_view()

    def get_serializer_class(self) -> type[StrictSerializer]:
        return self.definition.serializer

    @extend_schema(responses={202: WorkflowAcceptedResponse})
    def post(self, request: Request) -> Response:
        client, credentials = authenticated(request)
        name, version = self.definition.name, credentials.config_version
        workflow = offers.offer(name=name, version=version)
        spec = self.get_serializer_class()().run_validation(request.data)
        cost = offers.quote(definition=self.definition, spec=spec, version=version)
        log = draft(request._request, status=status.HTTP_202_ACCEPTED)
        job = jobs.submit(client=client, workflow=workflow, spec=spec, credits_cost=cost, log=log)
        request._request.logged = True  # type: ignore[attr-defined]
        return Response(
            WorkflowAcceptedResponse(job).data,
            status=status.HTTP_202_ACCEPTED,
            headers={"Location": f"/v1/jobs/{job.pk}"},
        )


class JobView(APIView):
    """What became of an order: GET /v1/jobs/{job_id} and /v1/requests/{request_id}."""

    @extend_schema(responses=JobSerializer)
    def get(self, request: Request, **ids: Any) -> Response:
        outputs = Prefetch("outputs", Output.objects.order_by("position"))
        job = Job.objects.filter(client=authenticated(request)[0], **ids).prefetch_related(outputs).first()
        if job is None:
            raise Http404
        return Response(JobSerializer(job).data)


def file_view(request: HttpRequest, key: str) -> FileResponse:
    """Serve an output of local storage to whoever holds its signed URL."""
    if not signature_holds(key=key, signature=request.GET.get("signature", "")):
        raise Http404
    try:
        return FileResponse(default_storage.open(key))
    except OSError as error:
        raise Http404 from error
