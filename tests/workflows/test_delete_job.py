"""DELETE /v1/jobs/{job_id}: what a job was about goes for good, from every table and from storage; the money stays."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from requestlog.models import RequestLog
from tests.conftest import Shop
from tests.console import signed_in
from tests.erasing import WORD, files, put, tables_that_say
from tests.gateway import eventually
from tests.helpers import (
    SPEC,
    books_are_right,
    claimed,
    get,
    lapse,
    order,
    output,
    post,
    refused,
    row,
    sql,
    succeed,
    together,
)
from tests.http_client import HttpClient
from tests.s3 import Bucket
from tests.webhooks import Reply, Sent, receiver
from workflows import jobs
from workflows.errors import NotRefundable
from workflows.models import Event, Job, WebhookAttempt, WebhookDelivery
from workflows.performing import perform
from workflows.webhooks import deliveries
from workflows.webhooks.sending import send

ORDER = {
    "scene_type": WORD,
    "mood": WORD,
    "display_name": WORD,
    "pilot_brand": WORD,
    "on_technical_failure": WORD,
    "metadata": {WORD: WORD},
}


def delete(shop: Shop, job: Job) -> Any:
    headers = {"HTTP_AUTHORIZATION": f"Bearer {shop.key}"}
    return HttpClient().delete(f"/v1/jobs/{job.pk}", **headers)


def deleted(shop: Shop, job: Job) -> None:
    answer = delete(shop, job)
    assert (answer.status_code, answer.content) == (204, b""), answer.content


def seen(shop: Shop, job: Job) -> dict[str, Any]:
    answer = get(shop, f"/v1/jobs/{job.pk}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def ordered(shop: Shop) -> jobs.Attempt:
    """Order something of which all says WORD, with a key, twice, and begin it."""
    for _ in range(2):
        answer = post(shop, "/v1/background-generator", ORDER, HTTP_IDEMPOTENCY_KEY="once")
        assert answer.status_code == 202, answer.content
    return claimed(Job.objects.get(pk=answer.json()["job_id"]))


def succeeded(shop: Shop, storage: Path | None = None) -> Job:
    attempt = ordered(shop)
    made = output(attempt, name=f"{WORD}.png", details={WORD: WORD})
    if storage:
        put(storage, made.key)
    assert jobs.succeed(attempt, outputs=[made], summary={WORD: WORD})
    return attempt.job


def failed(shop: Shop) -> Job:
    attempt = ordered(shop)
    assert jobs.fail(attempt, code="unknown_mood", message=f"Nobody knows {WORD}.", technical=False)
    return attempt.job


def send_all(endpoint_id: str) -> None:
    while reserved := deliveries.reserve(endpoint_id=endpoint_id):
        send(delivery_id=reserved.delivery_id, attempts=reserved.attempts, worker="w")


def echo(sent: Sent) -> Reply:
    return 200, {}, sent.body + WORD.encode()


def test_nothing_is_left_of_a_success_but_that_it_was_and_its_money(own_database: str, shop: Shop, storage: Path):
    folder = f"clients/{shop.client.pk}/jobs"
    with receiver(echo) as got:
        made = post(shop, "/v1/webhook-endpoints", {"url": got.url}).json()
        job = succeeded(shop, storage)
        send_all(made["endpoint_id"])
    orphan = put(storage, f"{folder}/{job.pk}/7/{WORD}.png")
    kept = put(storage, f"{folder}/{'0' * 26}/1/x.png")
    assert {"workflows_job", "workflows_output", "workflows_jobevent", "request_logs", "workflows_webhookattempt"} <= (
        tables_that_say()
    )
    assert orphan in files(storage)
    before = seen(shop, job)

    deleted(shop, job)
    assert tables_that_say() == set()
    assert files(storage) == {kept}
    assert not (storage / folder / job.pk).exists()
    after = seen(shop, job)
    erased_at = after["erased_at"]
    assert erased_at > before["ended_at"]
    assert after == before | {
        "spec": {},
        "metadata": None,
        "summary": {},
        "outputs": [],
        "engine": "",
        "files_expire_at": erased_at,
        "files_erased_at": after["files_erased_at"],
        "erased_at": erased_at,
        "timeline": [{**entry, "detail": ""} for entry in before["timeline"]],
    }
    assert after["files_erased_at"] >= erased_at
    assert shop.balance == 100 - before["credits_charged"]
    books_are_right(shop.client)
    call_command("reconcile")


def test_everything_that_shows_a_job_shows_an_erased_one(own_database: str, shop: Shop, storage: Path):
    first, browser = failed(shop), signed_in()
    deleted(shop, first)
    error = {"code": "unknown_mood", "message": "", "retryable": False}
    assert (seen(shop, first)["error"], seen(shop, first)["credits_refunded"]) == (error, first.credits_cost)
    replay = post(shop, "/v1/background-generator", ORDER, HTTP_IDEMPOTENCY_KEY="once")
    assert (replay.status_code, replay.json()["job_id"]) == (202, first.pk)
    assert replay.headers["Idempotent-Replayed"] == "true"
    other = post(shop, "/v1/background-generator", SPEC, HTTP_IDEMPOTENCY_KEY="once")
    assert other.status_code == 422
    Job.objects.filter(pk=first.pk).update(idempotency_key=None)
    second = succeeded(shop)
    deleted(shop, second)
    for path in (
        "/v1/jobs",
        "/v1/jobs?metadata[a]=b",
        "/v1/jobs?pilot_brand=x",
        f"/v1/requests/{first.request_id}",
        f"/v1/requests/{replay.headers['X-Request-Id']}",
        "/v1/usage?group_by=image_model",
        "/v1/usage?group_by=pilot_brand",
        "/v1/credits",
        "/v1/credits/entries",
        "/v1/events",
        "/v1/webhook-deliveries",
    ):
        answer = get(shop, path)
        assert answer.status_code == 200, (path, answer.content)
        assert WORD not in answer.content.decode()
    for job in (first, second):
        log = RequestLog.objects.get(pk=job.request_id)
        assert (bytes(log.body), log.body_truncated, log.body_size > 0) == (b"", True, True)
        for path in (f"workflows/job/{job.pk}/change", f"requestlog/requestlog/{job.request_id}/change"):
            answer = browser.get(f"/admin/{path}/")
            assert answer.status_code == 200, path
            assert WORD not in answer.content.decode()
    for path in ("workflows/job", "workflows/webhookdelivery", "requestlog/requestlog"):
        assert browser.get(f"/admin/{path}/").status_code == 200


def test_what_was_told_of_it_says_from_then_on_that_it_is_erased(own_database: str, shop: Shop, storage: Path):
    with receiver() as got:
        made = post(shop, "/v1/webhook-endpoints", {"url": got.url}).json()
        job = succeeded(shop)
        before = list(Event.objects.order_by("sequence").values("id", "type", "sequence", "created_at"))
        deleted(shop, job)
        assert list(Event.objects.order_by("sequence").values("id", "type", "sequence", "created_at")) == before
        send_all(made["endpoint_id"])
        bodies = [sent.verified(made["secret"]) for sent in got.got]
        link = f"/v1/jobs/{job.pk}"
        assert bodies == [
            {
                "type": f"job.{word}",
                "timestamp": seen(shop, job)[f"{at}_at"],
                "data": {"job_id": job.pk, "erased": True, "link": link, "sequence": n},
            }
            for n, word, at in ((1, "started", "started"), (2, "succeeded", "ended"))
        ]
        assert eventually(lambda: len(get(shop, "/v1/events").json()["events"]) == 2)
        delivery = WebhookDelivery.objects.first()
        details = get(shop, f"/v1/webhook-deliveries/{delivery.pk}").json()
        assert details["payload"]["data"]["erased"]
        page = signed_in().get(f"/admin/workflows/webhookdelivery/{delivery.pk}/change/")
        assert page.status_code == 200


def test_a_sender_at_work_writes_nothing_down_of_what_was_erased_meanwhile(own_database: str, shop: Shop):
    go = threading.Event()

    def late(sent: Sent) -> Reply:
        assert go.wait(20)
        return echo(sent)

    with receiver(late) as got:
        made = post(shop, "/v1/webhook-endpoints", {"url": got.url, "event_types": ["job.succeeded"]}).json()
        job = succeeded(shop)

        def erase() -> None:
            got.waits_for(1)
            jobs.erase(job_id=job.pk, client=shop.client)
            go.set()

        results = together(lambda: send_all(made["endpoint_id"]), erase)
    assert results == [None, None]
    attempt = WebhookAttempt.objects.get()
    assert (attempt.status, attempt.response_excerpt, attempt.delivery.status) == (200, "", "delivered")
    assert tables_that_say() == set()


def test_an_open_job_is_refused_and_an_erased_one_is_erased_again(db, shop: Shop, storage: Path):
    job = order(shop)
    for _ in range(2):
        before = row(job)
        body = refused(delete(shop, job), 409, "job_open")
        assert job.pk in body["detail"]
        assert row(job) == before
        if before["status"] == "NOT_STARTED":
            attempt = claimed(job)
    succeed(attempt)
    deleted(shop, job)
    before = row(job)
    deleted(shop, job)
    assert row(job) == before
    assert [log.job_id for log in RequestLog.objects.filter(method="DELETE", status=204)] == [job.pk] * 2
    assert delete(Shop.make(name="Other"), job).status_code == 404


def test_while_the_storage_is_away_the_rows_are_erased_and_the_files_follow(
    own_database: str, shop: Shop, storage: Path, away: Callable[[], None]
):
    job = succeeded(shop, storage)
    away()
    answer = delete(shop, job)
    refused(answer, 503, "storage_unavailable")
    assert answer.headers["Retry-After"]
    assert tables_that_say() == set()
    assert (seen(shop, job)["erased_at"] is None, seen(shop, job)["files_erased_at"]) == (False, None)
    assert len(files(storage)) == 1
    away()
    call_command("prune")
    assert files(storage) == set()
    assert seen(shop, job)["files_erased_at"] is not None


def test_what_a_late_worker_leaves_of_an_erased_job_does_not_stay(own_database: str, shop: Shop, storage: Path):
    job = order(shop, spec={**SPEC, "resolution": "512"}, max_attempts=2)
    late = claimed(job)
    lapse(job)
    attempt = claimed(job)
    succeed(attempt)
    deleted(shop, job)
    perform(late)
    assert files(storage) == set()
    # One that was killed before it could delete them.
    put(storage, f"clients/{shop.client.pk}/jobs/{job.pk}/1/background.png", days=1)
    call_command("prune")
    assert files(storage) == set()
    assert not any((storage / f"clients/{shop.client.pk}/jobs").iterdir())


def test_an_erased_success_can_be_refunded(own_database: str, shop: Shop, storage: Path):
    job = succeeded(shop)
    deleted(shop, job)
    jobs.refund(job_id=job.pk, reason="goodwill", actor="ada")
    assert shop.balance == 100
    assert seen(shop, job)["timeline"][-1]["event"] == "refunded"
    told = Event.objects.get(sequence=3)
    assert told.type == "job.refunded"
    assert tables_that_say() == set()
    call_command("reconcile")


def test_a_refund_and_an_erasure_at_once_leave_both(own_database: str, shop: Shop, storage: Path):
    for _ in range(10):
        job = succeeded(shop, storage)
        results = together(
            lambda job=job: jobs.refund(job_id=job.pk, reason="goodwill", actor="ada"),
            lambda job=job: jobs.erase(job_id=job.pk, client=shop.client),
        )
        assert not any(isinstance(result, Exception) for result in results), results
        assert tables_that_say() == set()
        with pytest.raises(NotRefundable):
            jobs.refund(job_id=job.pk, reason="again", actor="ada")
        Job.objects.filter(pk=job.pk).update(idempotency_key=None)
    assert shop.balance == 100
    assert files(storage) == set()
    books_are_right(shop.client)


def test_erasures_and_the_pruner_at_once_all_come_to_the_same_end(own_database: str, shop: Shop, storage: Path):
    for _ in range(10):
        job = succeeded(shop, storage)
        for n in range(20):
            put(storage, f"clients/{shop.client.pk}/jobs/{job.pk}/{n}/x.png")
        results = together(
            lambda job=job: delete(shop, job).status_code,
            lambda job=job: delete(shop, job).status_code,
            lambda job=job: jobs.erase_files(job),
        )
        assert results == [204, 204, None]
        assert tables_that_say() == set()
        assert files(storage) == set()
        assert seen(shop, job)["files_erased_at"] is not None
        Job.objects.filter(pk=job.pk).update(idempotency_key=None)
    books_are_right(shop.client)


def test_the_bodies_to_erase_are_found_by_their_index(own_database: str, shop: Shop):
    sql(
        "INSERT INTO request_logs (request_id, method, path, status, code, duration_ms, api_key_prefix, job_id,"
        " remote_addr, user_agent, body, body_size) SELECT lpad(n::text, 26, '0'), 'POST', '/v1/x', 202, '', 1, '',"
        " lpad((n / 2)::text, 26, '0'), '', '', 'x', 1 FROM generate_series(1, 5000) n"
    )
    sql("ANALYZE request_logs")
    rows = RequestLog.objects.filter(job_id="9" * 26).exclude(body=b"")
    assert "request_logs_by_job" in rows.explain()


def test_objects_in_a_bucket_go_too(own_database: str, bucket: Bucket, shop: Shop):
    job = succeeded(shop)
    folder = f"clients/{shop.client.pk}/jobs/{job.pk}"
    for key in (f"{folder}/1/a.png", f"{folder}/2/thumbnails/b.webp"):
        bucket.client.put_object(Bucket=bucket.name, Key=key, Body=b"image")
    deleted(shop, job)
    assert bucket.keys(folder) == []
