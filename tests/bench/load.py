"""Load over HTTP from one thread that does little else than write and read bytes.

Requests are ready to be sent; each connection is kept alive and has one under way, as wrk does it. What an answer costs
here is a few system calls: tens of microseconds, where the web process needs milliseconds.
"""

import random
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Load:
    """What was answered within `seconds`: each request's time, in ms."""

    seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds


class Refused(Exception):
    """An answer had another status than was expected."""


def order(*, path: str, key: str, body: bytes, port: int) -> bytes:
    """Write a POST as it goes over the wire."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\nUser-Agent: bench\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def load(*, port: int, requests: Sequence[bytes], connections: int, seconds: float, status: int) -> Load:
    """Send requests, chosen at random, for so many seconds, and wait for the last answers, which do not count.

    Raises Refused, with the answer, where one has not `status`.
    """
    chance, poll, wires, latencies = random.Random(1), select.epoll(), {}, list[float]()
    expected, sent_at = f"HTTP/1.1 {status} ".encode(), dict[int, float]()
    try:
        for _ in range(connections):
            wire = socket.create_connection(("127.0.0.1", port), timeout=30)
            wire.settimeout(None)  # with one, each call would be two
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wires[wire.fileno()] = wire
            poll.register(wire, select.EPOLLIN)
        begun = time.monotonic()
        for number, wire in wires.items():
            wire.sendall(chance.choice(requests))
            sent_at[number] = time.monotonic()
        while time.monotonic() < begun + seconds:
            for number, _ in poll.poll(0.1):
                wire = wires[number]
                answer = _answer(wire)
                now = time.monotonic()
                latencies.append((now - sent_at[number]) * 1000)
                if not answer.startswith(expected):
                    raise Refused(answer.decode())
                wire.sendall(chance.choice(requests))
                sent_at[number] = now
        measured = Load(seconds=time.monotonic() - begun, latencies=latencies)
        for wire in wires.values():
            wire.settimeout(30)
            _answer(wire)
        return measured
    finally:
        for wire in wires.values():
            wire.close()
        poll.close()


def _answer(wire: socket.socket) -> bytes:
    answer = wire.recv(65536)
    while True:
        head, rest, body = answer.partition(b"\r\n\r\n")
        if rest and len(body) >= int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]):
            return answer
        more = wire.recv(65536)
        if not more:
            raise Refused(answer.decode() or "The connection was closed.")
        answer += more
