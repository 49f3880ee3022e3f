"""RateLimit and X-Credits-*: on every answer to an order whose client is known, and on no other."""

import re
from typing import Any

import pytest

from billing.models import Client, Price
from tests.conftest import Shop
from tests.helpers import SPEC, get, post
from tests.http_client import HttpClient
from workflows.models import Workflow

BACKGROUND = "/v1/background-generator"
OURS = {"RateLimit", "RateLimit-Policy", "X-Credits-Charged", "X-Credits-Balance"}


def told(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name in OURS}


def limited(shop: Shop, orders: int) -> None:
    Client.objects.filter(pk=shop.client.pk).update(jobs_per_minute=orders)


def row(**values: Any) -> Any:
    return lambda shop: Client.objects.filter(pk=shop.client.pk).update(**values)


# What is done to the client before, what is sent, and what is answered: status, charge, and what is left to order.
ANSWERS: dict[str, tuple[Any, dict[str, Any], int, int, int]] = {
    "an order": (None, {}, 202, 2, 5),
    "a dry run": (None, {"path": f"{BACKGROUND}?dry_run=true"}, 200, 0, 6),
    "too few credits": (None, {"body": {**SPEC, "resolution": "4K"}}, 402, 0, 6),
    "suspended": (row(suspended_at="2020-01-01T00:00Z"), {}, 403, 0, 6),
    "another method": (None, {"method": "PUT"}, 405, 0, 6),
    "too large": (None, {"body": b" " * (1024 * 1024 + 1)}, 413, 0, 6),
    "another type": (None, {"content_type": "text/plain"}, 415, 0, 6),
    "a faulty body": (None, {"body": {}}, 422, 0, 6),
    "no JSON": (None, {"body": b"{"}, 422, 0, 6),
    "a faulty parameter": (None, {"path": f"{BACKGROUND}?dry_run=1"}, 422, 0, 6),
    "a faulty key": (None, {"HTTP_IDEMPOTENCY_KEY": ""}, 422, 0, 6),
    "too many open jobs": (row(max_open_jobs=0), {}, 429, 0, 6),
    "too many orders": (row(orders_tat="2100-01-01T00:00Z"), {}, 429, 0, 0),
    "switched off": (lambda shop: Workflow.objects.update(enabled=False), {}, 503, 0, 6),
    "no price": (lambda shop: Price.objects.all().delete(), {}, 503, 0, 6),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_whoever_is_known_is_told_the_rate_the_charge_and_the_balance(db, case: str):
    before, sent, status, charged, remaining = ANSWERS[case]
    shop = Shop.make(credits=5)
    limited(shop, 6)
    if before:
        before(shop)
    sent = {"path": BACKGROUND, "body": SPEC, **sent}
    if method := sent.pop("method", ""):
        answer = HttpClient().generic(method, BACKGROUND, b"{}", HTTP_AUTHORIZATION=f"Bearer {shop.key}")
    else:
        answer = post(shop, sent.pop("path"), sent.pop("body"), **sent)
    assert answer.status_code == status, answer.content
    headers = told(answer)
    assert set(headers) == OURS
    assert headers["RateLimit-Policy"] == '"orders";q=6;w=60'
    assert re.fullmatch(rf'"orders";r={remaining};t=\d+', headers["RateLimit"])
    assert (headers["X-Credits-Charged"], headers["X-Credits-Balance"]) == (str(charged), str(shop.balance))
    assert shop.balance == 5 - charged


def test_a_replay_is_told_what_is_left_now_and_charged_nothing(db, shop: Shop):
    limited(shop, 6)
    for expected in ({"charged": "2", "balance": "98"}, {"charged": "0", "balance": "98"}):
        headers = told(post(shop, BACKGROUND, SPEC, HTTP_IDEMPOTENCY_KEY="a"))
        assert set(headers) == OURS
        assert {"charged": headers["X-Credits-Charged"], "balance": headers["X-Credits-Balance"]} == expected
        assert headers["RateLimit"].startswith('"orders";r=5;')


def test_whoever_is_unknown_is_told_nothing(db, shop: Shop):
    limited(shop, 6)
    for headers in ({}, {"HTTP_AUTHORIZATION": "Bearer sk_unknown"}, {"HTTP_X_SHOPIFY_SHOP_DOMAIN": "a.example"}):
        answer = post(None, BACKGROUND, SPEC, **headers)
        assert (answer.status_code, told(answer)) == (401, {})
    answer = post(shop, BACKGROUND, SPEC, HTTP_X_SHOPIFY_HMAC_SHA256="AAAA")
    assert (answer.status_code, told(answer)) == (401, {})


def test_what_is_no_order_tells_nothing_of_orders(db, shop: Shop):
    for answer in (get(shop, "/v1/jobs/" + "0" * 26), post(shop, "/v1/nowhere", SPEC), get(None, "/openapi.json")):
        assert told(answer) == {}
