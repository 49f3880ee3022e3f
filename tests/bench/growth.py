"""What becomes slower with the rows: the same acts on 10,000 jobs and on as many as are asked for, in turns.

Both databases are on one server, and warm. What is compared is CPU time, of this thread and of the server's process
that works for it, which says the same on a machine that has other things to do.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from django.core.cache import cache
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client as Browser

from billing import ledger
from billing.keys import create_key
from billing.models import Client, LedgerEntry
from tests import rows
from tests.bench import Section
from tests.bench.accept import PATH, SPEC
from tests.bench.site import Bench
from tests.helpers import sql
from tests.rows.measure import pages, staff
from workflows import jobs
from workflows.models import Job
from workflows.reconcile import reconcile

FEW = 10_000
TIMES = 60
GOAL = "≤ 1.2"


@dataclass(frozen=True)
class Grown:
    """A database of `size` jobs."""

    size: int
    wrapper: BaseDatabaseWrapper

    @contextmanager
    def here(self) -> Iterator[None]:
        """Let Django's connection lead here meanwhile."""
        before, connections["default"] = connections["default"], self.wrapper
        try:
            yield
        finally:
            connections["default"] = before

    def cost(self, act: Callable[[], Any]) -> float:
        """Run `act` here; return its CPU time in ms."""
        with self.here():
            begun = self._cpu()
            act()
            return (self._cpu() - begun) / 1e6

    def _cpu(self) -> int:
        pid = self.wrapper.connection.info.backend_pid  # type: ignore[attr-defined]
        return time.thread_time_ns() + int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def measure(bench: Bench) -> Section:
    section = Section(title="Growth")
    with ExitStack() as stack:
        grown = []
        for size in sorted({min(FEW, bench.rows), bench.rows}):
            stack.enter_context(bench.database())
            rows.fill(jobs=size, clients=max(10, size // 200))
            sql("VACUUM ANALYZE")
            grown.append(Grown(size, connection.copy()))
            stack.callback(grown[-1].wrapper.close)
        compare(section, grown, times=3 if bench.quick else TIMES)
    return section


def compare(section: Section, grown: list[Grown], *, times: int) -> None:
    """Add what each act costs with few rows and with many, and how many times as much that is."""
    each_acts, urls = [], []
    for each in grown:
        with each.here():
            each_acts.append(acts())
            urls.append(pages())
    for name in each_acts[0]:
        took = _taken_in_turns([(each, of[name]) for each, of in zip(grown, each_acts, strict=True)], times=times)
        for each, values in zip(grown, took, strict=True):
            section.add(f"{name} with {each.size:,} jobs, CPU, ms", values)
        section.add(f"{name}: times as much", _growth(took), goal=GOAL)
    _add_console(section, grown, urls, times=max(1, times // 6))
    for each in grown:
        with each.here():
            _add_reconcile(section, each, times=min(times, 3))


def _taken_in_turns(turns: list[tuple[Grown, Callable[[], Any]]], *, times: int) -> list[list[float]]:
    took: list[list[float]] = [[] for _ in turns]
    # The first rounds find cold caches, and plans that are not made yet: a statement is prepared the sixth time.
    cold = min(6, times)
    for number in range(cold + times):
        for (each, act), values in zip(turns, took, strict=True):
            cost = each.cost(act)
            if number >= cold:
                values.append(cost)
    return took


def _growth(took: list[list[float]]) -> float:
    return statistics.median(took[-1]) / statistics.median(took[0])


def acts() -> dict[str, Callable[[], Any]]:
    """Return what clients and workers do, with HTTP as Django has it.

    Orders are of all clients in turn. Lists are of the client that has most jobs; where a client's rows are added up,
    they are of one that has as many whatever the size of the database.
    """
    most, usual = Client.objects.order_by("-ledger_seq")[0], Client.objects.filter(ledger_seq__lte=200)
    of_most = _key(most.pk)
    of_usual = _key(usual.order_by("-ledger_seq", "pk")[0].pk)
    http = Browser(headers={"host": "localhost"})
    ordered, begun, known = list[str](), list[jobs.Attempt](), dict[str, str]()

    # Of any client: `rows` makes keys by their ids, of which it tells the secret.
    all_of_them = cycle(
        Client.objects.filter(suspended_at=None, balance__gte=100).order_by("?").values_list("pk", flat=True)
    )

    def accept() -> None:
        secret = {"authorization": f"Bearer key {next(all_of_them)}"}
        answer = http.post(PATH, SPEC, content_type="application/json", headers=secret)
        assert answer.status_code == 202, answer.content
        ordered.append(answer.json()["job_id"])

    def claim() -> None:
        attempt = jobs.claim(job_id=ordered.pop(), worker="bench")
        assert attempt is not None
        begun.append(attempt)

    def get(path: str, key: dict[str, str] = of_most) -> Callable[[], Any]:
        def act() -> None:
            assert http.get(path, headers=key).status_code == 200, path

        return act

    def poll(path: str) -> Callable[[], Any]:
        def act() -> None:
            answer = http.get(path, headers={**of_most, "if-none-match": known.get(path, "")})
            assert answer.status_code == (304 if path in known else 200), path
            known[path] = answer.headers["ETag"]

        return act

    mine = Job.objects.filter(client=most)
    done = mine.filter(status=Job.Status.SUCCESS).order_by("-pk")[0]
    waits = Job.objects.filter(client=most, status=Job.Status.NOT_STARTED).order_by("pk")[0]
    middle = mine.order_by("-pk").values_list("pk", flat=True)[mine.count() // 2]
    seq = most.ledger_seq // 2
    return {
        "accept": accept,
        "reserve": lambda: jobs.reserve(after_client=0),
        "claim": claim,
        "heartbeat": lambda: jobs.heartbeat(begun[-1]),
        "succeed": lambda: jobs.succeed(begun.pop(), outputs=[], summary={}),
        "sweep": jobs.sweep,
        "GET /v1/jobs/{id}": get(f"/v1/jobs/{done.pk}"),
        "GET /v1/jobs/{id}, 304": poll(f"/v1/jobs/{done.pk}"),
        "GET /v1/jobs/{id} of one that waits, 304": poll(f"/v1/jobs/{waits.pk}"),
        "GET /v1/requests/{id}": get(f"/v1/requests/{done.request_id}"),
        "GET /v1/jobs": get("/v1/jobs"),
        "GET /v1/jobs, half way": get(f"/v1/jobs?cursor={middle}"),
        "GET /v1/jobs?status=FAILURE": get("/v1/jobs?status=FAILURE"),
        "GET /v1/credits": get("/v1/credits", of_usual),
        "GET /v1/credits/entries": get("/v1/credits/entries"),
        "GET /v1/credits/entries, half way": get(f"/v1/credits/entries?cursor={seq}"),
        "GET /v1/usage": get("/v1/usage", of_usual),
        "GET /v1/events": get("/v1/events"),
        "GET /v1/webhook-deliveries": get("/v1/webhook-deliveries"),
    }


def _key(client: int) -> dict[str, str]:
    Client.objects.filter(pk=client).update(max_open_jobs=1_000_000, jobs_per_minute=1_000_000, suspended_at=None)
    ledger.grant(client_id=client, credits=10_000, reason="to be measured with")
    return {"authorization": f"Bearer {create_key(client=Client.objects.get(pk=client))[1]}"}


def _add_console(section: Section, grown: list[Grown], urls: list[list[str]], *, times: int) -> None:
    browsers = []
    for each in grown:
        with each.here():
            browsers.append(staff())

    lengths = dict[tuple[int, str], int]()

    def shown(size: int, browser: Browser, url: str) -> Callable[[], Any]:
        def act() -> None:
            cache.clear()  # of which the dashboard is told for a minute
            answer = browser.get(url)
            assert answer.status_code == 200, url
            lengths[size, url] = len(answer.content)

        return act

    growth = dict[str, float]()
    each_took: list[list[float]] = [[] for _ in grown]
    for alike in zip(*urls, strict=True):
        turns = [
            (each, shown(each.size, browser, url)) for each, browser, url in zip(grown, browsers, alike, strict=True)
        ]
        took = _taken_in_turns(turns, times=times)
        # A list that is longer takes longer to be written, which says nothing of the tables.
        if lengths[grown[-1].size, alike[-1]] < 1.1 * lengths[grown[0].size, alike[0]]:
            growth[alike[-1]] = _growth(took)
        for values, of_page in zip(each_took, took, strict=True):
            values.append(statistics.median(of_page))
        section.detail[alike[-1]] = [statistics.median(values) for values in took]
    what = f"the console's {len(urls[0])} lists, searches and pages"
    for each, values in zip(grown, each_took, strict=True):
        section.add(f"{what} with {each.size:,} jobs, CPU, ms each", values)
    section.add(
        f"{len(growth)} of them that are as long with few rows: times as much", list(growth.values()), goal=GOAL
    )


def _add_reconcile(section: Section, each: Grown, *, times: int) -> None:
    took, entries = [], LedgerEntry.objects.count()
    for _ in range(times):
        begun = time.perf_counter()
        assert reconcile().clean
        took.append((time.perf_counter() - begun) / entries * 1_000_000)
    section.add(f"reconcile with {each.size:,} jobs, s per million entries", took)
