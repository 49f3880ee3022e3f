"""What is told to whom, in what order, and who sends it."""

import json

import pytest
from django.db import IntegrityError, connection
from ulid import ULID

from billing import ledger
from studio_gateway.ids import new_ulid
from tests.helpers import claimed, now, order, sql, succeed, together
from tests.workflows.hook import Hook
from workflows import jobs
from workflows.models import Event, Job, WebhookDelivery
from workflows.webhooks import deliveries, events, posting
from workflows.webhooks.broker import DeliveryBroker
from workflows.webhooks.sending import send


def test_of_a_job_that_never_began_its_failure_is_the_first_event(hook: Hook):
    order(hook.shop, deadline_at=now())
    assert jobs.sweep() == 1
    hook.attempt()
    told = hook.got.got[0].verified(hook.secret)
    assert (told["type"], told["data"]["sequence"], told["data"]["error"]["code"]) == (
        "job.failed",
        1,
        "deadline_exceeded",
    )


def test_a_second_attempt_is_not_told_as_a_beginning(hook: Hook):
    job = order(hook.shop)
    assert jobs.fail(claimed(job), code="x", message="y", technical=True)
    sql("UPDATE workflows_job SET run_after = now()")
    claimed(job)
    assert list(Event.objects.values_list("type", "sequence")) == [("job.started", 1)]


def test_what_is_rolled_back_is_not_told(hook: Hook):
    attempt = claimed(order(hook.shop))
    sql("UPDATE billing_client SET open_jobs = 0")  # so that none can be closed
    with pytest.raises(IntegrityError):
        succeed(attempt)
    assert list(Event.objects.values_list("type", flat=True)) == ["job.started"]
    assert Job.objects.get().status == "IN_PROGRESS"


def test_low_credits_are_told_once_when_the_balance_falls_below(hook: Hook):
    assert hook.ask("get", "/v1/credits/alert") == {"threshold": None}
    assert hook.ask("put", "/v1/credits/alert", {"threshold": 97}) == {"threshold": 97}
    for credits in (3, 2, 2):
        order(hook.shop, credits=credits)
    (event,) = Event.objects.all()
    told = json.loads(event.body)
    assert (told["type"], told["data"]) == ("credits.low", {"balance": 95, "threshold": 97})
    ledger.grant(client_id=hook.shop.client.pk, credits=5, reason="r")
    order(hook.shop, credits=20)
    assert Event.objects.count() == 2
    assert hook.ask("put", "/v1/credits/alert", {"threshold": None}) == {"threshold": None}
    ledger.grant(client_id=hook.shop.client.pk, credits=50, reason="r")
    order(hook.shop, credits=100)
    assert Event.objects.count() == 2


def test_an_endpoint_gets_what_it_asked_for_and_nothing_while_it_is_disabled(hook: Hook):
    other = hook.ask("post", "/v1/webhook-endpoints", {"url": hook.got.url, "event_types": ["job.failed"]}, status=201)
    attempt = claimed(order(hook.shop))
    hook.ask("patch", hook.path, {"enabled": False})
    jobs.fail(attempt, code="x", message="y", technical=False)
    written = WebhookDelivery.objects.values_list("endpoint_id", "event__type")
    assert set(written) == {(hook.id, "job.started"), (other["endpoint_id"], "job.failed")}


def test_events_told_within_a_millisecond_have_deliveries_of_their_own(hook: Hook, monkeypatch: pytest.MonkeyPatch):
    for _ in range(9):
        hook.ask("post", "/v1/webhook-endpoints", {"url": hook.got.url}, status=201)
    # What one process makes within a millisecond is counted up from the first.
    monkeypatch.setattr(events, "new_ulid", iter([new_ulid() for _ in range(500)][-40:]).__next__)
    for _ in range(40):
        hook.shop.client.read_again()
        events.tell_of_low_credits(hook.shop.client)
    written = WebhookDelivery.objects.values_list("event_id", "endpoint_id")
    assert len(set(written)) == len(written) == 400
    assert all(ULID.from_str(id) for id in WebhookDelivery.objects.values_list("id", flat=True))


def test_two_brokers_at_once_never_have_three_under_way(hook: Hook):
    for _ in range(12):
        hook.told()
    sql("UPDATE workflows_webhookdelivery SET attempts = 1")  # first attempts go one by one
    reserved = together(*[lambda: deliveries.reserve(endpoint_id=hook.id)] * 6)
    taken = [one for one in reserved if one is not None]
    assert 1 <= len(taken) <= 2
    assert len({one.delivery_id for one in taken}) == len(taken)
    while len(taken) < 2:
        taken.append(deliveries.reserve(endpoint_id=hook.id))
    assert deliveries.reserve(endpoint_id=hook.id) is None
    assert deliveries.ready(after_endpoint="") is None


def test_endpoints_take_turns(hook: Hook):
    second = Hook(hook.shop, hook.got)
    for _ in range(2):
        hook.told()
        second.told()
    sql("UPDATE workflows_webhookdelivery SET attempts = 1")
    broker = DeliveryBroker()
    served = [broker.dequeue() for _ in range(4)]
    by_id = dict(WebhookDelivery.objects.values_list("pk", "endpoint_id"))
    assert [by_id[tasks[0][0]] for tasks in served if tasks] == [hook.id, second.id] * 2


def test_a_reservation_that_lapsed_is_not_to_be_claimed(hook: Hook):
    hook.told()
    reserved = deliveries.reserve(endpoint_id=hook.id)
    assert reserved is not None
    sql("UPDATE workflows_webhookdelivery SET reserved_until = now()")
    send(delivery_id=reserved.delivery_id, attempts=reserved.attempts, worker="w")
    assert hook.got.got == []
    again = deliveries.reserve(endpoint_id=hook.id)
    assert again == reserved
    send(delivery_id=again.delivery_id, attempts=again.attempts, worker="w")
    send(delivery_id=again.delivery_id, attempts=again.attempts, worker="w")
    assert len(hook.got.got) == 1


def test_a_sender_that_comes_late_changes_nothing(hook: Hook):
    hook.told()
    reserved = deliveries.reserve(endpoint_id=hook.id)
    assert reserved is not None
    late = deliveries.claim(delivery_id=reserved.delivery_id, attempts=0, worker="w")
    assert late is not None
    sql("UPDATE workflows_webhookdelivery SET lease_until = now()")
    assert hook.attempt().status == "delivered"
    answer = posting.Answer(error="late")
    deliveries.end(late, answer=answer, error=answer.error, duration_ms=1, request_headers={})
    assert WebhookDelivery.objects.get().status == "delivered"


def test_a_secret_that_cannot_be_read_any_more_sends_nothing_unsigned(hook: Hook, settings):
    settings.FIELD_ENCRYPTION_KEYS = ["another key " * 4]
    hook.told()
    delivery = hook.attempt()
    assert hook.got.got == []
    assert delivery.log.get().error == "The secret can no longer be read here: rotate it."


def test_ten_thousand_that_wait_are_read_by_their_index(hook: Hook):
    hook.told()
    sql(
        "INSERT INTO workflows_event (id, client_id, type, body) SELECT lpad(n::text, 26, '0'), %s, 'credits.low', '{}'"
        " FROM generate_series(1, 10000) n",
        hook.shop.client.pk,
    )
    sql(
        "INSERT INTO workflows_webhookdelivery (id, client_id, event_id, endpoint_id, next_attempt_at, delivered_at)"
        " SELECT e.id, client_id, e.id, %s, CASE WHEN e.id < lpad('5000', 26, '0') THEN now() END,"
        " CASE WHEN e.id >= lpad('5000', 26, '0') THEN now() END FROM workflows_event e WHERE e.type = 'credits.low'",
        hook.id,
    )
    sql("ANALYZE workflows_webhookdelivery")
    for statement in (deliveries.READY, deliveries.RESERVE):
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + statement, {"after": "", "endpoint_id": hook.id})
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "delivery_queue" in plan and "delivery_under_way" in plan, plan
        assert "Seq Scan on workflows_webhookdelivery" not in plan, plan
