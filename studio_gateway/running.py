"""The gateway that runs from a data folder: one at a time, and where it is to be found."""

import fcntl
import os
from pathlib import Path

from studio_gateway.embedded.server import lock

LOCK = "up.lock"


class AlreadyRunning(Exception):
    """A gateway runs from this data folder already."""


def hold(data_dir: Path) -> int:
    """Be the gateway of `data_dir` for as long as the returned descriptor is open. Raises AlreadyRunning."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = lock(data_dir / LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise AlreadyRunning from None
    os.ftruncate(descriptor, 0)
    return descriptor


def announce(descriptor: int, *, url: str) -> None:
    """Say, in the file that `hold` opened, that the gateway answers at `url`."""
    os.write(descriptor, url.encode())


def find(data_dir: Path) -> str | None:
    """Return the URL of the gateway that runs from `data_dir`: empty while it starts, None where none runs."""
    path = data_dir / LOCK
    if not path.exists():
        return None
    try:
        os.close(lock(path, fcntl.LOCK_SH | fcntl.LOCK_NB))
    except BlockingIOError:
        return path.read_text()
    return None
