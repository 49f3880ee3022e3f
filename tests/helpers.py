"""What the tests of several apps share: orders without HTTP, threads that start together, refusals by name."""

import io
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import Error, connection, transaction
from PIL import Image

from billing.models import Client, LedgerEntry
from requestlog.models import RequestLog
from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.gateway import Gateway
from tests.http_client import HttpClient
from workflows import jobs
from workflows.models import Job, Output, Workflow

SPEC = {"scene_type": "podium", "mood": "calm"}


def order(shop: Shop, *, credits: int = 2, **changes: Any) -> Job:
    """Accept an order as the view does, but without HTTP; `changes` are then made to its row."""
    shop.client.read_again()
    job = jobs.submit(
        client=shop.client,
        workflow=Workflow.objects.get(name="background-generator"),
        spec=SPEC,
        credits_cost=credits,
        log=RequestLog(
            request_id=new_ulid(),
            method="POST",
            path="/v1/x",
            status=202,
            duration_ms=0,
            body_size=0,
            body_truncated=False,
        ),
    )
    if changes:
        Job.objects.filter(pk=job.pk).update(**changes)
    return Job.objects.get(pk=job.pk)


def claimed(job: Job, *, worker: str = "w") -> jobs.Attempt:
    attempt = jobs.claim(job_id=job.pk, worker=worker)
    assert attempt is not None
    return attempt


def post(shop: Shop | None, path: str, body: Any, *, http: HttpClient | None = None, **headers: Any) -> Any:
    """POST to the application in this process; `body` is sent as it is where it is bytes, else as JSON."""
    if shop is not None:
        headers.setdefault("HTTP_AUTHORIZATION", f"Bearer {shop.key}")
    http = http or HttpClient()
    return http.post(path, body, content_type=headers.pop("content_type", "application/json"), **headers)


def get(shop: Shop | None, path: str, **headers: Any) -> Any:
    if shop is not None:
        headers.setdefault("HTTP_AUTHORIZATION", f"Bearer {shop.key}")
    return HttpClient().get(path, **headers)


def over_the_wire(gateway: Gateway, request: bytes) -> tuple[int, dict[str, str]]:
    """Send bytes as they are; return the status and the headers, whose names are in lower case."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as wire:
        wire.sendall(request)
        answer = wire.makefile("rb")
        status = int(answer.readline().split()[1])
        lines = iter(answer.readline, b"\r\n")
        return status, {k.lower(): v.strip() for k, _, v in (line.decode().partition(":") for line in lines)}


def photo_of_a_person(shop: Shop) -> str:
    """Put a photo into storage where the client may read it; return its key."""
    from skimage import data  # takes long, and few tests need it

    photo = io.BytesIO()
    Image.fromarray(data.astronaut()).save(photo, "JPEG", quality=92)
    return default_storage.save(f"clients/{shop.client.pk}/person.jpg", ContentFile(photo.getvalue()))


def books_are_right(client: Client) -> None:
    """Assert P1 to P3 for one client, from its rows alone."""
    client.refresh_from_db()
    entries = list(LedgerEntry.objects.filter(client=client).order_by("seq"))
    balance = 0
    for number, entry in enumerate(entries, start=1):
        balance += entry.amount
        assert (entry.seq, entry.balance_after) == (number, balance)
        assert entry.balance_after >= 0
    assert (client.balance, client.ledger_seq) == (balance, len(entries))
    assert client.open_jobs == client.jobs.filter(status__in=Job.OPEN).count()
    by_id = {entry.pk: entry for entry in entries}
    for job in client.jobs.all():
        charge = by_id[job.charge_id]
        assert (charge.kind, charge.amount, charge.reference) == ("CHARGE", -job.credits_cost, job.pk)
        if job.refund_id is not None:
            refund = by_id[job.refund_id]
            assert (refund.kind, refund.amount, refund.reference) == ("REFUND", job.credits_cost, job.pk)
        assert job.status != Job.Status.FAILURE or job.refund_id is not None
    refunded = sum(job.refund_id is not None for job in client.jobs.all())
    assert sum(entry.kind == "REFUND" for entry in entries) == refunded


def waiting() -> list[str]:
    """What is waited for in this database, one item for each who waits."""
    sql("SELECT pg_stat_clear_snapshot()")  # a transaction sees those who were connected when it first looked
    return [
        kind
        for (kind,) in sql(
            "SELECT locktype FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE NOT granted AND datname = current_database()"
        )
    ]


def together(*calls: Callable[[], Any], over_http: bool = False) -> list[Any]:
    """Run each call in a thread of its own, begun at the same moment; return what they returned or raised.

    Calls that go `over_http` need no database connection here: more of them can run than there are connections.
    """
    barrier = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(number: int, call: Callable[[], Any]) -> None:
        try:
            if not over_http:
                connection.ensure_connection()
            barrier.wait(20)
            results[number] = call()
        except Exception as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=numbered) for numbered in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return results


@contextmanager
def refused_by(name: str) -> Iterator[None]:
    """Assert that the database refuses what is done here, naming this constraint or, for a NOT NULL, this column."""
    with pytest.raises(Error) as caught, transaction.atomic():
        yield
        connection.check_constraints()  # SET CONSTRAINTS ALL IMMEDIATE: what is deferred fails here
    cause = caught.value.__cause__
    assert isinstance(cause, psycopg.errors.IntegrityError), repr(cause)
    assert name in (cause.diag.constraint_name, cause.diag.column_name), cause


def sql(statement: str, *values: Any) -> list[Any]:
    """Run raw SQL and return its rows, if it has any."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def known_to_the_database() -> set[str]:
    """Name the constraints and unique indexes that hold for every row."""
    names = sql("SELECT conname FROM pg_constraint WHERE convalidated")
    names += sql("SELECT relname FROM pg_class JOIN pg_index ON indexrelid = oid WHERE indisunique")
    return {name for (name,) in names}


def dated(shop: Shop, seq: int, at: Any) -> None:
    """Date an entry of a client's ledger back; the trigger that forbids it is set aside."""
    connection.check_constraints()  # while one is still to be checked, the table cannot be altered
    sql("ALTER TABLE billing_ledgerentry DISABLE TRIGGER USER")
    LedgerEntry.objects.filter(client=shop.client, seq=seq).update(created_at=at)
    connection.check_constraints()
    sql("ALTER TABLE billing_ledgerentry ENABLE TRIGGER USER")


def nothing_was_ordered(shop: Shop) -> None:
    assert shop.balance == 100
    assert not Job.objects.exists()
    assert LedgerEntry.objects.count() == 1


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert body["detail"]
    assert body["request_id"] == answer.headers["X-Request-Id"]
    log = RequestLog.objects.get(pk=body["request_id"])
    assert (log.status, log.code, log.job_id) == (status, code, "")
    return body


FAILURE = {"code": "broken", "message": "It broke."}


def move(job: Job, **past: str) -> None:
    """Set time columns of a job to the database's clock plus an interval."""
    for column, interval in past.items():
        sql(f"UPDATE workflows_job SET {column} = statement_timestamp() + %s::interval WHERE id = %s", interval, job.pk)


def lapse(job: Job) -> None:
    move(job, lease_until="-1 second")


def now() -> Any:
    return sql("SELECT clock_timestamp()")[0][0]


def row(job: Job) -> dict[str, Any]:
    return Job.objects.filter(pk=job.pk).values().get()


def kinds(job: Job) -> list[str]:
    return list(job.events.values_list("kind", flat=True))


def output(attempt: jobs.Attempt, position: int = 0, **changes: Any) -> Output:
    key = f"clients/{attempt.job.client_id}/jobs/{attempt.job.pk}/{attempt.number}/{position}"
    size = {"size": 1, "width": 1, "height": 1}
    known = {"name": "x.png", "key": key, "content_type": "image/png", "sha256": "0" * 64, **size}
    return Output(job=attempt.job, position=position, **{**known, **changes})


def succeed(attempt: jobs.Attempt) -> bool:
    return jobs.succeed(attempt, outputs=[output(attempt)], summary={"by": attempt.number})


# 10,000 orders with their charges, as 10,000 requests would leave them; ids are 26 digits in order.
FLOOD = """
WITH numbers AS (SELECT n, lpad(n::text, 26, '0') AS id, lpad((n + 5000000)::text, 26, '0') AS charge
                   FROM generate_series(1, %(count)s) n),
     charged AS (INSERT INTO billing_ledgerentry
                        (id, client_id, seq, kind, amount, balance_after, reference, reason, actor, created_at)
                 SELECT charge, %(client)s, n + 1, 'CHARGE', -1, %(count)s - n, id, '', '', now() FROM numbers),
     paid AS (UPDATE billing_client SET balance = 0, ledger_seq = %(count)s + 1, open_jobs = %(count)s
               WHERE id = %(client)s)
INSERT INTO workflows_job (id, client_id, workflow, spec, status, credits_cost, charge_id, accepted_at, deadline_at,
                           attempt, max_attempts, time_limit, worker, run_after, error_code, error_message, summary)
SELECT id, %(client)s, 'extract', '{}', 'NOT_STARTED', 1, charge, now(), now() + interval '1 hour',
       0, 3, interval '1 minute', '', now() - make_interval(secs => %(count)s - n + 1), '', '', '{}'
  FROM numbers
"""


def flood(count: int = 10_000, *, analyze: bool = True) -> Shop:
    shop = Shop.make(credits=count, name="Flood")
    with connection.cursor() as cursor:
        cursor.execute(FLOOD, {"client": shop.client.pk, "count": count})
        if analyze:
            cursor.execute("ANALYZE workflows_job")
    return shop
