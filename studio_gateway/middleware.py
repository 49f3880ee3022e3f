import contextlib
from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse


def client_address(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Let REMOTE_ADDR be the client's and not a proxy's: the last address of the chain that no trusted proxy has."""

    def middleware(request: HttpRequest) -> HttpResponse:
        chain = [*request.META.get("HTTP_X_FORWARDED_FOR", "").split(","), request.META.get("REMOTE_ADDR", "")]
        with contextlib.suppress(ValueError):  # what is no address is not believed, nor is what stands before it
            while address := ip_address(chain.pop().strip()):
                request.META["REMOTE_ADDR"] = str(address)
                if not chain or not any(address in proxy for proxy in settings.TRUSTED_PROXIES):
                    break
        return get_response(request)

    return middleware
