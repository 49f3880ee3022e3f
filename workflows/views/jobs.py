from django.db.models import Q, Subquery
from django.http import Http404, HttpResponseNotModified
from django.http.response import HttpResponseBase
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from billing.authentication import authenticated
from requestlog.models import RequestLog
from studio_gateway.api.conditional import is_known
from studio_gateway.api.views import APIView
from workflows import documentation, jobs, listing
from workflows.errors import JobNotFound
from workflows.models import Job
from workflows.reading import read
from workflows.serializers import JobPage, JobSerializer, JobsQuery


class JobsView(APIView):
    """What became of many orders."""

    @documentation.jobs
    def get(self, request: Request) -> Response:
        page = listing.page(client=authenticated(request)[0], **JobsQuery.of(request))
        return Response(JobPage(page).data)


class JobView(APIView):
    """What became of an order."""

    @documentation.job
    def get(self, request: Request, job_id: str) -> HttpResponseBase:
        return _job(request, Q(pk=job_id))

    @documentation.erase
    def delete(self, request: Request, job_id: str) -> Response:
        try:
            jobs.erase(job_id=job_id, client=authenticated(request)[0])
        except JobNotFound as error:
            raise Http404 from error
        request._request.job_id = job_id  # type: ignore[attr-defined]  # for the request log
        return Response(status=status.HTTP_204_NO_CONTENT)


class CancelView(APIView):
    """Cancel an order whose images nobody wants any more."""

    @documentation.cancel
    def post(self, request: Request, job_id: str) -> HttpResponseBase:
        try:
            job = jobs.cancel(job_id=job_id, client=authenticated(request)[0])
        except JobNotFound as error:
            raise Http404 from error
        request._request.job_id = job.pk  # type: ignore[attr-defined]  # for the request log
        ended = job.status == Job.Status.FAILURE
        return _job(request, Q(pk=job.pk), status_code=status.HTTP_200_OK if ended else status.HTTP_202_ACCEPTED)


class RequestView(APIView):
    """What became of the order that this request made; the same answer as by `job_id`."""

    @documentation.request
    def get(self, request: Request, request_id: str) -> HttpResponseBase:
        # A replay's answer has a request id of its own; the log knows its job, for as long as its row is kept.
        replay = RequestLog.objects.filter(pk=request_id).values("job_id")
        return _job(request, Q(request_id=request_id) | Q(pk=Subquery(replay)))


def _job(request: Request, which: Q, *, status_code: int = status.HTTP_200_OK) -> HttpResponseBase:
    reading = read(client=authenticated(request)[0], which=which)
    if reading is None:
        raise Http404
    headers = {"ETag": reading.etag}
    if reading.job.status in Job.OPEN:
        headers["Retry-After"] = str(reading.outlook.retry_after)
    if request.method != "POST" and is_known(request, reading.etag):
        return HttpResponseNotModified(headers=headers)
    return Response(JobSerializer(reading.whole()).data, status=status_code, headers=headers)
