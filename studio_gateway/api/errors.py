"""What HTTP makes of everything that is refused: the only place that knows both codes and statuses."""

import logging
import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.views import defaults
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from studio_gateway.api.fields import MAX_FAULTS, Place
from studio_gateway.errors import DomainError

logger = logging.getLogger(__name__)

DOMAIN_STATUS = {
    "insufficient_credits": status.HTTP_402_PAYMENT_REQUIRED,
    "client_suspended": status.HTTP_403_FORBIDDEN,
    "not_found": status.HTTP_404_NOT_FOUND,
    "job_over": status.HTTP_409_CONFLICT,
    "job_open": status.HTTP_409_CONFLICT,
    "endpoint_disabled": status.HTTP_409_CONFLICT,
    "too_many_endpoints": status.HTTP_409_CONFLICT,
    "upload_wrong_size": status.HTTP_400_BAD_REQUEST,
    "upload_exists": status.HTTP_409_CONFLICT,
    "upload_expired": status.HTTP_410_GONE,
    "upload_wrong_type": status.HTTP_415_UNSUPPORTED_MEDIA_TYPE,
    "too_many_uploads": status.HTTP_429_TOO_MANY_REQUESTS,
    "too_many_open_jobs": status.HTTP_429_TOO_MANY_REQUESTS,
    "too_many_orders": status.HTTP_429_TOO_MANY_REQUESTS,
    "workflow_disabled": status.HTTP_503_SERVICE_UNAVAILABLE,
    "storage_unavailable": status.HTTP_503_SERVICE_UNAVAILABLE,
    "no_price": status.HTTP_503_SERVICE_UNAVAILABLE,
}
UNAVAILABLE = {"Retry-After": "5"}
AWAY = (OperationalError, InterfaceError, DatabaseError)
UNCLEAR = "The request could not be understood."
BROKEN = "Something broke on our side; it has been logged."
# A key is the client's own and as long as it likes, and each fault below it names it again.
MAX_PLACES = 1024 * 1024


class BadQuery(exceptions.ValidationError):
    """Faults of query parameters, by their names."""


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """Turn what a view raised into an answer; a bug is logged with its trace, and says no more than that it was one."""
    set_rollback()
    request_id = context["request"]._request.request_id
    match error:
        case exceptions.ValidationError():
            place = "query" if isinstance(error, BadQuery) else "body"
            return _faults(validation_errors(error.detail, place), "validation_error")
        case DomainError(loc=loc) if loc:
            fault = {"loc": list(loc), "msg": str(error), "type": error.details.get("type", error.code)}
            return _faults([fault], error.code)
        case DomainError():
            code, headers = error.code, {}
            if DOMAIN_STATUS[code] in (429, 503):
                headers = UNAVAILABLE if error.retry_after is None else {"Retry-After": str(error.retry_after)}
            return _response(str(error), code, request_id, DOMAIN_STATUS[code], headers)
        case RequestDataTooBig():
            return _response("The body is larger than 1 MiB.", "body_too_large", request_id, 413, {})
        case BadRequest() | SuspiciousOperation():
            return _response(UNCLEAR, "bad_request", request_id, 400, {})
        case UnreadablePostError():
            return _response("The body broke off before its end.", "body_incomplete", request_id, 400, {})
        # A plain DatabaseError is an answer that made no sense.
        case DatabaseError() | InterfaceError() if type(error) in AWAY:
            return _response("The database is away; try again.", "database_unavailable", request_id, 503, UNAVAILABLE)
        case Http404():
            error = exceptions.NotFound()
    if not isinstance(error, exceptions.APIException):
        logger.error("%s broke", context["view"].__class__.__name__, exc_info=error)
        return _response(BROKEN, "internal_error", request_id, 500, {})
    headers = {}
    if isinstance(error, exceptions.AuthenticationFailed | exceptions.NotAuthenticated):
        headers["WWW-Authenticate"] = getattr(error, "auth_header", "Bearer")
    if isinstance(error, exceptions.Throttled):
        headers["Retry-After"] = str(math.ceil(error.wait or 1))  # type: ignore[attr-defined]
    return _response(str(error.detail), error.get_codes(), request_id, error.status_code, headers)


def _faults(faults: list[dict[str, Any]], code: str) -> Response:
    response = Response({"detail": faults}, status=422)
    response.error_code = code  # type: ignore[attr-defined]  # for the request log
    return response


def _response(detail: str, code: Any, request_id: str, status_code: int, headers: dict[str, str]) -> Response:
    response = Response({"detail": detail, "code": code, "request_id": request_id}, status=status_code, headers=headers)
    response.error_code = code  # type: ignore[attr-defined]
    return response


def validation_errors(detail: Any, place: str = "body") -> list[dict[str, Any]]:
    """Flatten a serializer's errors into the `detail` of an HTTPValidationError, in the order of its fields.

    All faults are named, until there are MAX_FAULTS of them, or MAX_PLACES characters that say where.
    """
    errors: list[dict[str, Any]] = []
    room = MAX_PLACES
    for steps, fault in islice(_flat(detail, (place,)), MAX_FAULTS):
        errors.append({"loc": [_printable(step) for step in steps], "msg": str(fault), "type": fault.code})
        room -= len(str(steps))
        if room <= 0:
            break
    return errors


def _flat(detail: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    if isinstance(detail, dict):
        for key, below in detail.items():
            yield from _flat(below, (*place, *(key if isinstance(key, tuple) else (key,))))
    elif isinstance(detail, list):
        for below in detail:
            yield from _flat(below, place)
    else:
        yield place, detail


def _printable(step: str | int) -> str | int:
    """Replace unpaired surrogates, which no answer can be encoded with, as pydantic does."""
    return step.encode("utf-8", "surrogatepass").decode("utf-8", "replace") if isinstance(step, str) else step


def _page(request: HttpRequest, page: HttpResponse, detail: str, code: str) -> HttpResponse:
    """Return Django's own error page in the console, and the same status as JSON everywhere else."""
    if request.path.startswith("/admin/"):
        return page
    # Before the middleware has seen a request, it has no id.
    body = {"detail": detail, "code": code, "request_id": getattr(request, "request_id", "")}
    response = JsonResponse(body, status=page.status_code)
    response.error_code = code  # type: ignore[attr-defined]
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    page = defaults.bad_request(request, exception)
    return _page(request, page, UNCLEAR, "bad_request")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    page = defaults.permission_denied(request, exception)
    return _page(request, page, "This is not allowed.", "permission_denied")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, defaults.page_not_found(request, exception), "There is nothing here.", "not_found")


def server_error(request: HttpRequest) -> HttpResponse:
    page = defaults.server_error(request)
    return _page(request, page, BROKEN, "internal_error")
