"""What the clients of a campaign sent and saw, and whether the rows agree with it afterwards."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.faults.promises import Promise

# What each kind of request may be answered with; 503 besides, while the database is away.
DOCUMENTED = {
    "order": {202, 402, 429},
    "invalid": {422},
    "key reused": {422},
    "read": {200},
    "cancel": {200, 202, 409},
    "not mine": {404},
}
# How long after the database is back a 503 may still be answered: connections are made anew.
SETTLED = 5.0


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request that was answered, or whose connection broke: then `status` is 0. Times are of time.monotonic()."""

    kind: str
    client_id: int
    path: str
    key: str | None
    sent: float
    ended: float
    status: int = 0
    logged_as: str = ""
    answer: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Window:
    """When the database was away."""

    start: float
    end: float


class Seen:
    """Everything that the clients saw."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.accepted: dict[str, int] = {}
        self.unanswered = 0
        self._lock = threading.Lock()

    def add(self, exchange: Exchange) -> None:
        with self._lock:
            self.exchanges.append(exchange)
            if exchange.kind == "order" and exchange.status == 202:
                self.accepted.setdefault(exchange.answer["job_id"], exchange.client_id)

    def gave_up(self) -> None:
        with self._lock:
            self.unanswered += 1

    def somebody_elses(self, client_id: int) -> str | None:
        """Return a job of another client's than this."""
        with self._lock:
            return next((job for job, owner in reversed(self.accepted.items()) if owner != client_id), None)

    def statuses(self) -> dict[str, int]:
        counted = Counter(str(exchange.status or "connection broke") for exchange in self.exchanges)
        return dict(sorted(counted.items()))


@dataclass
class Rows:
    """What the tables hold in the end: jobs by id, and the status of each logged request."""

    jobs: dict[str, dict[str, Any]]
    logged: dict[str, int]


def check(seen: Seen, rows: Rows, away: list[Window]) -> dict[str, Promise]:
    """Check P6, P7, P9 and P10 as far as clients can see them."""
    found = {name: Promise() for name in ("P6 answers", "P7 answers", "P9 answers", "P10 answers")}
    by_key = {(job["client_id"], job["idempotency_key"]): job_id for job_id, job in rows.jobs.items()}
    for exchange in seen.exchanges:
        if exchange.status == 0:
            continue
        _documented(exchange, away, found["P9 answers"])
        if exchange.kind == "not mine":
            _count(found["P10 answers"], exchange, None if exchange.status in (404, 503) else "reached another's job")
        if exchange.kind != "read" and not _away(exchange, away):
            logged = rows.logged.get(exchange.logged_as)
            wrong = None if logged == exchange.status else f"in the log as {logged}"
            _count(found["P6 answers"], exchange, wrong)
        if exchange.kind in ("order", "cancel", "read", "invalid"):
            _count(found["P7 answers"], exchange, _kept(exchange, rows, by_key))
    return found


def _documented(exchange: Exchange, away: list[Window], promise: Promise) -> None:
    wrong = None
    if exchange.status == 503:
        wrong = None if _away(exchange, away) else "the database was not away"
    elif exchange.status not in DOCUMENTED[exchange.kind]:
        wrong = "not documented"
    _count(promise, exchange, wrong)


def _kept(exchange: Exchange, rows: Rows, by_key: dict[tuple[int, Any], str]) -> str | None:
    """Say what of an answer the rows do not bear out."""
    answer, kind, status = exchange.answer, exchange.kind, exchange.status
    job = rows.jobs.get(answer.get("job_id", ""))
    if kind == "invalid":
        return "made a job" if (exchange.client_id, exchange.key) in by_key else None
    if status not in (200, 202):
        return None
    if job is None:
        return "the job is not there"
    if job["client_id"] != exchange.client_id or job["request_id"] != answer["request_id"]:
        return f"the job is of client {job['client_id']}, request {job['request_id']}"
    if job["credits_cost"] != answer["credits_cost"]:
        return f"the job costs {job['credits_cost']}"
    if kind == "order" and by_key[exchange.client_id, exchange.key] != answer["job_id"]:
        return "the key has another job"
    if kind == "order" and exchange.path != f"/v1/{job['workflow']}":
        return f"the job is a {job['workflow']}"
    if kind == "cancel" and job["error_code"] != "cancelled":
        return f"the job ended in {job['status']} {job['error_code']}"
    if kind != "order" and answer["status"] in ("SUCCESS", "FAILURE") and answer["status"] != job["status"]:
        return f"the job ended in {job['status']}"
    return None


def _count(promise: Promise, exchange: Exchange, wrong: str | None) -> None:
    promise.counted += 1
    if wrong:
        said = {name: exchange.answer.get(name) for name in ("code", "job_id", "status") if name in exchange.answer}
        promise.violations.append(f"{exchange.kind} {exchange.path} {exchange.status} {said}: {wrong}")


def _away(exchange: Exchange, away: list[Window]) -> bool:
    return any(window.start <= exchange.ended and exchange.sent <= window.end + SETTLED for window in away)
