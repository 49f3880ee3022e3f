"""What becomes of a delivery, attempt by attempt: retried, given up, replayed; and of the endpoint that it goes to."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

import pytest
from django.core import mail

from tests.helpers import claimed, now, order, refused, sql, succeed
from tests.webhooks import receiver
from tests.workflows.hook import Hook, call
from workflows import jobs
from workflows.models import WebhookDelivery
from workflows.webhooks import deliveries, posting


def pause(delivery: WebhookDelivery) -> timedelta:
    assert delivery.next_attempt_at is not None and delivery.attempt_started_at is not None
    return delivery.next_attempt_at - delivery.attempt_started_at


SCHEDULE = [5, 300, 1800, 7200, 18_000, 36_000, 36_000]


def test_it_is_retried_on_schedule_and_then_given_up(hook: Hook):
    delivery = hook.failed()
    for seconds in SCHEDULE:
        assert timedelta(seconds=0.9 * seconds) < pause(delivery) < timedelta(seconds=1.1 * seconds + 5)
        assert deliveries.reserve(endpoint_id=hook.id) is None  # not yet
        sql("UPDATE workflows_webhookdelivery SET next_attempt_at = now()")
        delivery = hook.attempt()
    assert (delivery.status, delivery.attempts, len(hook.got.got)) == ("failed", 8, 8)
    assert len({(sent.id, sent.body) for sent in hook.got.got}) == 1
    assert hook.row.failing_since is not None


@pytest.mark.parametrize(
    "spell", [str, lambda seconds: format_datetime(now() + timedelta(seconds=seconds), usegmt=True)]
)
def test_retry_after_is_honoured(hook: Hook, spell: Callable[[int], str]):
    delivery = hook.failed((503, {"Retry-After": spell(1000)}, b""))
    assert timedelta(seconds=990) < pause(delivery) < timedelta(seconds=1010)


@pytest.mark.parametrize(
    ("sent", "longest"),
    [("1", 11), ("-5", 11), ("soon", 11), ("9" * 400, 86_405), ("Fri, 31 Dec 9999 23:59:59 GMT", 86_405)],
)
def test_an_unreasonable_retry_after_neither_hurries_nor_stops_anything(hook: Hook, sent: str, longest: int):
    delivery = hook.failed((429, {"Retry-After": sent}, b""))
    assert timedelta(seconds=4) < pause(delivery) < timedelta(seconds=longest)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(hook: Hook, status: int):
    with receiver() as elsewhere:
        delivery = hook.failed((status, {"Location": elsewhere.url}, b""))
    assert elsewhere.got == []
    assert delivery.status == "pending"
    assert delivery.log.get().error == f"It answered {status}, and redirects are not followed."


def test_410_disables_the_endpoint_and_gives_up_what_waits(hook: Hook):
    waiting = hook.told()
    sql("UPDATE workflows_webhookdelivery SET next_attempt_at = now() + interval '1 hour'")
    delivery = hook.failed(410)
    assert delivery.status == "failed"
    waiting.refresh_from_db()
    assert (waiting.status, waiting.attempts) == ("failed", 0)
    assert hook.row.disabled_reason == "The endpoint answered 410 Gone."
    refused(call(hook.shop, "post", f"{hook.path}/test"), 409, "endpoint_disabled")
    refused(call(hook.shop, "post", f"/v1/webhook-deliveries/{waiting.pk}/replay"), 409, "endpoint_disabled")
    # Once it is enabled, it begins afresh, and what it missed is to be had.
    assert hook.ask("patch", hook.path, {"enabled": True})["enabled"]
    hook.got.answer = lambda sent: 204
    hook.ask("post", f"/v1/webhook-deliveries/{waiting.pk}/replay", status=202)
    assert hook.attempt().status == "delivered"


def test_after_five_days_of_failure_it_is_disabled_and_staff_are_told_once(hook: Hook, settings):
    settings.ALERT_EMAIL = "ops@example.com"
    assert hook.failed().status == "pending"
    hook.told()
    sql("UPDATE workflows_webhookendpoint SET failing_since = now() - interval '119 hours'")
    assert hook.attempt().status == "pending"
    assert (hook.row.disabled_at, mail.outbox) == (None, [])
    sql("UPDATE workflows_webhookendpoint SET failing_since = now() - interval '121 hours'")
    assert hook.failed().status == "failed"
    assert hook.row.disabled_reason == "It failed for five days."
    (sent,) = mail.outbox
    assert sent.to == ["ops@example.com"]
    assert hook.id in sent.subject and hook.got.url in sent.body
    assert not WebhookDelivery.objects.filter(next_attempt_at__isnull=False).exists()


def test_a_success_begins_the_five_days_anew(hook: Hook):
    hook.failed()
    sql("UPDATE workflows_webhookendpoint SET failing_since = now() - interval '121 hours'")
    hook.got.answer = lambda sent: 204
    hook.told()
    assert hook.attempt().status == "delivered"
    assert hook.row.failing_since is None
    assert hook.failed().status == "pending"


def dripping(listener: socket.socket) -> None:
    """Answer one request with a header line every 50 ms, for as long as anybody listens."""
    connection, _ = listener.accept()
    with connection, contextlib.suppress(OSError):
        connection.sendall(b"HTTP/1.1 204 No Content\r\n")
        while True:
            connection.sendall(b"X: y\r\n")
            time.sleep(0.05)


def test_an_answer_that_comes_in_drips_is_not_waited_for(hook: Hook, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(posting, "TIMEOUT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=dripping, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        sql("UPDATE workflows_webhookendpoint SET url = %s", url)
        hook.told()
        delivery = hook.attempt()
        thread.join(10)
        assert not thread.is_alive()  # it was hung up on
    assert delivery.status == "pending"
    entry = delivery.log.get()
    assert (entry.status, entry.error) == (None, "No answer within 0.3 s.")
    assert entry.duration_ms >= 300


def test_nobody_there_is_a_failure(hook: Hook):
    sql("UPDATE workflows_webhookendpoint SET url = 'http://127.0.0.1:1/'")
    hook.told()
    delivery = hook.attempt()
    assert delivery.log.get().error == "ConnectionRefusedError: [Errno 111] Connection refused"


def test_of_an_answer_the_beginning_is_kept(hook: Hook):
    hook.failed((500, {}, b"\0\xff" + b"a" * 100_000))
    excerpt = WebhookDelivery.objects.get().log.get().response_excerpt
    assert excerpt == "\ufffd\ufffd" + "a" * 2046


def test_the_log_shows_request_and_response_and_no_secret(hook: Hook):
    delivery = hook.failed((500, {}, b"broken"))
    details = hook.ask("get", f"/v1/webhook-deliveries/{delivery.pk}")
    (sent,) = hook.got.got
    assert details["payload"] == json.loads(sent.body) == sent.verified(hook.secret)
    assert (details["status"], details["attempts"], details["event_id"]) == ("pending", 1, sent.id)
    (entry,) = details["log"]
    assert (entry["number"], entry["status"], entry["response_excerpt"]) == (1, 500, "broken")
    kept = {name.lower(): value for name, value in entry["request_headers"].items()}
    assert kept.items() <= sent.headers.items()
    assert {"webhook-id", "webhook-timestamp", "webhook-signature"} <= kept.keys()
    assert hook.secret not in json.dumps(details)
    secret = hook.secret.removeprefix("whsec_")
    for table in ("workflows_webhookendpoint", "workflows_webhookattempt", "request_logs"):
        assert not sql(f"SELECT 1 FROM {table} t WHERE strpos(t::text, %s) > 0", secret)


def test_during_a_rotation_both_secrets_sign_and_afterwards_the_new_one_alone(hook: Hook):
    rotated = hook.ask("post", f"{hook.path}/rotate-secret")
    assert rotated["secret"] != hook.secret
    hook.told()
    hook.attempt()
    (sent,) = hook.got.got
    assert len(sent.headers["webhook-signature"].split(" ")) == 2
    assert sent.verified(hook.secret) == sent.verified(rotated["secret"])
    sql("UPDATE workflows_webhookendpoint SET previous_secret_until = now()")
    hook.told()
    hook.attempt()
    assert hook.got.got[1].verified(rotated["secret"])
    assert len(hook.got.got[1].headers["webhook-signature"].split(" ")) == 1


def test_a_replay_sends_the_same_again(hook: Hook):
    hook.told()
    delivery = hook.attempt()
    assert delivery.status == "delivered"
    replayed = hook.ask("post", f"/v1/webhook-deliveries/{delivery.pk}/replay", status=202)
    assert (replayed["status"], replayed["delivery_id"]) == ("pending", delivery.pk)
    hook.got.answer = lambda sent: 500
    assert timedelta(seconds=4) < pause(hook.attempt()) < timedelta(seconds=10)  # a schedule of its own
    first, second = hook.got.got
    assert (first.id, first.body) == (second.id, second.body)
    assert WebhookDelivery.objects.get().log.count() == 2


def test_what_is_told_stays_as_it_was(hook: Hook):
    job = order(hook.shop)
    attempt = claimed(job)
    hook.attempt()
    assert succeed(attempt)
    jobs.refund(job_id=job.pk, reason="blurred", actor="ann")
    sql("UPDATE workflows_job SET workflow = 'changed'")
    sql("UPDATE workflows_webhookdelivery SET next_attempt_at = now(), delivered_at = NULL")
    sent = []
    for _ in range(3):
        hook.attempt()
        sent.append(hook.got.got[-1].verified(hook.secret))
    by_type = {told["type"]: told["data"] for told in sent}
    assert list(by_type) == ["job.started", "job.succeeded", "job.refunded"]
    assert [data["sequence"] for data in by_type.values()] == [1, 2, 3]
    assert [data["status"] for data in by_type.values()] == ["IN_PROGRESS", "SUCCESS", "SUCCESS"]
    assert [data["credits_refunded"] for data in by_type.values()] == [0, 0, 2]
    assert {data["workflow"] for data in by_type.values()} == {"background-generator"}
    assert [len(data["outputs"]) for data in by_type.values()] == [0, 1, 1]
    assert "blurred" not in json.dumps(sent)
