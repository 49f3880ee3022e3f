"""PostgreSQL crashes, goes away and falls silent, just when it hurts: what was promised holds when it is back."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from requestlog.models import RequestLog
from tests.conftest import Shop
from tests.faults.cluster import SETTINGS, PlantJob, connected_to, crew, dead, limits, order, reconciled
from tests.faults.postgres import Postgres
from tests.faults.proxy import SUCCEEDS, Proxy
from tests.gateway import Answer, Gateway, eventually
from tests.helpers import books_are_right, lapse, move, now
from workflows.models import Job


class Ground:
    """A gateway on a PostgreSQL of its own, which it reaches through a proxy."""

    def __init__(self, folder: Path) -> None:
        self.postgres = Postgres(folder / "postgres")
        self.postgres.start()
        self.proxy = Proxy(self.postgres.url)
        self.gateway = Gateway(self.proxy.url, folder / "data", extra_env=SETTINGS)

    def crash(self) -> None:
        self.postgres.stop("immediate")
        connection.close()  # the test's own


@pytest.fixture(scope="module")
def ground(
    django_test_environment: None, django_db_blocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ground]:
    ground = Ground(tmp_path_factory.mktemp("ground"))
    migrated = ground.gateway.manage("migrate")
    assert migrated.returncode == 0, migrated.stderr
    ground.gateway.start("web", "worker")
    with django_db_blocker.unblock(), connected_to(ground.postgres.url):
        yield ground
        reconciled(ground.gateway)
    ground.gateway.stop()
    ground.proxy.close()
    ground.postgres.stop()


@pytest.mark.slow
def test_a_crash_under_load_loses_no_order_that_was_accepted_and_doubles_none(ground: Ground):
    shop = Shop.make(credits=1_000)
    refusals: list[Answer] = []

    def client(number: int) -> dict[str, str]:
        """Send forty orders, each until it is accepted; return the job of each key."""
        accepted = {}
        for key in (f"{number}-{n}" for n in range(40)):
            while (answer := order(ground.gateway, shop, "quick", once=key)).status != 202:
                refusals.append(answer)
                time.sleep(0.1)
            accepted[key] = answer.json["job_id"]
        return accepted

    mine = Job.objects.filter(client=shop.client)
    with ThreadPoolExecutor(4) as executor:
        clients = [executor.submit(client, number) for number in range(4)]
        for accepted in (30, 90):
            eventually(lambda accepted=accepted: mine.count() >= accepted, what="orders are accepted")
            ground.crash()
            ground.postgres.start()
        answers = {key: job_id for thread in clients for key, job_id in thread.result(60).items()}
    assert refusals
    assert {(answer.status, answer.json["code"]) for answer in refusals} == {(503, "database_unavailable")}
    assert dict(mine.values_list("idempotency_key", "pk")) == answers
    assert RequestLog.objects.filter(pk__in=mine.values("request_id"), status=202).count() == len(answers) == 160
    eventually(lambda: not mine.filter(status__in=Job.OPEN).exists(), seconds=60, what="all is done")
    assert set(mine.values_list("status", flat=True)) == {Job.Status.SUCCESS}
    books_are_right(shop.client)


def test_a_job_that_ends_while_the_database_is_away_is_done_by_its_next_attempt(ground: Ground, shop: Shop):
    crew(ground.gateway)
    job = PlantJob(ground.gateway, shop)
    job.running()
    ground.crash()
    job.go()
    eventually(
        lambda: "ended without an answer from the database" in ground.gateway.log("worker"), what="the engine is done"
    )
    ground.postgres.start()
    assert (job.row.status, job.row.attempt) == (Job.Status.IN_PROGRESS, 1)
    lapse(job.row)  # rather than wait for it
    job.succeeded(attempt=2)
    assert shop.balance == 100 - job.row.credits_cost
    assert ground.gateway.finished(job.id, key=shop.key)["status"] == "SUCCESS"


def test_a_job_whose_commit_is_cut_off_from_its_answer_is_done_and_keeps_its_files(ground: Ground, shop: Shop):
    job = PlantJob(ground.gateway, shop)
    job.running()
    with ground.proxy.armed(SUCCEEDS, forward=True, hold=False) as trap:
        job.go()
        trap.wait()
    job.succeeded()
    PlantJob(ground.gateway, shop, "quick").succeeded()
    job.succeeded()
    assert shop.balance == 100 - 2 * job.row.credits_cost


@pytest.mark.slow
def test_a_worker_that_stands_still_in_the_middle_of_its_transaction_holds_nobody_up_for_long(
    ground: Ground, shop: Shop
):
    job, overdue = PlantJob(ground.gateway, shop), PlantJob(ground.gateway, shop)
    job.running()
    with ground.proxy.armed(SUCCEEDS, forward=False) as trap:
        job.go()
        trap.wait()  # it has written to its client's row, which every order and every refund of that client needs
        move(overdue.row, deadline_at="-1 second")
        assert order(ground.gateway, shop, "quick").status == 202
        overdue.failed("deadline_exceeded", attempt=overdue.row.attempt)
    lapse(job.row)  # rather than wait for it
    job.succeeded(attempt=2)
    overdue.go()  # its engine may still be at it


@pytest.mark.parametrize("answered", [True, False], ids=["and the answer comes then", "and no answer comes"])
def test_a_time_limit_that_strikes_after_the_jobs_own_commit_changes_nothing(
    ground: Ground, shop: Shop, answered: bool
):
    limits(time_limit=timedelta(seconds=3))  # and these are the last tests to order here
    job = PlantJob(ground.gateway, shop)
    job.running()
    with ground.proxy.armed(SUCCEEDS, forward=True) as trap:
        job.go()
        trap.wait()
        job.succeeded()
        if answered:
            struck = job.row.attempt_started_at + timedelta(seconds=4)
            eventually(lambda: now() > struck, what="the time limit has struck")
            trap.released.set()
        # Who gets no answer even then is ended from outside.
        eventually(lambda: dead(job.pids[0]), what="the worker is replaced")
    PlantJob(ground.gateway, shop, "quick").succeeded()
    job.succeeded()
    assert job.kinds == ["started", "succeeded"]
    assert shop.balance == 100 - 2 * job.row.credits_cost
    if answered:
        assert "Task exceeded maximum timeout value (3 seconds)" in ground.gateway.log("worker")
