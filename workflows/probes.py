"""/healthz, /readyz and /metrics: for monitors, and answered before all else.

Before anything looks at the Host header, which probes set to whatever they like, and before the redirect to TLS, which
they do not speak.
"""

import logging
import secrets
from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from workflows.metrics import Figures
from workflows.readiness import OK, readiness

logger = logging.getLogger(__name__)

FORWARDING = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP", "HTTP_X_FORWARDED_")


def probes(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    answers = {"/healthz": _healthz, "/readyz": _readyz, "/metrics": _metrics}
    return lambda request: answers.get(request.path, get_response)(request)


def _healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


def _readyz(request: HttpRequest) -> HttpResponse:
    found = readiness()
    ready = all(word == OK for word in found.values())
    return JsonResponse(found, status=200 if ready else 503, headers={"Cache-Control": "no-store"})


def _metrics(request: HttpRequest) -> HttpResponse:
    if settings.METRICS_TOKEN and not _bears_token(request):
        headers = {"WWW-Authenticate": 'Bearer realm="Studio Gateway metrics"'}
        return _text("The metrics are for who bears METRICS_TOKEN.", status=401, headers=headers)
    if not settings.METRICS_TOKEN and not _from_this_machine(request):
        return _text("Without a METRICS_TOKEN the metrics are read on this machine only, past any proxy.", status=403)
    if readiness()["database"] != OK:  # which is known sooner than a connection is given up
        return _text("The database is away.", status=503)
    try:
        return HttpResponse(generate_latest(Figures()), content_type=CONTENT_TYPE_LATEST)
    except Error:
        logger.exception("no metrics")
        return _text("The database is away.", status=503)


def _bears_token(request: HttpRequest) -> bool:
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(
        token.strip().encode(errors="replace"), settings.METRICS_TOKEN.encode()
    )


def _from_this_machine(request: HttpRequest) -> bool:
    """Tell whether the request was made here, and not handed on by a proxy that runs here.

    A proxy in front of production says at least X-Forwarded-Proto, without which everybody would be redirected to TLS
    for ever.
    """
    if any(header.startswith(FORWARDING) for header in request.META):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _text(text: str, **options: object) -> HttpResponse:
    return HttpResponse(f"{text}\n", content_type="text/plain", **options)
