"""The life of a job after the 202: claims, leases, the fence, next attempts, and the one outcome (P1, P3, P4, P5)."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from billing.models import LedgerEntry
from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.helpers import (
    FAILURE,
    books_are_right,
    claimed,
    kinds,
    lapse,
    move,
    now,
    order,
    output,
    row,
    succeed,
    together,
)
from workflows import jobs
from workflows.errors import NotRefundable
from workflows.jobs.attempts import LEASE, LEASE_GRACE
from workflows.models import Job, JobEvent, Output

# Claims


def test_a_claim_begins_an_attempt_and_takes_a_lease(db, shop: Shop):
    job = order(shop)
    attempt = claimed(job, worker="host:1")
    job.refresh_from_db()
    assert (attempt.number, attempt.job.pk, attempt.job.client) == (1, job.pk, shop.client)
    assert (job.status, job.attempt, job.worker) == ("IN_PROGRESS", 1, "host:1")
    assert job.started_at == job.attempt_started_at
    assert job.lease_until - job.attempt_started_at == LEASE
    event = job.events.get()
    assert (event.kind, event.attempt, event.worker) == ("started", 1, "host:1")
    books_are_right(shop.client)


@pytest.mark.parametrize(
    "changes",
    [
        {"run_after": "1 minute"},
        {"deadline_at": "-1 second"},
        {"deadline_at": "0 seconds"},
    ],
)
def test_a_job_that_is_not_due_is_not_to_be_had(db, shop: Shop, changes: dict[str, str]):
    job = order(shop)
    move(job, **changes)
    before = row(job)
    assert jobs.claim(job_id=job.pk, worker="w") is None
    assert row(job) == before
    assert not JobEvent.objects.exists()


def test_a_running_an_ended_and_an_unknown_job_are_not_to_be_had(db, shop: Shop):
    running, succeeded, failed = order(shop), order(shop), order(shop)
    claimed(running)
    assert succeed(claimed(succeeded))
    assert jobs.fail(claimed(failed), **FAILURE, technical=False)
    for job_id in (running.pk, succeeded.pk, failed.pk, new_ulid(), "x"):
        assert jobs.claim(job_id=job_id, worker="w") is None
    assert Job.objects.get(pk=running.pk).attempt == 1


def test_a_job_without_attempts_left_is_not_to_be_had(db, shop: Shop):
    job = order(shop, max_attempts=1)
    claimed(job)
    lapse(job)
    assert jobs.claim(job_id=job.pk, worker="w") is None


def test_a_reservation_does_not_stand_in_the_way_of_a_claim(db, shop: Shop):
    job = order(shop)
    assert jobs.reserve(after_client=0).job_id == job.pk
    assert claimed(job).number == 1


def test_two_that_claim_at_once_get_one_attempt(own_database):
    shop = Shop.make(credits=100)
    for _ in range(15):
        job = order(shop)
        claims = together(*[lambda worker=w, job=job: jobs.claim(job_id=job.pk, worker=worker) for w in "abcd"])
        won = [attempt for attempt in claims if attempt is not None]
        assert len(won) == 1, claims
        job.refresh_from_db()
        assert (job.attempt, job.worker) == (1, won[0].job.worker)
        assert kinds(job) == ["started"]


def test_two_that_claim_a_lapsed_job_at_once_get_one_attempt(own_database):
    shop = Shop.make(credits=100)
    for _ in range(10):
        job = order(shop)
        claimed(job)
        lapse(job)
        claims = together(*[lambda job=job: jobs.claim(job_id=job.pk, worker="w")] * 4)
        assert [attempt.number for attempt in claims if attempt is not None] == [2]


# Leases


def test_a_heartbeat_renews_the_lease(db, shop: Shop):
    attempt = claimed(order(shop))
    move(attempt.job, lease_until="1 second")
    assert jobs.heartbeat(attempt)
    left = Job.objects.get().lease_until - now()
    assert LEASE - timedelta(seconds=5) < left <= LEASE


def test_a_heartbeat_never_reaches_past_the_limit_of_the_attempt(db, shop: Shop):
    job = order(shop, time_limit=timedelta(seconds=20))
    attempt = claimed(job)
    for ago in ("-5 seconds", "-18 seconds", "-40 seconds"):
        move(job, attempt_started_at=ago)
        assert jobs.heartbeat(attempt)
        job.refresh_from_db()
        assert job.lease_until <= job.attempt_started_at + job.time_limit + LEASE_GRACE
    assert job.lease_until < now()  # a worker that only beats is taken for lost


def test_a_first_lease_of_a_short_limit_is_short(db, shop: Shop):
    job = order(shop, time_limit=timedelta(seconds=1))
    claimed(job)
    job.refresh_from_db()
    assert job.lease_until - job.attempt_started_at == timedelta(seconds=1) + LEASE_GRACE


def test_a_job_whose_lease_lapsed_is_due_again_and_its_next_attempt_has_the_next_number(db, shop: Shop):
    job = order(shop)
    first = claimed(job, worker="lost")
    started = Job.objects.get().started_at
    assert jobs.reserve(after_client=0) is None
    lapse(job)
    assert jobs.reserve(after_client=0).job_id == job.pk
    second = claimed(job, worker="next")
    job.refresh_from_db()
    assert (first.number, second.number) == (1, 2)
    assert (job.attempt, job.worker, job.started_at) == (2, "next", started)
    assert job.attempt_started_at > started
    books_are_right(shop.client)


def test_a_worker_whose_lease_lapsed_may_still_finish_while_nobody_else_has_the_job(db, shop: Shop):
    job = order(shop)
    attempt = claimed(job)
    lapse(job)
    assert succeed(attempt)
    assert row(job)["status"] == "SUCCESS"


# The fence

LATE: dict[str, Callable[[jobs.Attempt], bool]] = {
    "heartbeat": jobs.heartbeat,
    "succeed": succeed,
    "fail": lambda attempt: jobs.fail(attempt, **FAILURE, technical=False),
    "fail, technically": lambda attempt: jobs.fail(attempt, **FAILURE, technical=True),
}


def nothing_is_written_by(late: Callable[[jobs.Attempt], bool], attempt: jobs.Attempt, shop: Shop) -> None:
    def everything() -> list[Any]:
        return [
            list(m.objects.order_by("pk").values()) for m in (Job, JobEvent, Output, LedgerEntry, type(shop.client))
        ]

    before = everything()
    assert late(attempt) is False
    assert everything() == before


@pytest.mark.parametrize("late", LATE)
def test_an_old_attempt_writes_nothing_once_another_has_begun(db, shop: Shop, late: str):
    job = order(shop)
    old = claimed(job)
    lapse(job)
    new = claimed(job)
    nothing_is_written_by(LATE[late], old, shop)
    assert succeed(new)
    nothing_is_written_by(LATE[late], old, shop)
    nothing_is_written_by(LATE[late], new, shop)
    assert Job.objects.get().summary == {"by": 2}
    books_are_right(shop.client)


@pytest.mark.parametrize("late", LATE)
def test_an_attempt_writes_nothing_while_its_job_waits_for_the_next_one(db, shop: Shop, late: str):
    attempt = claimed(order(shop))
    assert jobs.fail(attempt, **FAILURE, technical=True)
    nothing_is_written_by(LATE[late], attempt, shop)


@pytest.mark.parametrize("late", LATE)
def test_an_attempt_writes_nothing_once_the_sweep_has_ended_its_job(db, shop: Shop, late: str):
    job = order(shop)
    attempt = claimed(job)
    move(job, deadline_at="-1 second")
    assert jobs.sweep() == 1
    nothing_is_written_by(LATE[late], attempt, shop)


# Ends


def test_success_keeps_the_charge_writes_the_outputs_and_closes_the_job(db, shop: Shop):
    job = order(shop)
    attempt = claimed(job)
    shop.client.refresh_from_db()
    assert shop.client.open_jobs == 1
    assert jobs.succeed(attempt, outputs=[output(attempt, 0), output(attempt, 1)], summary={"scene": "podium"})
    job.refresh_from_db()
    shop.client.refresh_from_db()
    assert (job.status, job.lease_until, job.refund_id, job.error_code) == ("SUCCESS", None, None, "")
    assert job.ended_at >= job.started_at
    assert job.summary == {"scene": "podium"}
    assert [o.position for o in job.outputs.all()] == [0, 1]
    assert (shop.client.open_jobs, shop.client.balance) == (0, 98)
    assert kinds(job) == ["started", "succeeded"]
    books_are_right(shop.client)


def test_a_success_whose_outputs_cannot_be_written_writes_nothing(own_database, shop: Shop):
    job = order(shop)
    attempt = claimed(job)
    before = row(job)
    twice = [output(attempt, 0), output(attempt, 1)]
    twice[1].position = 0
    with pytest.raises(IntegrityError, match="output_position_once"):
        jobs.succeed(attempt, outputs=twice, summary={})
    assert row(job) == before
    assert kinds(job) == ["started"]
    books_are_right(shop.client)
    assert jobs.fail(attempt, **FAILURE, technical=False)


def test_a_failure_says_why_and_refunds_once(db, shop: Shop):
    job = order(shop, credits=7)
    assert shop.balance == 93
    assert jobs.fail(claimed(job), code="unknown_model", message="There is none.", technical=False)
    job.refresh_from_db()
    assert (job.status, job.error_code, job.error_message) == ("FAILURE", "unknown_model", "There is none.")
    assert (job.lease_until, job.refund.kind, job.refund.amount, job.refund.reference) == (None, "REFUND", 7, job.pk)
    assert "unknown_model" in job.refund.reason
    assert kinds(job) == ["started", "failed"]
    shop.client.refresh_from_db()
    assert (shop.client.balance, shop.client.open_jobs) == (100, 0)
    books_are_right(shop.client)


def test_the_failure_of_what_was_free_has_a_refund_of_nothing(db, shop: Shop):
    job = order(shop, credits=0)
    assert jobs.fail(claimed(job), **FAILURE, technical=False)
    job.refresh_from_db()
    assert (job.refund.amount, shop.balance) == (0, 100)
    books_are_right(shop.client)


def test_a_technical_failure_waits_and_is_due_later(db, shop: Shop):
    job = order(shop)
    assert jobs.reserve(after_client=0).job_id == job.pk
    assert jobs.fail(claimed(job), **FAILURE, technical=True)
    job.refresh_from_db()
    assert (job.status, job.lease_until, job.reserved_until, job.refund_id) == ("IN_PROGRESS", None, None, None)
    assert timedelta(seconds=1) < job.run_after - job.attempt_started_at < timedelta(seconds=4)
    assert jobs.reserve(after_client=0) is None
    assert jobs.claim(job_id=job.pk, worker="w") is None
    assert kinds(job) == ["started", "waiting"]
    assert job.events.last().detail == "broken: It broke."
    assert shop.balance == 98
    move(job, run_after="-1 second")
    assert jobs.reserve(after_client=0).job_id == job.pk
    assert claimed(job).number == 2
    books_are_right(shop.client)


def test_pauses_grow_with_each_attempt(db, shop: Shop):
    job = order(shop, max_attempts=4)
    pauses = []
    for _ in range(3):
        assert jobs.fail(claimed(job), **FAILURE, technical=True)
        job.refresh_from_db()
        pauses.append((job.run_after - job.events.last().at).total_seconds())
        move(job, run_after="-1 second")
    assert 1 < pauses[0] < pauses[1] < pauses[2] < 45


def test_the_last_technical_failure_is_final_and_refunds_once(db, shop: Shop):
    job = order(shop, max_attempts=2)
    assert jobs.fail(claimed(job), **FAILURE, technical=True)
    move(job, run_after="-1 second")
    assert jobs.fail(claimed(job), **FAILURE, technical=True)
    job.refresh_from_db()
    assert (job.status, job.attempt, job.error_code) == ("FAILURE", 2, "broken")
    assert kinds(job) == ["started", "waiting", "started", "failed"]
    assert shop.balance == 100
    books_are_right(shop.client)


def test_a_technical_failure_whose_pause_would_outlast_the_deadline_is_final(db, shop: Shop):
    job = order(shop)
    attempt = claimed(job)
    move(job, deadline_at="1 second")
    assert jobs.fail(attempt, **FAILURE, technical=True)
    assert row(job)["status"] == "FAILURE"
    books_are_right(shop.client)


def test_a_job_that_succeeded_is_refunded_by_staff_once(db, shop: Shop):
    job = order(shop)
    assert succeed(claimed(job))
    refunded = jobs.refund(job_id=job.pk, reason="blurred", actor="ann")
    assert (refunded.status, refunded.refund.actor, refunded.refund.reason) == ("SUCCESS", "ann", "blurred")
    with pytest.raises(NotRefundable, match="already"):
        jobs.refund(job_id=job.pk, reason="blurred", actor="ann")
    assert shop.balance == 100
    assert kinds(job)[-1] == "refunded"
    books_are_right(shop.client)


def test_an_open_or_failed_job_is_not_refunded_by_staff(db, shop: Shop):
    waiting, running, failed = order(shop), order(shop), order(shop)
    claimed(running)
    jobs.fail(claimed(failed), **FAILURE, technical=False)
    for job in (waiting, running, failed):
        with pytest.raises(NotRefundable):
            jobs.refund(job_id=job.pk, reason="r", actor="a")
    books_are_right(shop.client)


def test_two_of_staff_who_refund_at_once_refund_once(own_database, shop: Shop):
    job = order(shop)
    assert succeed(claimed(job))
    results = together(*[lambda: jobs.refund(job_id=job.pk, reason="r", actor="a")] * 6)
    assert Counter(type(result) for result in results) == {Job: 1, NotRefundable: 5}
    assert shop.balance == 100
    books_are_right(shop.client)
