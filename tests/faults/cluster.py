"""Processes by what they do, and jobs whose length is in the test's hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environ
import psutil
from django.db import connections, transaction
from django.db.utils import ConnectionHandler

from tests.conftest import Shop
from tests.faults.plant.engines import calls, go_file
from tests.gateway import Answer, Gateway, eventually, mains
from tests.helpers import SPEC, books_are_right, sql
from workflows.models import Job, Workflow

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.faults.settings"}


def members(gateway: Gateway) -> list[psutil.Process]:
    """Return every process that runs with the gateway's data folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("STUDIO_DATA_DIR") == str(gateway.data_dir):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def cluster(gateway: Gateway) -> list[psutil.Process]:
    """Return the processes of the worker's qclusters: their mains, their sentinels, and what the sentinels run."""
    return psutil.Process(gateway.processes["worker"].pid).children(recursive=True)


@dataclass
class Crew:
    """A qcluster that makes images, and is complete."""

    main: psutil.Process
    sentinel: psutil.Process
    workers: list[psutil.Process]
    monitor: psutil.Process
    pusher: psutil.Process

    @property
    def everyone(self) -> list[psutil.Process]:
        return [self.main, self.sentinel, *self.workers, self.monitor, self.pusher]

    def gone(self) -> bool:
        return all(dead(process.pid) for process in self.everyone)


def crew(gateway: Gateway, *, workers: int = 2) -> Crew:
    """Wait until the worker's qcluster is complete, and return it."""

    def complete() -> Crew | None:
        try:
            (main,) = mains(gateway.processes["worker"].pid, "jobs")
            (sentinel,) = main.children()
            pool = sorted(sentinel.children(), key=lambda process: process.pid)  # in the order they are started in
        except (ValueError, psutil.NoSuchProcess):
            return None
        if len(pool) != workers + 2:
            return None
        return Crew(main, sentinel, pool[:workers], *pool[workers:])

    return eventually(complete, what=f"{workers} workers, a monitor and a pusher")


def dead(pid: int) -> bool:
    """Tell whether a process has ended, also where its parent has not looked yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def limits(**changes: Any) -> None:
    """Change what the workflow that the plant belongs to allows its jobs."""
    Workflow.objects.filter(name="background-generator").update(**changes)


def order(
    gateway: Gateway, shop: Shop, engine: str, *, once: str = "", spec: dict[str, Any] | None = None, **metadata: Any
) -> Answer:
    """Order from an engine of tests/faults/plant, `once` for an Idempotency-Key; `spec` has what else it says."""
    spec = {**SPEC, "image_model": f"plant-{engine}", "metadata": metadata, **(spec or {})}
    headers = {"Idempotency-Key": once} if once else {}
    return gateway.call("POST", "/v1/background-generator", spec, key=shop.key, headers=headers)


class PlantJob:
    """A job of one of the engines of tests/faults/plant; `waits` and `stubborn` run until `go` is called."""

    def __init__(self, gateway: Gateway, shop: Shop, engine: str = "waits", **metadata: Any) -> None:
        self.gateway, self.shop = gateway, shop
        answer = order(gateway, shop, engine, **metadata)
        assert answer.status == 202, answer.body
        self.id = answer.json["job_id"]

    @property
    def row(self) -> Job:
        return Job.objects.get(pk=self.id)

    @property
    def kinds(self) -> list[str]:
        return list(self.row.events.values_list("kind", flat=True))

    @property
    def pids(self) -> list[int]:
        """The processes that the engine was called in, first call first."""
        path = calls(self.gateway.data_dir, self.id)
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []

    def running(self, *, attempt: int = 1, seconds: float = 20) -> None:
        """Wait until the given attempt is at work."""

        def at_work() -> bool:
            return self.row.attempt == attempt and self.row.lease_until is not None and len(self.pids) == attempt

        eventually(at_work, seconds=seconds, what=f"attempt {attempt} runs")

    def go(self) -> None:
        go_file(self.gateway.data_dir, self.id).touch()

    def ended(self, *, seconds: float = 40) -> Job:
        over = (Job.Status.SUCCESS, Job.Status.FAILURE)
        eventually(lambda: self.row.status in over, seconds=seconds, what=f"job {self.id} ends")
        with transaction.atomic():  # others of the client's jobs may end meanwhile
            sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            books_are_right(self.shop.client)
        return self.row

    def succeeded(self, *, attempt: int = 1, seconds: float = 40) -> None:
        """Wait for its end, and assert that it is a SUCCESS in this attempt: charged, and with this attempt's files."""
        job = self.ended(seconds=seconds)
        assert (job.status, job.attempt, job.error_code) == (Job.Status.SUCCESS, attempt, "")
        assert job.refund_id is None
        keys = [key for output in job.outputs.all() for key in output.storage_keys]
        assert keys and all(f"/{job.pk}/{attempt}/" in key for key in keys)
        assert all((self.gateway.data_dir / "storage" / key).stat().st_size for key in keys)

    def failed(self, code: str, *, attempt: int = 1, seconds: float = 40) -> None:
        """Wait for its end, and assert that it is this FAILURE in this attempt: refunded, and without a file."""
        job = self.ended(seconds=seconds)
        assert (job.status, job.attempt, job.error_code) == (Job.Status.FAILURE, attempt, code)
        assert job.refund is not None and job.refund.amount == job.credits_cost > 0
        assert self.files() == []

    def files(self) -> list[Path]:
        """Return what lies in storage for this job, of whatever attempt."""
        folder = self.gateway.data_dir / "storage" / f"clients/{self.shop.client.pk}/jobs/{self.id}"
        return [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []


def reconciled(gateway: Gateway) -> None:
    """Assert that `reconcile` finds nothing."""
    found = gateway.manage("reconcile")
    assert found.returncode == 0, found.stdout + found.stderr


@contextmanager
def connected_to(url: str) -> Iterator[None]:
    """Point Django's connection in this thread at another server."""
    before = connections["default"]
    settings = environ.Env.db_url_config(url, engine="django.db.backends.postgresql")
    connections["default"] = ConnectionHandler({"default": settings})["default"]
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = before
