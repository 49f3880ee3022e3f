from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse


def client_address(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Let REMOTE_ADDR be the client's and not a trusted proxy's: the last address that none of them can have made up."""

    def middleware(request: HttpRequest) -> HttpResponse:
        address = request.META.get("REMOTE_ADDR", "")
        for forwarded in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            if not _is_trusted(address):
                break
            address = forwarded.strip() or address
        request.META["REMOTE_ADDR"] = address
        return get_response(request)

    return middleware


def _is_trusted(address: str) -> bool:
    try:
        return any(ip_address(address) in network for network in settings.TRUSTED_PROXIES)
    except ValueError:
        return False


def healthz(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer /healthz before anything looks at the Host header, which probes set to whatever they like."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz":
            return HttpResponse("ok\n", content_type="text/plain")
        return get_response(request)

    return middleware
