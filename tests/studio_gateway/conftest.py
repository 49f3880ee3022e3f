"""Users of an embedded PostgreSQL, as real processes."""

import contextlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
GONE_WITHIN_S = 2.0
# In memory where there is room: on a disk, making and copying clusters takes most of the time.
SHM = Path("/dev/shm")
WHERE = SHM if SHM.is_dir() and shutil.disk_usage(SHM).free > 2**30 else None

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act as several users")

# Each line read is an SQL statement to run on a new connection, and each line written is its answer.
USER = """
import json, os, sys
from pathlib import Path
import psycopg
from studio_gateway.embedded import server

data_dir = Path(sys.argv[1])
for line in sys.stdin:
    try:
        if line == "fork\\n":  # go on as a child, and end the parent
            sys.stdout.flush()
            if os.fork():
                sys.exit()
            answer = os.getpid()
        else:
            with psycopg.connect(dbname="studio", **server.join(data_dir)) as connection:
                cursor = connection.execute(line)
                answer = cursor.fetchall() if cursor.description else None
    except (psycopg.Error, OSError, server.EmbeddedPostgresError) as error:
        answer = f"{type(error).__name__}: {error}"
    print(json.dumps(answer), flush=True)
"""


class User:
    """A process that uses the server of a data folder."""

    def __init__(self, data_dir: Path, checkout: Path, command: list[str]) -> None:
        self.process = subprocess.Popen(
            [*command, "-c", USER, str(data_dir)],
            cwd=checkout,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(psutil.__file__).parents[1]), "PGPORT": "1", "PGHOST": "x"},
        )

    def ask(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self) -> object:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def sql(self, statement: str) -> object:
        self.ask(statement)
        return self.answer()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(10) == 0

    def kill(self) -> None:
        assert self.process.stdin is not None
        self.process.kill()
        self.process.wait(10)
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    left = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                left.append(process)
    return left


def server_of(data_dir: Path) -> list[psutil.Process]:
    """Return the keeper of a data folder and all that descends from it."""
    folder = str(data_dir / "postgres")
    tops = [p for p in psutil.process_iter(["cmdline"]) if any(folder in a for a in p.info["cmdline"] or [])]
    found = set(tops)
    for top in tops:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.update(top.children(recursive=True))
    return alive(list(found))


def keeper_and_postmaster(data_dir: Path) -> tuple[psutil.Process, psutil.Process]:
    postmaster = psutil.Process(int((data_dir / "postgres/cluster/postmaster.pid").read_text().split()[0]))
    keeper = postmaster.parent()
    assert keeper is not None
    return keeper, postmaster


def wait_until(condition: Callable[[], object], within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.01)


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a folder that every user can reach, with a short path; at the end nothing runs in it."""
    path = Path(tempfile.mkdtemp(prefix="studio-", dir=WHERE))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def start(place: Path) -> Iterator[Callable[..., User]]:
    users: list[tuple[User, Path]] = []

    def start(data_dir: Path, checkout: Path = ROOT, command: tuple[str, ...] = (sys.executable,)) -> User:
        users.append((User(data_dir, checkout, list(command)), data_dir))
        return users[-1][0]

    yield start
    for user, _ in users:
        user.kill()
    for _, data_dir in users:
        wait_until(lambda folder=data_dir: not server_of(folder), GONE_WITHIN_S)


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """Return a data folder that has been used once: making one takes most of the time."""
    with tempfile.TemporaryDirectory(prefix="studio-", dir=WHERE) as path:
        user = User(Path(path, "var"), ROOT, [sys.executable])
        assert user.sql("SELECT 1") == [[1]]
        user.end()
        yield Path(path, "var")


@pytest.fixture
def data_dir(place: Path, made: Path) -> Path:
    subprocess.run(["cp", "-a", made, place / "var"], check=True)
    return place / "var"


def other_user() -> tuple[pwd.struct_passwd, list[str]]:
    """Return an ordinary user, who is not the one that root's server runs as, and Python as that user."""
    user = next(u for u in pwd.getpwall() if u.pw_uid != 0 and u.pw_name != "nobody")
    become = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    # Where root's Python is in root's private home, the system's may do; if not, only reading is made easier.
    script = "import psycopg, subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"
    may_read = [*become, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", sys.executable]
    for python in ([*become, sys.executable], [*become, "/usr/bin/python3"], may_read):
        env = {"PYTHONPATH": str(Path(psutil.__file__).parents[1])}
        if subprocess.run([*python, "-c", script], env=env, capture_output=True).returncode == 0:
            return user, python
    pytest.fail("no Python that another user can run")
