"""Worker processes that are slow, killed, wedged or told to stop.

A job's length is in the test's hand: its trial_image is a named pipe in the storage, and the engine waits for the photo
until the test writes it.
"""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import databases
from tests.conftest import Shop
from tests.gateway import Gateway, eventually
from tests.helpers import books_are_right, sql
from workflows.engines.flat_lay import draw_flat_lay
from workflows.models import Job, JobEvent, Workflow


@pytest.fixture(scope="module")
def photo() -> bytes:
    return draw_flat_lay(width=640, height=480)


@pytest.fixture(scope="module")
def site(django_db_setup: None, django_db_blocker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A web process on a database of its own."""
    with django_db_blocker.unblock():
        database = databases.fresh()
        gateway = Gateway(databases.url(database), tmp_path_factory.mktemp("plant"))
        gateway.start("web")
        with databases.connected(database):
            yield gateway
        gateway.stop()
        assert eventually(lambda: not members(gateway), what="no process is left")
        databases.drop(database)


@pytest.fixture
def plant(site: Gateway) -> Iterator[Gateway]:
    """The web process; tests start the worker themselves. Limits that they change are put back."""
    (limits,) = Workflow.objects.filter(name="extract").values("time_limit", "max_attempts", "deadline")
    yield site
    Workflow.objects.filter(name="extract").update(**limits)
    if "worker" in site.processes:
        site.stop("worker")


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


class PipedJob:
    """An `extract` job that runs until `deliver` is called."""

    def __init__(self, gateway: Gateway, shop: Shop) -> None:
        self.gateway, self.shop = gateway, shop
        key = f"clients/{shop.client.pk}/pipe"
        self.pipe = gateway.data_dir / "storage" / key
        self.pipe.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(self.pipe)
        answer = gateway.call("POST", "/v1/extract", {"trial_image": key}, key=shop.key)
        assert answer.status == 202
        self.id = answer.json["job_id"]

    @property
    def row(self) -> Job:
        return Job.objects.get(pk=self.id)

    def running(self, *, attempt: int = 1, seconds: float = 20) -> None:
        """Wait until the given attempt has begun."""
        eventually(lambda: self.row.attempt == attempt and self.row.lease_until, seconds=seconds, what="it runs")

    def deliver(self, photo: bytes) -> None:
        """Let the engine that waits have its photo."""

        def opened() -> Any:
            try:
                return os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                return None  # nobody reads yet

        descriptor = eventually(opened, what="the engine waits for its photo")
        os.set_blocking(descriptor, True)
        with os.fdopen(descriptor, "wb") as file:
            file.write(photo)

    def ended(self, *, seconds: float = 40) -> Job:
        eventually(lambda: self.row.status in (Job.Status.SUCCESS, Job.Status.FAILURE), seconds=seconds, what="it ends")
        books_are_right(self.shop.client)
        return self.row

    def files(self) -> list[Path]:
        return [path for path in (self.pipe.parent / "jobs").rglob("*") if path.is_file()]


def cluster(gateway: Gateway) -> list[psutil.Process]:
    """Return the processes of the worker's qcluster: its main, its sentinel, and what the sentinel runs."""
    return psutil.Process(gateway.processes["worker"].pid).children(recursive=True)


def pool(gateway: Gateway) -> list[psutil.Process]:
    """Return the processes below the sentinel: workers, monitor and pusher, in the order they were started."""

    def running() -> list[psutil.Process]:
        main = psutil.Process(gateway.processes["worker"].pid).children()
        sentinels = [child for process in main for child in process.children()]
        below = [child for sentinel in sentinels for child in sentinel.children()]
        return sorted(below, key=lambda process: process.pid) if len(below) == 4 else []

    return eventually(running, what="two workers, a monitor and a pusher")


def limits(**changes: Any) -> None:
    Workflow.objects.filter(name="extract").update(**changes)


def test_a_killed_cluster_is_replaced_and_its_job_run_again(plant: Gateway, shop: Shop, photo: bytes):
    plant.start("worker")
    job = PipedJob(plant, shop)
    job.running()
    for process in cluster(plant):
        process.send_signal(signal.SIGKILL)
    job.running(attempt=2, seconds=15)
    job.deliver(photo)
    ended = job.ended()
    assert (ended.status, ended.attempt) == (Job.Status.SUCCESS, 2)
    assert shop.balance == 97


def test_a_cluster_whose_idle_workers_took_the_queues_lock_with_them_is_replaced(
    plant: Gateway, shop: Shop, photo: bytes
):
    plant.start("worker")
    for process in pool(plant)[:2]:
        process.send_signal(signal.SIGKILL)
    job = PipedJob(plant, shop)
    job.running(seconds=40)
    job.deliver(photo)
    assert job.ended().status == Job.Status.SUCCESS


def test_a_killed_worker_leaves_no_process_and_another_takes_over(plant: Gateway, shop: Shop, photo: bytes):
    plant.start("worker")
    job = PipedJob(plant, shop)
    job.running()
    orphans = cluster(plant)
    assert len(orphans) == 6
    plant.processes["worker"].kill()
    plant.processes.pop("worker").wait()
    eventually(lambda: not any(process.is_running() for process in orphans), seconds=5, what="the cluster is gone")
    sql("UPDATE workflows_job SET lease_until = now() WHERE id = %s", job.id)  # rather than wait for its end
    plant.start("worker")
    job.running(attempt=2)
    job.deliver(photo)
    assert job.ended().status == Job.Status.SUCCESS


def test_sigterm_lets_the_running_job_finish(plant: Gateway, shop: Shop, photo: bytes):
    plant.start("worker")
    job = PipedJob(plant, shop)
    job.running()
    worker = plant.processes.pop("worker")
    everyone = psutil.Process(worker.pid).children(recursive=True)
    worker.terminate()
    job.deliver(photo)
    assert worker.wait(30) == 0
    ended = job.ended(seconds=1)
    assert (ended.status, ended.attempt) == (Job.Status.SUCCESS, 1)
    assert not any(process.is_running() for process in everyone)


def test_while_a_worker_drains_it_goes_on_sweeping_and_it_does_not_wait_for_what_stands_still(
    plant: Gateway, shop: Shop
):
    limits(deadline=timedelta(seconds=2))
    plant.start("worker")
    for process in pool(plant)[:2]:
        process.suspend()
    job = PipedJob(plant, shop)
    plant.processes["worker"].terminate()
    assert plant.processes["worker"].wait(25) == 0
    assert job.row.error_code == "deadline_exceeded"
    assert shop.balance == 100


def test_a_job_that_exceeds_its_time_limit_every_time_fails_and_is_refunded(plant: Gateway, shop: Shop):
    limits(time_limit=timedelta(seconds=1), max_attempts=2)
    plant.start("worker")
    job = PipedJob(plant, shop)
    ended = job.ended()
    assert (ended.status, ended.attempt, ended.error_code) == (Job.Status.FAILURE, 2, "time_limit_exceeded")
    assert "1 s" in ended.error_message
    assert shop.balance == 100
    kinds = list(JobEvent.objects.filter(job=ended).values_list("kind", flat=True))
    assert kinds == ["started", "waiting", "started", "failed"]


def test_at_its_deadline_a_running_job_is_refunded_and_what_comes_late_is_dropped(
    plant: Gateway, shop: Shop, photo: bytes
):
    limits(deadline=timedelta(seconds=4))
    plant.start("worker")
    pool(plant)
    job = PipedJob(plant, shop)
    job.running()
    ended = job.ended(seconds=4 + 30)
    assert (ended.status, ended.error_code) == (Job.Status.FAILURE, "deadline_exceeded")
    assert shop.balance == 100
    job.deliver(photo)
    # The engine goes on to store its files; then the fence stops it, and it takes them away again.
    pids = {process.pid for process in pool(plant)}
    plant.stop("worker")
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert job.files() == []
    assert job.row.status == Job.Status.FAILURE
    books_are_right(shop.client)


def test_connections_cut_by_the_server_are_made_anew(plant: Gateway, shop: Shop, photo: bytes):
    plant.start("worker")
    pool(plant)
    sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    job = eventually(lambda: _ordered(plant, shop), what="an order is accepted again")
    job.running(seconds=30)
    job.deliver(photo)
    assert job.ended().status == Job.Status.SUCCESS


def _ordered(plant: Gateway, shop: Shop) -> PipedJob | None:
    try:
        return PipedJob(plant, shop)
    except (AssertionError, FileExistsError):
        (plant.data_dir / "storage" / f"clients/{shop.client.pk}/pipe").unlink(missing_ok=True)
        return None
