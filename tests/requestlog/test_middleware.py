"""Every answer has its id; what would change something under /v1/ has one row, whatever was sent (P6, P9)."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from requestlog.middleware import RequestLogMiddleware
from requestlog.models import RequestLog
from tests.conftest import Shop
from tests.helpers import SPEC, books_are_right, get, post, refused_by
from tests.http_client import HttpClient
from workflows.models import Job

EXTRACT = "/v1/extract"


def send(method: str, path: str, body: bytes = b"", **headers: str) -> Any:
    return HttpClient().generic(method, path, body, **headers)


def logged() -> RequestLog:
    return RequestLog.objects.get()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/nothing"),
        ("POST", "/v1/nothing"),
        ("POST", EXTRACT),
        ("OPTIONS", EXTRACT),
        ("HEAD", "/v1/jobs/x"),
        ("GET", "/"),
        ("GET", "/openapi.json"),
        ("GET", "/admin/"),
        ("GET", "/files/x"),
        ("GET", "/static/nothing.css"),
        ("GET", "/healthz"),
        ("BREW", "/v1/nothing"),
    ],
)
def test_every_answer_has_an_id_of_its_own(db, method: str, path: str):
    ids = [send(method, path).headers["X-Request-Id"] for _ in range(2)]
    assert all(len(i) == 26 and set(i) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for i in ids)
    assert ids[0] < ids[1]


def test_a_client_cannot_choose_the_id(db):
    answer = send("POST", EXTRACT, HTTP_X_REQUEST_ID="0" * 26)
    assert answer.headers["X-Request-Id"] == logged().request_id != "0" * 26


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [EXTRACT, "/v1/jobs/" + "0" * 26, "/v1/nothing", "/v1/"])
def test_what_would_change_something_is_logged(db, shop: Shop, method: str, path: str):
    answer = send(method, path, HTTP_AUTHORIZATION=f"Bearer {shop.key}", REMOTE_ADDR="192.0.2.7")
    log = logged()
    assert (log.request_id, log.status) == (answer.headers["X-Request-Id"], answer.status_code)
    assert (log.method, log.path, log.remote_addr) == (method, path, "192.0.2.7")
    assert log.code
    assert log.duration_ms >= 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "BREW"])
def test_what_only_reads_is_not_logged(db, shop: Shop, method: str):
    for path in (EXTRACT, "/v1/jobs/" + "0" * 26, "/v1/nothing"):
        send(method, path, HTTP_AUTHORIZATION=f"Bearer {shop.key}")
    assert not RequestLog.objects.exists()


@pytest.mark.parametrize("path", ["/", "/healthz", "/v1", "/v2/extract", "/files/x", "/admin/login/", "/V1/extract"])
def test_what_is_not_under_v1_is_not_logged(db, path: str):
    send("POST", path)
    assert not RequestLog.objects.exists()


def test_the_method_is_logged_as_it_was_served(db, shop: Shop):
    answer = send("post", EXTRACT, b"{}", HTTP_AUTHORIZATION=f"Bearer {shop.key}", content_type="application/json")
    assert answer.status_code == 422
    assert logged().method == "POST"


def test_a_refused_request_says_whose_it_was_once_that_is_known(db, shop: Shop):
    post(shop, EXTRACT, {})
    assert (logged().client_id, logged().api_key_prefix) == (shop.client.pk, shop.key[:11])
    RequestLog.objects.all().delete()
    post(None, EXTRACT, {}, HTTP_AUTHORIZATION="Bearer sk_unknown")
    assert (logged().client_id, logged().api_key_prefix, logged().code) == (None, "", "invalid_api_key")


def test_the_row_names_the_job_that_a_view_answered_with(db, rf):
    def replay(request: Any) -> HttpResponse:
        request.job_id = "0" * 26
        return HttpResponse(status=202)

    answer = RequestLogMiddleware(replay)(rf.post(EXTRACT))
    assert (logged().request_id, logged().job_id) == (answer.headers["X-Request-Id"], "0" * 26)


def test_the_query_string_is_not_logged(db, shop: Shop):
    for path in (f"{EXTRACT}?signature=topsecret", "/v1/nothing?signature=topsecret&x=%00", f"{EXTRACT}?topsecret"):
        send("POST", path, HTTP_AUTHORIZATION=f"Bearer {shop.key}")
    assert RequestLog.objects.count() == 3
    for log in RequestLog.objects.values():
        assert "topsecret" not in str(log)
        assert "?" not in log["path"]


HOSTILE_HEADERS = {
    "NUL": "a\x00b",
    "control characters": "".join(map(chr, range(1, 32))),
    "latin-1": "\x80\xff",
    "surrogates": "\udc80\udcff\ud800",
    "beyond the first plane": "🧥" * 300,
    "very long": "x" * 100_000,
    "very long and grows when escaped": "\x00" * 100_000,
    "empty": "",
    "format": "%s %(x)s {0} {x} \\x00",
}


@pytest.mark.parametrize("name", HOSTILE_HEADERS)
@pytest.mark.parametrize("header", ["HTTP_USER_AGENT", "REMOTE_ADDR", "HTTP_AUTHORIZATION", "HTTP_X_FORWARDED_FOR"])
def test_a_hostile_header_does_not_break_the_row(db, shop: Shop, name: str, header: str):
    headers = {"HTTP_AUTHORIZATION": f"Bearer {shop.key}", header: HOSTILE_HEADERS[name]}
    answer = send("POST", EXTRACT, b"{}", content_type="application/json", **headers)
    assert answer.status_code in (401, 422)
    log = logged()
    assert log.status == answer.status_code
    assert len(log.user_agent) <= 200
    assert len(log.remote_addr) <= 64
    if header == "HTTP_USER_AGENT" and name == "NUL":
        assert log.user_agent == "a\\x00b"


@pytest.mark.parametrize("header", ["HTTP_USER_AGENT", "REMOTE_ADDR"])
@pytest.mark.parametrize("name", HOSTILE_HEADERS)
def test_a_hostile_header_does_not_break_an_order(db, shop: Shop, header: str, name: str):
    assert post(shop, "/v1/background-generator", SPEC, **{header: HOSTILE_HEADERS[name]}).status_code == 202
    assert logged().status == 202
    books_are_right(shop.client)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/%00",
        "/v1/a%00b",
        "/v1/%ff%fe",
        "/v1/%ed%a0%80",
        "/v1/" + "x" * 20_000,
        "/v1/" + "%00" * 5_000,
        "/v1/" + "%F0%9F%A7%A5" * 600,
        "/v1/%s{x}",
        "/v1/..%2f..%2f",
        "/v1/%0d%0aX-Evil:%20yes",
        "/v1/é",
        "/v1/'; DROP TABLE request_logs; --",
    ],
    ids=lambda path: path[:24],
)
def test_a_hostile_path_does_not_break_the_row(db, shop: Shop, path: str):
    answer = send("POST", path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/json"
    log = logged()
    assert (log.status, log.code) == (404, "not_found")
    assert log.path.startswith("/v1/")
    assert len(log.path) <= 512
    assert "\n" not in str(answer.headers["X-Request-Id"])


def test_a_request_without_a_key_costs_the_database_its_log_row_and_nothing_else(own_database, shop: Shop):
    with CaptureQueriesContext(connection) as statements:
        assert post(None, EXTRACT, {}).status_code == 401
    assert [s["sql"].split()[0] for s in statements] == ["BEGIN", "INSERT", "COMMIT"]


def test_a_row_that_stands_already_is_left_alone(db, shop: Shop):
    assert post(shop, EXTRACT, {"trial_image": "x"}).status_code == 202
    log = logged()
    with refused_by("request_logs_pkey"):
        RequestLog.objects.bulk_create([RequestLog(request_id=log.request_id, status=1, duration_ms=0, body_size=0)])
    RequestLog.objects.bulk_create(
        [RequestLog(request_id=log.request_id, status=1, duration_ms=0, body_size=0)], ignore_conflicts=True
    )
    assert logged().status == 202


# A connection that the server ends in the middle of a request, while the database is up.


def killing(*, at: str) -> Callable[..., Any]:
    """Make a wrapper that ends the connection's own backend, once, just before a statement with `at` in it."""
    parameters = connection.get_connection_params()
    known = {k: parameters[k] for k in ("dbname", "host", "port", "user", "password") if parameters.get(k)}
    done: list[int] = []

    def wrapper(execute: Callable[..., Any], statement: str, params: Any, many: bool, context: Any) -> Any:
        if at in statement and not done:
            pid = connection.connection.info.backend_pid
            done.append(pid)
            with psycopg.connect(**known, autocommit=True) as other:
                # With a timeout, it waits until the backend has ended.
                assert other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid]).fetchone() == (True,)
        return execute(statement, params, many, context)

    return wrapper


@pytest.mark.parametrize("at", ["billing_apikey", "UPDATE billing_client"])
def test_an_order_whose_connection_is_cut_is_a_503_that_leaves_only_its_log_row(own_database, shop: Shop, at: str):
    with connection.execute_wrapper(killing(at=at)):
        answer = post(shop, "/v1/background-generator", SPEC)
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.headers["Retry-After"]
    assert not Job.objects.exists()
    assert shop.balance == 100
    log = logged()
    assert (log.request_id, log.status, log.job_id) == (answer.headers["X-Request-Id"], 503, "")
    assert post(shop, "/v1/background-generator", SPEC).status_code == 202


def test_a_refusal_whose_own_row_is_cut_off_is_logged_all_the_same(own_database, shop: Shop):
    with connection.execute_wrapper(killing(at="request_logs")):
        answer = post(shop, EXTRACT, {})
    assert answer.status_code == 422
    assert logged().request_id == answer.headers["X-Request-Id"]
    assert get(shop, "/v1/jobs/" + "0" * 26).status_code == 404
