"""Several that would end a job at once: exactly one outcome, and a refund only with a failure (P3, P4)."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from tests.conftest import Shop
from tests.gateway import eventually
from tests.helpers import (
    FAILURE,
    books_are_right,
    claimed,
    kinds,
    lapse,
    move,
    order,
    succeed,
    together,
    waiting,
)
from workflows import jobs
from workflows.models import Job

ROUNDS = pytest.mark.parametrize("rounds", [20, pytest.param(200, marks=pytest.mark.slow)])


def race(shop: Shop, rounds: int, *contenders: Callable[[jobs.Attempt], Any], overdue: bool = False) -> Counter:
    """Let `contenders` end a fresh running job at once, again and again; return how often each outcome came."""
    attempts = [claimed(order(shop)) for _ in range(rounds)]
    moved: list[list[Any]] = [[] for _ in contenders]

    start = threading.Barrier(len(contenders))

    def run(number: int) -> None:
        for attempt in attempts:
            if overdue and number == 0:
                move(attempt.job, deadline_at="-1 second")  # only now, or the first sweep would end them all
            start.wait(20)
            moved[number].append(contenders[number](attempt))

    for result in together(*[lambda n=n: run(n) for n in range(len(contenders))]):
        assert result is None, result
    outcomes: Counter = Counter()
    for index, attempt in enumerate(attempts):
        job = Job.objects.get(pk=attempt.job.pk)
        assert job.status in ("SUCCESS", "FAILURE")
        assert (job.refund_id is not None) == (job.status == "FAILURE")
        assert job.outputs.count() == (job.status == "SUCCESS")
        assert kinds(job)[1:] == ["succeeded" if job.status == "SUCCESS" else "failed"]
        if not overdue:
            assert sum(bool(m[index]) for m in moved) == 1
        outcomes[job.status] += 1
    books_are_right(shop.client)
    return outcomes


@ROUNDS
def test_success_and_failure_at_once_have_one_outcome_and_refund_only_the_failure(own_database, rounds: int):
    shop = Shop.make(credits=1000)
    outcomes = race(shop, rounds, succeed, lambda attempt: jobs.fail(attempt, **FAILURE, technical=False))
    assert outcomes.total() == rounds
    assert shop.balance == 1000 - 2 * outcomes["SUCCESS"]


@ROUNDS
def test_failures_at_once_refund_once(own_database, rounds: int):
    shop = Shop.make(credits=1000)
    outcomes = race(shop, rounds, *[lambda attempt: jobs.fail(attempt, **FAILURE, technical=False)] * 3)
    assert outcomes == {"FAILURE": rounds}
    assert shop.balance == 1000


@ROUNDS
def test_success_and_the_sweep_at_once_have_one_outcome(own_database, rounds: int):
    shop = Shop.make(credits=1000)
    outcomes = race(shop, rounds, succeed, lambda attempt: jobs.sweep(), overdue=True)
    assert outcomes.total() == rounds
    assert shop.balance == 1000 - 2 * outcomes["SUCCESS"]


@ROUNDS
def test_success_and_two_sweeps_at_once_have_one_outcome(own_database, rounds: int):
    shop = Shop.make(credits=1000)
    outcomes = race(shop, rounds, succeed, lambda attempt: jobs.sweep(), lambda attempt: jobs.sweep(), overdue=True)
    assert outcomes.total() == rounds
    assert shop.balance == 1000 - 2 * outcomes["SUCCESS"]


def test_sweeps_at_once_end_each_job_once(own_database):
    shop = Shop.make(credits=1000)
    for _ in range(40):
        move(order(shop), deadline_at="-1 second")
    ended = together(*[jobs.sweep] * 4)
    assert sum(ended) == 40
    assert Counter(Job.objects.values_list("status", flat=True)) == {"FAILURE": 40}
    assert shop.balance == 1000
    books_are_right(shop.client)


def test_a_claim_and_the_sweep_at_once_leave_a_job_that_runs_or_has_failed(own_database):
    shop = Shop.make(credits=1000)
    for _ in range(20):
        job = order(shop, max_attempts=2)
        claimed(job)
        lapse(job)
        results = together(lambda job=job: jobs.claim(job_id=job.pk, worker="w"), jobs.sweep)
        assert results[0].number == 2
        assert results[1] == 0
    books_are_right(shop.client)


def test_an_order_that_waits_for_its_clients_row_delays_no_other_clients(own_database, shop: Shop):
    other = Shop.make(credits=100)
    done = threading.Event()

    def slow() -> None:
        try:
            order(shop)
        finally:
            done.set()
            connection.close()

    with connection.cursor() as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT 1 FROM billing_client WHERE id = %s FOR UPDATE", [shop.client.pk])
        thread = threading.Thread(target=slow)
        thread.start()
        eventually(waiting, what="the order waits")
        (ordered,) = together(lambda: order(other))
        assert (ordered.client_id, done.is_set()) == (other.client.pk, False)
        holder.execute("COMMIT")
    thread.join(30)
    for each in (shop, other):
        books_are_right(each.client)
        assert each.client.jobs.count() == 1
