"""The connections of a web process: to end one is the only way to end a read of granian's."""

import os
import socket
import stat
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from django.http import UnreadablePostError


@contextmanager
def ended_after(seconds: float, environ: dict[str, Any]) -> Iterator[None]:
    """End the connection of a request whose body is not read within `seconds`, and raise TimeoutError.

    An answer can still be sent. WSGI does not say which connection is the request's: it is one of its peer's on which
    nothing was sent meanwhile. Of others that are so, none is in use, or it is as slow.
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        for connection in _connections(port=int(environ["SERVER_PORT"]), peer=environ["PEER"]):
            with suppress(OSError):
                if _silent_for(connection) > seconds / 2:
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


def _connections(*, port: int, peer: str) -> Iterator[socket.socket]:
    """Yield this process's connections from the address `peer` to its `port`; each is good until the next."""
    for number in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        with suppress(OSError):  # it has just gone
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                with closing(socket.socket(fileno=os.dup(number))) as connection:
                    internet = connection.family in (socket.AF_INET, socket.AF_INET6)
                    if internet and connection.getsockname()[1] == port and connection.getpeername()[0] == peer:
                        yield connection


def _silent_for(connection: socket.socket) -> float:
    """Return for how many seconds nothing was sent on a connection: tcpi_last_data_sent of Linux's struct tcp_info."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 48)
    (milliseconds,) = struct.unpack_from("I", info, 44)
    return float(milliseconds) / 1000
