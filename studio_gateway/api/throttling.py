"""Limits on what is not an order, counted in the memory of each web process: they write nothing and are not exact.

Orders are limited by the statement that charges for them (`billing.ledger`).
"""

import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from rest_framework.exceptions import Throttled
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle


def _wait(key: str, *, limit: int) -> float | None:
    """Count one more in this minute. None, or the seconds until the next one where that makes more than `limit`."""
    now = time.time()
    key = f"{key}:{now // 60:.0f}"
    cache.add(key, 0, timeout=60)
    try:
        count = cache.incr(key)
    except ValueError:  # another thread's key has just taken its place
        return None
    return None if count <= limit else 60 - now % 60


def failed_authentication(*, address: str) -> Throttled | None:
    """Count a failure, and return what refuses it where there were too many from this address."""
    wait = _wait(f"failed:{address}", limit=settings.FAILED_AUTHENTICATIONS_PER_MINUTE)
    if wait is None:
        return None
    return Throttled(wait, "Too many requests from here could not be authenticated.", "too_many_failed_authentications")


class ReadThrottle(BaseThrottle):
    """Limits the reads of each client."""

    def allow_request(self, request: Request, view: Any) -> bool:
        self._seconds = None
        if request.method in SAFE_METHODS and request.user is not None:
            self._seconds = _wait(f"reads:{request.user.pk}", limit=settings.READS_PER_MINUTE)
        return self._seconds is None

    def wait(self) -> float | None:
        return self._seconds
