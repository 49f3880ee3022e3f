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
    assert set(found) == {f"P{number}" for number in range(1, 9)}
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
