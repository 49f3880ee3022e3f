"""What a client may still order this minute."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """`remaining` orders fit now, and one more in `seconds`; 0 seconds where the minute's whole `limit` is there."""

    limit: int
    remaining: int
    seconds: int


def rate(*, limit: int, tat: datetime, now: datetime) -> Rate:
    """Read GCRA's state as the guard in billing.ledger does; `tat` and `now` are by the database's clock."""
    share = timedelta(microseconds=round(MINUTE / timedelta(microseconds=1) / limit))  # as PostgreSQL divides
    ahead = max(tat - now, timedelta(0))
    taken = min(math.ceil(ahead / share), limit) if ahead else 0
    wait = ahead - (taken - 1) * share if taken else timedelta(0)
    return Rate(limit=limit, remaining=limit - taken, seconds=math.ceil(wait.total_seconds()))
