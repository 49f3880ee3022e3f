"""Who is asking."""

from dataclasses import dataclass

from django.db.models import Q, Subquery
from django.db.models.functions import Now
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request

from billing.errors import ClientSuspended
from billing.keys import digest
from billing.models import ApiKey, Client, Configuration


@dataclass(frozen=True)
class Credentials:
    """What authenticated a request, and the configuration version that the same statement read."""

    key_prefix: str
    config_version: int


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer sk_…`: one indexed statement brings the key, its client and the configuration's version."""

    def authenticate(self, request: Request) -> tuple[Client, Credentials]:
        scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise NotAuthenticated("Send an API key: Authorization: Bearer sk_…", code="missing_api_key")
        key = (
            ApiKey.objects.select_related("client")
            .filter(Q(expires_at=None) | Q(expires_at__gt=Now()), digest=digest(secret.strip()), revoked_at=None)
            .annotate(config_version=Subquery(Configuration.objects.values("version")[:1]))
            .first()
        )
        if key is None:
            raise AuthenticationFailed("This API key is unknown, revoked or expired.", code="invalid_api_key")
        credentials = Credentials(key_prefix=key.prefix, config_version=key.config_version)
        # The request log reads it there, also when the next line refuses.
        request._request.authenticated = (key.client, credentials)  # type: ignore[attr-defined]
        if key.client.suspended_at is not None:
            raise ClientSuspended
        return key.client, credentials

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Studio Gateway"'
