"""The gateway that runs from a data folder: one at a time, and where it is to be found."""

import fcntl
import json
import os
from pathlib import Path

from studio_gateway.embedded.server import lock


class AlreadyRunning(Exception):
    """A gateway runs from this data folder already."""


def hold(data_dir: Path) -> int:
    """Be the gateway of `data_dir` for as long as the returned descriptor is open. Raises AlreadyRunning."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return lock(data_dir / "up.lock", fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise AlreadyRunning from None


def announce(data_dir: Path, *, url: str) -> None:
    """Say that the gateway answers at `url`."""
    (data_dir / "up.json").write_text(json.dumps({"url": url}))


def find(data_dir: Path) -> str | None:
    """Return the URL of the gateway that runs from `data_dir`, or None."""
    try:
        descriptor = lock(data_dir / "up.lock", fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return str(json.loads((data_dir / "up.json").read_text())["url"])
    except FileNotFoundError:
        return None
    os.close(descriptor)
    return None
