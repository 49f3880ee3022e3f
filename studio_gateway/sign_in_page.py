import logging
from contextlib import suppress
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from django.contrib import admin
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpRequest, HttpResponse
from unfold.forms import AuthenticationForm

from studio_gateway import sign_in

logger = logging.getLogger(__name__)


class SignInForm(AuthenticationForm):
    def clean(self) -> dict[str, Any]:
        if self.errors:
            return self.cleaned_data
        name, place = self.cleaned_data["username"], _place(self.request)
        if not sign_in.may_try(name=name, place=place):
            logger.warning("sign-in: too many wrong passwords from %s", place)
            minutes = sign_in.PAUSE // timedelta(minutes=1)
            raise ValidationError(f"Too many wrong passwords. Try again in {minutes} minutes.", code="throttled")
        cleaned: dict[str, Any] = super().clean()
        sign_in.succeeded(name=name, place=place)
        return cleaned


def sign_in_page(request: HttpRequest) -> HttpResponse:
    """Show the console's sign-in, with a 429 where no password was looked at."""
    response = admin.site.login(request)
    form = getattr(response, "context_data", {}).get("form")
    if form is not None and form.has_error(NON_FIELD_ERRORS, "throttled"):
        response.status_code = 429
        response["Retry-After"] = str(int(sign_in.PAUSE.total_seconds()))
    return response


def _place(request: HttpRequest) -> str:
    """Return the address that a request came from: of IPv6 the network, since whoever has one has all of it."""
    text = str(request.META.get("REMOTE_ADDR", ""))
    with suppress(ValueError):
        address = ip_address(text)
        if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
            return str(ip_network(f"{address}/64", strict=False))
    return text
