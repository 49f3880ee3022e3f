"""Limits on reads, by client, and on failed authentication, by address: kept in memory, at no cost to the others."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Client
from requestlog.models import RequestLog
from tests.conftest import Shop
from tests.helpers import SPEC, get, post
from workflows import jobs
from workflows.models import Job

JOB = "/v1/jobs/" + "0" * 26
ORDER = "/v1/background-generator"


class Clock:
    """The time of day, which goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0  # a minute begins

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Stand still, so that no minute ends by chance, with nothing counted before and nothing left behind."""
    cache.clear()
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    yield clock
    cache.clear()


def throttled(answer: Any, code: str, seconds: int) -> None:
    body = answer.json()
    assert (answer.status_code, body["code"]) == (429, code), body
    assert answer.headers["Retry-After"] == str(seconds)
    assert body["detail"]
    assert body["request_id"] == answer.headers["X-Request-Id"]


def fail(address: str = "192.0.2.1", **headers: str) -> Any:
    return get(None, JOB, HTTP_AUTHORIZATION="Bearer sk_unknown", REMOTE_ADDR=address, **headers)


# Reads


def test_reads_beyond_the_limit_are_a_429_until_the_minute_ends(db, shop: Shop, settings, clock: Clock):
    settings.READS_PER_MINUTE = 3
    clock.now += 48.5
    assert [get(shop, JOB).status_code for _ in range(3)] == [404] * 3
    throttled(get(shop, JOB), "too_many_reads", 12)
    clock.now += 11.4
    throttled(get(shop, JOB), "too_many_reads", 1)
    clock.now += 0.1
    assert [get(shop, JOB).status_code for _ in range(4)] == [404, 404, 404, 429]


def test_reads_are_counted_by_client_whichever_its_key_and_whatever_it_reads(db, shop: Shop, settings, clock: Clock):
    settings.READS_PER_MINUTE = 2
    other = Shop.make()
    assert get(shop, JOB).status_code == 404
    assert get(shop, JOB.replace("jobs", "requests"), REMOTE_ADDR="192.0.2.9").status_code == 404
    assert get(shop, JOB).status_code == 429
    assert get(other, JOB).status_code == 404


def test_orders_are_no_reads(db, shop: Shop, settings, clock: Clock):
    settings.READS_PER_MINUTE = 1
    for _ in range(3):
        assert post(shop, ORDER, SPEC).status_code == 202
    assert get(shop, JOB).status_code == 404
    assert get(shop, JOB).status_code == 429
    assert post(shop, ORDER, SPEC).status_code == 202
    assert Job.objects.count() == 4


def test_pages_and_the_document_are_not_counted(db, shop: Shop, settings, clock: Clock):
    settings.READS_PER_MINUTE = settings.FAILED_AUTHENTICATIONS_PER_MINUTE = 0
    for path in ("/openapi.json", "/healthz", "/admin/login/"):
        assert get(None, path).status_code == 200


# Failed authentication


def test_failures_beyond_the_limit_are_a_429_until_the_minute_ends(db, shop: Shop, settings, clock: Clock):
    settings.FAILED_AUTHENTICATIONS_PER_MINUTE = 3
    answers = [fail(), get(None, JOB, REMOTE_ADDR="192.0.2.1"), fail()]
    assert [answer.status_code for answer in answers] == [401] * 3
    throttled(fail(), "too_many_failed_authentications", 60)
    throttled(get(None, JOB, REMOTE_ADDR="192.0.2.1"), "too_many_failed_authentications", 60)
    clock.now += 60
    assert fail().status_code == 401


def test_failures_are_counted_by_address(db, shop: Shop, settings, clock: Clock):
    settings.FAILED_AUTHENTICATIONS_PER_MINUTE = 1
    addresses = ("192.0.2.1", "192.0.2.2", "2001:db8::1", "")
    assert [fail(address).status_code for address in addresses * 2] == [401] * 4 + [429] * 4


def test_failures_of_each_kind_are_counted(db, shop: Shop, settings, clock: Clock):
    settings.FAILED_AUTHENTICATIONS_PER_MINUTE = 0
    shopify = {"HTTP_X_SHOPIFY_HMAC_SHA256": "AAAA", "HTTP_X_SHOPIFY_SHOP_DOMAIN": "a.example"}
    for answer in (post(None, ORDER, SPEC), post(None, ORDER, SPEC, **shopify), post(shop, ORDER, SPEC, **shopify)):
        throttled(answer, "too_many_failed_authentications", 60)
        assert "WWW-Authenticate" not in answer.headers
        assert "RateLimit" not in answer.headers
    logs = RequestLog.objects.values_list("status", "code", "client_id")
    assert set(logs) == {(429, "too_many_failed_authentications", None)}
    assert not Job.objects.exists()


def test_a_good_key_gets_in_from_an_address_with_too_many_failures(db, shop: Shop, settings, clock: Clock):
    settings.FAILED_AUTHENTICATIONS_PER_MINUTE = 1
    assert [fail().status_code for _ in range(3)] == [401, 429, 429]
    assert get(shop, JOB, REMOTE_ADDR="192.0.2.1").status_code == 404
    assert post(shop, ORDER, SPEC, REMOTE_ADDR="192.0.2.1").status_code == 202


def test_what_a_good_key_is_refused_for_is_no_failure(db, settings, clock: Clock):
    settings.FAILED_AUTHENTICATIONS_PER_MINUTE = 0
    shop = Shop.make(credits=0)
    assert post(shop, ORDER, SPEC).status_code == 402
    assert post(shop, ORDER, {}).status_code == 422
    Client.objects.update(suspended_at=shop.client.created_at)
    assert post(shop, ORDER, SPEC).status_code == 403


# What it costs


def statements_of(*calls: Any) -> list[list[str]]:
    counted = []
    for call in calls:
        with CaptureQueriesContext(connection) as statements:
            call()
        counted.append([statement["sql"].split()[0] for statement in statements])
    return counted


def test_neither_limit_costs_a_statement(own_database, shop: Shop, settings, clock: Clock):
    settings.READS_PER_MINUTE = settings.FAILED_AUTHENTICATIONS_PER_MINUTE = 1
    ordered = post(shop, ORDER, SPEC).json()["job_id"]
    jobs.cancel(job_id=ordered, client=shop.client)
    job = f"/v1/jobs/{ordered}"
    read, throttled_read = statements_of(*[lambda: get(shop, job)] * 2)
    assert (read, throttled_read) == (["SELECT"] * 4, ["SELECT"])  # authentication, job, outputs, events
    failed, throttled_failure = statements_of(*[fail] * 2)
    assert failed == throttled_failure == ["SELECT"]
    assert get(shop, job).status_code == fail().status_code == 429


def test_more_addresses_than_the_cache_holds_do_no_harm(db, shop: Shop, settings, clock: Clock):
    settings.FAILED_AUTHENTICATIONS_PER_MINUTE = settings.READS_PER_MINUTE = 2
    room = settings.CACHES["default"]["OPTIONS"]["MAX_ENTRIES"]
    for number in range(room + 1):
        cache.add(f"failed:{number}", 0, timeout=60)
    assert [fail().status_code for _ in range(3)] == [401, 401, 429]
    assert [get(shop, JOB).status_code for _ in range(3)] == [404, 404, 429]
