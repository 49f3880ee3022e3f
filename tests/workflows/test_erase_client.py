"""`manage.py erase_client`: all that a client sent and was sent is gone for good; the ledger stays."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from billing.errors import ClientSuspended
from billing.models import Client, LedgerEntry
from requestlog.models import RequestLog
from tests.conftest import Shop
from tests.erasing import WORD, files, put, tables_that_say
from tests.gateway import eventually
from tests.helpers import FAILURE, SPEC, books_are_right, claimed, get, order, output, post, sql, together
from tests.s3 import Bucket
from tests.webhooks import Reply, Sent, receiver
from workflows import jobs
from workflows.erasure import erase_client
from workflows.errors import ClientHasOpenJobs
from workflows.models import Event, Job, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from workflows.webhooks import deliveries
from workflows.webhooks.sending import send

ORDER = {**SPEC, "mood": WORD, "metadata": {WORD: WORD}}
TOLD = (WebhookEndpoint, Event, WebhookDelivery)


def run(shop: Shop, capsys: pytest.CaptureFixture[str]) -> str:
    call_command("erase_client", str(shop.client.pk))
    return capsys.readouterr().out.strip()


def done(shop: Shop, *, jobs: int = 0, logs: int = 0, events: int = 0, endpoints: int = 0) -> str:
    """What it says."""
    number = shop.client.pk
    return (
        f"client {number} is suspended; erased jobs: {jobs}, request logs: {logs}, events: {events}, "
        f"webhook endpoints: {endpoints}, and all files below clients/{number}/"
    )


def used(shop: Shop, storage: Path) -> tuple[Job, Job]:
    """Leave a client with all there can be of one: a success, a failure, an upload, an endpoint, refused requests."""
    hook = {"url": f"https://hooks.example/{WORD}"}
    assert post(shop, "/v1/webhook-endpoints", hook, HTTP_USER_AGENT=WORD).status_code == 201
    made = []
    for _ in range(2):
        answer = post(shop, "/v1/background-generator", ORDER, HTTP_USER_AGENT=WORD)
        made.append(claimed(Job.objects.get(pk=answer.json()["job_id"])))
    assert post(shop, "/v1/background-generator", {WORD: WORD}).status_code == 422
    first, second = made
    image = output(first, name=f"{WORD}.png")
    assert jobs.succeed(first, outputs=[image], summary={WORD: WORD})
    assert jobs.fail(second, code="x", message=WORD, technical=False)
    for key in (image.key, f"clients/{shop.client.pk}/uploads/{WORD}.jpg", f"clients/{shop.client.pk}/jobs/x/y/z.png"):
        put(storage, key)
    return first.job, second.job


def rows(client: Client) -> list[Any]:
    """Return what is there of a client."""
    tables = [table.objects.filter(client=client).order_by("pk") for table in (Job, LedgerEntry, *TOLD)]
    logs = RequestLog.objects.filter(client_id=client.pk).order_by("pk")
    return [list(table.values()) for table in (*tables, logs, Client.objects.filter(pk=client.pk))]


def test_all_is_gone_but_the_ledger_and_other_clients(
    own_database: str, shop: Shop, storage: Path, capsys: pytest.CaptureFixture[str]
):
    used(shop, storage)
    others = [Shop.make(name=f"Other {n}") for n in range(10)]  # of one of them the id begins as the client's does
    for other in others:
        assert jobs.fail(claimed(order(other)), **FAILURE, technical=False)
    kept = {put(storage, f"clients/{other.client.pk}/jobs/x/1/x.png") for other in others}
    kept.add(put(storage, f"shared/looks/{WORD}.png"))
    Client.objects.filter(pk=shop.client.pk).update(storage_prefixes=["shared/looks/"])
    ledger = list(LedgerEntry.objects.filter(client=shop.client).order_by("seq").values())
    told = [table.objects.filter(client=shop.client).count() for table in TOLD]
    assert told == [1, 4, 4]
    theirs = [rows(other.client) for other in others]
    logs = RequestLog.objects.filter(client_id=shop.client.pk)
    count = logs.count()

    assert run(shop, capsys) == done(shop, jobs=2, logs=count, events=4, endpoints=1)
    assert tables_that_say() == set()
    assert files(storage) == kept
    assert not (storage / f"clients/{shop.client.pk}").exists()
    assert [table.objects.filter(client=shop.client).count() for table in TOLD] == [0, 0, 0]
    assert not WebhookAttempt.objects.exists()
    assert {(bytes(log.body), log.remote_addr, log.user_agent) for log in logs} == {(b"", "", "")}
    assert logs.count() == count
    assert list(LedgerEntry.objects.filter(client=shop.client).order_by("seq").values()) == ledger
    assert {(job.erased_at is None, job.files_erased_at is None) for job in shop.client.jobs.all()} == {(False, False)}
    assert [rows(other.client) for other in others] == theirs
    assert get(shop, "/v1/jobs").status_code == 403
    books_are_right(shop.client)
    call_command("reconcile")
    capsys.readouterr()

    after = rows(shop.client)
    assert run(shop, capsys) == done(shop)
    assert rows(shop.client) == after
    call_command("prune")  # there is nothing left to do
    assert "jobs' folders: 0" in capsys.readouterr().out


def test_while_a_job_is_open_nothing_is_erased_and_nobody_suspended(own_database: str, shop: Shop, storage: Path):
    used(shop, storage)
    attempt = claimed(order(shop))
    before, stored = rows(shop.client), files(storage)
    with pytest.raises(CommandError, match="suspend it and wait"):
        call_command("erase_client", str(shop.client.pk))
    with pytest.raises(CommandError, match="There is no client 999"):
        call_command("erase_client", "999")
    assert (rows(shop.client), files(storage)) == (before, stored)
    assert jobs.fail(attempt, **FAILURE, technical=False)
    call_command("erase_client", str(shop.client.pk))
    assert tables_that_say() == set()


def test_what_broke_off_is_finished_by_doing_it_again(
    own_database: str, shop: Shop, storage: Path, away: Callable[[], None], capsys: pytest.CaptureFixture[str]
):
    used(shop, storage)
    away()
    with pytest.raises(CommandError, match="Run it again"):
        call_command("erase_client", str(shop.client.pk))
    assert tables_that_say() == set()
    assert len(files(storage)) == 3
    assert not shop.client.jobs.exclude(files_erased_at=None).exists()
    away()
    assert run(shop, capsys) == done(shop)
    assert files(storage) == set()
    assert not shop.client.jobs.filter(files_erased_at=None).exists()


def test_an_order_and_an_erasure_at_once_never_leave_an_order_behind(own_database: str, storage: Path):
    for _ in range(10):
        shop = Shop.make()
        ordered, erased = together(
            lambda shop=shop: order(shop), lambda shop=shop: erase_client(client_id=shop.client.pk)
        )
        shop.client.refresh_from_db()
        if isinstance(ordered, Job):
            assert isinstance(erased, ClientHasOpenJobs)
            assert shop.client.suspended_at is None
        else:
            assert isinstance(ordered, ClientSuspended)
            assert not isinstance(erased, Exception)
            assert shop.client.suspended_at is not None
        books_are_right(shop.client)


def test_what_is_being_sent_is_waited_for_and_what_waits_is_not_sent(own_database: str, shop: Shop, storage: Path):
    go = threading.Event()

    def late(sent: Sent) -> Reply:
        assert go.wait(20)
        return 500, {}, WORD.encode()

    with receiver(late) as got:
        made = post(shop, "/v1/webhook-endpoints", {"url": got.url}).json()
        for _ in range(2):
            assert post(shop, f"/v1/webhook-endpoints/{made['endpoint_id']}/test", None).status_code == 202

        def send_one() -> None:
            reserved = deliveries.reserve(endpoint_id=made["endpoint_id"])
            send(delivery_id=reserved.delivery_id, attempts=reserved.attempts, worker="w")

        def erase() -> Any:
            got.waits_for(1)
            return erase_client(client_id=shop.client.pk)

        def release() -> None:
            disabled = "SELECT id FROM workflows_webhookendpoint WHERE disabled_at IS NOT NULL"
            eventually(lambda: sql(disabled), what="the erasure has begun")
            go.set()

        sent, erased, released = together(send_one, erase, release)
    assert (sent, released, erased.events, erased.endpoints) == (None, None, 2, 1)
    assert len(got.got) == 1
    assert not any(table.objects.exists() for table in (*TOLD, WebhookAttempt))
    assert tables_that_say() == set()


def test_a_bucket_keeps_nothing_below_the_clients_folder(own_database: str, bucket: Bucket, shop: Shop):
    mine, others = f"clients/{shop.client.pk}/", f"clients/{shop.client.pk}0/"
    # Also what no path can be.
    for key in (f"{mine}uploads/a.jpg", mine, f"{mine}/a/../b.png", f"{others}a.jpg"):
        bucket.client.put_object(Bucket=bucket.name, Key=key, Body=b"")
    erase_client(client_id=shop.client.pk)
    assert bucket.keys(mine) == []
    assert bucket.keys(others) == [f"{others}a.jpg"]
