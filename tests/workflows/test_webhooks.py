"""Webhooks as clients receive them: from worker processes, by a server on loopback."""

from typing import Any

from tests.conftest import Shop
from tests.gateway import Gateway, eventually
from tests.helpers import SPEC
from tests.webhooks import endpoint, hurry, receiver
from workflows.models import Event, WebhookDelivery


def ordered(gateway: Gateway, shop: Shop, **changes: Any) -> str:
    answer = gateway.call("POST", "/v1/background-generator", {**SPEC, "resolution": "512", **changes}, key=shop.key)
    assert answer.status == 202, answer.body
    return answer.json["job_id"]


def test_what_becomes_of_a_job_is_told_and_verified_and_in_order(gateway: Gateway, shop: Shop):
    with receiver() as got:
        _, secret = endpoint(gateway, shop, got.url)
        job_id = ordered(gateway, shop)
        first, second = got.waits_for(2)
        job = gateway.finished(job_id, key=shop.key)
    started, succeeded = first.verified(secret), second.verified(secret)
    assert [started["type"], succeeded["type"]] == ["job.started", "job.succeeded"]
    assert (started["timestamp"], succeeded["timestamp"]) == (job["started_at"], job["ended_at"])
    assert (started["data"]["status"], started["data"]["sequence"]) == ("IN_PROGRESS", 1)
    assert (succeeded["data"]["status"], succeeded["data"]["sequence"]) == ("SUCCESS", 2)
    assert succeeded["data"]["link"] == f"/v1/jobs/{job_id}"
    same = job.keys() & succeeded["data"].keys() - {"outputs"}
    assert {name: succeeded["data"][name] for name in same} == {name: job[name] for name in same}
    assert "spec" not in succeeded["data"]
    (output,) = succeeded["data"]["outputs"]
    assert output == {name: value for name, value in job["outputs"][0].items() if name != "url"}
    assert first.path == "/hooks"
    assert first.headers["content-type"] == "application/json"


def test_a_failure_is_told_with_its_reason_and_its_refund(gateway: Gateway, shop: Shop):
    with receiver() as got:
        _, secret = endpoint(gateway, shop, got.url, "job.failed")
        ordered(gateway, shop, resolution="97K")
        (sent,) = got.waits_for(1)
    data = sent.verified(secret)["data"]
    assert (data["status"], data["error"]["code"]) == ("FAILURE", "unknown_resolution")
    assert data["credits_refunded"] == data["credits_charged"] > 0
    assert Event.objects.filter(client=shop.client).count() == 2
    assert len(got.got) == WebhookDelivery.objects.filter(client=shop.client).count() == 1


def test_after_two_failures_it_is_delivered_with_the_same_id_and_body(gateway: Gateway, shop: Shop):
    replies = iter([500, 503, 200])
    with receiver(lambda sent: next(replies)) as got:
        made, secret = endpoint(gateway, shop, got.url, "job.started")
        ordered(gateway, shop)
        for failures in (1, 2):
            got.waits_for(failures)
            delivery = eventually(
                lambda n=failures: WebhookDelivery.objects.filter(endpoint=made, tries=n, lease_until=None).first(),
                what="the failure is written down",
            )
            hurry(delivery)
        sent = got.waits_for(3)
        eventually(lambda: WebhookDelivery.objects.get(endpoint=made).delivered_at, what="it is delivered")
    assert len({request.id for request in sent}) == len({request.body for request in sent}) == 1
    assert all(request.verified(secret)["type"] == "job.started" for request in sent)
    log = WebhookDelivery.objects.get(endpoint=made).log
    assert list(log.values_list("number", "status", "error")) == [
        (1, 500, "It answered 500."),
        (2, 503, "It answered 503."),
        (3, 200, ""),
    ]
    made.refresh_from_db()
    assert made.failing_since is None
