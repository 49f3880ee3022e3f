"""/healthz, /readyz and /metrics, asked from outside while things go away and come back."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psutil
import pytest
from django.core.files.storage import FileSystemStorage
from django.test import Client as DjangoClient

from tests.conftest import Shop
from tests.faults.postgres import Postgres
from tests.gateway import Answer, Gateway, eventually
from tests.helpers import claimed, move, order, over_the_wire, sql, succeed, together
from tests.wire import EXTRACT, ORDER
from tests.workflows.test_metrics import figures, report
from workflows import jobs, readiness
from workflows.readiness import Readiness

PATHS = ("/healthz", "/readyz", "/metrics")
READY = {"database": "ok", "storage": "ok", "queue": "ok"}
RESTARTS = "studio_worker_cluster_restarts_total "


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    server.start()
    yield server
    server.stop("immediate")


@pytest.fixture(scope="module")
def site(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A web process on a server of its own; tests start the worker themselves.

    Of two each would tell what it knows, for a moment not the same.
    """
    one = {"WEB_PROCESSES": "1"}
    gateway = Gateway(postgres.url, tmp_path_factory.mktemp("site"), extra_env=one)
    migrated = gateway.manage("migrate")
    assert migrated.returncode == 0, migrated
    gateway.start("web")
    yield gateway
    gateway.stop()


def readyz(site: Gateway) -> Answer:
    answer = site.call("GET", "/readyz")
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(answer.json) == set(READY)
    assert answer.status == (200 if answer.json == READY else 503)
    assert site.call("GET", "/healthz").status == 200
    return answer


def ready(site: Gateway) -> None:
    """Wait until all is well."""
    eventually(lambda: readyz(site).status == 200, what="ready")


def red(site: Gateway, *names: str) -> None:
    """Wait until exactly these are red."""

    def said() -> Any:
        words = readyz(site).json
        return {name for name, word in words.items() if word != "ok"} == set(names) and words

    words = json.dumps(eventually(said, what=f"{names} are red"))
    assert str(site.data_dir) not in words
    assert "Error" not in words


def told(site: Gateway) -> dict[str, float]:
    answer = site.call("GET", "/metrics")
    assert answer.status == 200, answer
    return figures(answer.body.decode())


def restarts(site: Gateway) -> dict[str, float]:
    """Return how often each worker that reports has replaced its cluster."""
    found = told(site)
    counted = {name.removeprefix(RESTARTS): value for name, value in found.items() if name.startswith(RESTARTS)}
    assert len(counted) == found["studio_workers"]
    return counted


def test_the_storage_goes_away_and_comes_back(site: Gateway):
    ready(site)
    storage, away = site.data_dir / "storage", site.data_dir / "away"
    storage.rename(away)
    storage.write_text("no folder")
    red(site, "storage")
    storage.unlink()
    away.rename(storage)
    ready(site)
    assert [path for path in storage.rglob("*") if path.is_file()] == []


def test_the_database_goes_away_and_comes_back(site: Gateway, postgres: Postgres):
    ready(site)
    postgres.stop("immediate")
    red(site, "database", "queue")
    answer = site.call("GET", "/metrics")
    assert (answer.status, answer.body) == (503, b"The database is away.\n")
    postgres.start()
    ready(site)
    assert told(site)["studio_jobs_open NOT_STARTED"] == 0


def test_a_queue_that_stands_still_is_red_until_a_worker_comes(site: Gateway, postgres: Postgres):
    shop = json.loads(site.manage("create_client", "Shop", "--credits", "10", "--json").stdout)
    accepted = site.call("POST", EXTRACT, ORDER, key=shop["api_key"])
    assert accepted.status == 202
    ready(site)
    postgres.run("UPDATE workflows_job SET run_after = now() - interval '31 seconds'")
    red(site, "queue")
    assert told(site)["studio_oldest_due_job_age_seconds"] >= 31
    site.start("worker")
    ready(site)
    site.finished(accepted.json["job_id"], key=shop["api_key"])
    found = told(site)
    assert found["studio_oldest_due_job_age_seconds"] == 0
    assert found["studio_attempts_started_total"] == found["studio_refunds_total failure"] == 1


def test_a_worker_reports_for_as_long_as_it_runs(site: Gateway, postgres: Postgres):
    postgres.run(
        "INSERT INTO workflows_worker SELECT 'killed:1', now(), now() - interval '25 hours', 0, 0, 0"
        " UNION SELECT 'killed:2', now(), now() - interval '23 hours', 0, 0, 0"
    )
    if "worker" not in site.processes:
        site.start("worker")
    first = site.processes["worker"]
    (name,) = eventually(lambda: restarts(site), what="the worker reports")
    assert name.endswith(f":{first.pid}")
    began = "SELECT started_at FROM workflows_worker WHERE name = %s"
    ((before,),) = postgres.run(began, name)
    names = "SELECT name FROM workflows_worker"
    eventually(lambda: set(postgres.run(names)) == {("killed:2",), (name,)}, what="the long silent one is forgotten")

    (cluster,) = psutil.Process(first.pid).children()
    cluster.kill()
    eventually(lambda: restarts(site) == {name: 1}, what="the restart is told")
    postgres.run("DELETE FROM workflows_worker")
    eventually(lambda: restarts(site) == {name: 1}, what="the row is back")
    ((after,),) = postgres.run(began, name)
    assert abs(after - before) < timedelta(seconds=3)

    first.kill()
    first.wait()
    site.start("worker")
    second = site.processes["worker"]
    both = {(name, 1), (name.replace(str(first.pid), str(second.pid)), 0)}
    rows = "SELECT name, cluster_restarts FROM workflows_worker"
    eventually(lambda: set(postgres.run(rows)) == both, what="the next one has a row of its own")
    site.stop("worker")
    assert postgres.run(names) == [(name,)]


@pytest.mark.parametrize("path", PATHS)
def test_probes_may_send_any_host_and_need_no_tls(db, settings, site: Gateway, path: str):
    request = f"GET {path} HTTP/1.1\r\nHost: made.up\r\nConnection: close\r\n\r\n"
    assert over_the_wire(site, request.encode())[0] == 200
    settings.SECURE_SSL_REDIRECT = True
    for settings.DEBUG in (False, True):
        assert DjangoClient().get(path).status_code == 200


def due(shop: Shop, seconds: int = 31) -> None:
    move(order(shop), run_after=f"-{seconds} seconds")


def due_and_reserved_again_and_again(shop: Shop) -> None:
    due(shop)
    sql("UPDATE workflows_job SET reserved_until = now() + interval '5 seconds'")


def due_and_another_ended(shop: Shop, seconds: int = 31) -> None:
    assert succeed(claimed(order(shop)))
    sql("UPDATE workflows_jobevent SET at = now() - make_interval(secs => %s)", seconds)
    due(shop)


def due_and_another_runs(shop: Shop) -> None:
    claimed(order(shop))
    sql("UPDATE workflows_jobevent SET at = now() - interval '31 seconds'")
    due(shop)


def due_and_staff_refunds(shop: Shop) -> None:
    due_and_another_ended(shop)
    done = shop.client.jobs.get(status="SUCCESS")
    jobs.refund(job_id=done.pk, reason="r", actor="a")


def paused(shop: Shop) -> None:
    move(order(shop), accepted_at="-1 hour", run_after="1 second")


def overdue(shop: Shop) -> None:
    move(order(shop), run_after="1 second", deadline_at="-31 seconds")


def overdue_and_a_worker_reports(shop: Shop) -> None:
    move(order(shop), run_after="-1 hour", deadline_at="-31 seconds")
    report("host:1")


@pytest.mark.parametrize(
    ("state", "moves"),
    [
        (due, False),
        (lambda shop: due(shop, 20), True),
        (due_and_reserved_again_and_again, False),
        (due_and_another_ended, False),
        (lambda shop: due_and_another_ended(shop, 20), True),
        (due_and_another_runs, True),
        (due_and_staff_refunds, False),
        (paused, True),
        (overdue, False),
        (overdue_and_a_worker_reports, True),
    ],
)
def test_a_queue_moves_or_stands_still(own_database: str, shop: Shop, state: Callable[[Shop], None], moves: bool):
    state(shop)
    found = Readiness()()
    assert (found.pop("queue") == "ok") is moves
    assert set(found.values()) == {"ok"}


class Gated(FileSystemStorage):
    """A storage that hangs while its gate is shut, and counts what it is asked to save."""

    gate = threading.Event()
    saves = 0

    def _save(self, name: str, content: Any) -> str:
        type(self).saves += 1
        assert self.gate.wait(30)
        return super()._save(name, content)


@pytest.fixture
def gated(db, settings, tmp_path) -> Iterator[type[Gated]]:
    default = {"BACKEND": f"{__name__}.Gated", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "default": default}
    Gated.gate.set()
    Gated.saves = 0
    yield Gated
    Gated.gate.set()


def test_a_storage_that_hangs_is_red_and_nobody_waits_for_it(gated: type[Gated], monkeypatch):
    monkeypatch.setattr(readiness, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(readiness, "KEPT_SECONDS", 0)
    gated.gate.clear()
    look = Readiness()
    for _ in range(3):
        found = look()
        assert (found["database"], found["queue"]) == ("ok", "ok")
        assert found["storage"] != "ok"
    assert gated.saves == 1
    gated.gate.set()
    eventually(lambda: look() == READY, what="all is well again")
    assert gated.saves <= 2


def test_however_many_ask_one_looks(gated: type[Gated]):
    look = Readiness()
    assert together(*[look] * 20, over_http=True) == [READY] * 20
    assert gated.saves == 1
