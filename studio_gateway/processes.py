"""Starting, watching and ending processes, so that none of them outlives the one it works for."""

import contextlib
import ctypes
import functools
import os
import signal
import subprocess
import sys
from typing import IO

# Loaded here rather than after a fork, where another thread may have held the loader's lock.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}


def die_with_parent(sig: int = signal.SIGKILL, *, parent: int | None = None) -> None:
    """Have the kernel send `sig` to this process as soon as its parent is gone, even by SIGKILL.

    To be called in the child, after a fork. `parent` is the parent's pid as known before the fork; without it a
    parent that died before this call goes unnoticed. The parent is the *thread* that forked. The kernel forgets the
    request when the user changes or a privileged file is executed, so change the user first. Linux only: elsewhere
    nothing happens.
    """
    if _libc is None:
        return
    parent = parent or os.getppid()
    _libc.prctl(_PR_SET_PDEATHSIG, int(sig), 0, 0, 0)
    # Not a comparison with 1: in a container the parent itself may be process 1.
    if os.getppid() != parent:
        os.kill(os.getpid(), sig)


def wait_for_signal(seconds: float | None = None) -> int | None:
    """Return the next SIGTERM, SIGINT or SIGCHLD, or None when `seconds` have passed.

    The signals are blocked from the first call (of `block_signals`) on, so that they arrive here and nowhere else:
    never in the middle of a transaction.
    """
    got = signal.sigtimedwait(_SIGNALS, seconds) if seconds is not None else signal.sigwaitinfo(_SIGNALS)
    return None if got is None else got.si_signo


def block_signals() -> None:
    """Keep SIGTERM, SIGINT and SIGCHLD for `wait_for_signal`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def spawn(
    command: list[str], *, env: dict[str, str] | None = None, output: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, which ends with this one however this one ends.

    It writes where this one does, or to `output`.
    """
    return subprocess.Popen(
        command,
        env={**os.environ, **(env or {})},
        stdout=output,
        stderr=output,
        start_new_session=True,
        preexec_fn=functools.partial(_begin, parent=os.getpid()),
    )


def _begin(*, parent: int) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    die_with_parent(parent=parent)


def stop(process: subprocess.Popen[bytes], *, seconds: float) -> None:
    """End a process that `spawn` started: SIGTERM, and after `seconds` SIGKILL to its whole group."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL the process group that `spawn` started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def give_back_memory() -> None:
    """Return to the kernel what was freed, where the C library is glibc, which keeps tens of MB for later.

    It costs 0.3 ms after an image was made, and microseconds where there is nothing to return.
    """
    if _libc is not None and hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)
