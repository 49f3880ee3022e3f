"""Bodies that do not say their length, break off or are refused unread, over sockets to a web process (P9)."""

import contextlib
import http.client
import socket

import pytest
from django.conf import settings

from requestlog.models import RequestLog
from tests.conftest import Shop
from tests.gateway import Gateway, eventually
from tests.wire import (
    CHUNKED,
    EXTRACT,
    LAST_CHUNK,
    ORDER,
    answer_on,
    ask,
    chunks,
    connected,
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

MIB = 1024 * 1024


@pytest.mark.parametrize("size", [1, 7, len(ORDER)])
def test_a_chunked_order_works_like_any_other(gateway: Gateway, shop: Shop, size: int):
    parts = (ORDER[start : start + size] for start in range(0, len(ORDER), size))
    wire = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    with contextlib.closing(wire):
        headers = {"Authorization": f"Bearer {shop.key}", "Content-Type": "application/json"}
        wire.request("POST", EXTRACT, parts, headers)
        row = ordered(received(wire.getresponse()), shop)
    assert (bytes(row.body), row.body_size, row.body_truncated) == (ORDER, len(ORDER), False)


def test_a_chunked_body_of_1_mib_is_read_and_one_byte_more_is_a_413(gateway: Gateway, shop: Shop):
    body = ORDER + b" " * (MIB - len(ORDER))
    answer = ask(gateway, head(shop, CHUNKED) + chunks(body, b" ") + LAST_CHUNK)
    refused(answer, 413, "body_too_large")
    row = logged(answer)
    assert (row.client_id, bytes(row.body), row.body_size, row.body_truncated) == (shop.client.pk, b"", MIB, True)
    untouched(shop)
    row = ordered(ask(gateway, head(shop, CHUNKED) + chunks(body[:1000], body[1000:]) + LAST_CHUNK), shop)
    assert (bytes(row.body), row.body_size, row.body_truncated) == (body[: 64 * 1024], MIB, True)


def test_a_chunked_body_of_nothing_is_a_422(gateway: Gateway, shop: Shop):
    row = logged(ask(gateway, head(shop, CHUNKED) + LAST_CHUNK))
    assert (row.status, row.client_id, row.body_size) == (422, shop.client.pk, 0)
    untouched(shop)


BROKEN = {
    "less than was declared": (length(ORDER), ORDER[:-9]),
    "a whole order, but less than was declared": (b"Content-Length: 99", ORDER),
    "nothing": (CHUNKED, b""),
    "half a chunk": (CHUNKED, chunks(ORDER)[:-9]),
    "half of the chunks": (CHUNKED, chunks(ORDER[:9])),
    "a size that is no number": (CHUNKED, chunks(ORDER[:9]) + b"zz\r\n" + chunks(ORDER[9:]) + LAST_CHUNK),
    "a negative size": (CHUNKED, chunks(ORDER[:9]) + b"-5\r\n" + chunks(ORDER[9:]) + LAST_CHUNK),
    "a size beyond all bounds": (CHUNKED, b"f" * 40 + b"\r\n" + ORDER),
    "a chunk longer than its size": (CHUNKED, b"9\r\n" + ORDER + b"\r\n" + LAST_CHUNK),
    "endless extensions": (CHUNKED, b"1;" + b"x" * 100_000 + b"\r\n" + ORDER),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_body_that_breaks_off_or_is_garbled_is_no_order(gateway: Gateway, shop: Shop, name: str):
    line, body = BROKEN[name]
    answer = ask(gateway, head(shop, line) + body, ends=True)
    assert answer is None or 400 <= answer.status < 500
    (row,) = eventually(lambda: RequestLog.objects.filter(client_id=shop.client.pk))
    chunked = (422, "validation_error")
    assert (row.status, row.code) == (chunked if line == CHUNKED else (400, "body_incomplete"))
    untouched(shop)


def test_connections_that_end_in_the_middle_of_a_body_leave_no_thread_waiting(gateway: Gateway, shop: Shop):
    for _ in range(settings.WEB_THREADS):
        for line, body in (BROKEN["less than was declared"], BROKEN["half a chunk"]):
            with connected(gateway) as wire:
                wire.sendall(head(shop, line) + body)
    rows = RequestLog.objects.filter(client_id=shop.client.pk, status__range=(400, 499))
    eventually(lambda: rows.count() == 2 * settings.WEB_THREADS)
    assert gateway.call("POST", EXTRACT, {}, key=shop.key).status == 422
    untouched(shop)


@pytest.mark.parametrize("lines", [(length(b"{}"), CHUNKED), (CHUNKED, length(b"{}"))])
def test_a_length_beside_chunks_is_ignored_and_what_follows_is_never_read(
    gateway: Gateway, shop: Shop, lines: tuple[bytes, bytes]
):
    hidden = head(shop, length(ORDER)) + ORDER
    answers = stream(gateway, head(shop, *lines) + chunks(b"[]") + LAST_CHUNK + hidden)
    assert statuses(answers) == [422]
    assert RequestLog.objects.get(client_id=shop.client.pk).body_size == 2
    untouched(shop)


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"chunked, chunked", b"x, chunked"])
def test_a_coding_that_nobody_undoes_is_a_400(gateway: Gateway, shop: Shop, coding: bytes):
    answer = ask(gateway, head(shop, b"Transfer-Encoding: " + coding) + chunks(ORDER) + LAST_CHUNK)
    refused(answer, 400, "bad_request")
    assert logged(answer).client_id == shop.client.pk
    untouched(shop)


# Bodies that are refused before they were read


def test_clients_that_never_send_what_they_announced_get_their_answers_and_keep_nobody_waiting(
    gateway: Gateway, shop: Shop
):
    with contextlib.ExitStack() as open_wires:
        for number in range(3 * settings.WEB_THREADS):
            wire = open_wires.enter_context(connected(gateway))
            if number == 0:
                wire.sendall(head(shop, b"Host: evil.example", length(ORDER)))
                refused(answer_on(wire), 400, "bad_request")
            else:
                wire.sendall(head(None, CHUNKED if number % 2 else b"Content-Length: %d" % (MIB + 1)))
                refused(answer_on(wire), 401, "missing_api_key")
        assert gateway.call("POST", EXTRACT, {}, key=shop.key).status == 422


# It comes after the one above: those clients are forgotten once they are gone.
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("size", [MIB + 1, 5 * MIB])
def test_a_large_body_that_is_refused_gets_its_answer(
    gateway: Gateway, shop: Shop, size: int, chunked: bool, known: bool
):
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {shop.key if known else 'sk_wrong'}"}
    for _ in range(5):
        wire = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
        with contextlib.closing(wire):
            wire.request("POST", EXTRACT, iter([b" " * size]) if chunked else b" " * size, headers)
            answer = received(wire.getresponse())
            refused(answer, *((413, "body_too_large") if known else (401, "invalid_api_key")))
            row = logged(answer)
            assert (bytes(row.body), row.body_truncated) == (b"", True)
            assert row.body_size == (MIB if chunked else size)
            # The rest of the body is not taken for a request.
            wire.request("GET", "/healthz")
            assert wire.getresponse().status == 200
    untouched(shop)


def test_a_client_that_asks_before_it_sends_is_told_to_go_on_or_refused(gateway: Gateway, shop: Shop):
    asks = b"Expect: 100-continue"
    with connected(gateway) as wire:
        wire.sendall(head(shop, asks, b"Content-Length: %d" % (MIB + 1)))
        first = wire.recv(MIB, socket.MSG_PEEK)
        assert statuses(first)[0] == 413
        refused(answer_on(wire), 413, "body_too_large")
    with connected(gateway) as wire:
        wire.sendall(head(shop, asks, length(ORDER)))
        assert wire.recv(MIB).startswith(b"HTTP/1.1 100 Continue")
        wire.sendall(ORDER)
        ordered(answer_on(wire), shop)
