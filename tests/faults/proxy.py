"""A way to the database that fails at a commit where a test wants it: before the server has it, or after."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

BEGIN = b"Q\x00\x00\x00\nBEGIN\x00"
COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
ROLLBACK = b"Q\x00\x00\x00\rROLLBACK\x00"
# Ends a statement whose values are sent apart from it, which is a transaction of its own outside of others.
SYNC = b"S\x00\x00\x00\x04"
# Values that psycopg sends before the commits that tests wait for, or with them: the texts are sent but once or twice.
ACCEPTS = b"/v1/background-generator"
SUCCEEDS = b"job.succeeded"

# No server answers so: there is no such message, nor one of such a length.
NONSENSE = b"!" * 64


@dataclass
class Trap:
    """Springs once, at the first commit of a transaction in which `marker` was sent."""

    marker: bytes
    forward: bool  # let the server have the COMMIT
    hold: bool  # hold the COMMIT, or its answer, back until `released`; otherwise cut the connection
    instead: bytes  # what the client gets instead of the answer
    sprung: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        assert self.sprung.wait(20), "no such commit came"


class Proxy:
    """Forwards a port on loopback to the server of a DATABASE_URL; `url` is the same database through it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        where = parse_qs(parts.query)
        self._server = (where["host"][0], int(where["port"][0]))
        self._listener = socket.create_server(("127.0.0.1", 0))
        login = parts.netloc.rpartition("@")[0]
        self.url = parts._replace(netloc=f"{login}@127.0.0.1:{self._listener.getsockname()[1]}", query="").geturl()
        self._trap: Trap | None = None
        # How many connections were asked for, and how many statements the server was sent over all of them.
        self.connections = self.statements = 0
        # While the server is away, whoever connects is turned away.
        self.away = False
        threading.Thread(target=self._accept, daemon=True).start()

    @contextlib.contextmanager
    def armed(self, marker: bytes, *, forward: bool, hold: bool = True, instead: bytes = b"") -> Iterator[Trap]:
        """Set a trap. What it holds in the end is let go: an answer to its client, an unforwarded COMMIT to nobody."""
        self._trap = trap = Trap(marker, forward, hold, instead)
        try:
            yield trap
        finally:
            self._trap = None
            trap.released.set()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                if self.away:
                    client.close()
                else:
                    threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        host, port = self._server
        with client, contextlib.suppress(OSError):
            if host.startswith("/"):
                server = socket.socket(socket.AF_UNIX)
                server.connect(f"{host}/.s.PGSQL.{port}")
            else:
                server = socket.create_connection((host, port))
            with server:
                _Session(self, client, server).run()

    def _sprung_by(self, said: bytes) -> Trap | None:
        trap = self._trap
        if trap is None or trap.marker not in said:
            return None
        self._trap = None
        return trap


class _Session:
    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._trap: Trap | None = None

    def run(self) -> None:
        answers = threading.Thread(target=self._answers, daemon=True)
        answers.start()
        with contextlib.suppress(OSError):
            self._requests()
        self._cut()
        answers.join()

    def _requests(self) -> None:
        said, within = b"", False
        while data := self._client.recv(65536):
            said += data
            if data.startswith(b"Q") or data.endswith(SYNC):
                self._proxy.statements += 1
            within = (within or BEGIN in data) and not (COMMIT in data or ROLLBACK in data)
            if COMMIT in data or (data.endswith(SYNC) and not within):
                trap, said = self._proxy._sprung_by(said), b""
                if trap and not trap.forward:
                    trap.sprung.set()
                    if trap.hold:
                        trap.released.wait()
                    return
                self._trap = trap
            self._server.sendall(data)

    def _answers(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._server.recv(65536):
                if (trap := self._trap) is not None:
                    self._trap = None
                    trap.sprung.set()
                    if trap.instead:
                        data = trap.instead
                    elif trap.hold:
                        trap.released.wait()
                    else:
                        break
                self._client.sendall(data)
        self._cut()

    def _cut(self) -> None:
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
