"""What is told of a client's ledger: sums, and the entries themselves, newest first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection
from django.db.models import Q

from billing.models import Client, LedgerEntry

# What filters match is searched among so many entries a page.
SEARCHED = 5_000
# Entries are numbered when they get hold of the client's row, which may be after their `created_at`: this much at most.
WAIT = timedelta(minutes=10)

# Reads the index ledger_by_client_and_time.
STANDING = """
SELECT c.balance, c.open_jobs,
       coalesce(-sum(amount) FILTER (WHERE kind = 'CHARGE' AND e.created_at >= today), 0),
       coalesce(sum(amount) FILTER (WHERE kind = 'REFUND' AND e.created_at >= today), 0),
       coalesce(-sum(amount) FILTER (WHERE kind = 'CHARGE'), 0),
       coalesce(sum(amount) FILTER (WHERE kind = 'REFUND'), 0)
  FROM billing_client c
 CROSS JOIN (SELECT date_trunc('day', statement_timestamp(), 'UTC') AS today,
                    date_trunc('month', statement_timestamp(), 'UTC') AS this_month) clock
  LEFT JOIN billing_ledgerentry e ON e.client_id = c.id AND e.created_at >= this_month
 WHERE c.id = %s
 GROUP BY c.id
"""
# Reads a range of the same index for each day: a tenth of the time that it takes to put all its rows in groups.
DAYS = """
SELECT day::date, charged, refunded
  FROM generate_series(date_trunc('day', statement_timestamp(), 'UTC') - %(more)s * interval '1 day',
                       statement_timestamp(), '1 day') day
 CROSS JOIN LATERAL (
       SELECT coalesce(-sum(amount) FILTER (WHERE kind = 'CHARGE'), 0) AS charged,
              coalesce(sum(amount) FILTER (WHERE kind = 'REFUND'), 0) AS refunded
         FROM billing_ledgerentry
        WHERE client_id = %(client_id)s AND created_at >= day AND created_at < day + interval '1 day') sums
 ORDER BY day
"""


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Credits, both of them as positive numbers."""

    charged: int
    refunded: int


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a client stands; the day and the month began at 00:00 UTC."""

    balance: int
    open_jobs: int
    today: Sums
    month: Sums


def standing(*, client: Client) -> Standing:
    """Add up a client's ledger, as of one moment."""
    with connection.cursor() as cursor:
        cursor.execute(STANDING, [client.pk])
        balance, open_jobs, *sums = cursor.fetchone()
    today, month = (Sums(charged=int(charged), refunded=int(refunded)) for charged, refunded in (sums[:2], sums[2:]))
    return Standing(balance=balance, open_jobs=open_jobs, today=today, month=month)


def last_days(*, client: Client, count: int = 30) -> list[tuple[date, Sums]]:
    """Add up each of the last `count` UTC days of a client's ledger; today, the last of them, so far."""
    with connection.cursor() as cursor:
        cursor.execute(DAYS, {"client_id": client.pk, "more": count - 1})
        return [
            (day, Sums(charged=int(charged), refunded=int(refunded))) for day, charged, refunded in cursor.fetchall()
        ]


class Entries:
    """A client's ledger entries that match, newest first: by their `seq`, in which each balance follows from the last.

    `reference` finds charges and refunds by their job, and what staff moved by what it was for.
    """

    def __init__(
        self,
        *,
        client: Client,
        kind: str | None = None,
        reference: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> None:
        self._all = LedgerEntry.objects.filter(client=client).order_by("-seq")
        # Both exclusive.
        self._first, self._last = 0, client.ledger_seq + 1
        self._wanted = Q() if kind is None else Q(kind=kind)
        self._by_reference: Q | None = None
        if reference is not None:
            # Each kind has a unique index of its own.
            self._by_reference = Q()
            for each in LedgerEntry.Kind.values:
                self._by_reference |= Q(kind=each, reference=reference)
        if created_after is not None:
            self._wanted &= Q(created_at__gte=created_after)
            older = self._all.filter(created_at__lt=created_after - WAIT).order_by("-created_at")
            self._first = older.values_list("seq", flat=True).first() or 0
        if created_before is not None:
            self._wanted &= Q(created_at__lt=created_before)
            younger = self._all.filter(created_at__gte=created_before + WAIT).order_by("created_at")
            self._last = younger.values_list("seq", flat=True).first() or self._last

    def page(self, *, limit: int, cursor: int | None) -> tuple[list[LedgerEntry], int | None]:
        """Return the next entries after `cursor`, `limit` of them or fewer, and the cursor of the next page.

        A page may be short, or even empty, where SEARCHED entries were looked at; the last has no next cursor.
        """
        start = self._last if cursor is None else min(cursor, self._last)
        if self._by_reference is not None:
            found = self._all.filter(self._by_reference, self._wanted, seq__lt=start)
            searched = self._first
        else:
            searched = max(start - SEARCHED - 1, self._first)
            found = self._all.filter(self._wanted, seq__lt=start, seq__gt=searched)
        rows = list(found[: limit + 1])
        if len(rows) > limit:
            return rows[:limit], rows[limit - 1].seq
        return rows, searched + 1 if searched > self._first else None

    def __iter__(self) -> Iterator[LedgerEntry]:
        """Yield all entries, by and by: many, in no transaction, which entries that never change need not."""
        cursor: int | None = self._last
        while cursor is not None:
            rows, cursor = self.page(limit=1000, cursor=cursor)
            yield from rows
