"""The campaign's own SQL finds each corruption that reconcile is tested with: neither is silent."""

from collections.abc import Iterator

import pytest

from tests import databases
from tests.faults import promises
from tests.workflows.test_reconcile import MENDED, REPORTED, Books
from workflows import jobs
from workflows.jobs.sweeping import MARGIN


@pytest.fixture
def books(own_database: str) -> Iterator[Books]:
    yield Books()


def broken(name: str) -> set[str]:
    found = promises.check(databases.url(name), margin=MARGIN)
    assert set(found) == {*(f"P{number}" for number in range(1, 9)), "events"}
    assert all(promise.counted for promise in found.values())
    return {name for name, promise in found.items() if promise.violations}


def test_books_in_order_pass(books: Books, own_database: str):
    jobs.refund(job_id=books.success.pk, reason="colours", actor="ann")
    assert broken(own_database) == set()


@pytest.mark.parametrize("planted", [*MENDED, *REPORTED])
def test_a_planted_violation_is_found(books: Books, own_database: str, planted: str):
    promise, statement = (MENDED | REPORTED)[planted]
    books.plant(statement)
    assert promise in broken(own_database)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM workflows_event WHERE job_id = '{failure.pk}' AND type = 'job.failed'",
        "UPDATE workflows_event SET type = 'job.failed' WHERE job_id = '{success.pk}' AND type = 'job.succeeded'",
        "INSERT INTO workflows_event (id, client_id, job_id, type, sequence, body)"
        " VALUES ('{new}', {client.pk}, '{open.pk}', 'job.started', 1, '')",
    ],
)
def test_what_was_told_and_did_not_happen_is_found_and_what_was_not_told(
    books: Books, own_database: str, statement: str
):
    books.plant(statement)
    assert broken(own_database) == {"events"}
