"""API keys: made, shown once, kept as a digest."""

import hashlib
import secrets
import string
from datetime import datetime

from django.db.models.functions import Now

from billing.models import ApiKey, Client

ALPHABET = string.ascii_letters + string.digits
# 62 symbols hold 5.95 bits each: 40 of them hold 238.
LENGTH = 40
PREFIX_LENGTH = 11


def digest(secret: str) -> str:
    """Return the hex SHA-256 of a key: enough for a secret this long, and fast enough for every request."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def create_key(*, client: Client, expires_at: datetime | None = None) -> tuple[ApiKey, str]:
    """Make a key and return it with its secret (`sk_…`), which cannot be had again."""
    secret = "sk_" + "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    key = ApiKey.objects.create(
        client=client, digest=digest(secret), prefix=secret[:PREFIX_LENGTH], expires_at=expires_at
    )
    return key, secret


def revoke_key(*, key_id: int) -> None:
    """Refuse a key from the next request on; since when is kept where it was revoked before."""
    ApiKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=Now())
