"""Hosts at one database, of which one is set up otherwise: another secret, broken code, a clock that is wrong."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.conftest import Shop
from tests.faults.cluster import PlantJob, crew, order, reconciled
from tests.gateway import Gateway, eventually
from tests.helpers import now, sql
from workflows.jobs.attempts import LEASE
from workflows.models import Job, JobEvent

pytestmark = pytest.mark.slow


@contextmanager
def host(site: Gateway, *names: str, **env: str) -> Iterator[Gateway]:
    """Another host at the database and the storage of `site`, with processes of its own, and `env` set."""
    other = Gateway(site.database_url, site.data_dir, extra_env={**site.extra_env, **env})
    other.start(*names)
    try:
        yield other
    finally:
        other.stop()


def test_jobs_that_wait_while_the_secret_key_is_changed_get_done(site: Gateway, shop: Shop):
    waiting = [PlantJob(site, shop, "quick") for _ in range(3)]
    with host(site, "worker", SECRET_KEY="another, and long enough for whoever counts the characters"):
        for job in waiting:
            job.succeeded()


def test_a_task_module_that_cannot_be_imported_is_said_so_in_the_log_and_costs_no_job_an_attempt(
    site: Gateway, shop: Shop
):
    job = PlantJob(site, shop, "quick")
    with host(site, "worker", DJANGO_SETTINGS_MODULE="tests.faults.broken") as broken:
        said = "import of workflows.performing halted"
        eventually(lambda: broken.log("worker").count(said) > 2, what="both clusters have said so, and another one")
        assert "the cluster ended; starting another" in broken.log("worker")
        assert broken.processes["worker"].poll() is None
        row = job.row
        assert (row.status, row.attempt, row.reserved_until) == (Job.Status.NOT_STARTED, 0, None)
    with host(site, "worker"):
        job.succeeded()


def test_a_job_that_is_handed_out_twice_is_run_once(site: Gateway, shop: Shop):
    with host(site, "worker") as first, host(site, "worker") as second:
        crews = [crew(first), crew(second)]
        # Four jobs keep all workers busy; a fifth one waits in the cluster that reserved it.
        busy = [PlantJob(site, shop) for _ in range(4)]
        for job in busy:
            job.running()
        job = PlantJob(site, shop)
        eventually(lambda: job.row.reserved_until, what="a cluster has it")
        reserved = job.row.reserved_until
        sql("UPDATE workflows_job SET reserved_until = NULL WHERE id = %s", job.id)
        eventually(lambda: (job.row.reserved_until or reserved) > reserved, what="it is handed out again")
        for other in busy:
            other.go()
            other.succeeded()
        job.running()
        job.go()
        first.stop()  # drained: they have seen to all that they were handed
        second.stop()
    eventually(lambda: all(crew.gone() for crew in crews), seconds=5, what="nobody is left")
    job.succeeded()
    assert len(job.pids) == 1
    assert job.kinds == ["started", "succeeded"]


def wrong_clock(offset: str) -> dict[str, str]:
    """Return the environment in which processes see a clock that is wrong by so much."""
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed: no process can be given a wrong clock")
    said = subprocess.run(["faketime", "-f", offset, "printenv", "LD_PRELOAD"], capture_output=True, text=True)
    fake = {"LD_PRELOAD": said.stdout.strip(), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    return {**fake, "DJANGO_SETTINGS_MODULE": "tests.faults.wrong_clock"}


def test_hosts_whose_clocks_are_five_minutes_wrong_either_way_agree_by_the_databases(site: Gateway, shop: Shop):
    with (
        host(site, "web", "worker", **wrong_clock("-5m")) as early,
        host(site, "web", "worker", **wrong_clock("+5m")) as late,
    ):
        for other in (early, late):
            crew(other)
            date = parsedate_to_datetime(other.call("GET", "/healthz").headers["Date"])
            assert abs(date - now()) > timedelta(minutes=4)
        names = {f"{socket.gethostname()}:{other.processes['worker'].pid}" for other in (early, late)}
        # Whichever host takes and runs them: none is due too late, none has its lease lapse while it runs.
        long = [PlantJob(other, shop) for other in (early, late)]
        for job in long:
            job.running()
        begun = now()
        short = [PlantJob(other, shop, "technical", times=1) for other in (early, late) for _ in range(6)]
        for job in short:
            job.succeeded(attempt=2)
        eventually(lambda: now() > begun + LEASE + timedelta(seconds=2), what="a lease without heartbeats has lapsed")
        for job in long:
            job.go()
            job.succeeded()
        events = JobEvent.objects.filter(job__in=[job.id for job in (*long, *short)])
        assert set(events.exclude(worker="").values_list("worker", flat=True)) == names
        for job in short:
            _, waiting, again, _ = job.row.events.all()
            assert timedelta(seconds=1.5) < again.at - waiting.at < timedelta(seconds=10)
            assert job.row.deadline_at - job.row.accepted_at == timedelta(minutes=30)
        for other in (early, late):
            answer = order(other, shop, "quick")
            assert 0 <= int(re.search(r"t=(\d+)", answer.headers["RateLimit"])[1]) <= 60
            other.finished(answer.json["job_id"], key=shop.key)
            url = other.call("GET", f"/v1/jobs/{answer.json['job_id']}", key=shop.key).json["outputs"][0]["url"]
            assert site.call("GET", url).status == 200
    reconciled(site)
