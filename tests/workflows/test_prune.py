"""`manage.py prune`: what has outlived its use goes, in small steps, and nothing else."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import psycopg
import pytest
from django.utils import timezone
from ulid import ULID

from requestlog.models import RequestLog
from requestlog.retention import BATCH, LOG_DAYS, expired
from tests import databases
from tests.conftest import Shop
from tests.gateway import ROOT, Gateway, eventually
from tests.helpers import FAILURE, claimed, output, sql
from tests.helpers import order as accept
from workflows import jobs
from workflows.models import Job


@pytest.fixture
def plant(own_database: str, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway of which nothing runs: its database, its files and its commands."""
    yield Gateway(databases.url(own_database), tmp_path)


def pruned(plant: Gateway, *flags: str) -> list[str]:
    done = plant.manage("prune", *flags)
    assert done.returncode == 0, done
    return done.stdout.splitlines()


# Request logs


def log(*, days: float, id_days: float | None = None) -> RequestLog:
    """Make a row that was received so many days ago, with an id of that time or another."""
    at = timezone.now() - timedelta(days=days if id_days is None else id_days)
    values = {"method": "POST", "path": "/v1/x", "status": 422, "duration_ms": 0, "body": b"", "body_size": 0}
    received = timezone.now() - timedelta(days=days)
    return RequestLog(request_id=str(ULID.from_datetime(at)), received_at=received, **values)


def test_request_logs_go_after_their_time_and_no_earlier(plant: Gateway):
    old = [log(days=LOG_DAYS + 0.1), log(days=400)]
    # The last one's web host had a clock that was far behind.
    young = [log(days=LOG_DAYS - 0.1), log(days=0), log(days=1, id_days=200)]
    RequestLog.objects.bulk_create(old + young)
    assert pruned(plant, "--dry-run") == ["would delete 2 request log(s) and 0 file(s)"]
    assert RequestLog.objects.count() == 5
    assert pruned(plant) == ["deleted 2 request log(s) and 0 file(s)"]
    assert set(RequestLog.objects.all()) == set(young)
    assert pruned(plant) == ["deleted 0 request log(s) and 0 file(s)"]


def test_the_books_are_right_when_the_logs_of_old_orders_are_gone(plant: Gateway, shop: Shop):
    for days in (LOG_DAYS + 1, LOG_DAYS - 0.5, LOG_DAYS - 2, 0):
        job, at = accept(shop), timezone.now() - timedelta(days=days)
        assert jobs.fail(claimed(job), **FAILURE, technical=False)
        request_id = str(ULID.from_datetime(at))
        RequestLog.objects.filter(pk=job.request_id).update(request_id=request_id, received_at=at)
        Job.objects.filter(pk=job.pk).update(request_id=request_id, accepted_at=at)
    assert pruned(plant) == ["deleted 1 request log(s) and 0 file(s)"]
    done = plant.manage("reconcile")
    assert done.returncode == 0, done
    assert "4 jobs" in done.stdout
    assert "3 request_logs" in done.stdout


def test_they_go_in_small_transactions_oldest_first_and_for_one_prune_at_a_time(plant: Gateway):
    rows = [log(days=LOG_DAYS + 10 - n / BATCH) for n in range(2 * BATCH + 500)]
    RequestLog.objects.bulk_create(rows)
    command = [sys.executable, "manage.py", "prune"]
    with psycopg.connect(plant.database_url) as other:
        other.execute("SELECT FROM request_logs WHERE request_id = %s FOR UPDATE", [rows[BATCH + 10].pk])
        first = subprocess.Popen(command, cwd=ROOT, env=plant.env, stdout=subprocess.PIPE, text=True)
        # The first batch is gone for everybody while the second waits for the row that is held.
        eventually(lambda: RequestLog.objects.count() == BATCH + 500, what="the first batch is deleted")
        assert not RequestLog.objects.filter(pk__in=[row.pk for row in rows[:BATCH]]).exists()
        assert pruned(plant) == ["another prune is at work"]
        assert first.poll() is None
    said, _ = first.communicate(timeout=30)
    assert (first.returncode, said) == (0, f"deleted {len(rows)} request log(s) and 0 file(s)\n")
    assert not RequestLog.objects.exists()


def test_expired_rows_are_found_by_the_primary_key(plant: Gateway):
    RequestLog.objects.bulk_create(log(days=n / 100) for n in range(5000))
    sql("ANALYZE request_logs")
    assert "request_logs_pkey" in expired().order_by("pk")[:BATCH].explain()


# Files


def put(plant: Gateway, key: str, *, hours: float = 2) -> str:
    path = plant.data_dir / "storage" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"image")
    at = time.time() - hours * 3600
    os.utime(path, (at, at))
    return key


def files(plant: Gateway) -> set[str]:
    storage = plant.data_dir / "storage"
    return {str(path.relative_to(storage)) for path in storage.rglob("*") if path.is_file()}


def test_files_that_no_job_has_go_and_all_others_stay(plant: Gateway, shop: Shop):
    done, failed, running, waiting, new = (accept(shop, max_attempts=3) for _ in range(5))

    def file(job: Job, attempt: int | str, name: str = "x.png", *, hours: float = 2) -> str:
        return put(plant, f"clients/{shop.client.pk}/jobs/{job.pk}/{attempt}/{name}", hours=hours)

    for job in (done, running):  # whose first workers were lost
        claimed(job)
        sql("UPDATE workflows_job SET lease_until = now() - interval '1 second' WHERE id = %s", job.pk)
    attempt = claimed(done)
    made = output(attempt, key=file(done, 2), thumbnail_key=file(done, 2, "x.thumbnail.webp"))
    assert jobs.succeed(attempt, outputs=[made], summary={})
    assert jobs.fail(claimed(failed), **FAILURE, technical=False)
    claimed(running)
    assert jobs.fail(claimed(waiting), **FAILURE, technical=True)

    gone = {file(done, 1), file(done, 2, "y.thumbnail.webp"), file(failed, 1), file(running, 1)}
    kept = {
        file(done, 2),
        file(done, 2, "x.thumbnail.webp"),
        file(running, 2),
        file(waiting, 1),  # its commit may still be on its way
        file(new, 1),
        file(failed, 1, "young.png", hours=0.5),
        file(failed, "1.bak"),
        put(plant, f"clients/{shop.client.pk}/jobs/{failed.pk}/note.txt"),
        put(plant, f"clients/{shop.client.pk}/photos/1/x.png"),
        put(plant, f"clients/{shop.client.pk}/jobs/{'0' * 26}/1/x.png"),  # of a job that this database does not have
        put(plant, "shared/looks/1/x.png"),
    }
    *named, said = pruned(plant, "--dry-run")
    assert (set(named), said) == (gone, "would delete 0 request log(s) and 4 file(s)")
    assert files(plant) == gone | kept
    *named, said = pruned(plant)
    assert (set(named), said) == (gone, "deleted 0 request log(s) and 4 file(s)")
    assert files(plant) == kept


def test_workers_prune_by_themselves_and_leave_no_process_behind(plant: Gateway):
    RequestLog.objects.bulk_create([log(days=LOG_DAYS + 1)])
    # A worker whose day has four seconds.
    setup = "import django; django.setup(); from workflows import supervisor"
    start = f"{setup}; supervisor.PRUNE_SECONDS = 4; supervisor.Supervisor().run()"
    env = plant.env | {"DJANGO_SETTINGS_MODULE": "studio_gateway.settings"}
    with (plant.data_dir / "worker.log").open("wb") as out:
        command = [sys.executable, "-c", start]
        plant.processes["worker"] = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=out, stderr=out, start_new_session=True
        )
    supervisor = psutil.Process(plant.processes["worker"].pid)
    try:
        eventually(lambda: plant.log("worker").count("deleted 1 request log(s) and 0 file(s)\n") == 1, what="it prunes")
        eventually(lambda: len(supervisor.children()) == 2, what="only its clusters are left, and no zombie")
        eventually(lambda: "deleted 0 request log(s) and 0 file(s)\n" in plant.log("worker"), what="it prunes again")
    finally:
        everyone = supervisor.children(recursive=True)
        plant.stop("worker")
    # What is killed with its group ends a moment after it.
    eventually(lambda: not any(process.is_running() for process in everyone), what="no process is left")
