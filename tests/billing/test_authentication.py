"""Bearer keys: who gets in, who does not, and what is left of a secret afterwards."""

import hashlib
import string

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.keys import create_key
from billing.models import ApiKey
from requestlog.models import RequestLog
from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.gateway import Gateway
from tests.helpers import SPEC, get, over_the_wire, post, sql
from workflows.models import Job

PATH = f"/v1/jobs/{new_ulid()}"


def refused(answer, status: int, code: str) -> None:
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    assert body["detail"]
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert answer.headers.get("WWW-Authenticate", "").startswith("Bearer") == (status == 401)


def test_a_good_key_gets_in(db, shop: Shop):
    assert get(shop, PATH).status_code == 404


def test_the_scheme_is_read_in_either_case(db, shop: Shop):
    assert get(None, PATH, HTTP_AUTHORIZATION=f"bEARER {shop.key}").status_code == 404


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer    ", "Basic dTpw", "Token sk_x", " ", ",", "sk_x"]
)
def test_a_missing_key_is_a_401(db, shop: Shop, header: str):
    refused(get(None, PATH, HTTP_AUTHORIZATION=header), 401, "missing_api_key")


def test_no_header_at_all_is_a_401(db, shop: Shop):
    refused(get(None, PATH), 401, "missing_api_key")
    refused(post(None, "/v1/extract", {"trial_image": "x"}), 401, "missing_api_key")


@pytest.mark.parametrize(
    "secret",
    ["sk_", "sk_" + "x" * 40, "x", "' OR 1=1 --", "sk_" + "x" * 100_000, "a b c", "é", "\udcff\udc80", "\x00", "🔑"],
    ids=lambda s: ascii(s)[:20],
)
def test_an_unknown_key_is_a_401(db, shop: Shop, secret: str):
    refused(get(None, PATH, HTTP_AUTHORIZATION=f"Bearer {secret}"), 401, "invalid_api_key")


def test_a_key_with_a_letter_too_many_too_few_or_of_another_case_is_unknown(db, shop: Shop):
    for secret in (shop.key + "x", shop.key[:-1], shop.key.swapcase(), shop.key[3:]):
        refused(get(None, PATH, HTTP_AUTHORIZATION=f"Bearer {secret}"), 401, "invalid_api_key")


@pytest.mark.parametrize("header", [b"Bearer \xff\xfe\x80", b"Bearer \xc3\xa9", b"\xff", b"Bearer " + b"\xf0" * 4000])
def test_bytes_outside_ascii_are_a_401_over_the_wire(gateway: Gateway, shop: Shop, header: bytes):
    status, headers = over_the_wire(
        gateway,
        b"POST /v1/extract HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\nAuthorization: " + header + b"\r\n\r\n{}",
    )
    assert status == 401
    assert headers["www-authenticate"].startswith("Bearer")


def test_a_revoked_key_stops_at_once_and_others_of_the_client_go_on(db, shop: Shop):
    _, second = create_key(client=shop.client)
    assert post(shop, "/v1/background-generator", SPEC).status_code == 202
    sql("UPDATE billing_apikey SET revoked_at = now() WHERE digest = %s", hashlib.sha256(shop.key.encode()).hexdigest())
    refused(post(shop, "/v1/background-generator", SPEC), 401, "invalid_api_key")
    assert Job.objects.count() == 1
    assert get(None, PATH, HTTP_AUTHORIZATION=f"Bearer {second}").status_code == 404


def test_a_revoked_key_stops_at_once_in_a_running_web_process(gateway: Gateway, shop: Shop):
    assert gateway.call("GET", PATH, key=shop.key).status == 404
    ApiKey.objects.filter(client=shop.client).update(revoked_at=shop.client.created_at)
    answer = gateway.call("GET", PATH, key=shop.key)
    assert (answer.status, answer.json["code"]) == (401, "invalid_api_key")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("interval", "status"), [("-1 second", 401), ("1 hour", 404)])
def test_a_key_holds_until_it_expires(db, shop: Shop, interval: str, status: int):
    sql("UPDATE billing_apikey SET expires_at = statement_timestamp() + %s::interval", interval)
    assert get(shop, PATH).status_code == status


def test_a_suspended_client_is_a_403_that_is_logged_as_its_own(db, shop: Shop):
    sql("UPDATE billing_client SET suspended_at = now() WHERE id = %s", shop.client.pk)
    refused(get(shop, PATH), 403, "client_suspended")
    answer = post(shop, "/v1/background-generator", SPEC)
    refused(answer, 403, "client_suspended")
    log = RequestLog.objects.get()
    assert (log.status, log.code, log.client_id) == (403, "client_suspended", shop.client.pk)
    assert log.api_key_prefix == shop.key[:11]
    assert not Job.objects.exists()
    assert shop.balance == 100


@pytest.mark.parametrize("good", [True, False])
def test_authentication_is_one_indexed_statement(db, shop: Shop, good: bool):
    with CaptureQueriesContext(
        connection,
    ) as statements:
        header = f"Bearer {shop.key if good else 'sk_no'}"
        assert get(None, PATH, HTTP_AUTHORIZATION=header).status_code == (404 if good else 401)
    authentication = [s["sql"] for s in statements if "billing_" in s["sql"]]
    assert len(authentication) == 1
    sql("SET LOCAL enable_seqscan = off")
    plan = "\n".join(line for (line,) in sql("EXPLAIN (GENERIC_PLAN) " + authentication[0].replace("%", "%%")))
    assert "billing_apikey_digest" in plan
    assert "Seq Scan on billing_apikey" not in plan


def test_keys_are_long_and_no_two_are_alike(db, shop: Shop):
    keys = {create_key(client=shop.client)[1] for _ in range(20)}
    assert len(keys) == 20
    for key in keys:
        assert key.startswith("sk_")
        # At least 190 bits: 62 symbols hold 5.95 bits each.
        assert len(key) - 3 >= 190 / 5.95
        assert set(key[3:]) <= set(string.ascii_letters + string.digits)


def test_the_digest_is_sha_256_and_the_secret_is_nowhere_in_the_database(db, shop: Shop):
    assert post(shop, "/v1/background-generator", SPEC).status_code == 202
    assert post(shop, "/v1/background-generator", {}).status_code == 422
    assert post(shop, "/v1/nowhere?api_key=" + shop.key, SPEC).status_code == 404
    assert post(None, "/v1/extract", shop.key, HTTP_AUTHORIZATION=f"Basic {shop.key}").status_code == 401
    key = ApiKey.objects.get(client=shop.client)
    assert key.digest == hashlib.sha256(shop.key.encode()).hexdigest()
    assert key.prefix == shop.key[:11]
    assert RequestLog.objects.count() == 4
    for (table,) in sql("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"):
        # A row as text holds every column; bytea appears as hex.
        for (row,) in sql(f"SELECT t::text FROM {table} t"):
            assert shop.key not in row, table
            assert shop.key.encode().hex() not in row, table
    assert shop.key not in repr(key) + str(key) + repr(shop.client)
