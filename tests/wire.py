"""Requests as bytes, over sockets, to a running web process; and what must be true of their answers."""

import errno
import http.client
import re
import socket

from billing.models import LedgerEntry
from requestlog.models import RequestLog
from tests.conftest import Shop
from tests.gateway import Answer, Gateway
from workflows.models import Job

EXTRACT = "/v1/extract"
# Its job ends at once: there is no such image.
ORDER = b'{"trial_image": "nothing.jpg"}'
CHUNKED = b"Transfer-Encoding: chunked"
LAST_CHUNK = b"0\r\n\r\n"


def head(shop: Shop | None, *lines: bytes, start: bytes = b"POST /v1/extract HTTP/1.1") -> bytes:
    """Return the head of a request; `lines` stand in the place of the usual ones of their names."""
    usual = [b"Host: 127.0.0.1", b"Content-Type: application/json"]
    if shop is not None:
        usual.append(b"Authorization: Bearer " + shop.key.encode())
    named = {line.partition(b":")[0] for line in lines}
    kept = [line for line in usual if line.partition(b":")[0] not in named]
    return b"\r\n".join([start, *kept, *lines, b"", b""])


def length(body: bytes) -> bytes:
    return b"Content-Length: %d" % len(body)


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


def connected(gateway: Gateway) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=20)


def received(response: http.client.HTTPResponse) -> Answer:
    return Answer(response.status, response.headers, response.read())


def answer_on(wire: socket.socket) -> Answer | None:
    """Read an answer; None is a connection that was closed without one."""
    response = http.client.HTTPResponse(wire)
    try:
        response.begin()
        return received(response)
    except ConnectionError:
        return None


def ask(gateway: Gateway, request: bytes, *, ends: bool = False) -> Answer | None:
    """Send a request; where it `ends`, say that nothing more will come."""
    with connected(gateway) as wire:
        try:
            wire.sendall(request)
            if ends:
                wire.shutdown(socket.SHUT_WR)
        except OSError as error:
            # It was refused, and the connection closed, before it was read to its end.
            if not isinstance(error, ConnectionError) and error.errno != errno.ENOTCONN:
                raise
        return answer_on(wire)


def stream(gateway: Gateway, *requests: bytes) -> bytes:
    """Send requests in one go, the last of which closes the connection, and return all that comes."""
    with connected(gateway) as wire:
        wire.sendall(b"".join(requests))
        return b"".join(iter(lambda: wire.recv(65536), b""))


def statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", answers)]


def refused(answer: Answer | None, status: int, code: str) -> None:
    assert answer is not None
    assert (answer.status, answer.json["code"]) == (status, code), answer
    assert set(answer.json) == {"detail", "code", "request_id"}
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]


def logged(answer: Answer | None) -> RequestLog:
    assert answer is not None
    row = RequestLog.objects.get(pk=answer.headers["X-Request-Id"])
    assert row.status == answer.status
    return row


def untouched(shop: Shop) -> None:
    assert shop.balance == 100
    assert not Job.objects.filter(client=shop.client).exists()
    assert LedgerEntry.objects.filter(client=shop.client).count() == 1


def ordered(answer: Answer | None, shop: Shop) -> RequestLog:
    """Check that an order was accepted, once; return its row."""
    assert answer is not None
    assert answer.status == 202, answer
    job = Job.objects.get(client=shop.client)
    row = logged(answer)
    assert answer.json["job_id"] == job.pk == row.job_id
    assert answer.json["request_id"] == job.request_id == row.pk
    assert job.spec["trial_image"] == "nothing.jpg"
    assert LedgerEntry.objects.get(client=shop.client, kind="CHARGE").reference == job.pk
    return row
