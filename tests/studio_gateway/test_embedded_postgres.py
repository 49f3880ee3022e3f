"""The embedded PostgreSQL, with real processes: who starts it, who shares it, and that it never outlives its users."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from studio_gateway.embedded import server
from tests.studio_gateway.conftest import (
    GONE_WITHIN_S,
    ROOT,
    User,
    alive,
    as_root,
    keeper_and_postmaster,
    other_user,
    server_of,
    wait_until,
)


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
    assert time.monotonic() - before < 4.0  # it would wait for five seconds, and there is nothing to wait for
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


def test_it_listens_to_no_network(start: Callable[..., User], data_dir: Path) -> None:
    start(data_dir).sql("SELECT 1")
    kinds = {c.family for p in server_of(data_dir) for c in p.net_connections(kind="all")}
    assert kinds <= {socket.AF_UNIX}
