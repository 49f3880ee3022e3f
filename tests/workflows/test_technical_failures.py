"""`on_technical_failure`: what is understood when an order is accepted, and what follows from it."""

from typing import Any

import pytest

from tests.conftest import Shop
from tests.helpers import FAILURE, SPEC, books_are_right, claimed, get, kinds, lapse, post
from workflows import jobs
from workflows.models import Job, Workflow

MODEL = {"image_model": "Some-Model"}


def ordered(shop: Shop, **spec: Any) -> Job:
    answer = post(shop, "/v1/background-generator", {**SPEC, **spec})
    assert answer.status_code == 202
    return Job.objects.get(pk=answer.json()["job_id"])


def again(job: Job) -> jobs.Attempt:
    """The next attempt, without its pause."""
    Job.objects.filter(pk=job.pk).update(run_after=job.accepted_at)
    return claimed(job)


@pytest.mark.parametrize(
    ("spec", "policy", "max_attempts"),
    [
        ({}, "retry", 3),
        ({"on_technical_failure": None}, "retry", 3),
        ({"on_technical_failure": "retry"}, "retry", 3),
        ({"on_technical_failure": " FAIL "}, "fail", 1),
        ({"on_technical_failure": "fallback", **MODEL}, "fallback", 3),
        ({"on_technical_failure": "Fallback", "image_model": "built-in"}, "retry", 3),
        ({"on_technical_failure": "fallback"}, "retry", 3),
        ({"on_technical_failure": "hope"}, "retry", 3),
        ({"on_technical_failure": ""}, "retry", 3),
        ({"on_technical_failure": "x" * 100_000}, "retry", 3),
    ],
)
def test_an_order_is_accepted_with_what_is_understood(db, shop: Shop, spec: dict, policy: str, max_attempts: int):
    job = ordered(shop, **spec)
    assert (job.on_technical_failure, job.max_attempts) == (policy, max_attempts)
    assert job.spec.items() >= spec.items()


def test_a_value_that_is_not_known_means_the_default_and_the_timeline_says_so(db, shop: Shop):
    job = ordered(shop, on_technical_failure="hope")
    attempt = claimed(job)
    assert job.events.get().detail == 'on_technical_failure "hope" is not known; the default is in force: retry'
    assert jobs.fail(attempt, **FAILURE, technical=True)
    again(job)
    assert [event.detail for event in job.events.all() if event.kind == "started"][1] == ""


def test_a_known_value_is_nothing_to_remark_on(db, shop: Shop):
    for value in ("retry", "fail", None):
        job = ordered(shop, on_technical_failure=value)
        claimed(job)
        assert job.events.get().detail == ""


def test_fail_ends_the_job_with_its_first_technical_failure(db, shop: Shop):
    job = ordered(shop, on_technical_failure="fail")
    assert jobs.fail(claimed(job), **FAILURE, technical=True)
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("FAILURE", "broken")
    assert shop.balance == 100
    books_are_right(shop.client)


def test_fail_ends_the_job_of_a_lost_worker(db, shop: Shop):
    job = ordered(shop, on_technical_failure="fail")
    claimed(job)
    lapse(job)
    assert jobs.claim(job_id=job.pk, worker="w") is None
    assert jobs.sweep() == 1
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("FAILURE", "worker_lost")
    books_are_right(shop.client)


def test_fallback_gives_the_next_attempt_to_the_built_in_engine_at_the_same_price(db, shop: Shop):
    job = ordered(shop, on_technical_failure="fallback", **MODEL)
    first = claimed(job)
    assert (first.job.engine, first.job.fell_back) == ("some-model", False)
    assert jobs.fail(first, **FAILURE, technical=True)
    second = again(job)
    assert (second.job.engine, second.job.fell_back) == ("built-in", True)
    assert job.events.last().detail == 'by the built-in engine instead of "Some-Model"'
    assert jobs.succeed(second, outputs=[], summary={})
    seen = get(shop, f"/v1/jobs/{job.pk}").json()
    assert (seen["engine"], seen["fell_back"], seen["status"]) == ("built-in", True, "SUCCESS")
    assert seen["credits_charged"] == job.credits_cost == 2
    assert shop.balance == 98
    books_are_right(shop.client)


def test_fallback_follows_a_lost_worker_too(db, shop: Shop):
    job = ordered(shop, on_technical_failure="fallback", **MODEL)
    claimed(job)
    lapse(job)
    assert claimed(job).job.engine == "built-in"


def test_fallback_has_an_attempt_to_fall_back_to(db, shop: Shop):
    Workflow.objects.update(max_attempts=1)
    job = ordered(shop, on_technical_failure="fallback", **MODEL)
    assert jobs.fail(claimed(job), **FAILURE, technical=True)
    assert again(job).job.fell_back


def test_a_final_failure_is_neither_tried_again_nor_handed_to_another_engine(db, shop: Shop):
    for policy in ("retry", "fallback"):
        job = ordered(shop, on_technical_failure=policy, **MODEL)
        assert jobs.fail(claimed(job), **FAILURE, technical=False)
        assert kinds(job) == ["started", "failed"]
    assert shop.balance == 100


def test_retry_stays_with_its_engine(db, shop: Shop):
    job = ordered(shop, on_technical_failure="retry", **MODEL)
    assert jobs.fail(claimed(job), **FAILURE, technical=True)
    assert again(job).job.engine == "some-model"
