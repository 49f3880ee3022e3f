"""One POST to a client's endpoint: to a checked address, without redirects or proxies, bounded in time and size.

On http.client and not on a library of more comfort: what those do of themselves (to resolve again, follow, pool, ask
the environment for proxies, unpack bodies) is what must not happen here.
"""

import contextlib
import http.client
import socket
import ssl
import threading
from dataclasses import dataclass
from functools import cache

from workflows.errors import BadWebhookURL
from workflows.webhooks.addresses import Target, parse, resolve

# From the first look at DNS to the last byte of the answer that is read.
TIMEOUT_SECONDS = 15.0
EXCERPT_BYTES = 2048
# All addresses of a name are checked, and so many are tried.
MOST_ADDRESSES = 4


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back; `status` is None and `error` says why where nothing did."""

    status: int | None = None
    retry_after: str = ""
    excerpt: str = ""
    error: str = ""


def post(url: str, *, body: bytes, headers: dict[str, str]) -> Answer:
    """POST and return the answer. Never raises for what is wrong with the endpoint."""
    exchange = _Exchange(url, body, headers)
    # In a thread of its own: no time-out of a socket bounds the whole, nor does any bound DNS.
    thread = threading.Thread(target=exchange.run, daemon=True)
    thread.start()
    thread.join(TIMEOUT_SECONDS)
    if thread.is_alive():
        exchange.abort()
        return Answer(error=f"No answer within {TIMEOUT_SECONDS:g} s.")
    return exchange.answer


class _Connection(http.client.HTTPConnection):
    """Connects to the first checked address that takes it; TLS and Host are for the name all the same."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.host, target.port, timeout=TIMEOUT_SECONDS)
        self._target = target
        self.default_port = 443 if target.scheme == "https" else 80

    def connect(self) -> None:
        self.sock = self._connected()
        if self._target.scheme == "https":
            # In two steps, so that `abort` finds the socket while TLS is still shaking hands.
            self.sock = secured = _tls().wrap_socket(
                self.sock, server_hostname=self._target.host, do_handshake_on_connect=False
            )
            secured.do_handshake()

    def _connected(self) -> socket.socket:
        refusal: OSError = ConnectionError("The host has no address.")
        for family, address in resolve(self._target)[:MOST_ADDRESSES]:
            connection = socket.socket(family, socket.SOCK_STREAM)
            connection.settimeout(TIMEOUT_SECONDS)
            try:
                connection.connect(address)
            except OSError as error:
                connection.close()
                refusal = error
            else:
                return connection
        raise refusal


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class _Exchange:
    def __init__(self, url: str, body: bytes, headers: dict[str, str]) -> None:
        self._url, self._body, self._headers = url, body, headers
        self._connection: _Connection | None = None
        self.answer = Answer(error="The request broke on our side.")

    def run(self) -> None:
        try:
            target = parse(self._url)
            self._connection = _Connection(target)
            self._connection.request("POST", target.path, self._body, self._headers)
            response = self._connection.getresponse()
            self.answer = Answer(
                status=response.status,
                retry_after=response.headers.get("Retry-After", ""),
                excerpt=response.read(EXCERPT_BYTES).decode(errors="replace").replace("\0", "\ufffd"),
            )
        except BadWebhookURL as error:
            self.answer = Answer(error=str(error))
        except (OSError, http.client.HTTPException) as error:
            self.answer = Answer(error=f"{type(error).__name__}: {error}")
        finally:
            if self._connection is not None:
                self._connection.close()

    def abort(self) -> None:
        """Wake the thread where it waits for the endpoint; one that waits for DNS ends by itself, unheard."""
        if self._connection is not None and self._connection.sock is not None:
            with contextlib.suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)
