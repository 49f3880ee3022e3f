"""The sweep: what nobody will finish is failed and refunded, and nothing else (P3, P5)."""

from collections.abc import Callable
from typing import Any

from billing import ledger
from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.helpers import FAILURE, books_are_right, claimed, flood, kinds, lapse, move, order, row, sql, succeed
from workflows import jobs
from workflows.jobs import sweeping


def test_the_sweep_fails_what_is_past_its_deadline_whatever_it_is_doing(db, shop: Shop):
    waiting, running, between, done, young = (order(shop) for _ in range(5))
    claimed(running)
    assert jobs.fail(claimed(between), **FAILURE, technical=True)
    assert succeed(claimed(done))
    for job in (waiting, running, between, done):
        move(job, deadline_at="-1 second")
    assert set(sweeping.overdue()) == {waiting, running, between}
    assert jobs.sweep() == 3
    for job in (waiting, running, between):
        job.refresh_from_db()
        assert (job.status, job.error_code) == ("FAILURE", "deadline_exceeded")
        assert job.error_message
        assert kinds(job)[-1] == "failed"
    assert row(done)["status"] == "SUCCESS"
    assert row(young)["status"] == "NOT_STARTED"
    assert shop.balance == 100 - 2 * 2
    assert jobs.sweep() == 0
    books_are_right(shop.client)


def test_the_sweep_fails_a_job_whose_last_attempt_was_lost_and_no_other(db, shop: Shop):
    last, first, alive = order(shop, max_attempts=1), order(shop, max_attempts=2), order(shop, max_attempts=1)
    for job in (last, first, alive):
        claimed(job)
    lapse(last)
    lapse(first)
    assert jobs.sweep() == 1
    last.refresh_from_db()
    assert (last.status, last.error_code) == ("FAILURE", "worker_lost")
    assert row(first)["status"] == row(alive)["status"] == "IN_PROGRESS"
    assert claimed(first).number == 2
    books_are_right(shop.client)


def test_the_sweep_ends_a_job_in_a_transaction_of_its_own(own_database, shop: Shop):
    for _ in range(3):
        move(order(shop), deadline_at="-1 second")
    assert jobs.sweep() == 3
    ((transactions,),) = sql("SELECT count(DISTINCT xmin::text) FROM workflows_job")
    assert transactions == 3


def test_one_job_that_cannot_be_ended_does_not_keep_the_sweep_from_the_others(own_database, shop: Shop):
    stuck, other, lost = order(shop), order(shop), order(shop, max_attempts=1)
    # Somebody has refunded it past us: its own refund is refused by ledger_one_refund, each time.
    ledger.refund(
        client_id=shop.client.pk, credits=2, entry_id=new_ulid(), reference=stuck.pk, reason="by hand", closes_job=False
    )
    claimed(lost)
    lapse(lost)
    for job in (stuck, other):
        move(job, deadline_at="-1 second")
    assert jobs.sweep() == 2
    assert [row(job)["status"] for job in (stuck, other, lost)] == ["NOT_STARTED", "FAILURE", "FAILURE"]
    assert jobs.sweep() == 0


def test_the_sweep_gets_through_more_than_a_batch(db, shop: Shop, monkeypatch):
    monkeypatch.setattr(sweeping, "SWEEP_LIMIT", 10)
    for _ in range(25):
        order(shop)
    sql("UPDATE workflows_job SET deadline_at = statement_timestamp() - interval '1 second'")
    assert [jobs.sweep() for _ in range(4)] == [10, 10, 5, 0]
    assert shop.balance == 100
    books_are_right(shop.client)


def test_open_jobs_are_counted_right_all_along(db, shop: Shop):
    books_are_right(shop.client)
    first, second, third = order(shop), order(shop), order(shop, max_attempts=1)
    books_are_right(shop.client)
    steps: list[Callable[[], Any]] = [
        lambda: jobs.fail(claimed(first), **FAILURE, technical=True),
        lambda: move(first, run_after="-1 second"),
        lambda: succeed(claimed(first)),
        lambda: jobs.refund(job_id=first.pk, reason="r", actor="a"),
        lambda: move(second, deadline_at="-1 second"),
        jobs.sweep,
        lambda: claimed(third),
        lambda: lapse(third),
        jobs.sweep,
    ]
    counted = []
    for step in steps:
        step()
        books_are_right(shop.client)
        counted.append(shop.client.open_jobs)
    assert counted == [3, 3, 2, 2, 2, 1, 1, 1, 0]
    assert shop.balance == 100


def test_the_sweep_reads_its_indexes_and_not_the_whole_queue(db):
    flood(2_000)
    assert "job_open_by_deadline" in sweeping.overdue().explain()
    assert "job_leases" in sweeping.lost().explain()
