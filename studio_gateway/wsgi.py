"""The web process's application."""

import os
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from studio_gateway import logs
from studio_gateway.body import Body

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio_gateway.settings")

database = settings.DATABASES["default"]
# A request waits for a database that is only being started again, but for none that is away.
database["CONN_PATIENCE"] = 10
database["OPTIONS"].setdefault("connect_timeout", 10)

handler = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    """Let Django answer, then read the rest of the body; the latter after the response, which may not wait for it."""
    media_type = environ.get("CONTENT_TYPE", "")
    if "charset" in media_type.lower():
        # JSON has none. Django would decode the query string with it, and fail before any error handler is there.
        environ["CONTENT_TYPE"] = media_type.partition(";")[0]
    body = environ["wsgi.input"] = Body(environ)
    return _answer(handler(environ, start_response), body)


def _answer(response: Any, body: Body) -> Iterator[bytes]:
    try:
        yield from response
    finally:
        response.close()
        logs.request_id.set("")
        body.drain()
