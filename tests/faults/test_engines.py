"""Engines that hang, kill, and ignore whatever they are told: the job ends in time, refunded, and the process is gone.

Their jobs run at the same time, each under a limit of a few seconds and with two attempts; each test looks at one.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.conftest import Shop
from tests.faults.cluster import PlantJob, crew, dead, limits, reconciled
from tests.gateway import Gateway, eventually
from workflows.models import Job


@pytest.fixture(scope="module")
def doomed(site: Gateway) -> Iterator[dict[str, PlantJob]]:
    """One job of each engine that never ends by itself; each has a client of its own."""
    limits(time_limit=timedelta(seconds=4), max_attempts=2)
    site.extra_env = {**site.extra_env, "WORKER_PROCESSES": "6"}
    site.start("worker")
    crew(site, workers=6)
    jobs = {}
    for name in ("stubborn", "kills", "swallows", "blocks", "holds"):
        jobs[name] = PlantJob(site, Shop.make(), name)
        # One after the other: what a worker process imports for its first job counts as this job's time.
        eventually(lambda name=name: jobs[name].pids, what="its engine is called")
    yield jobs
    eventually(lambda: not Job.objects.filter(status__in=Job.OPEN).exists(), seconds=60, what="all is over")
    reconciled(site)


def no_process_is_left(job: PlantJob, *, calls: int) -> None:
    assert len(set(job.pids)) == calls
    eventually(lambda: all(dead(pid) for pid in job.pids), seconds=10, what="its processes are gone")


def test_an_engine_that_hangs_while_its_heartbeat_goes_on_ends_at_its_time_limit(doomed: dict[str, PlantJob]):
    job = doomed["stubborn"]
    job.failed("time_limit_exceeded", attempt=2)
    assert "4 s" in job.row.error_message
    assert job.kinds == ["started", "waiting", "started", "failed"]
    no_process_is_left(job, calls=2)


def test_a_job_that_hung_is_tried_again(site: Gateway, doomed: dict[str, PlantJob]):
    job = PlantJob(site, Shop.make(), "stubborn")
    eventually(lambda: "waiting" in job.kinds, what="its first attempt is over")
    job.go()
    job.succeeded(attempt=2)
    assert job.kinds == ["started", "waiting", "started", "succeeded"]


@pytest.mark.parametrize("engine", ["kills", "swallows", "blocks", "holds"])
def test_a_job_that_never_lets_its_worker_say_what_became_of_it_fails_at_its_last_attempt(
    doomed: dict[str, PlantJob], engine: str
):
    """It kills it, swallows every exception, blocks every signal, or hangs in C with the interpreter's lock."""
    job = doomed[engine]
    job.failed("worker_lost", attempt=2, seconds=60)
    assert job.kinds == ["started", "started", "failed"]
    no_process_is_left(job, calls=2)
