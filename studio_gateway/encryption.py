"""Secrets that must be read again, encrypted at rest under FIELD_ENCRYPTION_KEYS (Fernet: AES-128-CBC, HMAC-SHA256)."""

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


@cache
def _fernet(keys: tuple[str, ...]) -> "MultiFernet":
    from cryptography.fernet import Fernet, MultiFernet  # most commands need not wait for it

    # Any long random text is a key: its digest has the 32 bytes that Fernet takes.
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys])


def encrypt(text: str) -> str:
    """Encrypt under the newest key."""
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(text.encode()).decode()


def decrypt(token: str) -> str | None:
    """Decrypt what any of the keys encrypted; None where none of them did."""
    from cryptography.fernet import InvalidToken

    try:
        return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(token).decode()
    except InvalidToken:
        return None
