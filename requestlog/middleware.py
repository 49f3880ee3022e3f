import logging
import time
from collections.abc import Callable

from django.db import Error, InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse

from requestlog.entries import draft
from requestlog.models import RequestLog
from studio_gateway import logs
from studio_gateway.ids import new_ulid

logger = logging.getLogger(__name__)

LOGGED_METHODS = {"POST", "PUT", "PATCH", "DELETE"}


class RequestLogMiddleware:
    """Give each request its ULID, and log what changed or would have changed something under /v1/.

    An accepted order has been logged in the transaction that accepted it (`request.logged`); all else is logged here,
    after it was answered; of other requests, those that were refused are a line in the process's log. A row that
    stands already is left alone: when a commit's acknowledgement is lost, the order's own row is the truth. A view
    whose answer names a job that another request ordered sets `request.job_id`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = new_ulid()  # type: ignore[attr-defined]
        request.started = time.monotonic()  # type: ignore[attr-defined]
        request.logged = False  # type: ignore[attr-defined]
        request.job_id = ""  # type: ignore[attr-defined]
        logs.request_id.set(request.request_id)  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        if not response.streaming:
            # Without, an answer ends when its connection has been drained (studio_gateway/body.py).
            response.headers.setdefault("Content-Length", str(len(response.content)))
        if request.path.startswith("/v1/") and not request.logged:  # type: ignore[attr-defined]
            _log(request, response)
        return response


def _log(request: HttpRequest, response: HttpResponse) -> None:
    code = getattr(response, "error_code", "")
    if request.method in LOGGED_METHODS:
        try:
            _write(draft(request, status=response.status_code, code=code))
        except Error:
            # The answer stands; P6 speaks of requests answered while the database was up.
            logger.exception("the request was not logged")
    elif response.status_code >= 400:
        logger.info("%s %a: %s %s", request.method, request.path[:200], response.status_code, code)


def _write(entry: RequestLog) -> None:
    try:
        RequestLog.objects.bulk_create([entry], ignore_conflicts=True)
    except (OperationalError, InterfaceError):
        if connection.connection is None:
            raise  # there was none to be had: the database is away
        # This connection is dead, perhaps since the view used it; the database may well be up.
        connection.close()
        RequestLog.objects.bulk_create([entry], ignore_conflicts=True)
