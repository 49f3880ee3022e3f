"""Images and photos go after their client's retention, and their jobs say so."""

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.base import CommandError

from billing.models import Client
from tests import databases
from tests.conftest import Shop
from tests.console import signed_in
from tests.erasing import files, put
from tests.gateway import ROOT, Gateway, eventually
from tests.helpers import FAILURE, claimed, get, move, order, output, row, sql
from tests.s3 import Bucket
from workflows import jobs, pruning
from workflows.models import Job
from workflows.storage import stored_below


def made(shop: Shop, storage: Path | None = None, *, days: float | None = None) -> Job:
    """Make a job that has succeeded with one file, and whose files expired so many days ago."""
    attempt = claimed(order(shop))
    image = output(attempt)
    if storage:
        put(storage, image.key)
    assert jobs.succeed(attempt, outputs=[image], summary={})
    if days is not None:
        move(attempt.job, files_expire_at=f"{-days} days")
    attempt.job.refresh_from_db()
    return attempt.job


def seen(shop: Shop, job: Job) -> dict[str, Any]:
    answer = get(shop, f"/v1/jobs/{job.pk}")
    assert answer.status_code == 200
    return answer.json()


def test_a_jobs_files_are_kept_for_as_long_as_its_client_has_when_it_ends(db, shop: Shop):
    first = made(shop)
    running = claimed(order(shop))
    Client.objects.filter(pk=shop.client.pk).update(retention_days=7)
    assert jobs.succeed(running, outputs=[output(running)], summary={})
    failed = claimed(order(shop))
    assert jobs.fail(failed, **FAILURE, technical=False)
    kept = [seen(shop, job) for job in (first, running.job, failed.job, order(shop))]
    assert [job["files_expire_at"] is None for job in kept] == [False, False, True, True]
    for job, days in ((first, 30), (running.job, 7)):
        job.refresh_from_db()
        assert job.files_expire_at - job.ended_at == timedelta(days=days)
    assert {(job["files_erased_at"], job["erased_at"]) for job in kept} == {(None, None)}


def test_files_go_when_they_have_expired_and_the_job_says_so(own_database: str, shop: Shop, storage: Path):
    old, young = made(shop, storage, days=0.1), made(shop, storage, days=-0.1)
    folder = f"clients/{shop.client.pk}/jobs"
    # What a lost worker left of another attempt, an hour ago.
    orphan = put(storage, f"{folder}/{old.pk}/2/image.png")
    kept = {
        young.outputs.get().key,
        put(storage, f"{folder}/{old.pk}0/1/x.png"),
        put(storage, f"{folder}/{'0' * 26}/1/x.png"),
        put(storage, f"clients/{shop.client.pk}/photo.jpg"),
    }
    before = get(shop, f"/v1/jobs/{old.pk}")
    assert before.json()["outputs"][0]["url"]
    everything = files(storage)
    call_command("prune", "--dry-run")
    assert files(storage) == everything
    call_command("prune")
    assert files(storage) == kept == everything - {old.outputs.get().key, orphan}
    assert not (storage / folder / old.pk).exists()
    after = get(shop, f"/v1/jobs/{old.pk}", HTTP_IF_NONE_MATCH=before.headers["ETag"])
    assert after.status_code == 200
    said = {**before.json(), "files_erased_at": after.json()["files_erased_at"]}
    said["outputs"] = [{**said["outputs"][0], "url": None}]
    assert after.json() == said
    assert after.json()["files_erased_at"] > after.json()["files_expire_at"]
    assert seen(shop, young)["outputs"][0]["url"]
    (listed,) = [job for job in get(shop, "/v1/jobs").json()["jobs"] if job["job_id"] == old.pk]
    assert listed["outputs"] == said["outputs"]
    page = signed_in().get(f"/admin/workflows/job/{old.pk}/change/").content.decode()
    assert "x.png" in page
    assert "<img src=" not in page
    again = row(old)
    call_command("prune")
    assert row(old) == again


def test_what_succeeded_before_files_expired_is_given_its_time(own_database: str, shop: Shop, storage: Path):
    job = made(shop, storage)
    sql("UPDATE workflows_job SET ended_at = now() - interval '1 year', files_expire_at = NULL")
    call_command("prune")
    job.refresh_from_db()
    assert timedelta(days=29) < job.files_expire_at - job.deadline_at < timedelta(days=31)
    assert files(storage) == {job.outputs.get().key}


def test_a_late_workers_file_goes_too_although_an_output_had_its_name(own_database: str, shop: Shop, storage: Path):
    job = made(shop, storage, days=1)
    call_command("prune")
    put(storage, job.outputs.get().key, days=0.1)
    call_command("prune")
    assert files(storage) == set()
    assert not any((storage / f"clients/{shop.client.pk}/jobs").iterdir())


def test_a_prune_that_is_killed_in_between_is_finished_by_the_next(own_database: str, shop: Shop, tmp_path: Path):
    gateway = Gateway(databases.url(own_database), tmp_path)
    job = made(shop, tmp_path / "storage", days=1)
    with psycopg.connect(gateway.database_url) as other:
        other.execute("SELECT FROM workflows_job WHERE id = %s FOR UPDATE", [job.pk])
        prune = subprocess.Popen(
            [sys.executable, "manage.py", "prune"], cwd=ROOT, env=gateway.env, stderr=subprocess.DEVNULL
        )
        waiting = "SELECT {} FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        eventually(lambda: sql(waiting.format("pid")), what="it waits for the job's row")
        prune.send_signal(signal.SIGKILL)
        prune.wait(20)
        sql(waiting.format("pg_terminate_backend(pid)"))  # or it would carry the statement out for nobody
        eventually(lambda: not sql(waiting.format("pid")), what="the server has noticed")
    assert files(tmp_path / "storage") == set()
    job.refresh_from_db()
    assert job.files_erased_at is None
    done = gateway.manage("prune")
    assert (done.returncode, "jobs' folders: 1" in done.stdout) == (0, True), done
    job.refresh_from_db()
    assert job.files_erased_at is not None


def test_while_the_storage_is_away_no_job_says_that_its_files_are_gone(
    own_database: str, shop: Shop, storage: Path, away: Callable[[], None], capsys: pytest.CaptureFixture[str]
):
    job = made(shop, storage, days=1)
    away()
    with pytest.raises(CommandError, match="the storage cannot be read"):
        call_command("prune")
    assert f"clients/{shop.client.pk}/jobs/{job.pk}/ could not be deleted" in capsys.readouterr().err
    assert (seen(shop, job)["files_erased_at"], len(files(storage))) == (None, 1)
    away()
    call_command("prune")
    assert seen(shop, job)["files_erased_at"]
    assert files(storage) == set()


def test_uploads_go_by_the_time_that_they_were_written(own_database: str, shop: Shop, storage: Path):
    other = Shop.make(name="Other")
    Client.objects.filter(pk=other.client.pk).update(retention_days=90)
    uploads = f"clients/{shop.client.pk}/uploads"
    gone = {put(storage, f"{uploads}/{name}", days=31) for name in ("a.jpg", "deep/er/b.jpg")}
    kept = {
        put(storage, f"{uploads}/c.jpg", days=29),
        put(storage, f"clients/{shop.client.pk}/photo.jpg", days=400),
        put(storage, f"clients/{other.client.pk}/uploads/a.jpg", days=31),
        put(storage, f"clients/{other.client.pk + 1}/uploads/a.jpg", days=400),  # nobody's, here
    }
    assert set(pruning.expired_uploads()) == gone
    call_command("prune")
    assert files(storage) == kept


def test_expired_jobs_are_found_by_their_index(own_database: str, shop: Shop):
    first = made(shop)
    charge, values = "lpad((n + 5000000)::text, 26, '0')", {"count": 20_000, "client": shop.client.pk}
    sql(
        f"INSERT INTO billing_ledgerentry (id, client_id, seq, kind, amount, balance_after, reference, reason, actor)"
        f" SELECT {charge}, {values['client']}, n + 9, 'CHARGE', 0, 98, lpad(n::text, 26, '0'), '', ''"
        f" FROM generate_series(1, {values['count']}) n"
    )
    columns = "client_id, workflow, spec, status, credits_cost, accepted_at, deadline_at, ended_at, attempt, " \
        "max_attempts, time_limit, worker, run_after, error_code, error_message, summary"  # fmt: skip
    sql(
        f"INSERT INTO workflows_job (id, charge_id, {columns}, files_expire_at, files_erased_at)"
        f" SELECT lpad(n::text, 26, '0'), {charge}, {columns.replace('credits_cost', '0')}, now() - n * interval '1 s',"
        f" CASE WHEN n > 30 THEN now() END"
        f" FROM workflows_job, generate_series(1, {values['count']}) n WHERE workflows_job.id = '{first.pk}'"
    )
    sql("ANALYZE workflows_job")
    assert "job_files_kept" in pruning._with_files().filter(files_expire_at__lte=first.ended_at)[:500].explain()
    assert "job_files_kept" in pruning._undated()[:500].explain()
    found = [job.pk for job in pruning.expired_jobs()]
    assert found == [str(n).zfill(26) for n in range(30, 0, -1)]


def test_objects_in_a_bucket_go_as_files_do(own_database: str, bucket: Bucket, shop: Shop):
    job = made(shop, days=1)
    folder = f"clients/{shop.client.pk}/jobs/{job.pk}"
    for key in (f"{folder}/1/a.png", f"{folder}/2/b.png", f"{folder}0/1/c.png"):
        bucket.client.put_object(Bucket=bucket.name, Key=key, Body=b"image")
    ((key, written),) = stored_below(f"{folder}0")
    assert key == f"{folder}0/1/c.png"
    assert abs(job.ended_at - written) < timedelta(minutes=1)
    call_command("prune")
    assert bucket.keys(folder) == [f"{folder}0/1/c.png"]
    default_storage.delete(f"{folder}0/1/c.png")
    job.refresh_from_db()
    assert job.files_erased_at is not None
