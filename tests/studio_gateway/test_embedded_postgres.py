"""The embedded PostgreSQL, with real processes: who starts it, who shares it, and that it never outlives its users."""

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from studio_gateway.embedded import server

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


def test_it_starts_cold_and_warm_and_keeps_what_was_committed(start: Callable[..., User], place: Path) -> None:
    data_dir = place / "var"
    user = start(data_dir)
    assert user.sql("CREATE TABLE t AS SELECT 42 AS n") is None
    assert server_of(data_dir)
    user.end()
    assert server_of(data_dir) == []  # already when the command returns

    user = start(data_dir)
    assert user.sql("SELECT n FROM t") == [[42]]
    settings = ["fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "TimeZone", "server_encoding"]
    assert user.sql("SELECT " + ", ".join(f"current_setting('{s}')" for s in settings)) == [
        ["on", "on", "on", "", "UTC", "UTF8"]
    ]
    assert user.sql("SELECT lower('ÄÖ')") == [["äö"]]
    user.end()
    assert server_of(data_dir) == []


def test_it_makes_private_folders_and_changes_no_others(start: Callable[..., User], place: Path) -> None:
    (place / "theirs").mkdir(mode=0o755)
    start(place / "theirs/ours/var").sql("SELECT 1")
    modes = {p: stat.S_IMODE((place / p).stat().st_mode) for p in ("", "theirs", "theirs/ours", "theirs/ours/var")}
    assert modes == {"": 0o755, "theirs": 0o755, "theirs/ours": 0o700, "theirs/ours/var": 0o700}
    folder = place / "theirs/ours/var/postgres"
    assert all(stat.S_IMODE(p.stat().st_mode) & 0o077 == 0 for p in [folder, *folder.rglob("*")])


def test_only_who_has_the_password_is_let_in(start: Callable[..., User], data_dir: Path) -> None:
    import psycopg

    start(data_dir).sql("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(dbname="studio", host=str(data_dir / "postgres"), port=5432, user="studio", password="x")


@as_root
def test_root_runs_it_as_nobody_whom_others_of_that_name_cannot_reach(start: Callable[..., User], place: Path) -> None:
    data_dir = place / "var"
    data_dir.mkdir(mode=0o755)
    user = start(data_dir)
    assert user.sql("SELECT 1") == [[1]]
    assert {p.uids().real for p in server_of(data_dir)} == {pwd.getpwnam("nobody").pw_uid}
    for name in ("password", ".s.PGSQL.5432", "cluster/PG_VERSION"):
        seen = subprocess.run(["setpriv", "--reuid=nobody", "--clear-groups", "stat", data_dir / "postgres" / name])
        assert seen.returncode != 0


@as_root
def test_an_ordinary_user_runs_it_in_a_private_home_and_root_may_share_it(
    start: Callable[..., User], place: Path
) -> None:
    owner, python = other_user()
    home = place / "home"
    checkout = home / "checkout"
    shutil.copytree(ROOT / "studio_gateway", checkout / "studio_gateway")
    for path in (home, *home.rglob("*")):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    home.chmod(0o700)

    ordinary = start(checkout / "var", checkout, tuple(python))
    assert ordinary.sql("CREATE TABLE t AS SELECT 1 AS n") is None
    assert {p.uids().real for p in server_of(checkout / "var")} == {owner.pw_uid}
    root = start(checkout / "var", checkout)
    assert root.sql("SELECT n FROM t") == [[1]]
    ordinary.end()
    assert root.sql("SELECT n FROM t") == [[1]]
    root.end()
    assert server_of(checkout / "var") == []

    root = start(checkout / "var", checkout)  # for root, too, the server runs as the owner of the folder
    assert root.sql("SELECT n FROM t") == [[1]]
    root.end()
    assert {p.stat().st_uid for p in (checkout / "var").rglob("*")} == {owner.pw_uid}
    ordinary = start(checkout / "var", checkout, tuple(python))
    assert ordinary.sql("SELECT n FROM t") == [[1]]


@as_root
def test_root_runs_it_where_all_is_in_a_private_home(start: Callable[..., User], place: Path) -> None:
    home = place / "home"
    home.mkdir(mode=0o700)
    checkout = home / "checkout"
    shutil.copytree(ROOT / "studio_gateway", checkout / "studio_gateway")
    package = server.binary("postgres").parents[2]
    for part in ("bin", "lib", "share"):
        shutil.copytree(package / "pginstall18" / part, checkout / package.name / "pginstall18" / part)
    (checkout / package.name / "__init__.py").touch()
    libraries = f"{package.name}.libs"  # not there if the system's own are used
    if (package.parent / libraries).exists():
        shutil.copytree(package.parent / libraries, checkout / libraries)
    assert start(checkout / "var", checkout).sql("SELECT 1") == [[1]]
    assert Path(keeper_and_postmaster(checkout / "var")[1].exe()).is_relative_to(home)


def test_a_folder_that_everything_was_killed_in_starts_again(start: Callable[..., User], data_dir: Path) -> None:
    user = start(data_dir)
    assert user.sql("CREATE TABLE t AS SELECT 42 AS n") is None
    processes = server_of(data_dir)
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # the first one's death takes the others along
            process.kill()
    user.kill()
    wait_until(lambda: not alive(processes))
    # As after a reboot: the pid that was left behind is now that of another process of the same user.
    pid_file = data_dir / "postgres/cluster/postmaster.pid"
    owner = pid_file.stat().st_uid
    with subprocess.Popen(["sleep", "60"], user=None if owner == os.geteuid() else owner) as other:
        try:
            pid_file.write_text("\n".join([str(other.pid), *pid_file.read_text().splitlines()[1:]]))
            user = start(data_dir)
            assert user.sql("SELECT n FROM t") == [[42]]
            user.end()
        finally:
            other.kill()


def test_two_checkouts_run_at_once(start: Callable[..., User], place: Path) -> None:
    one, two = start(place / "one/var"), start(place / "two/var")
    one.ask("CREATE TABLE t AS SELECT 1 AS n")
    two.ask("CREATE TABLE t AS SELECT 2 AS n")
    assert (one.answer(), two.answer()) == (None, None)
    assert (one.sql("SELECT n FROM t"), two.sql("SELECT n FROM t")) == ([[1]], [[2]])
    one.end()
    assert two.sql("SELECT n FROM t") == [[2]]


def test_the_server_is_gone_soon_after_its_user_was_killed(start: Callable[..., User], data_dir: Path) -> None:
    user = start(data_dir)
    assert user.sql("CREATE TABLE t AS SELECT generate_series(1, 300000) AS n") is None
    user.ask("SELECT pg_sleep(60)")
    processes = server_of(data_dir)
    wait_until(lambda: any("SELECT" in " ".join(p.cmdline()) for p in server_of(data_dir)))
    user.kill()
    wait_until(lambda: not alive(processes) and not server_of(data_dir), GONE_WITHIN_S)
    assert start(data_dir).sql("SELECT count(*) FROM t") == [[300000]]


def test_the_command_that_started_it_may_end_first(start: Callable[..., User], data_dir: Path) -> None:
    command = start(data_dir)
    assert command.sql("SELECT 1") == [[1]]
    up = start(data_dir)
    assert up.sql("CREATE TABLE t AS SELECT pg_postmaster_start_time() AS started") is None
    before = time.monotonic()
    command.end()
    assert time.monotonic() - before < 1.0  # nothing to wait for
    assert up.sql("SELECT pg_postmaster_start_time() = started FROM t") == [[True]]
    killed = start(data_dir)
    assert killed.sql("SELECT pg_postmaster_start_time() = started FROM t") == [[True]]
    killed.kill()
    assert up.sql("SELECT pg_postmaster_start_time() = started FROM t") == [[True]]


def test_those_who_come_first_at_once_share_one_server(start: Callable[..., User], place: Path) -> None:
    users = [start(place / "var") for _ in range(4)]
    for user in users:
        user.ask("SELECT pg_postmaster_start_time()::text")
    answers = [user.answer() for user in users]
    assert answers[0] == [[answers[0][0][0]]]
    assert answers == [answers[0]] * 4


def test_who_comes_while_it_stops_gets_a_new_one(start: Callable[..., User], data_dir: Path) -> None:
    users = [start(data_dir)]
    assert users[0].sql("SELECT 1") == [[1]]
    for _ in range(4):
        users.append(start(data_dir))
        users[-2].kill()
        assert users[-1].sql("SELECT 1") == [[1]]


@pytest.mark.parametrize("victim", ["keeper", "postmaster"])
def test_it_is_started_anew_for_a_process_that_had_joined(
    start: Callable[..., User], data_dir: Path, victim: str
) -> None:
    user = start(data_dir)
    assert user.sql("CREATE TABLE t AS SELECT 42 AS n") is None
    before = server_of(data_dir)
    keeper, postmaster = keeper_and_postmaster(data_dir)
    (keeper if victim == "keeper" else postmaster).kill()
    wait_until(lambda: not alive(before), GONE_WITHIN_S)
    # An attempt in the very moment of its death may fail.
    wait_until(lambda: user.sql("SELECT n FROM t") == [[42]], GONE_WITHIN_S)


def test_a_keeper_that_is_told_to_stop_does_so_in_order(start: Callable[..., User], data_dir: Path) -> None:
    start(data_dir).sql("SELECT 1")
    before = server_of(data_dir)
    keeper_and_postmaster(data_dir)[0].send_signal(signal.SIGTERM)
    wait_until(lambda: not alive(before), GONE_WITHIN_S)
    assert "database system is shut down" in (data_dir / "postgres/server.log").read_text()


def test_an_interrupted_first_start_is_done_again(start: Callable[..., User], place: Path) -> None:
    data_dir = place / "var"
    user = start(data_dir)
    user.ask("SELECT 1")
    wait_until((data_dir / "postgres/cluster.new/global").exists)
    making = server_of(data_dir)
    user.kill()
    wait_until(lambda: not alive(making) and not server_of(data_dir), GONE_WITHIN_S)
    assert not (data_dir / "postgres/cluster").exists()
    assert start(data_dir).sql("SELECT 1") == [[1]]


def test_what_keeps_it_from_starting_is_said(start: Callable[..., User], data_dir: Path) -> None:
    user = start(data_dir)
    assert user.sql("SELECT 1") == [[1]]
    user.end()
    version = data_dir / "postgres/cluster/PG_VERSION"
    version.write_text("9.6\n")
    user = start(data_dir)
    error = user.sql("SELECT 1")
    assert "EmbeddedPostgresError" in error
    assert "initialized by PostgreSQL version 9.6" in error
    version.write_text("18\n")
    assert user.sql("SELECT 1") == [[1]]


def test_the_path_of_the_data_folder_may_be_long(start: Callable[..., User], place: Path) -> None:
    data_dir = place / ("deep/" * 30) / "var"
    user = start(data_dir)
    assert user.sql("CREATE TABLE t AS SELECT 42 AS n") is None
    assert user.sql("fork") != user.process.pid
    assert user.sql("SELECT n FROM t") == [[42]]


def test_a_forked_child_keeps_it_and_its_parent_does_not_wait(start: Callable[..., User], data_dir: Path) -> None:
    user = start(data_dir)
    assert user.sql("SELECT 1") == [[1]]
    child = psutil.Process(user.sql("fork"))
    assert user.process.wait(1.0) == 0
    assert user.sql("SELECT 1") == [[1]]
    processes = server_of(data_dir)
    child.kill()
    wait_until(lambda: not alive(processes), GONE_WITHIN_S)


def test_failed_statements_are_not_logged(start: Callable[..., User], data_dir: Path) -> None:
    assert "syntax error" in start(data_dir).sql("SELECT 'secret' nonsense nonsense")
    assert "secret" not in (data_dir / "postgres/server.log").read_text()


DJANGO = """
import os, sys
import django
from django.conf import settings
from django.core.management import call_command
settings.configure(DATABASES={"default": {
    "ENGINE": "studio_gateway.embedded", "NAME": "studio", "HOST": sys.argv[1], "OPTIONS": {"pool": len(sys.argv) > 2},
}}, USE_TZ=True)
django.setup()
from django.db import connection
def ask(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]
"""


def django(data_dir: Path, script: str, *arguments: str) -> str:
    """Run a script with Django set up; return what it printed. It must say nothing else, and leave nothing behind."""
    command = [sys.executable, "-W", "error", "-c", DJANGO + script, str(data_dir), *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert (run.returncode, run.stderr) == (0, "")
    assert server_of(data_dir) == []
    return run.stdout


def test_django_starts_it_with_the_first_connection_only(place: Path) -> None:
    data_dir = place / "var"
    assert "no issues" in django(data_dir, "call_command('check')")
    assert not data_dir.exists()
    script = "print(ask('SELECT current_database()')); connection.close(); print(ask('SELECT 2'))"
    assert django(data_dir, script) == "studio\n2\n"


def test_django_makes_test_databases_and_opens_a_shell(data_dir: Path) -> None:
    script = """
name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
print(name, ask("SELECT current_database()"))
connection.creation.destroy_test_db("studio", verbosity=0)
sys.stdout.flush()
call_command("dbshell", "--", "--no-psqlrc", "-Atc", "SELECT current_database()")
"""
    assert django(data_dir, script) == "test_studio test_studio\nstudio\n"


def test_django_pools_its_connections(data_dir: Path) -> None:
    script = """
from concurrent.futures import ThreadPoolExecutor
def work(n):
    try:
        return ask(f"SELECT {n}")
    finally:
        connection.close()
with ThreadPoolExecutor(4) as executor:
    print(sum(executor.map(work, range(50))))
print(connection.pool.get_stats()["pool_size"] > 0)
connection.close_pool()
"""
    assert django(data_dir, script, "pool") == "1225\nTrue\n"


def test_django_connects_in_forked_workers(data_dir: Path) -> None:
    script = """
import multiprocessing
def work(n):
    return ask(f"SELECT {n}")
ask("SELECT 1")
connection.close()
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(sum(pool.map(work, range(10))))
    pool.close()
    pool.join()
print(ask("SELECT 3"))
"""
    assert django(data_dir, script) == "45\n3\n"


def test_it_listens_to_no_network(start: Callable[..., User], data_dir: Path) -> None:
    start(data_dir).sql("SELECT 1")
    kinds = {c.family for p in server_of(data_dir) for c in p.net_connections(kind="all")}
    assert kinds <= {socket.AF_UNIX}
