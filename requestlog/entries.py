"""Rows of the request log, made from requests."""

import contextlib
import time

from django.core.exceptions import BadRequest, RequestDataTooBig
from django.http import HttpRequest
from django.http.request import RawPostDataException, UnreadablePostError

from requestlog.models import RequestLog
from studio_gateway.logs import masked

BODY_LIMIT = 64 * 1024
MAX_SIZE = 2**31 - 1


def draft(request: HttpRequest, *, status: int, code: str = "") -> RequestLog:
    """Return the unsaved row for `request`, answered with `status`.

    Nothing in it can make its insert fail: text is cut and freed of what PostgreSQL refuses, the body stays bytes. The
    query string is left out, because it can hold signatures; so is the body of whoever did not authenticate, and one
    that is too large to be read, of which the size remains. Secrets elsewhere, where a client put them by mistake, are
    masked.
    """
    client, credentials = getattr(request, "authenticated", (None, None))
    body, size = b"", _announced(request)
    if client is not None:
        with contextlib.suppress(BadRequest, RequestDataTooBig, RawPostDataException, UnreadablePostError):
            body = request.body
            size = len(body)
    return RequestLog(
        request_id=request.request_id,  # type: ignore[attr-defined]
        method=_text(request.method or "", limit=10),
        path=_text(request.path, limit=512),
        status=status,
        code=_text(code, limit=64),
        duration_ms=round((time.monotonic() - request.started) * 1000),  # type: ignore[attr-defined]
        client_id=None if client is None else client.pk,
        api_key_prefix="" if credentials is None else credentials.key_prefix,
        job_id=request.job_id,  # type: ignore[attr-defined]
        remote_addr=_text(request.META.get("REMOTE_ADDR", ""), limit=64),
        user_agent=_text(request.META.get("HTTP_USER_AGENT", ""), limit=200),
        body=masked(body.decode("latin-1"), limit=BODY_LIMIT).encode("latin-1"),
        body_size=size,
        body_truncated=size > min(len(body), BODY_LIMIT),
    )


def _announced(request: HttpRequest) -> int:
    """Return the size that a body is said to have, as far as the column holds it."""
    announced = request.META.get("CONTENT_LENGTH") or ""
    return min(int(announced[:12]), MAX_SIZE) if announced.isdecimal() else 0


def _text(value: str, *, limit: int) -> str:
    """Cut and mask `value`, and write NULs and lone surrogates as escapes: PostgreSQL's text holds neither."""
    return masked(value, limit=limit).replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()[:limit]
