import contextlib
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase


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


class ContentSecurityPolicy(CSPMiddleware):
    """Give pages of the console the policy that unfold works under; all else has the settings' or its view's."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and request.path.startswith("/admin/"):
            parts.config = {**settings.CONSOLE_POLICY, "img-src": ["'self'", "data:", *_origin_of_files()]}
        return parts


def _origin_of_files() -> list[str]:
    """Name the host that images come from: the bucket's, or PUBLIC_URL's, which a local run has other names for."""
    try:
        url = urlsplit(default_storage.url("x"))
    except OSError:  # there are no credentials: nothing can be shown, but people can still sign in
        return []
    return [f"{url.scheme}://{url.netloc}"]
