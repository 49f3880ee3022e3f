"""What becomes slower with the rows: the same acts on 10,000 jobs and on as many as are asked for."""

import statistics
import time
from collections.abc import Callable
from typing import Any

from django.test import Client as Browser

from billing import ledger
from billing.keys import create_key
from billing.models import Client, LedgerEntry
from tests import rows
from tests.bench import Section
from tests.bench.accept import PATH, SPEC
from tests.bench.site import Bench
from tests.rows.measure import pages, timed
from workflows import jobs
from workflows.models import Job
from workflows.reconcile import reconcile

FEW = 10_000
TIMES = 30


def measure(bench: Bench) -> Section:
    section = Section(title="Growth")
    for size in sorted({min(FEW, bench.rows), bench.rows}):
        with bench.database():
            rows.fill(jobs=size, clients=max(10, size // 200))
            _add_acts(section, f"with {size:,} jobs", times=3 if bench.quick else TIMES)
            _add_console(section, f"with {size:,} jobs", times=1 if bench.quick else 3)
            begun, entries = time.perf_counter(), LedgerEntry.objects.count()
            assert reconcile().clean
            took = time.perf_counter() - begun
            section.add(f"reconcile with {size:,} jobs, s per million entries", took / entries * 1_000_000)
    return section


def _add_acts(section: Section, when: str, *, times: int) -> None:
    """Time what clients and workers do, in this process: HTTP as Django has it, for the client that has most jobs."""
    client = Client.objects.order_by("-ledger_seq")[0]
    Client.objects.filter(pk=client.pk).update(max_open_jobs=1_000_000, jobs_per_minute=1_000_000)
    ledger.grant(client_id=client.pk, credits=10_000, reason="to be measured with")
    _, key = create_key(client=client)
    http = Browser(headers={"authorization": f"Bearer {key}", "host": "localhost"})
    ordered = list[str]()

    def accept() -> None:
        answer = http.post(PATH, SPEC, content_type="application/json")
        assert answer.status_code == 202, answer.content
        ordered.append(answer.json()["job_id"])

    def get(path: str) -> Callable[[], Any]:
        def act() -> None:
            assert http.get(path).status_code == 200, path

        return act

    def claim() -> None:
        assert jobs.claim(job_id=ordered.pop(), worker="bench") is not None

    some = Job.objects.filter(client=client, status=Job.Status.SUCCESS).order_by("-pk")[0].pk
    acts = {
        "accept": accept,
        "reserve": lambda: jobs.reserve(after_client=0),
        "claim": claim,
        "sweep": jobs.sweep,
        "GET /v1/jobs/{id}": get(f"/v1/jobs/{some}"),
        "GET /v1/jobs": get("/v1/jobs"),
        "GET /v1/jobs?status=FAILURE": get("/v1/jobs?status=FAILURE"),
        "GET /v1/credits/entries": get("/v1/credits/entries"),
        "GET /v1/requests/{id}": get(f"/v1/requests/{Job.objects.get(pk=some).request_id}"),
    }
    for name, act in acts.items():
        took = []
        for _ in range(times):
            begun = time.perf_counter()
            act()
            took.append((time.perf_counter() - begun) * 1000)
        section.add(f"{name} {when}, ms", took)


def _add_console(section: Section, when: str, *, times: int) -> None:
    took = {url: statistics.median(each) for url, each, _ in timed(pages(), times=times)}
    job_page = next(ms for url, ms in took.items() if "/workflows/job/" in url and url.endswith("/change/"))
    section.add(f"the console's job page {when}, ms", job_page)
    section.add(f"the console's {len(took)} lists, searches and pages {when}, ms each", list(took.values()))
    section.detail[when] = took
