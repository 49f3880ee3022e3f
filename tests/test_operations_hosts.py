"""docs/operations.md: what it says of hosts, restarts and backups is done here."""

import http.client
import itertools
import json
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from psycopg import sql as compose

from tests import databases
from tests.conftest import Shop
from tests.faults.cluster import members
from tests.faults.plant.engines import go_file
from tests.gateway import Answer, Gateway, eventually
from tests.helpers import books_are_right, sql
from tests.operations import SECRETS, block, inline, shell
from workflows.models import Job

PATH = "/v1/background-generator"


# Hosts


def host(folder: Path, database: str, **env: str) -> Gateway:
    engines = {"DJANGO_SETTINGS_MODULE": "tests.faults.settings"}
    return Gateway(databases.url(database), folder, extra_env={**SECRETS, **engines, **env})


@pytest.fixture(scope="module")
def site(django_db_setup: None, django_db_blocker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Gateway]]:
    """Two hosts with a data folder each, one database, one storage and one public URL."""
    folder = tmp_path_factory.mktemp("hosts")
    for name in ("a", "b", "shared"):
        (folder / name).mkdir()
    for name in ("a", "b"):
        (folder / name / "storage").symlink_to(folder / "shared")
    with django_db_blocker.unblock():
        database = databases.fresh()
        a = host(folder / "a", database)
        b = host(folder / "b", database, PUBLIC_URL=a.url)
        with databases.connected(database):
            yield [a, b]
        for gateway in (a, b):
            gateway.stop()
        databases.drop(database)


@pytest.fixture
def hosts(site: list[Gateway]) -> list[Gateway]:
    """Both hosts, with all of their processes."""
    for name, gateway in itertools.product(("worker", "web"), site):
        if name not in gateway.processes:
            gateway.start(name)
    return site


@pytest.fixture
def shop() -> Shop:
    return Shop.make(credits=10_000)


def order(gateway: Gateway, shop: Shop, engine: str, *, key: str = "", **metadata: Any) -> Answer:
    body = {"scene_type": "podium", "mood": "calm", "image_model": f"plant-{engine}", "metadata": metadata}
    headers = {"Idempotency-Key": key} if key else {}
    return gateway.call("POST", PATH, body, key=shop.key, headers=headers)


def ordered(gateway: Gateway, shop: Shop, engine: str, **options: Any) -> str:
    answer = order(gateway, shop, engine, **options)
    assert answer.status == 202, answer
    return answer.json["job_id"]


def worker_of(job_id: str) -> int:
    """Return the process id of the `manage.py worker` that had the job last."""
    return int(Job.objects.get(pk=job_id).worker.rpartition(":")[2])


def release(gateway: Gateway, job_ids: list[str]) -> None:
    """Let `plant-waits` jobs go on when they run, or run again, on this host."""
    for job_id in job_ids:
        path = go_file(gateway.data_dir, job_id)
        path.parent.mkdir(exist_ok=True)
        path.touch()


def all_run(job_ids: list[str]) -> None:
    running = Job.objects.filter(pk__in=job_ids, lease_until__isnull=False)
    eventually(lambda: running.count() == len(job_ids), seconds=30, what="all of them run")


def all_succeed(job_ids: list[str], *, seconds: float = 40) -> None:
    open_jobs = Job.objects.filter(pk__in=job_ids, status__in=Job.OPEN)
    eventually(lambda: not open_jobs.exists(), seconds=seconds, what="all of them end")
    assert set(Job.objects.filter(pk__in=job_ids).values_list("status", flat=True)) == {"SUCCESS"}


def every_promise_holds(gateway: Gateway, shop: Shop) -> None:
    books_are_right(shop.client)
    done = gateway.manage("reconcile", "--json")
    assert (done.returncode, json.loads(done.stdout)["violations"]) == (0, []), done


@pytest.mark.slow
def test_two_hosts_share_the_work_the_files_and_the_keys(hosts: list[Gateway], shop: Shop):
    a, b = hosts
    # As many as both workers have processes: neither can run them alone.
    job_ids = [ordered(gateway, shop, "waits", key=f"{n}") for n, gateway in enumerate((a, b, a, b))]
    all_run(job_ids)
    assert {worker_of(job_id) for job_id in job_ids} == {gateway.processes["worker"].pid for gateway in hosts}
    for gateway in hosts:
        release(gateway, job_ids)
    all_succeed(job_ids)
    for job_id in job_ids:
        (url,) = {gateway.finished(job_id, key=shop.key)["outputs"][0]["url"].partition("?")[0] for gateway in hosts}
        assert url.startswith(a.url)
        signed = b.finished(job_id, key=shop.key)["outputs"][0]["url"]
        got = [gateway.call("GET", signed.replace(a.url, gateway.url)) for gateway in hosts]
        assert [answer.status for answer in got] == [200, 200]
        assert got[0].body == got[1].body != b""
    replays = [order(gateway, shop, "waits", key=f"{n}") for n, gateway in enumerate((b, a, b, a))]
    assert [answer.status for answer in replays] == [202] * 4
    assert [answer.json["job_id"] for answer in replays] == job_ids
    assert {answer.headers["Idempotent-Replayed"] for answer in replays} == {"true"}
    assert shop.client.jobs.count() == 4
    every_promise_holds(b, shop)


class Client(threading.Thread):
    """Orders one after the other, each with a key of its own, and goes to the other host when one does not answer."""

    def __init__(self, hosts: list[Gateway], shop: Shop, number: int) -> None:
        super().__init__()
        self.hosts, self.shop, self.number = hosts, shop, number
        self.accepted: dict[str, str] = {}
        self.refused: list[Answer] = []
        self.lost = 0
        self.enough = threading.Event()

    def run(self) -> None:
        turns = itertools.cycle(self.hosts)
        for n in itertools.count():
            key = f"client-{self.number}-{n}"
            while key not in self.accepted:
                if self.enough.is_set():
                    return
                try:
                    answer = order(next(turns), self.shop, "quick", key=key)
                except (OSError, http.client.HTTPException):
                    self.lost += 1
                    continue
                if answer.status != 202:
                    self.refused.append(answer)
                    return
                self.accepted[key] = answer.json["job_id"]
            self.enough.wait(0.05)


@pytest.mark.slow
def test_restarts_one_by_one_lose_no_order_and_are_noticed_by_no_job(hosts: list[Gateway], shop: Shop):
    clients = [Client(hosts, shop, number) for number in range(3)]
    for client in clients:
        client.start()

    def accepted() -> int:
        return sum(len(client.accepted) for client in clients)

    for gateway, name in itertools.product(hosts, ("worker", "web")):
        gateway.stop(name)
        gateway.start(name)
        enough = accepted() + 10
        eventually(lambda: accepted() > enough, what="orders go on")  # noqa: B023
    for client in clients:
        client.enough.set()
    for client in clients:
        client.join(30)
    assert [client.refused for client in clients] == [[], [], []]
    assert any(client.lost for client in clients)  # or no restart was met
    job_ids = [job_id for client in clients for job_id in client.accepted.values()]
    assert len(set(job_ids)) == len(job_ids)
    all_succeed(job_ids)
    assert set(Job.objects.filter(pk__in=job_ids).values_list("attempt", flat=True)) == {1}
    every_promise_holds(hosts[0], shop)


# Backup and restore


def gone(gateway: Gateway, *answers: Answer) -> list[str]:
    """Return the ids of accepted orders that the database lacks, found as the page says, from a log like nginx's."""
    lines = [
        f"2026-11-22T14:05:00+00:00 202 POST {PATH} {answer.headers['X-Request-Id']} ::1 0.01" for answer in answers
    ]
    lines += [f"2026-11-22T14:05:00+00:00 402 POST {PATH} 01J00000000000000000000000 ::1 0.01"]
    lines += ["2026-11-22T14:05:00+00:00 202 POST /v1/jobs/x/cancel 01J00000000000000000000001 ::1 0.01"]
    (gateway.data_dir / "studio.log").write_text("\n".join(lines))
    return shell(block("sh", "comm -23"), gateway.data_dir, gateway).stdout.split()


@pytest.fixture
def empty_database(site: list[Gateway]) -> Iterator[str]:
    name = f"test_restored{databases.PROCESS}"
    databases.drop(name)
    with databases._admin() as admin:
        admin.execute(compose.SQL("CREATE DATABASE {}").format(compose.Identifier(name)))
    yield name
    databases.drop(name)


@pytest.mark.slow
def test_a_backup_taken_under_load_is_restored_with_every_promise_kept(
    hosts: list[Gateway], shop: Shop, tmp_path: Path, empty_database: str
):
    a, _ = hosts
    kept = order(a, shop, "quick", key="done-0")
    done = [kept.json["job_id"], *(ordered(a, shop, "quick", key=f"done-{n}") for n in (1, 2))]
    all_succeed(done)
    run = [ordered(a, shop, "waits") for _ in range(4)]
    all_run(run)
    wait = [ordered(a, shop, "quick", key=f"wait-{n}") for n in range(3)]
    client = Client(hosts, shop, 9)
    client.start()
    eventually(lambda: len(client.accepted) > 5, what="orders come")
    shell(inline("pg_dump"), tmp_path, a)
    late = order(a, shop, "quick", key="late")
    client.enough.set()
    client.join(30)
    assert client.refused == []
    release(a, run)
    release(hosts[1], run)
    shutil.copytree((a.data_dir / "storage").resolve(), tmp_path / "c" / "storage")
    all_succeed([*run, *wait, late.json["job_id"], *client.accepted.values()])

    c = host(tmp_path / "c", empty_database)
    shell(f"cp {tmp_path}/studio.dump . && {inline('pg_restore')}", c.data_dir, c)
    with databases.connected(empty_database):
        known = set(Job.objects.values_list("pk", flat=True))
        assert {*done, *run, *wait} <= known
        assert late.json["job_id"] not in known
        assert set(Job.objects.filter(pk__in=run).values_list("status", "attempt")) == {("IN_PROGRESS", 1)}
        assert set(Job.objects.filter(pk__in=wait).values_list("status", "attempt")) == {("NOT_STARTED", 0)}
        every_promise_holds(c, shop)  # as they were at that moment
        # The restore took longer than it did: leases have lapsed, and one job is past its deadline.
        sql("UPDATE workflows_job SET lease_until = now() WHERE lease_until IS NOT NULL")
        sql("UPDATE workflows_job SET deadline_at = now() - interval '1 hour' WHERE id = %s", wait[0])
        found = c.manage("reconcile")
        assert (found.returncode, "P5" in found.stdout, "--fix would: fail" in found.stdout) == (1, True, True)
        assert c.manage("reconcile", "--fix").returncode == 0
        assert Job.objects.get(pk=wait[0]).status == Job.Status.FAILURE
        assert gone(c, kept, late) == [late.headers["X-Request-Id"]]
        release(c, run)
        c.start("worker", "web")
        try:
            all_succeed([job_id for job_id in known if job_id != wait[0]])
            assert set(Job.objects.filter(pk__in=run).values_list("attempt", flat=True)) == {2}
            for job_id in (done[0], run[0], wait[1]):
                url = c.finished(job_id, key=shop.key)["outputs"][0]["url"]
                assert c.call("GET", url).status == 200
            assert c.call("GET", f"/v1/jobs/{late.json['job_id']}", key=shop.key).status == 404
            assert order(c, shop, "quick", key="done-0").json["job_id"] == done[0]
            again = ordered(c, shop, "quick", key="late")
            assert again != late.json["job_id"]
            all_succeed([again])
        finally:
            c.stop()
        every_promise_holds(c, shop)
    every_promise_holds(a, shop)


# A lost host: the last of these tests, so that nobody needs to start it again


@pytest.mark.slow
def test_a_lost_hosts_jobs_are_finished_by_the_other(hosts: list[Gateway], shop: Shop):
    a, b = hosts
    job_ids = [ordered(b, shop, "waits", key=f"{n}") for n in range(4)]
    all_run(job_ids)
    lost = [job_id for job_id in job_ids if worker_of(job_id) == b.processes["worker"].pid]
    assert len(lost) == 2
    for process in members(b):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    for name in ("web", "worker"):
        b.processes.pop(name).wait()
    release(a, job_ids)
    all_succeed(job_ids)
    assert {worker_of(job_id) for job_id in job_ids} == {a.processes["worker"].pid}
    assert {job.pk for job in Job.objects.filter(pk__in=job_ids, attempt=2)} == set(lost)
    assert order(a, shop, "waits", key="0").json["job_id"] == job_ids[0]
    every_promise_holds(a, shop)
