"""A PostgreSQL server of a test's own, which it may stop, crash and cut off as it likes."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psutil
import psycopg

from studio_gateway.embedded import server
from tests.gateway import eventually

PORT = 5432  # names the socket's file; the server listens to no network
PASSWORD = "test"  # reachable only through the socket in the test's own folder


class Postgres:
    """A server in `folder`, made by the first `start`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = folder / "cluster"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        where = urlencode({"host": self.folder, "port": PORT})
        return f"postgres://{server.USER}:{quote(PASSWORD)}@/{server.USER}?{where}"

    @property
    def socket(self) -> Path:
        return self.folder / f".s.PGSQL.{PORT}"

    def start(self) -> None:
        """Start it, and wait until it takes connections; after a crash that is after recovery."""
        if not self.cluster.exists():
            self._make()
        options = ["-p", str(PORT), "--listen_addresses=", "--unix_socket_directories=..", "--max_connections=60"]
        with (self.folder / "server.log").open("ab") as log:
            command = [*self._user(), str(server.binary("postgres")), "-D", str(self.cluster), *options]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        eventually(self._answers, seconds=60, what="PostgreSQL takes connections")

    def stop(self, mode: str = "fast") -> None:
        """Stop it as `pg_ctl stop -m` does: fast, or immediate, which is a crash."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
        self._process.wait(30)
        self._process = None

    def pause(self) -> None:
        """SIGSTOP every process of the server; `resume` wakes them."""
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()

    def resume(self) -> None:
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int:
        """The postmaster's."""
        return int((self.cluster / "postmaster.pid").read_text().splitlines()[0])

    def run(self, statement: str, *values: Any) -> list[Any]:
        """Run SQL in a connection of its own and return its rows, if it has any."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def _processes(self) -> Iterator[psutil.Process]:
        """The postmaster first: once it stands still there are no new ones."""
        postmaster = psutil.Process(self.pid)
        yield postmaster
        yield from postmaster.children()

    def _make(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(self.folder, *self._nobody())
        password = self.folder / "password"
        password.write_text(PASSWORD)
        if os.geteuid() == 0:
            os.chown(password, *self._nobody())
        login = [f"--username={server.USER}", "--auth=scram-sha-256", f"--pwfile={password}"]
        initdb = [*self._user(), str(server.binary("initdb")), "--no-sync", "-D", str(self.cluster), *login]
        subprocess.run([*initdb, "--encoding=UTF8", "--locale=C"], check=True, capture_output=True)
        single = [*self._user(), str(server.binary("postgres")), "--single", "-F", "-D", str(self.cluster), "postgres"]
        made = f"CREATE DATABASE {server.USER};".encode()
        subprocess.run(single, input=made, check=True, capture_output=True)

    def _user(self) -> list[str]:
        """Return what drops root, which PostgreSQL refuses."""
        return server._as_unprivileged_user(self.folder) if os.geteuid() == 0 else []

    def _nobody(self) -> tuple[int, int]:
        import pwd

        nobody = pwd.getpwnam("nobody")
        return nobody.pw_uid, nobody.pw_gid

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, (self.folder / "server.log").read_text()
        try:
            return bool(self.run("SELECT 1"))
        except psycopg.OperationalError:
            return False
