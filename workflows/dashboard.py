"""What staff see first: how the jobs of the last hours or days fared, what waits now, and who must be seen to.

Jobs count in the range in which they were accepted, and as they stand now. Those of test keys and staff's runs again
count like any other, since they wait for the same workers; they cost nothing, and so the sums leave them out.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from django.core.cache import cache
from django.db import connection, transaction
from django.utils import timezone

from studio_gateway.ids import SKEW, last_ulid
from workflows.metrics import OPEN_JOBS
from workflows.models import Job, Reconciliation

# Of what may be as many as there are clients or jobs, so many are told.
MOST = 10
# Models are free strings, and long where somebody means harm; a longer one is told cut to this.
MOST_CHARACTERS = 100
# For how long what reads many rows is told again by one process.
KEPT_SECONDS = 60

T = TypeVar("T")

# Here, in TIMES and in MONEY the range of ids is what is read, of the primary key: the times decide. Sums by bar, by
# workflow and by model are drawn from one pass over the rows. Models are named as the list of jobs knows them.
JOBS = """
WITH sums AS MATERIALIZED (
    SELECT width_bucket(accepted_at, %(starts)s::timestamptz[]) AS bar, status, workflow,
           coalesce(left(spec ->> 'image_model', %(characters)s), 'built-in') AS model, count(*) AS jobs
      FROM workflows_job
     WHERE id > %(first)s AND id <= %(last)s AND accepted_at >= %(begin)s AND accepted_at < %(end)s
     GROUP BY 1, 2, 3, 4
), named AS (
    SELECT 'bar' AS kind, bar::text AS name, status, jobs FROM sums
     UNION ALL SELECT 'workflow', workflow, status, jobs FROM sums
     UNION ALL SELECT 'model', model, status, jobs FROM sums
), counted AS (
    SELECT kind, name,
           coalesce(sum(jobs) FILTER (WHERE status = 'NOT_STARTED'), 0)::bigint AS not_started,
           coalesce(sum(jobs) FILTER (WHERE status = 'IN_PROGRESS'), 0)::bigint AS in_progress,
           coalesce(sum(jobs) FILTER (WHERE status = 'SUCCESS'), 0)::bigint AS success,
           coalesce(sum(jobs) FILTER (WHERE status = 'FAILURE'), 0)::bigint AS failure
      FROM named GROUP BY kind, name
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY kind ORDER BY failure DESC, success DESC, name) AS rank FROM counted
)
SELECT kind, name, not_started, in_progress, success, failure
  FROM ranked WHERE kind <> 'model' OR rank <= %(most)s ORDER BY kind, rank
"""
TIMES = """
SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY date_part('epoch', started_at - accepted_at)),
       percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY date_part('epoch', ended_at - started_at))
  FROM workflows_job
 WHERE id > %(first)s AND id <= %(last)s AND accepted_at >= %(begin)s AND accepted_at < %(end)s
"""
# Its first row is the total.
MONEY = """
WITH sums AS MATERIALIZED (
    SELECT client_id,
           coalesce(-sum(amount) FILTER (WHERE kind = 'CHARGE'), 0)::bigint AS charged,
           coalesce(sum(amount) FILTER (WHERE kind = 'REFUND'), 0)::bigint AS refunded
      FROM billing_ledgerentry
     WHERE id > %(first)s AND id <= %(last)s AND created_at >= %(begin)s AND created_at < %(end)s
       AND kind IN ('CHARGE', 'REFUND')
     GROUP BY 1
)
SELECT 0, '', coalesce(sum(charged), 0)::bigint, coalesce(sum(refunded), 0)::bigint FROM sums
 UNION ALL
(SELECT c.id, c.name, s.charged, s.refunded
   FROM sums s JOIN billing_client c ON c.id = s.client_id
  WHERE s.charged > 0 ORDER BY s.charged DESC, c.id LIMIT %(most)s)
"""
# Reads all clients: there are thousands of them, not millions.
BALANCES = """
SELECT id, name, balance, low_credits_threshold,
       count(*) FILTER (WHERE balance < low_credits_threshold) OVER () AS low,
       count(*) FILTER (WHERE balance = 0) OVER () AS empty
  FROM billing_client
 WHERE suspended_at IS NULL AND (balance = 0 OR balance < low_credits_threshold)
 ORDER BY low_credits_threshold IS NULL, balance, id LIMIT %(most)s
"""
# Reads all endpoints: a client has a few at most.
ENDPOINTS = """
SELECT e.id, e.url, c.id, c.name, e.failing_since, e.disabled_at, e.disabled_reason,
       count(*) FILTER (WHERE e.disabled_at IS NULL) OVER () AS failing,
       count(*) FILTER (WHERE e.disabled_at IS NOT NULL) OVER () AS disabled
  FROM workflows_webhookendpoint e JOIN billing_client c ON c.id = e.client_id
 WHERE e.deleted_at IS NULL AND (e.failing_since IS NOT NULL OR e.disabled_at IS NOT NULL)
 ORDER BY e.disabled_at IS NOT NULL, coalesce(e.disabled_at, e.failing_since) DESC, e.id LIMIT %(most)s
"""


@dataclass(frozen=True, kw_only=True)
class Range:
    """A time to look back on, and how long a bar of its chart stands for."""

    name: str
    title: str
    length: timedelta
    step: timedelta
    bar: str
    # Of a short one the figures are read anew each time.
    kept: bool


RANGES = {
    known.name: known
    for known in (
        Range(
            name="1h",
            title="Last hour",
            length=timedelta(hours=1),
            step=timedelta(minutes=5),
            bar="5 minutes",
            kept=False,
        ),
        Range(
            name="24h", title="24 hours", length=timedelta(hours=24), step=timedelta(hours=1), bar="hour", kept=False
        ),
        Range(name="7d", title="7 days", length=timedelta(days=7), step=timedelta(days=1), bar="day", kept=True),
        Range(name="30d", title="30 days", length=timedelta(days=30), step=timedelta(days=1), bar="day", kept=True),
    )
}
DEFAULT = RANGES["24h"]


@dataclass(frozen=True, kw_only=True)
class Period:
    """The times `starts[0]` <= t < `end`, in bars: whole ones, but for the last, which is not over."""

    starts: tuple[datetime, ...]
    end: datetime

    @classmethod
    def back(cls, span: Range) -> "Period":
        """Return the `span` before now, and what its first bar has beyond that."""
        # Whole seconds, like the times in the addresses of lists; this one counts.
        end = timezone.now().replace(microsecond=0) + timedelta(seconds=1)
        first = end - span.length
        first -= (first - datetime.fromtimestamp(0, tz=UTC)) % span.step
        bars = math.ceil((end - first) / span.step)
        return cls(starts=tuple(first + n * span.step for n in range(bars)), end=end)

    @property
    def values(self) -> dict[str, Any]:
        """What the statements know it by."""
        first, last = last_ulid(self.starts[0] - SKEW), last_ulid(self.end + SKEW)
        return {"first": first, "last": last, "begin": self.starts[0], "end": self.end, "starts": list(self.starts)}


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Jobs by status. `name` is a workflow, or a model as it was ordered."""

    name: str = ""
    not_started: int = 0
    in_progress: int = 0
    success: int = 0
    failure: int = 0

    @property
    def jobs(self) -> int:
        return self.not_started + self.in_progress + self.success + self.failure

    @property
    def failure_rate(self) -> float | None:
        """The part of those that ended which failed, cancelled ones included; None where none has ended."""
        ended = self.success + self.failure
        return self.failure / ended if ended else None


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds; None where no job has got so far."""

    median: float | None
    percentile_95: float | None


@dataclass(frozen=True, kw_only=True)
class JobFigures:
    """The jobs accepted in a period.

    `waiting` is from accept to the first start, `running` from there to the end, pauses between attempts included.
    `models` are those that failed most often.
    """

    period: Period
    bars: list[Counts]
    workflows: list[Counts]
    models: list[Counts]
    total: Counts
    waiting: Times
    running: Times


@dataclass(frozen=True, kw_only=True)
class Spending:
    """What one client, or all of them, were charged and given back; credits."""

    client_id: int
    name: str
    charged: int
    refunded: int


@dataclass(frozen=True, kw_only=True)
class MoneyFigures:
    """The ledger entries of a period, whenever the jobs were accepted that they are for."""

    period: Period
    total: Spending
    clients: list[Spending]


@dataclass(frozen=True, kw_only=True)
class Queue:
    """What is open now, and for how many seconds the job that waits longest could have been begun."""

    not_started: int
    in_progress: int
    oldest: float


@dataclass(frozen=True, kw_only=True)
class Balance:
    client_id: int
    name: str
    balance: int
    threshold: int | None


@dataclass(frozen=True, kw_only=True)
class Balances:
    """Clients in good standing that are below the threshold they asked to be told of, and those that have nothing."""

    low: int
    empty: int
    clients: list[Balance]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    endpoint_id: str
    url: str
    client_id: int
    client: str
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: str


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """Webhook endpoints to which nothing gets through."""

    failing: int
    disabled: int
    endpoints: list[Endpoint]


def jobs(span: Range) -> JobFigures:
    return _kept(f"dashboard.jobs.{span.name}", span, _jobs)


def money(span: Range) -> MoneyFigures:
    return _kept(f"dashboard.money.{span.name}", span, _money)


def queue() -> Queue:
    rows = _rows(OPEN_JOBS)
    counts = {status: count for status, count, _ in rows}
    oldest = max((age for _, _, age in rows if age), default=timedelta())
    return Queue(
        not_started=counts.get(Job.Status.NOT_STARTED, 0),
        in_progress=counts.get(Job.Status.IN_PROGRESS, 0),
        oldest=max(0.0, oldest.total_seconds()),
    )


def balances() -> Balances:
    rows = _rows(BALANCES, most=MOST)
    low, empty = rows[0][-2:] if rows else (0, 0)
    names = ("client_id", "name", "balance", "threshold")
    return Balances(low=low, empty=empty, clients=[Balance(**_named(names, row)) for row in rows])


def endpoints() -> Endpoints:
    rows = _rows(ENDPOINTS, most=MOST)
    failing, disabled = rows[0][-2:] if rows else (0, 0)
    names = ("endpoint_id", "url", "client_id", "client", "failing_since", "disabled_at", "disabled_reason")
    return Endpoints(failing=failing, disabled=disabled, endpoints=[Endpoint(**_named(names, row)) for row in rows])


def last_reconciliation() -> Reconciliation | None:
    return Reconciliation.objects.defer("checked", "violations").order_by("-pk").first()


def _kept(key: str, span: Range, read: Callable[[Period], T]) -> T:
    figures = cache.get(key) if span.kept else None
    if figures is None:
        figures = read(Period.back(span))
        if span.kept:
            cache.set(key, figures, KEPT_SECONDS)
    return figures


def _jobs(period: Period) -> JobFigures:
    values = {**period.values, "most": MOST, "characters": MOST_CHARACTERS + 1}
    with transaction.atomic():
        # Enough to sort a month's jobs without writing them to a file; and to compile what is over sooner costs more.
        _run("SET LOCAL work_mem = '64MB'; SET LOCAL jit = off")
        rows = _rows(JOBS, **values)
        ((waiting, running),) = _rows(TIMES, **values)
    names = ("name", "not_started", "in_progress", "success", "failure")
    kinds: dict[str, list[Counts]] = {"bar": [], "workflow": [], "model": []}
    for kind, *row in rows:
        kinds[kind].append(Counts(**_named(names, row)))
    bars = {int(bar.name): bar for bar in kinds["bar"]}
    return JobFigures(
        period=period,
        bars=[bars.get(n, Counts()) for n, _ in enumerate(period.starts, start=1)],
        workflows=kinds["workflow"],
        models=kinds["model"],
        total=_total(kinds["bar"]),
        waiting=_times(waiting),
        running=_times(running),
    )


def _money(period: Period) -> MoneyFigures:
    names = ("client_id", "name", "charged", "refunded")
    total, *clients = [Spending(**_named(names, row)) for row in _rows(MONEY, **period.values, most=MOST)]
    return MoneyFigures(period=period, total=total, clients=clients)


def _total(counts: list[Counts]) -> Counts:
    return Counts(
        not_started=sum(each.not_started for each in counts),
        in_progress=sum(each.in_progress for each in counts),
        success=sum(each.success for each in counts),
        failure=sum(each.failure for each in counts),
    )


def _times(percentiles: list[float] | None) -> Times:
    median, percentile_95 = percentiles or (None, None)
    return Times(median=median, percentile_95=percentile_95)


def _named(names: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(names, row, strict=False))


def _run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _rows(statement: str, **values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()
