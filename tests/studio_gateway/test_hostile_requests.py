"""Requests that no library would send, over sockets to the running web process (P6, P9)."""

import contextlib
import http.client
import re

import pytest

from requestlog.models import RequestLog
from tests.conftest import Shop
from tests.gateway import Gateway
from tests.wire import (
    CHUNKED,
    EXTRACT,
    LAST_CHUNK,
    ORDER,
    ask,
    chunks,
    head,
    length,
    logged,
    ordered,
    received,
    refused,
    statuses,
    stream,
    untouched,
)

REFUSED: dict[str, tuple[bytes, tuple[bytes, ...], int, str]] = {
    "a trailing slash": (b"POST /v1/extract/", (), 404, "not_found"),
    "two slashes": (b"POST //v1/extract", (), 404, "not_found"),
    "a slash too many": (b"POST /v1//extract", (), 404, "not_found"),
    "a way around": (b"POST /v1/../v1/extract", (), 404, "not_found"),
    "NUL": (b"POST /v1/extract%00", (), 404, "not_found"),
    "bytes that are not UTF-8": (b"POST /v1/%ff%fe", (), 404, "not_found"),
    "half a character": (b"POST /v1/%C3", (), 404, "not_found"),
    "unencoded UTF-8": (b"POST /v1/\xc3\xa9", (), 404, "not_found"),
    "60 KB of path": (b"POST /v1/" + b"x" * 60_000, (), 404, "not_found"),
    "asterisk": (b"OPTIONS *", (), 404, "not_found"),
    "OPTIONS": (b"OPTIONS /v1/extract", (), 405, "method_not_allowed"),
    "TRACE": (b"TRACE /v1/extract", (), 405, "method_not_allowed"),
    "CONNECT": (b"CONNECT /v1/extract", (), 405, "method_not_allowed"),
    "a method of their own": (b"BREW /v1/extract", (), 405, "method_not_allowed"),
    "an empty type": (b"POST /v1/extract", (b"Content-Type: ",), 415, "unsupported_media_type"),
    "another type": (b"POST /v1/extract", (b"Content-Type: text/plain",), 415, "unsupported_media_type"),
    "another type first": (
        b"POST /v1/extract",
        (b"Content-Type: text/plain", b"Content-Type: application/json"),
        415,
        "unsupported_media_type",
    ),
    "no host": (b"POST /v1/extract", (b"Host: ",), 400, "bad_request"),
    "another host": (b"POST /v1/extract", (b"Host: evil.example",), 400, "bad_request"),
    "two hosts": (b"POST /v1/extract", (b"Host: 127.0.0.1", b"Host: evil.example"), 400, "bad_request"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_said_in_json_and_leaves_its_row_and_nothing_else(gateway: Gateway, shop: Shop, name: str):
    start, lines, status, code = REFUSED[name]
    before = RequestLog.objects.count()
    answer = ask(gateway, head(shop, length(ORDER), *lines, start=start + b" HTTP/1.1") + ORDER)
    refused(answer, status, code)
    assert answer is not None
    if status == 405:
        assert answer.headers["Allow"] == "POST"
    is_logged = start.startswith(b"POST /v1/")
    assert RequestLog.objects.count() == before + is_logged
    if is_logged:
        assert (logged(answer).code, logged(answer).method, logged(answer).job_id) == (code, "POST", "")
    untouched(shop)


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [(b"Content-Type: application/json", 415, "unsupported_media_type"), (b"Host: 127.0.0.1", 400, "bad_request")],
)
def test_a_header_that_is_missing_is_refused_too(gateway: Gateway, shop: Shop, line: bytes, status: int, code: str):
    answer = ask(gateway, head(shop, length(ORDER)).replace(line + b"\r\n", b"") + ORDER)
    refused(answer, status, code)
    assert logged(answer).code == code
    untouched(shop)


HEADERS: dict[str, set[int]] = {
    "Authorization": {401},
    "X-Shopify-Hmac-Sha256": {401, 422},
    "X-Shopify-Shop-Domain": {401, 422},
    "Idempotency-Key": {400, 422},
    "Content-Type": {415},
    "User-Agent": {422},
    "Host": {400},
    "X-Forwarded-For": {422},
    "Cookie": {422},
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_with_bytes_outside_ascii_or_of_100_kb_is_no_error_of_ours(gateway: Gateway, shop: Shop, name: str):
    for value in (b"\xff", b"caf\xc3\xa9", b"Bearer \x80\xfe", b"x" * 100_000):
        answer = ask(gateway, head(shop, length(b"{}"), name.encode() + b": " + value) + b"{}")
        assert answer is not None
        assert answer.status in HEADERS[name]
        assert answer.json["detail"]
        logged(answer)
    untouched(shop)


@pytest.mark.parametrize("charset", [b"rot13", b"utf-16", b"undefined", b"'", b"x" * 1000])
def test_a_charset_is_ignored_also_where_there_is_a_query(gateway: Gateway, shop: Shop, charset: bytes):
    start = b"POST /v1/extract?a=%ff&b=%C3%A9 HTTP/1.1"
    line = b"Content-Type: application/json; charset=" + charset
    answer = ask(gateway, head(shop, line, length(b"{}"), start=start) + b"{}")
    assert logged(answer).status == 422
    assert gateway.call("GET", "/files/x?signature=x", headers={"Content-Type": "a/b;charset=rot13"}).status == 404


def test_much_that_is_of_no_use_does_no_harm(gateway: Gateway, shop: Shop):
    start = b"POST /v1/extract?" + b"x" * 60_000 + b" HTTP/1.1"
    lines = (b"X-%d: %s" % (number, b"y" * 3000) for number in range(90))
    row = ordered(ask(gateway, head(shop, length(ORDER), *lines, start=start) + ORDER), shop)
    assert row.path == EXTRACT


def test_a_target_with_scheme_and_host_is_the_same_order(gateway: Gateway, shop: Shop):
    start = f"POST {gateway.url}/v1/extract HTTP/1.1".encode()
    assert ordered(ask(gateway, head(shop, length(ORDER), start=start) + ORDER), shop).path == EXTRACT


def test_head_is_answered_like_its_method_but_without_a_body(gateway: Gateway, shop: Shop):
    answer = ask(gateway, head(shop, length(ORDER)) + ORDER)
    ordered(answer, shop)
    assert answer is not None
    job = f"/v1/jobs/{answer.json['job_id']}".encode()
    for target, key, status in ((b"/v1/extract", shop, 405), (job, shop, 200), (job, Shop.make(), 404)):
        answers = stream(gateway, head(key, b"Connection: close", start=b"HEAD " + target + b" HTTP/1.1"))
        assert statuses(answers) == [status]
        lines, _, body = answers.partition(b"\r\n\r\n")
        assert body == b""
        assert re.search(rb"(?mi)^x-request-id: [0-9A-Z]{26}\r?$", lines)
        assert (b"allow: POST" in lines) == (status == 405)


def test_requests_sent_in_one_go_are_answered_in_their_order(gateway: Gateway, shop: Shop):
    hidden = head(shop, length(ORDER)) + ORDER  # within a body that nobody reads
    answers = stream(
        gateway,
        head(shop, length(b"{}")) + b"{}",
        head(shop, length(hidden), start=b"POST /v1/nothing HTTP/1.1") + hidden,
        head(None, CHUNKED) + chunks(hidden) + LAST_CHUNK,
        head(None, b"Connection: close", start=b"GET /healthz HTTP/1.1"),
    )
    assert statuses(answers) == [422, 404, 401, 200]
    untouched(shop)


def test_a_connection_goes_on_after_errors(gateway: Gateway, shop: Shop):
    wire = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    known = {"Authorization": f"Bearer {shop.key}", "Content-Type": "application/json"}
    with contextlib.closing(wire):
        wire.connect()
        local = wire.sock.getsockname()
        exchanges: list[tuple[str, str, dict[str, str], int]] = [
            ("POST", EXTRACT, {}, 401),
            ("POST", EXTRACT, {**known, "Content-Type": "x"}, 415),
            ("POST", EXTRACT + "/", known, 404),
            ("PUT", EXTRACT, known, 405),
            ("POST", EXTRACT, {**known, "Host": "evil.example"}, 400),
            ("POST", EXTRACT, known, 202),
        ]
        for method, path, headers, status in exchanges:
            wire.request(method, path, ORDER, headers)
            answer = received(wire.getresponse())
            assert (answer.status, wire.sock.getsockname()) == (status, local)
            logged(answer)


# What granian refuses by itself: it never comes to the application, and has no row.

POST = b"POST /v1/extract HTTP/1.1"
NO_HTTP: dict[str, tuple[bytes, ...]] = {
    "a length that is no number": (POST, b"Content-Length: x"),
    "a negative length": (POST, b"Content-Length: -1"),
    "a signed length": (POST, b"Content-Length: +2"),
    "a list of lengths": (POST, b"Content-Length: 2, 2"),
    "two lengths": (POST, b"Content-Length: 2", b"Content-Length: 3"),
    "a length beyond 64 bits": (POST, b"Content-Length: " + b"9" * 30),
    "the greatest length": (POST, b"Content-Length: 18446744073709551615"),
    "no such coding": (POST, b"Transfer-Encoding: identity"),
    "a coding behind chunked": (POST, b"Transfer-Encoding: chunked, gzip"),
    "a folded line": (POST, b"X-A: b\r\n c"),
    "a blank before the colon": (POST, b"Content-Length : 2"),
    "a line that is no header": (POST, b"nonsense"),
    "NUL in a header": (POST, b"User-Agent: \x00"),
    "thousands of headers": (POST, *(b"X-%d: y" % number for number in range(5000))),
    "2 MB of a header": (POST, b"X-A: " + b"x" * 2_000_000),
    "70 KB of path": (b"POST /v1/" + b"x" * 70_000 + b" HTTP/1.1",),
    "NUL in the path": (b"POST /v1/\x00 HTTP/1.1",),
    "unencoded bytes that are not UTF-8": (b"POST /v1/\xff HTTP/1.1",),
    "no path": (b"POST  HTTP/1.1",),
    "no version": (b"POST /v1/extract",),
    "another version": (b"POST /v1/extract HTTP/9.9",),
    "a coding before HTTP/1.1": (b"POST /v1/extract HTTP/1.0", b"Transfer-Encoding: chunked"),
    "no text": (b"\xff",),
}


@pytest.mark.parametrize("name", NO_HTTP)
def test_what_is_not_http_is_refused_by_the_server_itself(gateway: Gateway, shop: Shop, name: str):
    before = RequestLog.objects.count()
    start, *lines = NO_HTTP[name]
    answer = ask(gateway, head(shop, *lines, start=start) + b"{}")
    assert answer is None or answer.status in (400, 414, 431)
    assert RequestLog.objects.count() == before
    assert gateway.call("GET", "/healthz").status == 200
    untouched(shop)
