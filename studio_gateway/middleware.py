import contextlib
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from csp.constants import HEADER
from csp.middleware import CSPMiddleware, PolicyParts
from csp.utils import build_policy
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.handlers.base import BaseHandler
from django.core.handlers.exception import convert_exception_to_response
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


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/v1/")


class Api(BaseHandler):
    """Answer the API from here, without the middleware below this one, which is for people with browsers.

    No answer of the API shows the difference, but for the time that it took.
    """

    # A view needs none of what such middleware may bring.
    _view_middleware = _template_response_middleware = _exception_middleware = ()

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._below = get_response
        self._view: Any = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not _is_api(request):
            return self._below(request)
        request.get_host()  # which refuses a made-up one
        response: HttpResponse = self._view(request)
        return response


class ContentSecurityPolicy(CSPMiddleware):
    """Give pages of the console the policy that unfold works under; all else has the settings' or its view's."""

    # What answers of the API have, made once.
    _of_api = build_policy(settings.CONTENT_SECURITY_POLICY["DIRECTIVES"])

    def __call__(self, request: HttpRequest) -> Any:
        if not _is_api(request):
            return super().__call__(request)
        response: Any = self.get_response(request)
        response[HEADER] = self._of_api
        return response

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
