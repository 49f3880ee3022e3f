"""The connections of a web process: to end one is the only way to end a read of granian's."""

import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from django.http import UnreadablePostError

# What the peer of a connection calls itself: address, port and, of IPv6, more.
Name = tuple[Any, ...]


@contextmanager
def ended_after(seconds: float, environ: dict[str, Any]) -> Iterator[None]:
    """End the connection of a request whose body is not read within `seconds`, and raise TimeoutError.

    An answer can still be sent. WSGI does not say which connection is the request's: it is one of those that its peer
    had at the beginning and still has, of which the others are idle by then, or as late.
    """
    port, address = int(environ["SERVER_PORT"]), environ.get("PEER", "")
    before = {name for name, _ in _connections(port, address)}
    late = threading.Event()

    def end() -> None:
        late.set()
        for name, connection in _connections(port, address):
            if name in before:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except UnreadablePostError as error:
        if late.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()


def _connections(port: int, address: str) -> Iterator[tuple[Name, socket.socket]]:
    """Yield this process's connections from `address` to its `port`; each is good until the next."""
    for number in [int(path.name) for path in Path("/dev/fd").iterdir()]:
        with suppress(OSError):  # it has just gone
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                with closing(socket.socket(fileno=os.dup(number))) as connection:
                    internet = connection.family in (socket.AF_INET, socket.AF_INET6)
                    if internet and connection.getsockname()[1] == port and connection.getpeername()[0] == address:
                        yield connection.getpeername(), connection
