"""`manage.py prune`: what has outlived its use goes, in small steps, and nothing else."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psutil
import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from ulid import ULID

from requestlog.models import RequestLog
from requestlog.retention import BATCH, LOG_DAYS, expired
from tests import databases
from tests.conftest import Shop
from tests.gateway import ROOT, Gateway, eventually
from tests.helpers import FAILURE, SPEC, claimed, get, output, post, sql, succeed, waiting
from tests.helpers import order as accept
from workflows import jobs
from workflows.models import Event, Job, WebhookAttempt, WebhookDelivery
from workflows.webhooks import endpoints
from workflows.webhooks import retention as webhooks


@pytest.fixture
def plant(own_database: str, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway of which nothing runs: its database, its files and its commands."""
    yield Gateway(databases.url(own_database), tmp_path)


def pruned(plant: Gateway, *flags: str) -> list[str]:
    done = plant.manage("prune", *flags)
    assert done.returncode == 0, done
    return done.stdout.splitlines()


def would_delete(**counts: int) -> str:
    return deleted(**counts).replace("deleted", "would delete")


def deleted(*, logs: int = 0, deliveries: int = 0, events: int = 0, jobs: int = 0, orphans: int = 0) -> str:
    """What it says in the end."""
    return (
        f"deleted request logs: {logs}, webhook deliveries: {deliveries}, events: {events}, jobs' folders: {jobs}, "
        f"uploads: 0, files that no job has: {orphans}"
    )


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
    assert pruned(plant, "--dry-run") == [would_delete(logs=2)]
    assert RequestLog.objects.count() == 5
    assert pruned(plant) == [deleted(logs=2)]
    assert set(RequestLog.objects.all()) == set(young)
    assert pruned(plant) == [deleted()]


def test_the_books_are_right_when_the_logs_of_old_orders_are_gone(plant: Gateway, shop: Shop):
    for days in (LOG_DAYS + 1, LOG_DAYS - 0.5, LOG_DAYS - 2, 0):
        job, at = accept(shop), timezone.now() - timedelta(days=days)
        assert jobs.fail(claimed(job), **FAILURE, technical=False)
        request_id = str(ULID.from_datetime(at))
        RequestLog.objects.filter(pk=job.request_id).update(request_id=request_id, received_at=at)
        Job.objects.filter(pk=job.pk).update(request_id=request_id, accepted_at=at)
    assert pruned(plant) == [deleted(logs=1)]
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
    assert (first.returncode, said) == (0, f"{deleted(logs=len(rows))}\n")
    assert not RequestLog.objects.exists()


def test_expired_rows_are_found_by_the_primary_key(plant: Gateway):
    RequestLog.objects.bulk_create(log(days=n / 100) for n in range(5000))
    sql("ANALYZE request_logs")
    assert "request_logs_pkey" in expired().order_by("pk")[:BATCH].explain()


# What clients were told


@dataclass
class Endpoint:
    """One of a shop's, which is told of tests."""

    shop: Shop
    id: str

    def told(self, *, days: float, id_days: float | None = None, waits: bool = False) -> WebhookDelivery:
        """Make an event that was told so many days ago, with ids of that time or another, and its one attempt."""
        sent = endpoints.send_test(client=self.shop.client, endpoint_id=self.id)
        at = timezone.now() - timedelta(days=days)
        new_id = str(ULID.from_datetime(timezone.now() - timedelta(days=days if id_days is None else id_days)))
        ended = {} if waits else {"next_attempt_at": None, "gave_up_at": at}
        event, delivery = sent.event, sent
        WebhookDelivery.objects.filter(pk=sent.pk).delete()
        Event.objects.filter(pk=event.pk).delete()
        event.pk, event.created_at = new_id, at
        event.save(force_insert=True)
        delivery.pk, delivery.event, delivery.created_at = new_id, event, at
        delivery.save(force_insert=True)
        WebhookDelivery.objects.filter(pk=new_id).update(attempts=1, **ended)
        told = {"worker": "w", "at": at, "duration_ms": 1, "url": "https://hooks.example", "request_headers": {}}
        WebhookAttempt.objects.create(delivery=delivery, number=1, **told)
        return delivery


@pytest.fixture
def endpoint(own_database: str, shop: Shop) -> Endpoint:
    made, _ = endpoints.create(client=shop.client, url="https://hooks.example/studio", event_types=[])
    return Endpoint(shop, made.pk)


def test_events_and_deliveries_go_after_their_time_and_never_what_waits(plant: Gateway, endpoint: Endpoint):
    for days in (LOG_DAYS + 0.1, 400):
        endpoint.told(days=days)
    waits = endpoint.told(days=LOG_DAYS + 5, waits=True)
    # The last one's host had a clock that was far behind.
    young = [endpoint.told(days=LOG_DAYS - 0.1), endpoint.told(days=0), endpoint.told(days=1, id_days=200)]
    assert pruned(plant, "--dry-run") == [would_delete(deliveries=2, events=2)]
    assert (Event.objects.count(), WebhookDelivery.objects.count(), WebhookAttempt.objects.count()) == (6, 6, 6)
    assert pruned(plant) == [deleted(deliveries=2, events=2)]
    assert set(WebhookDelivery.objects.all()) == {waits, *young}
    assert set(Event.objects.all()) == {delivery.event for delivery in (waits, *young)}
    assert {attempt.delivery for attempt in WebhookAttempt.objects.all()} == {waits, *young}
    WebhookDelivery.objects.filter(pk=waits.pk).update(next_attempt_at=None, delivered_at=timezone.now())
    assert webhooks.prune() == (1, 1)
    assert set(Event.objects.all()) == {delivery.event for delivery in young}


def test_a_delivery_that_is_being_replayed_is_left_alone(plant: Gateway, endpoint: Endpoint):
    replayed, _ = (endpoint.told(days=LOG_DAYS + n) for n in (1, 2))
    sql("SET lock_timeout = '5s'")  # nobody waits for it
    with psycopg.connect(plant.database_url) as other:
        replay = "UPDATE workflows_webhookdelivery SET next_attempt_at = now(), gave_up_at = NULL WHERE id = %s"
        other.execute(replay, [replayed.pk])
        assert webhooks.prune() == (1, 1)
    assert webhooks.prune() == (0, 0)
    assert WebhookDelivery.objects.get() == replayed
    assert replayed.log.count() == 1


def test_what_has_expired_of_them_is_found_by_the_primary_key(plant: Gateway, endpoint: Endpoint):
    events = []
    for n in range(2000):
        at = timezone.now() - timedelta(days=n / 20)
        body = {"client": endpoint.shop.client, "type": "endpoint.test", "body": "{}"}
        events.append(Event(id=str(ULID.from_datetime(at)), created_at=at, **body))
    Event.objects.bulk_create(events)
    WebhookDelivery.objects.bulk_create(
        WebhookDelivery(
            id=event.pk,
            client=endpoint.shop.client,
            event=event,
            endpoint_id=endpoint.id,
            created_at=event.created_at,
            delivered_at=event.created_at,
        )
        for event in events
    )
    for table, rows in (("event", webhooks.expired_events()), ("webhookdelivery", webhooks.expired_deliveries())):
        sql(f"ANALYZE workflows_{table}")
        assert f"workflows_{table}_pkey" in rows.order_by("pk")[:BATCH].explain()
    assert webhooks.prune() == (200, 200)


# Beside it


@pytest.mark.parametrize(
    "held",
    [
        "request_logs WHERE status = 422 ORDER BY request_id",
        "workflows_event WHERE type = 'endpoint.test' ORDER BY id",
        "workflows_webhookattempt ORDER BY id",
        "workflows_job ORDER BY id",
    ],
)
def test_whatever_it_is_in_the_middle_of_nobody_waits_for_it(plant: Gateway, endpoint: Endpoint, held: str):
    shop = endpoint.shop
    RequestLog.objects.bulk_create(log(days=LOG_DAYS + 1 + n / BATCH) for n in range(50))
    for _ in range(5):
        endpoint.told(days=LOG_DAYS + 1)
        assert succeed(claimed(accept(shop)))
    # As jobs were that ended before there was a time for their files to go.
    Job.objects.update(files_expire_at=None)
    with psycopg.connect(plant.database_url) as other:
        # The last one, so that others have been deleted or changed, and are locked, when its turn comes.
        other.execute(f"SELECT FROM {held} DESC LIMIT 1 FOR UPDATE")
        prune = subprocess.Popen([sys.executable, "manage.py", "prune"], cwd=ROOT, env=plant.env)
        eventually(waiting, what="the prune waits in the middle of a statement")
        # Whoever connects from now on and would have to wait fails.
        sql(f"ALTER DATABASE {connection.settings_dict['NAME']} SET lock_timeout = '3s'")
        connection.close()
        answer = post(shop, "/v1/background-generator", SPEC)
        assert answer.status_code == 202, answer.content
        job = Job.objects.latest("pk")
        assert get(shop, f"/v1/jobs/{job.pk}").status_code == get(shop, "/v1/jobs").status_code == 200
        assert jobs.reserve(after_client=0) is not None
        attempt = claimed(job)
        assert jobs.heartbeat(attempt) and succeed(attempt)
        assert jobs.sweep() == 0
        assert get(shop, "/v1/events").status_code == get(shop, "/v1/webhook-deliveries").status_code == 200
        assert (prune.poll(), bool(waiting())) == (None, True)
    assert prune.wait(30) == 0
    assert not RequestLog.objects.filter(status=422).exists()


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
    assert (set(named), said) == (gone, would_delete(orphans=4))
    assert files(plant) == gone | kept
    *named, said = pruned(plant)
    assert (set(named), said) == (gone, deleted(orphans=4))
    assert files(plant) == kept
    # What is left of an attempt is not an empty folder either, while another attempt may follow.
    folder = plant.data_dir / "storage" / f"clients/{shop.client.pk}/jobs"
    assert sorted(path.name for path in (folder / done.pk).iterdir()) == ["2"]
    assert sorted(path.name for path in (folder / running.pk).iterdir()) == ["1", "2"]


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
        eventually(lambda: plant.log("worker").count(f"{deleted(logs=1)}\n") == 1, what="it prunes")
        eventually(lambda: len(supervisor.children()) == 1, what="only its cluster is left, and no zombie")
        eventually(lambda: f"{deleted()}\n" in plant.log("worker"), what="it prunes again")
    finally:
        everyone = supervisor.children(recursive=True)
        plant.stop("worker")
    # What is killed with its group ends a moment after it.
    eventually(lambda: not any(process.is_running() for process in everyone), what="no process is left")
