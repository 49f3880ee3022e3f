"""What the processes of the gateway share to be certain that none of them outlives the one it works for."""

import ctypes
import os
import signal
import sys

# Loaded here rather than after a fork, where another thread may have held the loader's lock.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


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
