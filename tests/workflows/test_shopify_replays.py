"""A signed body is its own idempotency key: the same one is the same order, whatever else is sent."""

import json
from typing import Any

from billing import shopify
from requestlog.models import RequestLog
from tests.conftest import Shop
from tests.helpers import FAILURE, SPEC, books_are_right, claimed, post, refused, sql, together
from tests.shopify import BODY, DOMAIN, NEWER, install, needs_openssl, order, signed
from workflows import jobs
from workflows.models import Job

pytestmark = needs_openssl

BACKGROUND, EXTRACT = "/v1/background-generator", "/v1/extract"


def replays(answer: Any, first: Any) -> None:
    assert answer.status_code == 202, answer.content
    assert answer.json() == first.json()
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert answer.headers["X-Credits-Charged"] == "0"
    assert answer.headers["Location"] == first.headers["Location"]
    assert answer.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    log = RequestLog.objects.get(pk=answer.headers["X-Request-Id"])
    assert (log.status, log.job_id) == (202, first.json()["job_id"])


def test_the_same_signed_body_is_the_same_order_whatever_else_is_sent(db, shop: Shop):
    install(shop, DOMAIN, "second.myshopify.com")
    first = order(HTTP_IDEMPOTENCY_KEY="a")
    assert first.status_code == 202
    assert "Idempotent-Replayed" not in first.headers
    replays(order(), first)
    replays(order(HTTP_IDEMPOTENCY_KEY="b", HTTP_USER_AGENT="other", HTTP_X_REQUEST_ID="z"), first)
    replays(order(HTTP_IDEMPOTENCY_KEY=""), first)
    replays(order(path=f"{BACKGROUND}?x=1"), first)
    replays(order(domain="second.myshopify.com"), first)
    shopify.set_secret(client_id=shop.client.pk, secret=NEWER)
    replays(order(secret=NEWER), first)
    shopify.set_secret(client_id=shop.client.pk, secret=NEWER, retire_previous=True)
    replays(order(secret=NEWER), first)
    assert (Job.objects.count(), shop.balance) == (1, 98)
    books_are_right(shop.client)


def test_the_same_signed_body_is_the_same_order_also_once_that_has_failed(db, shop: Shop):
    install(shop)
    first = order()
    jobs.fail(claimed(Job.objects.get()), **FAILURE, technical=False)
    replays(order(), first)
    assert (Job.objects.count(), shop.balance) == (1, 100)
    books_are_right(shop.client)


def test_the_same_body_sent_with_the_key_is_another_order(db, shop: Shop):
    install(shop)
    first = order()
    second = post(shop, BACKGROUND, BODY, **signed(BODY))
    assert second.status_code == 202
    assert second.json()["job_id"] != first.json()["job_id"]


def test_two_clients_may_sign_the_same_body(db, shop: Shop):
    install(shop)
    other = Shop.make()
    install(other, "other.myshopify.com", secret=NEWER)
    assert order().status_code == 202
    assert order(secret=NEWER, domain="other.myshopify.com").status_code == 202
    assert (shop.client.jobs.count(), other.client.jobs.count()) == (1, 1)


def test_what_is_new_in_the_metadata_makes_another_order(db, shop: Shop):
    install(shop)
    for number in (1, 2):
        body = json.dumps({**SPEC, "metadata": {"order": number}}).encode()
        assert order(body).status_code == 202
    assert (Job.objects.count(), shop.balance) == (2, 96)


def test_a_signed_body_sent_to_another_workflow_is_a_422_that_names_the_signature(db, shop: Shop):
    install(shop)
    body = json.dumps({**SPEC, "trial_image": "clients/1/a.jpg"}).encode()
    first = order(body)
    answer = order(body, path=EXTRACT)
    assert answer.status_code == 422
    (fault,) = answer.json()["detail"]
    assert set(fault) == {"loc", "msg", "type"}
    assert fault["loc"] == ["header", "X-Shopify-Hmac-Sha256"]
    replays(order(body), first)
    assert (Job.objects.count(), shop.balance) == (1, 98)


def test_a_refused_order_is_not_remembered(db):
    shop = Shop.make(credits=1)
    install(shop)
    refused(order(), 402, "insufficient_credits")
    sql("UPDATE billing_price SET credits = 1")
    assert order().status_code == 202


def test_twenty_twins_at_once_make_one_job_and_all_get_its_ids(own_database, shop: Shop):
    install(shop)
    answers = together(*[order] * 20)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert sum(int(answer.headers["X-Credits-Charged"]) for answer in answers) == 2
    assert RequestLog.objects.filter(status=202).count() == 20
    assert (Job.objects.count(), shop.balance) == (1, 98)
    books_are_right(shop.client)
