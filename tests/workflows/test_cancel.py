"""POST /v1/jobs/{job_id}/cancel: exactly one outcome, and it is FAILURE once the cancel was answered."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from requestlog.models import RequestLog
from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.helpers import (
    FAILURE,
    books_are_right,
    claimed,
    get,
    kinds,
    lapse,
    move,
    order,
    post,
    refused,
    row,
    succeed,
    together,
)
from workflows import jobs
from workflows.errors import JobOver
from workflows.models import Job


def cancel(shop: Shop, job: Job) -> Any:
    return post(shop, f"/v1/jobs/{job.pk}/cancel", b"")


def running(shop: Shop, **changes: Any) -> jobs.Attempt:
    """A job that runs and was cancelled meanwhile."""
    attempt = claimed(order(shop, **changes))
    assert cancel(shop, attempt.job).status_code == 202
    return attempt


def ended_as_cancelled(shop: Shop, job: Job) -> None:
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("FAILURE", "cancelled")
    assert job.error_message == "The job was cancelled."
    assert kinds(job)[-1] == "failed"
    assert shop.balance == 100
    books_are_right(shop.client)


def test_a_job_that_nobody_began_ends_at_once_and_is_refunded(db, shop: Shop):
    job = order(shop)
    answer = cancel(shop, job)
    assert answer.status_code == 200
    said = answer.json()
    assert (said["job_id"], said["status"], said["credits_refunded"]) == (job.pk, "FAILURE", 2)
    assert said["error"] == {"code": "cancelled", "message": "The job was cancelled.", "retryable": True}
    ended_as_cancelled(shop, job)
    assert jobs.claim(job_id=job.pk, worker="w") is None
    log = RequestLog.objects.get(pk=answer.headers["X-Request-Id"])
    assert (log.status, log.job_id, log.client_id) == (200, job.pk, shop.client.pk)


def test_a_job_that_waits_for_its_next_attempt_ends_at_once(db, shop: Shop):
    job = order(shop)
    assert jobs.fail(claimed(job), **FAILURE, technical=True)
    assert cancel(shop, job).status_code == 200
    ended_as_cancelled(shop, job)
    assert kinds(job) == ["started", "waiting", "failed"]


def test_a_job_whose_worker_fell_silent_ends_at_once_and_what_comes_late_is_dropped(db, shop: Shop):
    attempt = claimed(order(shop))
    lapse(attempt.job)
    assert cancel(shop, attempt.job).status_code == 200
    assert not succeed(attempt)
    ended_as_cancelled(shop, attempt.job)


def test_a_job_that_runs_is_told_to_stop(db, shop: Shop):
    job = order(shop)
    attempt = claimed(job)
    answer = cancel(shop, job)
    assert answer.status_code == 202
    said = answer.json()
    assert (said["status"], said["credits_refunded"], said["error"]) == ("IN_PROGRESS", 0, None)
    assert said["cancel_requested_at"] >= said["started_at"]
    log = RequestLog.objects.get(pk=answer.headers["X-Request-Id"])
    assert (log.status, log.job_id) == (202, job.pk)
    assert kinds(job) == ["started", "cancelling"]
    assert not jobs.heartbeat(attempt)  # which is how its engine learns of it
    assert jobs.give_up(attempt)
    ended_as_cancelled(shop, job)


ENDS: dict[str, Callable[[jobs.Attempt], Any]] = {
    "its engine stops": jobs.give_up,
    "its engine fails": lambda attempt: jobs.fail(attempt, **FAILURE, technical=False),
    "its engine fails technically, with attempts left": lambda attempt: jobs.fail(attempt, **FAILURE, technical=True),
    "its worker falls silent, with attempts left": lambda attempt: lapse(attempt.job) or jobs.sweep(),
    "its deadline comes": lambda attempt: move(attempt.job, deadline_at="-1 second") or jobs.sweep(),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_job_that_was_told_to_stop_ends_as_cancelled(db, shop: Shop, end: str):
    attempt = running(shop)
    assert not succeed(attempt)
    assert row(attempt.job)["status"] == "IN_PROGRESS"
    assert ENDS[end](attempt)
    ended_as_cancelled(shop, attempt.job)
    assert not Job.objects.get().outputs.exists()


def test_a_job_that_was_told_to_stop_is_nobodys_next_attempt(db, shop: Shop):
    attempt = running(shop)
    lapse(attempt.job)
    assert jobs.claim(job_id=attempt.job.pk, worker="w") is None


def test_giving_up_ends_no_job_that_was_not_cancelled(db, shop: Shop):
    attempt = claimed(order(shop))
    before = row(attempt.job)
    assert not jobs.give_up(attempt)
    assert row(attempt.job) == before


def test_to_cancel_a_running_job_again_changes_nothing(db, shop: Shop):
    attempt = running(shop)
    before = row(attempt.job)
    assert cancel(shop, attempt.job).status_code == 202
    assert row(attempt.job) == before
    assert kinds(attempt.job) == ["started", "cancelling"]


@pytest.mark.parametrize("end", [succeed, lambda attempt: jobs.fail(attempt, **FAILURE, technical=False)])
def test_what_is_over_cannot_be_cancelled(db, shop: Shop, end: Callable[[jobs.Attempt], bool]):
    job = order(shop)
    assert end(claimed(job))
    before = row(job)
    said = refused(cancel(shop, job), 409, "job_over")
    assert before["status"] in said["detail"]
    assert row(job) == before


def test_what_was_cancelled_is_over(db, shop: Shop):
    job = order(shop)
    cancel(shop, job)
    refused(cancel(shop, job), 409, "job_over")
    ended_as_cancelled(shop, job)


def test_only_the_job_of_ones_own_can_be_cancelled(db, shop: Shop):
    job, stranger = order(shop), Shop.make(name="Stranger")
    before = row(job)
    theirs = refused(cancel(stranger, job), 404, "not_found")
    nothing = refused(post(stranger, f"/v1/jobs/{new_ulid()}/cancel", b""), 404, "not_found")
    assert theirs["detail"] == nothing["detail"]
    refused(post(None, f"/v1/jobs/{job.pk}/cancel", b""), 401, "missing_api_key")
    assert row(job) == before


def test_staff_cancel_a_job_that_nobody_began_and_the_ledger_names_who_did(db, shop: Shop):
    job = jobs.cancel_by_staff(job_id=order(shop).pk, actor="grace-h")
    assert (job.status, job.error_code) == ("FAILURE", "cancelled")
    assert job.error_message == "The job was cancelled by staff."
    assert (job.refund.actor, job.refund.reason) == ("grace-h", "failed: cancelled")
    assert "grace-h" not in str(get(shop, f"/v1/jobs/{job.pk}").json())
    books_are_right(shop.client)


def test_staff_tell_a_running_job_to_stop(db, shop: Shop):
    attempt = claimed(order(shop))
    assert jobs.why_not_cancel(attempt.job) is None
    job = jobs.cancel_by_staff(job_id=attempt.job.pk, actor="ada")
    assert (job.status, kinds(job)) == ("IN_PROGRESS", ["started", "cancelling"])
    assert "ends as soon as its engine stops" in str(jobs.why_not_cancel(job))
    assert [event.detail for event in job.events.filter(kind="cancelling")] == ["asked for by staff"]
    assert not succeed(attempt)
    assert jobs.give_up(attempt)
    ended_as_cancelled(shop, job)
    with pytest.raises(JobOver):
        jobs.cancel_by_staff(job_id=job.pk, actor="ada")


def cancelled_or_over(shop: Shop, job: Job) -> Job | None:
    try:
        return jobs.cancel(job_id=job.pk, client=shop.client)
    except JobOver:
        return None


@pytest.mark.parametrize("races", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_cancel_against_finish_has_one_outcome(own_database, races: int):
    shop = Shop.make(credits=2000)
    finished = sum(_cancelled_while_they_finish(shop) for _ in range(races // 50))
    assert shop.balance == 2000 - 2 * finished
    assert 0 < finished < races
    books_are_right(shop.client)


def _cancelled_while_they_finish(shop: Shop) -> int:
    """Let fifty running jobs be finished and cancelled at once, one after the other; return how many succeeded."""
    attempts = [claimed(order(shop)) for _ in range(50)]
    start = threading.Barrier(2)

    def finish() -> list[bool]:
        done = []
        for number, attempt in enumerate(attempts):
            start.wait(20)
            time.sleep(number % 20 / 4000)  # the cancel takes a look first: its head start varies around that
            done.append(succeed(attempt))
        return done

    def cancel_all() -> list[Job | None]:
        return [cancelled_or_over(shop, attempt.job) for attempt in attempts if start.wait(20) >= 0]

    finished, cancelled = together(finish, cancel_all)
    for attempt, done, asked in zip(attempts, finished, cancelled, strict=True):
        job = Job.objects.get(pk=attempt.job.pk)
        if job.status in Job.OPEN:  # its worker is still there, and gives up
            assert jobs.give_up(attempt)
            job.refresh_from_db()
        assert done == (job.status == "SUCCESS") == (asked is None)
        assert (job.status, job.error_code) in (("SUCCESS", ""), ("FAILURE", "cancelled"))
        assert (job.refund_id is None) == done
        assert job.outputs.count() == done
    return sum(finished)


def test_cancel_against_a_claim_ends_or_stops_the_job(own_database):
    shop = Shop.make(credits=1000)
    for _ in range(40):
        job = order(shop)
        attempt, asked = together(
            lambda job=job: jobs.claim(job_id=job.pk, worker="w"), lambda job=job: cancelled_or_over(shop, job)
        )
        job.refresh_from_db()
        assert asked is not None
        if attempt is None:
            assert (asked.status, asked.attempt) == ("FAILURE", 0)
        else:
            assert not succeed(attempt)
            jobs.give_up(attempt)
        job.refresh_from_db()
        assert (job.status, job.error_code) == ("FAILURE", "cancelled")
    assert shop.balance == 1000
    books_are_right(shop.client)


def test_cancels_and_sweeps_at_once_refund_once(own_database):
    shop = Shop.make(credits=1000)
    for _ in range(20):
        job = order(shop)
        move(job, deadline_at="-1 second")
        together(*[lambda job=job: cancelled_or_over(shop, job)] * 3, jobs.sweep)
        job.refresh_from_db()
        assert job.status == "FAILURE" and job.error_code in ("cancelled", "deadline_exceeded")
        assert kinds(job) == ["failed"]
    assert shop.balance == 1000
    books_are_right(shop.client)
