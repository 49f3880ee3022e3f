"""The keeper: the process that runs the PostgreSQL server of a data folder until nobody uses it any more.

Started by server.py, as a user that PostgreSQL accepts. If it is killed, the kernel kills the server with it.
"""

import fcntl
import functools
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from studio_gateway.embedded.server import PORT, USER, binary, lock
from studio_gateway.processes import die_with_parent

_FAST_SHUTDOWN_S = 1.2  # then without a checkpoint, so that all is gone within 2 s; recovery makes up for it

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": "..",  # seen from the cluster; relative, so that the length of the path does not count
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "log",  # a failed statement is its client's to know, and may hold secrets
    "log_checkpoints": "off",
}


def keep(folder: Path, start_lock: int) -> None:
    """Run the server of `folder` until nobody uses it; once it accepts connections, close `start_lock`.

    The first time, make the cluster: in a folder of another name until it is complete.
    """
    # The whole server inherits this lock, and so this waits until every process of the last one is gone.
    server_lock = lock(folder / "server.lock", fcntl.LOCK_EX)
    ours: dict[str, Any] = {
        "preexec_fn": functools.partial(die_with_parent, parent=os.getpid()),
        "pass_fds": [server_lock],
    }
    threading.Thread(target=_terminate_when_unused, args=[folder], daemon=True).start()

    cluster = folder / "cluster"
    if not cluster.exists():
        _make_cluster(folder, cluster, ours)

    # With the lock ours no server can be left, but after a reboot the pid in these may be that of some other process,
    # and PostgreSQL would take it for one.
    (cluster / "postmaster.pid").unlink(missing_ok=True)
    (folder / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
    settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
    postgres = subprocess.Popen([binary("postgres"), "-D", cluster, "-p", str(PORT), *settings], **ours)
    signal.signal(signal.SIGALRM, lambda *_: postgres.send_signal(signal.SIGQUIT))

    def stop(*_: object) -> None:
        postgres.send_signal(signal.SIGINT)
        signal.setitimer(signal.ITIMER_REAL, _FAST_SHUTDOWN_S)

    signal.signal(signal.SIGTERM, stop)
    while not _ready(cluster, postgres.pid):
        if postgres.poll() is not None:
            return
        time.sleep(0.01)
    ready_lock = lock(folder / "ready.lock", fcntl.LOCK_EX)
    os.close(start_lock)
    postgres.wait()
    os.close(ready_lock)  # before users.lock, for which newcomers wait


def _terminate_when_unused(folder: Path) -> None:
    lock(folder / "users.lock", fcntl.LOCK_EX)  # kept until the keeper ends: newcomers wait for that
    os.kill(os.getpid(), signal.SIGTERM)


def _make_cluster(folder: Path, cluster: Path, ours: dict[str, Any]) -> None:
    new = folder / "cluster.new"
    shutil.rmtree(new, ignore_errors=True)  # what an earlier attempt left that was interrupted
    password = folder / "password"
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(32))
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    login = [f"--username={USER}", "--auth=scram-sha-256", f"--pwfile={password}"]
    initdb: list[str | Path] = [binary("initdb"), "--no-sync", "-D", new, *login, *locale]
    subprocess.run(initdb, stdout=subprocess.DEVNULL, check=True, **ours)
    # The single-user server needs no socket, no password and no waiting.
    single: list[str | Path] = [binary("postgres"), "--single", "-F", "-D", new, "postgres"]
    subprocess.run(single, input=f"CREATE DATABASE {USER};".encode(), stdout=subprocess.DEVNULL, check=True, **ours)
    # All of it must be on the disk before it has its name, and the name before anything is committed.
    os.sync()
    new.rename(cluster)
    os.sync()


def _ready(cluster: Path, pid: int) -> bool:
    """Tell whether the server accepts connections, which it writes on the eighth line of its pid file."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


if __name__ == "__main__":
    # Whoever started us may have had signals blocked, and we live by SIGTERM and SIGALRM.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    # Nobody's child: a user that waits for its own children must not meet this one.
    if os.fork() == 0:
        keep(Path(sys.argv[1]), int(sys.argv[2]))
