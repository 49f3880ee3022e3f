"""Shopify apps: the secrets that they sign with, and the shops that they speak for.

Shopify sends, as `X-Shopify-Hmac-Sha256`, the base64 of HMAC-SHA256 over the raw body, keyed with the app's client
secret (https://shopify.dev/docs/apps/build/webhooks/subscribe/https). All shops of an app share that secret.
"""

import base64
import binascii
import hmac
import logging
import re
import secrets as randomness
from functools import cache

from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac

from billing.errors import BadShopDomain, BadShopifySecret, ShopifySecretTaken, ShopTaken, UnknownClient
from billing.models import DOMAIN, Client, ShopDomain, ShopifySecret
from studio_gateway.encryption import decrypt, encrypt

logger = logging.getLogger(__name__)

# The new secret and, during a rotation, the old one.
SECRETS_IN_FORCE = 2


def new_secret() -> str:
    """Make up a secret, for an app that signs its own calls."""
    return f"shpss_{randomness.token_hex(16)}"


def set_secret(*, client_id: int, secret: str, retire_previous: bool = False) -> None:
    """Let a client's app sign with `secret`.

    The secret that was the newest holds on for the rotation, and older ones never again; with `retire_previous` it
    stops at once. Setting the newest secret again only encrypts it under the newest key. Raises UnknownClient,
    BadShopifySecret or ShopifySecretTaken.
    """
    if not re.fullmatch(r"[!-~]{1,200}", secret):
        raise BadShopifySecret
    fingerprint = salted_hmac("billing.shopify", secret, algorithm="sha256").hexdigest()
    try:
        with transaction.atomic():
            if not Client.objects.select_for_update().filter(pk=client_id).exists():
                raise UnknownClient(client_id=client_id)
            own = ShopifySecret.objects.filter(client_id=client_id)
            own.filter(fingerprint=fingerprint).delete()  # also the old one: back from a rotation
            ShopifySecret.objects.create(client_id=client_id, encrypted=encrypt(secret), fingerprint=fingerprint)
            kept = own.order_by("-pk").values("pk")[: 1 if retire_previous else SECRETS_IN_FORCE]
            own.exclude(pk__in=list(kept.values_list("pk", flat=True))).delete()
    except IntegrityError as error:
        if "shopify_secret_once" not in str(error):
            raise
        raise ShopifySecretTaken from error


def add_shop(*, client_id: int, domain: str) -> None:
    """Make a shop one of a client's; it may be that already. Raises UnknownClient, BadShopDomain or ShopTaken."""
    domain = domain.strip().lower()
    if not re.fullmatch(DOMAIN, domain) or len(domain) > 253:
        raise BadShopDomain(domain=domain[:100])
    if not Client.objects.filter(pk=client_id).exists():
        raise UnknownClient(client_id=client_id)
    shop, _ = ShopDomain.objects.get_or_create(domain=domain, defaults={"client_id": client_id})
    if shop.client_id != client_id:
        raise ShopTaken(domain=domain)


def remove_shop(*, client_id: int, domain: str) -> bool:
    """Refuse a shop's requests from now on. False: it was none of the client's."""
    removed, _ = ShopDomain.objects.filter(client_id=client_id, domain=domain.strip().lower()).delete()
    return bool(removed)


def signature_holds(*, body: bytes, signature: str, encrypted_secrets: list[str]) -> bool:
    """Tell whether one of a client's secrets in force signed `body`.

    It takes the same time for none, one or two secrets: what is missing is made up, and every signature is computed
    and compared.
    """
    try:
        sent = base64.b64decode(signature, validate=True)
    except (ValueError, binascii.Error):
        sent = b""
    tokens = [*encrypted_secrets, *[_nobodys_secret()] * (SECRETS_IN_FORCE - len(encrypted_secrets))]
    computed = [hmac.digest(_key(token), body, "sha256") for token in tokens]
    holds = [hmac.compare_digest(sent, own) for own in computed]
    return any(holds[: len(encrypted_secrets)])


def _key(token: str) -> bytes:
    secret = decrypt(token)
    if secret is None:
        logger.error("a Shopify secret was encrypted under a key that FIELD_ENCRYPTION_KEYS no longer has")
        return randomness.token_bytes(32)
    return secret.encode()


@cache
def _nobodys_secret() -> str:
    return encrypt(randomness.token_hex(16))
