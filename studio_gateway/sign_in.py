"""Signing in to the console: a few wrong passwords, and for a while none is looked at any more.

A try is counted, and the count committed, before its password is checked: of many that come at once no more are checked
than one after the other. (django-axes counts what has failed, and by then all of them have been checked.) The counts
are in the database, for all web processes; a sign-in that succeeds takes its own tries back.
"""

from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from studio_gateway.models import SignInCount

# Tries that may fail: for one name from one place, and from one place whatever the names.
PER_NAME = 5
PER_PLACE = 20
# So long a count lasts, and anew once it is full.
PAUSE = timedelta(minutes=15)

# No row comes back, and none is changed, where there were `most` tries already.
COUNT = f"""
INSERT INTO {SignInCount._meta.db_table} AS counted (key, tried, forgotten_at)
VALUES (%(key)s, 1, statement_timestamp() + %(pause)s)
ON CONFLICT (key) DO UPDATE
   SET tried = CASE WHEN counted.forgotten_at <= statement_timestamp() THEN 1 ELSE counted.tried + 1 END,
       forgotten_at = CASE WHEN counted.forgotten_at <= statement_timestamp() OR counted.tried + 1 = %(most)s
                           THEN excluded.forgotten_at ELSE counted.forgotten_at END
 WHERE counted.tried < %(most)s OR counted.forgotten_at <= statement_timestamp()
RETURNING tried
"""


def may_try(*, name: str, place: str) -> bool:
    """Count a try, and tell whether its password may be looked at."""
    return _count(_key(place, name), most=PER_NAME) and _count(_key(place), most=PER_PLACE)


def succeeded(*, name: str, place: str) -> None:
    """Forget what failed for this name from this place, and of the place's own count this try."""
    SignInCount.objects.filter(pk=_key(place, name)).delete()
    SignInCount.objects.filter(pk=_key(place), tried__gt=0).update(tried=F("tried") - 1)


def forget() -> None:
    """Delete counts and sessions whose time is over."""
    SignInCount.objects.filter(forgotten_at__lte=Now()).delete()
    Session.objects.filter(expire_date__lte=Now()).delete()


def _key(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()


def _count(key: str, *, most: int) -> bool:
    values: dict[str, Any] = {"key": key, "most": most, "pause": PAUSE}
    with connection.cursor() as cursor:
        cursor.execute(COUNT, values)
        return cursor.fetchone() is not None
