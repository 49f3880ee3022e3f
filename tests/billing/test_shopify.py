"""X-Shopify-Hmac-Sha256: who may order by it, with a key and without, and what everybody else is told."""

import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.fernet import MultiFernet
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import shopify
from billing.models import Client
from requestlog.models import RequestLog
from tests.conftest import Shop
from tests.gateway import Gateway
from tests.helpers import (
    SPEC,
    books_are_right,
    get,
    nothing_was_ordered,
    over_the_wire,
    post,
    refused,
)
from tests.http_client import HttpClient
from tests.shopify import BODY, DOMAIN, NEWER, SECRET, install, needs_openssl, order, signature, signed
from workflows.models import Job

pytestmark = needs_openssl

BACKGROUND, EXTRACT = "/v1/background-generator", "/v1/extract"
SIGNATURE, SHOP = "HTTP_X_SHOPIFY_HMAC_SHA256", "HTTP_X_SHOPIFY_SHOP_DOMAIN"


# With a key


def test_a_signature_that_holds_may_come_with_a_key(db, shop: Shop):
    install(shop)
    answer = post(shop, BACKGROUND, BODY, **{SIGNATURE: signature(SECRET, BODY)})
    assert answer.status_code == 202
    assert (Job.objects.get().client, RequestLog.objects.get().api_key_prefix) == (shop.client, shop.key[:11])


MALFORMED = {
    "empty": lambda holds: "",
    "blank": lambda holds: " ",
    "no base64": lambda holds: "not/base64!",
    "outside ASCII": lambda holds: "é" + holds,
    "too short": lambda holds: "AAAA",
    "cut": lambda holds: holds[:-1],
    "followed by something": lambda holds: holds + "AAAA",
    "twice": lambda holds: f"{holds}, {holds}",
    "in quotes": lambda holds: f'"{holds}"',
    "in another case": lambda holds: holds.swapcase(),
    "very long": lambda holds: "A" * 100_000,
}


@pytest.mark.parametrize("malformed", MALFORMED)
def test_a_malformed_signature_is_refused_with_a_key_too(db, shop: Shop, malformed: str):
    install(shop)
    sent = MALFORMED[malformed](signature(SECRET, BODY))
    answer = post(shop, BACKGROUND, BODY, **{SIGNATURE: sent, SHOP: DOMAIN})
    refused(answer, 401, "invalid_signature")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    nothing_was_ordered(shop)


def test_a_signature_that_does_not_hold_is_refused_whatever_the_key(db, shop: Shop):
    other = Shop.make()
    install(other)
    # Without a secret of its own, with another's, and for another body.
    refused(post(shop, BACKGROUND, BODY, **{SIGNATURE: signature(SECRET, BODY)}), 401, "invalid_signature")
    install(shop, "other.myshopify.com", secret=NEWER)
    refused(post(shop, BACKGROUND, BODY, **{SIGNATURE: signature(SECRET, BODY)}), 401, "invalid_signature")
    refused(post(shop, BACKGROUND, BODY + b" ", **{SIGNATURE: signature(NEWER, BODY)}), 401, "invalid_signature")
    assert not Job.objects.exists()
    assert RequestLog.objects.filter(client_id=None, body=b"").count() == 3


def test_a_key_names_the_client_whatever_the_shop(db, shop: Shop):
    other = Shop.make()
    install(other)
    assert post(shop, BACKGROUND, BODY, **{SHOP: DOMAIN}).status_code == 202
    assert Job.objects.get().client == shop.client


def test_a_key_that_is_refused_is_not_made_good_by_a_signature(db, shop: Shop):
    install(shop)
    refused(order(HTTP_AUTHORIZATION="Bearer sk_unknown"), 401, "invalid_api_key")
    refused(order(HTTP_AUTHORIZATION="Bearer"), 401, "missing_api_key")
    nothing_was_ordered(shop)


def test_another_kind_of_authorization_is_no_key(db, shop: Shop):
    install(shop)
    assert order(HTTP_AUTHORIZATION="Basic dTpw").status_code == 202
    assert Job.objects.get().client == shop.client


def test_a_signature_sent_with_a_key_must_hold_wherever_it_is_sent(db, shop: Shop):
    install(shop)
    job = post(shop, BACKGROUND, BODY).json()["job_id"]
    assert get(shop, f"/v1/jobs/{job}", **{SIGNATURE: signature(SECRET, b"")}).status_code == 200
    assert get(shop, f"/v1/jobs/{job}", **{SIGNATURE: signature(SECRET, BODY)}).json()["code"] == "invalid_signature"


# Without a key


@pytest.mark.parametrize("domain", [DOMAIN, DOMAIN.upper(), DOMAIN.title(), f" {DOMAIN}\t"])
def test_the_shop_names_the_client_in_either_case(db, shop: Shop, domain: str):
    install(shop)
    Shop.make(name="Other")
    answer = order(domain=domain)
    assert answer.status_code == 202
    job = Job.objects.get()
    assert (job.client, job.is_test, answer.json()["job_id"]) == (shop.client, False, job.pk)
    log = RequestLog.objects.get()
    assert (log.client_id, log.api_key_prefix, log.job_id, bytes(log.body)) == (shop.client.pk, "", job.pk, BODY)
    assert shop.balance == 98
    books_are_right(shop.client)


def test_an_order_by_signature_takes_one_statement_to_authenticate(own_database, shop: Shop):
    install(shop)
    assert order().status_code == 202
    with CaptureQueriesContext(connection) as statements:
        assert order(b" " + BODY).status_code == 202
    said = [statement["sql"].split()[0] for statement in statements]
    # The second looks for an earlier order of the same body.
    assert said == ["SELECT", "SELECT", "WITH"]


def test_three_shops_of_one_app_share_its_secret(db, shop: Shop):
    domains = [f"{name}.myshopify.com" for name in ("one", "two", "three")]
    install(shop, *domains)
    for seed, domain in enumerate(domains):
        body = json.dumps({**SPEC, "seed": seed}).encode()
        assert order(body, domain=domain).status_code == 202
    assert shop.client.jobs.count() == 3


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"])
def test_a_signature_alone_does_nothing_but_order(db, shop: Shop, method: str):
    install(shop)
    job = Job.objects.get(pk=order().json()["job_id"])
    for path in (f"/v1/jobs/{job.pk}", f"/v1/requests/{job.request_id}", BACKGROUND, EXTRACT):
        answer = HttpClient().generic(method, path, b"", **signed(b""))
        assert answer.status_code == 401, path
        assert method == "HEAD" or answer.json()["code"] == "missing_api_key"


MISFITS: dict[str, Callable[[], dict[str, str]]] = {
    "an unknown shop": lambda: signed(BODY, domain="unknown.myshopify.com"),
    "a shop whose client has no secret": lambda: signed(BODY, domain="bare.myshopify.com"),
    "a wrong secret": lambda: signed(BODY, secret="shpss_wrong_wrong_wrong"),
    "an old secret": lambda: signed(BODY, secret="shpss_retired_retired"),
    "another client's secret": lambda: signed(BODY, secret=NEWER),
    "another client's shop": lambda: signed(BODY, domain="other.myshopify.com"),
    "a body that changed by a byte": lambda: signed(BODY[:-1] + b" "),
    "no body": lambda: signed(b""),
    "no shop": lambda: {SIGNATURE: signature(SECRET, BODY)},
    "an empty shop": lambda: signed(BODY, domain=""),
    "a shop with a NUL": lambda: signed(BODY, domain=f"{DOMAIN}\x00x"),
    "a shop outside ASCII": lambda: signed(BODY, domain="càp.myshopify.com"),
    "a shop that is no Unicode": lambda: signed(BODY, domain="\udcff.myshopify.com"),
    "a very long shop": lambda: signed(BODY, domain="x" * 100_000),
    "a shop like a pattern": lambda: signed(BODY, domain="%"),
    "no signature": lambda: {SHOP: DOMAIN},
    "a suspended client and a wrong secret": lambda: signed(BODY, domain="suspended.myshopify.com", secret=NEWER),
    **{
        f"a signature that is {name}": lambda malform=malform: (
            signed(BODY) | {SIGNATURE: malform(signature(SECRET, BODY))}
        )
        for name, malform in MALFORMED.items()
    },
}


def test_every_misfit_is_one_and_the_same_401(db, shop: Shop):
    install(shop, secret="shpss_retired_retired")
    shopify.set_secret(client_id=shop.client.pk, secret=SECRET, retire_previous=True)
    install(Shop.make(), "other.myshopify.com", secret=NEWER)
    shopify.add_shop(client_id=Shop.make().client.pk, domain="bare.myshopify.com")
    suspended = Shop.make()
    install(suspended, "suspended.myshopify.com", secret="shpss_suspended_suspended")
    Client.objects.filter(pk=suspended.client.pk).update(suspended_at=shop.client.created_at)
    answers, logs = {}, {}
    for name, headers in MISFITS.items():
        answer = post(None, BACKGROUND, BODY, **headers())
        request_id = answer.headers["X-Request-Id"]
        del answer.headers["X-Request-Id"]
        answers[name] = (answer.status_code, answer.content.replace(request_id.encode(), b""), dict(answer.headers))
        log = RequestLog.objects.values().get(pk=request_id)
        logs[name] = {k: v for k, v in log.items() if k not in ("request_id", "received_at", "duration_ms")}
    first = next(iter(answers))
    assert {name for name, answer in answers.items() if answer != answers[first]} == set()
    assert {name for name, log in logs.items() if log != logs[first]} == set()
    status, body, headers = answers[first]
    assert (status, json.loads(body)["code"]) == (401, "invalid_signature")
    assert headers["WWW-Authenticate"].startswith("Bearer")
    assert not {name for name in headers if name.startswith(("RateLimit", "X-Credits"))}
    assert (logs[first]["client_id"], bytes(logs[first]["body"])) == (None, b"")
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "header", [b"X-Shopify-Hmac-Sha256: \xff\xfe", b"X-Shopify-Shop-Domain: \xff.example", b"X-Shopify-Hmac-Sha256:"]
)
def test_hostile_bytes_in_the_headers_are_a_401_over_the_wire(gateway: Gateway, header: bytes):
    rest = b"Host: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    status, headers = over_the_wire(gateway, b"POST /v1/extract HTTP/1.1\r\n" + header + b"\r\n" + rest)
    assert status == 401
    assert RequestLog.objects.get(pk=headers["x-request-id"]).code == "invalid_signature"


def test_a_suspended_client_is_told_so_only_by_its_own_signature(db, shop: Shop):
    install(shop)
    Client.objects.update(suspended_at=shop.client.created_at)
    refused(order(), 403, "client_suspended")
    assert RequestLog.objects.get().client_id == shop.client.pk
    refused(order(secret=NEWER), 401, "invalid_signature")
    nothing_was_ordered(shop)


@pytest.mark.parametrize("with_key", [True, False])
def test_a_body_too_large_to_be_signed_is_a_413(db, shop: Shop, with_key: bool):
    install(shop)
    body = BODY[:-1] + b', "zzz": "' + b"x" * 1024 * 1024 + b'"}'
    headers = signed(body)
    refused(post(shop if with_key else None, BACKGROUND, body, **headers), 413, "body_too_large")
    refused(post(None, BACKGROUND, body, **headers | {SHOP: "unknown.myshopify.com"}), 413, "body_too_large")
    nothing_was_ordered(shop)


def test_a_signed_body_is_judged_like_any_other(db, shop: Shop):
    install(shop)
    answer = order(b'{"scene_type": 1}')
    assert answer.status_code == 422
    assert [fault["loc"] for fault in answer.json()["detail"]] == [["body", "scene_type"], ["body", "mood"]]
    assert order(b"\xff").status_code == 422
    refused(order(content_type="text/plain"), 415, "unsupported_media_type")
    nothing_was_ordered(shop)


# In the same time


def test_a_refusal_takes_the_same_work_whether_or_not_there_is_such_a_shop(
    db, shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    """Seconds are not compared: on a busy machine they differ more by chance than by a statement or a MAC left out."""
    install(Shop.make(), "first.myshopify.com", secret="shpss_of_the_first_shop")
    install(shop)
    rotating = Shop.make()
    install(rotating, "rotating.myshopify.com", secret="shpss_before_the_rotation")
    install(rotating, "rotating.myshopify.com", secret="shpss_after_the_rotation")
    shopify.add_shop(client_id=Shop.make().client.pk, domain="bare.myshopify.com")
    done: list[str] = []

    def counting(owner: Any, name: str) -> None:
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args, **kwargs: done.append(name) or real(*args, **kwargs))

    counting(hmac, "digest")
    counting(MultiFernet, "decrypt")
    found: list[int] = []

    def rows(execute: Any, statement: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(statement, params, many, context)
        found.extend([context["cursor"].rowcount] if "billing_" in statement else [])
        return result

    work = {}
    for domain in (DOMAIN, "rotating.myshopify.com", "bare.myshopify.com", "unknown.myshopify.com", ""):
        done.clear()
        found.clear()
        with connection.execute_wrapper(rows):
            assert order(secret="shpss_wrong_wrong_wrong", domain=domain).status_code == 401
        work[domain] = (list(found), sorted(done))
    # One statement, which finds one row; and two MACs, whose keys are decrypted.
    assert set(map(str, work.values())) == {str(([1], ["decrypt", "decrypt", "digest", "digest"]))}, work
