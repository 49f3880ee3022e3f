"""A client's receiver, on loopback: it keeps what it was sent and answers what the test says."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook

from tests.conftest import Shop
from tests.gateway import Gateway, eventually
from tests.helpers import sql
from workflows.webhooks.models import WebhookDelivery, WebhookEndpoint


@dataclass
class Sent:
    """One request, as it arrived; `at_once` is how many were being answered then, this one included."""

    path: str
    headers: dict[str, str]
    body: bytes
    at_once: int

    def verified(self, secret: str) -> dict[str, Any]:
        """Return the body, if the Standard Webhooks library finds it signed with `secret`."""
        return Webhook(secret).verify(self.body, self.headers)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


# Status, headers and body; one that comes in parts needs its Content-Length.
Reply = tuple[int, dict[str, str], bytes | Iterator[bytes]]


@dataclass
class Receiver:
    """`answer` is asked for each request; it may take its time."""

    url: str = ""
    answer: Callable[[Sent], Reply | int] = lambda sent: 204
    got: list[Sent] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: int = 0

    def waits_for(self, count: int, *, seconds: float = 20) -> list[Sent]:
        eventually(lambda: len(self.got) >= count, seconds=seconds, what=f"{count} requests arrive")
        return list(self.got)

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        with self._lock:
            self._open += 1
            headers = {name.lower(): value for name, value in handler.headers.items()}
            sent = Sent(handler.path, headers, body, self._open)
            self.got.append(sent)
        try:
            reply = self.answer(sent)
        finally:
            with self._lock:
                self._open -= 1
        status, headers, content = (reply, {}, b"") if isinstance(reply, int) else reply
        handler.send_response(status)
        length = {"Content-Length": str(len(content))} if isinstance(content, bytes) else {}
        for name, value in {**length, **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        with contextlib.suppress(ConnectionError):  # whoever asked has gone away
            for part in [content] if isinstance(content, bytes) else content:
                handler.wfile.write(part)


@contextmanager
def receiver(answer: Callable[[Sent], Reply | int] = lambda sent: 204) -> Iterator[Receiver]:
    got = Receiver(answer=answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.handle(self)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    got.url = f"http://127.0.0.1:{server.server_port}/hooks"
    try:
        yield got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def endpoint(gateway: Gateway, shop: Shop, url: str, *event_types: str) -> tuple[WebhookEndpoint, str]:
    """Make an endpoint; return it with its secret."""
    body = {"url": url, "event_types": list(event_types)}
    answer = gateway.call("POST", "/v1/webhook-endpoints", body, key=shop.key)
    assert answer.status == 201, answer.body
    return WebhookEndpoint.objects.get(pk=answer.json["endpoint_id"]), answer.json["secret"]


def hurry(delivery: WebhookDelivery) -> None:
    """Let the next attempt be due now, instead of waiting for it."""
    sql("UPDATE workflows_webhookdelivery SET next_attempt_at = now() WHERE id = %s", delivery.pk)
