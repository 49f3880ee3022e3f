"""API keys: made, shown once, kept as a digest."""

import hashlib
import secrets
import string
from datetime import datetime

from django.db.models.functions import Now

from billing.errors import AmbiguousPrefix, UnknownKey
from billing.models import ApiKey, Client

ALPHABET = string.ascii_letters + string.digits
# 62 symbols hold 5.95 bits each: 40 of them hold 238.
LENGTH = 40
LIVE, TEST = "sk_", "sk_test_"
# What is kept in clear, to tell keys apart by: LIVE or TEST, and this many characters.
SHOWN = 8


def digest(secret: str) -> str:
    """Return the hex SHA-256 of a key: enough for a secret this long, and fast enough for every request."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def create_key(*, client: Client, test: bool = False, expires_at: datetime | None = None) -> tuple[ApiKey, str]:
    """Make a key and return it with its secret (`sk_…`, `sk_test_…`), which cannot be had again."""
    kind = TEST if test else LIVE
    secret = kind + "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    key = ApiKey.objects.create(
        client=client, digest=digest(secret), prefix=secret[: len(kind) + SHOWN], expires_at=expires_at
    )
    return key, secret


def revoke_key(*, key_id: int) -> None:
    """Refuse a key from the next request on; since when is kept where it was revoked before."""
    ApiKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=Now())


def find_key(*, prefix: str) -> ApiKey:
    """Return the key that begins with `prefix`, as it is shown or longer. Raises UnknownKey or AmbiguousPrefix."""
    # A whole secret names its key too; it is not looked at beyond what is kept of it.
    shown = prefix[: len(TEST if prefix.startswith(TEST) else LIVE) + SHOWN]
    found = ApiKey.objects.select_related("client").filter(prefix=shown)
    match len(found):
        case 0:
            raise UnknownKey(prefix=shown)
        case 1:
            return found[0]
        case count:
            raise AmbiguousPrefix(prefix=shown, count=count)
