"""ULIDs: 26 characters, ordered by time, made in the application."""

import math
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.urls.converters import StringConverter
from ulid import ULID

# Ids are made before their row, by clocks other than the database's.
SKEW = timedelta(minutes=10)


def new_ulid() -> str:
    return str(ULID())


def last_ulid(moment: datetime) -> str:
    """Return what no ULID made up to this millisecond is above."""
    return f"{str(ULID.from_datetime(moment))[:10]}{'Z' * 16}"


def first_ulid(moment: datetime, skew: timedelta) -> str:
    """Return the smallest ULID that is made at `moment`, give or take `skew`."""
    milliseconds = math.floor(moment.timestamp() * 1000) + skew // timedelta(milliseconds=1)
    # What is before the first ULID, or after the last, is one of these two.
    return str(ULID.from_bytes(min(max(milliseconds, 0), 2**48 - 1).to_bytes(6) + bytes(10)))


class ULIDField(models.CharField):
    """A ULID, collated "C": its order is the order of its bytes, whatever the server's locale."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 26, "db_collation": "C", **kwargs})

    def db_type(self, connection: Any) -> str:
        """Spell varchar out: Django gives what it calls varchar a second index for LIKE, of no use in collation "C"."""
        return f"character varying({self.max_length})"


class ULIDConverter(StringConverter):
    """A ULID in a path, in either case; anything else is no such page."""

    regex = "[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}"

    def to_python(self, value: str) -> str:
        return value.upper()
