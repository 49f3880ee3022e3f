"""django-q2 tells this module, where there is one, what each of its processes is: here it becomes the process's name.

Only processes that have this folder on their PYTHONPATH find it. The name is one of main, idle, processing, monitor and
pusher, as the kernel and psutil know it; a sentinel has none.
"""

import ctypes

_libc = ctypes.CDLL(None)
_PR_SET_NAME = 15


def setproctitle(title: str) -> None:
    """Take a title like `qcluster Process-1 idle`."""
    role = title.split()[2]
    _libc.prctl(_PR_SET_NAME, role.encode()[:15], 0, 0, 0)
