"""What misbehaves. An order chooses by `image_model`, and says more in `metadata`.

Each call leaves a line in `calls(data folder, job id)`, the process id: so tests know where a job ran, and how often.
"""

import contextlib
import ctypes
import os
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from django.conf import settings

from workflows.catalogue import Order
from workflows.engines.base import EngineError, Picture, Result


class Technical(EngineError):
    """The provider answered {status}."""

    code = "provider_failed"
    technical = True


class Final(EngineError):
    """Nobody can make this."""

    code = "impossible"


def calls(data_dir: Path, job_id: str) -> Path:
    return data_dir / "plant" / job_id


def go_file(data_dir: Path, job_id: str) -> Path:
    """Return the file that a `plant-waits` job waits for."""
    return data_dir / "plant" / f"{job_id}.go"


def _called(order: Order) -> int:
    """Leave a line; return the how-manieth call this is for its job."""
    path = calls(settings.DATA_DIR, order.idempotency_key)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(f"{os.getpid()}\n")
    return len(path.read_text().splitlines())


def _meta(order: Order, name: str, default: Any) -> Any:
    return order.spec.get("metadata", {}).get(name, default)


def _made(order: Order) -> Result:
    import numpy as np  # the web process imports this module

    pixel = np.zeros((1, 1, 4), np.uint8)
    pictures = tuple(Picture(str(n), pixel) for n in range(_meta(order, "pictures", 1)))
    return Result(pictures=pictures, summary={"engine": order.spec["image_model"]})


def nothing(order: Order) -> Result:
    """Leave no line, and make what was asked for: for the benchmark, which counts what is done around an engine."""
    return _made(order)


def quick(order: Order) -> Result:
    _called(order)
    return _made(order)


def slow(order: Order) -> Result:
    """Take `seconds`, in steps."""
    _called(order)
    end = time.monotonic() + _meta(order, "seconds", 1)
    while time.monotonic() < end:
        time.sleep(0.02)
        order.checkpoint()
    return _made(order)


def waits(order: Order) -> Result:
    """Wait for `go_file`, in steps."""
    _called(order)
    while not go_file(settings.DATA_DIR, order.idempotency_key).exists():
        time.sleep(0.02)
        order.checkpoint()
    return _made(order)


def stubborn(order: Order) -> Result:
    """Wait for `go_file`, and look at nothing else."""
    _called(order)
    while not go_file(settings.DATA_DIR, order.idempotency_key).exists():
        time.sleep(0.02)
    return _made(order)


def technical(order: Order) -> Result:
    """Fail in the first `times` attempts, for technical reasons."""
    if _called(order) <= _meta(order, "times", 1_000):
        raise Technical(status=503)
    return _made(order)


def final(order: Order) -> Result:
    _called(order)
    raise Final


def provider(order: Order) -> Result:
    """Ask a provider at `url`, which takes an idempotency key."""
    _called(order)
    request = urllib.request.Request(
        _meta(order, "url", ""), data=b"{}", headers={"Idempotency-Key": order.idempotency_key}
    )
    try:
        with urllib.request.urlopen(request, timeout=5):
            return _made(order)
    except urllib.error.HTTPError as error:
        raise Technical(status=error.code) from error


def kills(order: Order) -> Result:
    """Kill the worker, in the first `times` attempts."""
    if _called(order) <= _meta(order, "times", 1_000):
        os.kill(os.getpid(), signal.SIGKILL)
    return _made(order)


def swallows(order: Order) -> Result:
    """Go on for ever, whatever is raised."""
    _called(order)
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(60)


def _turn_deaf() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # other threads do not block it
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def blocks(order: Order) -> Result:
    """Go on for ever with every signal blocked."""
    _called(order)
    _turn_deaf()
    while True:
        time.sleep(60)


def holds(order: Order) -> Result:
    """Hang in C with the interpreter's lock held and every signal blocked."""
    _called(order)
    _turn_deaf()
    while True:
        ctypes.PyDLL(None).sleep(60)


ENGINES = {
    f"plant-{engine.__name__}": engine
    for engine in (nothing, quick, slow, waits, stubborn, technical, final, provider, kills, swallows, blocks, holds)
}
