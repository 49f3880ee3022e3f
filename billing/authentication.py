"""Who is asking."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, OuterRef, Q, QuerySet, Subquery, TextField, Value, When
from django.db.models.functions import Now
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request

from billing.errors import ClientSuspended
from billing.keys import TEST, digest
from billing.models import ApiKey, Client, Configuration, ShopDomain, ShopifySecret
from billing.shopify import signature_holds
from studio_gateway.api.throttling import failed_authentication
from studio_gateway.prepared import PreparedQuery
from studio_gateway.text import is_storable

SIGNATURE, SHOP = "HTTP_X_SHOPIFY_HMAC_SHA256", "HTTP_X_SHOPIFY_SHOP_DOMAIN"


@dataclass(frozen=True)
class Credentials:
    """What authenticated a request, and the configuration version that the same statement read.

    `key_prefix` is empty where a Shopify signature did without a key.
    """

    key_prefix: str
    config_version: int

    @property
    def is_test(self) -> bool:
        return self.key_prefix.startswith(TEST)


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer sk_…`: one indexed statement brings key, client and configuration version.

    A Shopify signature that is sent along must hold too.
    """

    def authenticate(self, request: Request) -> tuple[Client, Credentials]:
        scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise _refused(
                request, NotAuthenticated("Send an API key: Authorization: Bearer sk_…", code="missing_api_key")
            )
        signed = SIGNATURE in request.META
        key = (_signed_key if signed else _key).first(digest(secret.strip()))
        if key is None:
            error = AuthenticationFailed("This API key is unknown, revoked or expired.", code="invalid_api_key")
            raise _refused(request, error)
        prefix, secrets, *admission = key
        if signed:
            _check_signature(request, secrets)
        return _admitted(request, admission, key_prefix=prefix)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Studio Gateway"'


class OrderAuthentication(BearerAuthentication):
    """For orders a Shopify signature will do without a key: the shop's domain names the client then.

    Whatever does not fit is one and the same refusal, and takes as long whether or not there is such a shop.
    """

    def authenticate(self, request: Request) -> tuple[Client, Credentials]:
        has_key = request.META.get("HTTP_AUTHORIZATION", "").lower().startswith("bearer")
        if has_key or request.method != "POST" or not {SIGNATURE, SHOP} & request.META.keys():
            return super().authenticate(request)
        domain = request.META.get(SHOP, "").strip().lower()
        if not is_storable(domain):
            domain = ""  # which is nobody's either
        found, secrets, *admission = _shop.first(domain) or (None, [])
        _check_signature(request, secrets if found == domain else [])
        return _admitted(request, admission, key_prefix="")


def authenticated(request: Request) -> tuple[Client, Credentials]:
    """Return who sent an authenticated request, and with what."""
    client, credentials = request.user, request.auth
    assert isinstance(client, Client) and isinstance(credentials, Credentials)
    return client, credentials


_CLIENT = [field.attname for field in Client._meta.concrete_fields]


def _keys(digest: str, *, signed: bool) -> QuerySet[Any, Any]:
    keys = ApiKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), digest=digest, revoked_at=None)
    return _with_client(keys, "prefix", signed=signed)


def _shops(domain: str) -> QuerySet[Any, Any]:
    # Where there is no such shop, another one is read in its place: a miss must not be quicker than a hit.
    decoy = ShopDomain.objects.order_by("pk").values("pk")[:1]
    named_first = Case(When(domain=domain, then=0), default=1)
    shops = ShopDomain.objects.filter(Q(domain=domain) | Q(pk=Subquery(decoy))).order_by(named_first)
    return _with_client(shops, "domain", signed=True)


def _with_client(rows: QuerySet[Any], name: str, *, signed: bool) -> QuerySet[Any, Any]:
    """Read `name`, for a signed request the client's secrets, the configuration's version, and the client with the time
    at which it was read."""
    secrets = ShopifySecret.objects.filter(client=OuterRef("client_id")).order_by("-pk")
    return rows.annotate(
        config_version=Subquery(Configuration.objects.values("version")[:1]),
        read_at=Now(),
        secrets=ArraySubquery(secrets.values("encrypted")) if signed else Value(None, TextField()),
    ).values_list(name, "secrets", "config_version", "read_at", *(f"client__{column}" for column in _CLIENT))


_key = PreparedQuery(partial(_keys, signed=False))
_signed_key = PreparedQuery(partial(_keys, signed=True))
_shop = PreparedQuery(_shops)


def _check_signature(request: Request, secrets: list[str]) -> None:
    body, sent = request._request.body, request.META.get(SIGNATURE, "")
    if not signature_holds(body=body, signature=sent, encrypted_secrets=secrets):
        error = AuthenticationFailed("The Shopify signature does not hold for this body.", code="invalid_signature")
        raise _refused(request, error)


def _admitted(request: Request, row: list[Any], *, key_prefix: str) -> tuple[Client, Credentials]:
    config_version, read_at, *values = row
    client = Client.from_db("default", _CLIENT, values)
    client.read_at = read_at
    credentials = Credentials(key_prefix=key_prefix, config_version=config_version)
    # The request log reads it there, also when the next line refuses.
    request._request.authenticated = (client, credentials)  # type: ignore[attr-defined]
    if client.suspended_at is not None:
        raise ClientSuspended
    return client, credentials


def _refused(request: Request, error: APIException) -> APIException:
    """Return `error`, or that there were too many like it from one address."""
    return failed_authentication(address=request.META.get("REMOTE_ADDR", "")) or error
