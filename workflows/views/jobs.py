from django.db.models import Prefetch, Q, Subquery
from django.http import Http404
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from billing.authentication import authenticated
from requestlog.models import RequestLog
from studio_gateway.api.views import APIView
from workflows import documentation, jobs
from workflows.errors import JobNotFound
from workflows.models import Job, Output
from workflows.serializers import JobSerializer


class JobView(APIView):
    """What became of an order."""

    @documentation.job
    def get(self, request: Request, job_id: str) -> Response:
        return _job(request, Q(pk=job_id))


class CancelView(APIView):
    """Cancel an order whose images nobody wants any more."""

    @documentation.cancel
    def post(self, request: Request, job_id: str) -> Response:
        try:
            job = jobs.cancel(job_id=job_id, client=authenticated(request)[0])
        except JobNotFound as error:
            raise Http404 from error
        request._request.job_id = job.pk  # type: ignore[attr-defined]  # for the request log
        ended = job.status == Job.Status.FAILURE
        return Response(JobSerializer(job).data, status=status.HTTP_200_OK if ended else status.HTTP_202_ACCEPTED)


class RequestView(APIView):
    """What became of the order that this request made; the same answer as by `job_id`."""

    @documentation.request
    def get(self, request: Request, request_id: str) -> Response:
        # A replay's answer has a request id of its own; the log knows its job, for as long as its row is kept.
        replay = RequestLog.objects.filter(pk=request_id).values("job_id")
        return _job(request, Q(request_id=request_id) | Q(pk=Subquery(replay)))


def _job(request: Request, which: Q) -> Response:
    outputs = Prefetch("outputs", Output.objects.order_by("position"))
    job = Job.objects.filter(which, client=authenticated(request)[0]).prefetch_related(outputs).first()
    if job is None:
        raise Http404
    return Response(JobSerializer(job).data)
