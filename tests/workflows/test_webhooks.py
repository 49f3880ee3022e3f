"""Webhooks as clients receive them: from worker processes, by a server on loopback."""

import contextlib
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import psutil

from tests.conftest import Shop
from tests.gateway import Gateway, eventually, mains
from tests.helpers import SPEC, sql
from tests.webhooks import Sent, endpoint, hurry, receiver
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
    assert output == {name: value for name, value in job["outputs"][0].items() if not name.endswith("url")}
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


def test_first_attempts_go_in_order_and_one_that_fails_holds_back_nothing(gateway: Gateway, shop: Shop):
    def answer(sent: Sent) -> int:
        time.sleep(0.2)  # so that two at once would be seen
        return 500 if len(got.got) == 1 else 204

    with receiver(answer) as got:
        made, _ = endpoint(gateway, shop, got.url, "job.failed")
        sql("UPDATE workflows_webhookendpoint SET disabled_at = now(), disabled_reason = 'r' WHERE id = %s", made.pk)
        for _ in range(6):
            gateway.finished(ordered(gateway, shop, resolution="97K"), key=shop.key)
        events = list(Event.objects.filter(client=shop.client, type="job.failed").order_by("created_at"))
        # As if all of them had happened in one moment.
        for number, event in enumerate(events):
            sql(
                "INSERT INTO workflows_webhookdelivery (id, client_id, event_id, endpoint_id, next_attempt_at)"
                " VALUES (%s, %s, %s, %s, now())",
                f"{number:026}",
                shop.client.pk,
                event.pk,
                made.pk,
            )
        sql("UPDATE workflows_webhookendpoint SET disabled_at = NULL, disabled_reason = '' WHERE id = %s", made.pk)
        got.waits_for(6)
    assert [sent.id for sent in got.got[:6]] == [event.message_id for event in events]
    assert max(sent.at_once for sent in got.got[:6]) == 1


def test_a_slow_endpoint_has_two_requests_at_once_and_delays_neither_images_nor_other_endpoints(
    gateway: Gateway, shop: Shop
):
    other, release = Shop.make(name="Other"), threading.Event()
    with receiver(lambda sent: release.wait(12) and 204) as slow, receiver() as quick:
        endpoint(gateway, shop, slow.url)
        endpoint(gateway, other, quick.url)
        mine = [ordered(gateway, shop, resolution="97K") for _ in range(5)]
        slow.waits_for(2)
        jobs = [gateway.finished(job_id, key=shop.key) for job_id in mine]
        gateway.finished(ordered(gateway, other, resolution="97K"), key=other.key)
        quick.waits_for(2)
        assert len(slow.got) == 2
        assert {job["status"] for job in jobs} == {"FAILURE"}
        release.set()
        slow.waits_for(10)
    assert max(sent.at_once for sent in slow.got) == 2
    assert len({sent.id for sent in slow.got}) == 10


def senders(gateway: Gateway, url: str) -> list[psutil.Process]:
    """Return the processes of the worker that are connected to the receiver."""
    found = []
    for process in psutil.Process(gateway.processes["worker"].pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            ports = {connection.raddr.port for connection in process.net_connections() if connection.raddr}
            if urlsplit(url).port in ports:
                found.append(process)
    return found


def test_what_a_killed_sender_was_at_is_sent_again_with_the_same_id(gateway: Gateway, shop: Shop):
    killed = threading.Event()
    with receiver(lambda sent: killed.wait(12) and 204) as got:
        made, secret = endpoint(gateway, shop, got.url, "job.started")
        ordered(gateway, shop, resolution="97K")
        got.waits_for(1)
        (sender,) = senders(gateway, got.url)
        sender.kill()
        killed.set()
        delivery = WebhookDelivery.objects.get(endpoint=made)
        assert (delivery.status, delivery.attempts) == ("pending", 1)
        sql("UPDATE workflows_webhookdelivery SET lease_until = now() WHERE id = %s", delivery.pk)  # not in 20 s
        first, second = got.waits_for(2)
        eventually(lambda: WebhookDelivery.objects.get(endpoint=made).delivered_at, what="it is delivered")
    assert (first.id, first.body) == (second.id, second.body)
    second.verified(secret)
    delivery.refresh_from_db()
    assert delivery.attempts == 2
    assert list(delivery.log.values_list("number", "status")) == [(2, 204)]


def main(gateway: Gateway) -> psutil.Process:
    """Return the main process of the worker's qcluster that sends webhooks."""
    (process,) = eventually(lambda: mains(gateway.processes["worker"].pid, "webhooks"), what="there is a cluster")
    return process


def test_a_cluster_that_ended_is_replaced(gateway: Gateway, shop: Shop):
    with receiver() as got:
        endpoint(gateway, shop, got.url, "job.started")
        main(gateway).kill()
        ordered(gateway, shop, resolution="97K")
        got.waits_for(1, seconds=30)


def test_a_cluster_that_stands_still_is_replaced(gateway: Gateway, shop: Shop):
    with receiver() as got:
        endpoint(gateway, shop, got.url, "job.started")
        for process in [main(gateway), *main(gateway).children(recursive=True)]:
            process.suspend()
        ordered(gateway, shop, resolution="97K")
        got.waits_for(1, seconds=40)
