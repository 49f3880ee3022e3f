"""A transaction that somebody holds open: what was finished since cannot be cleaned up, and the queue steps over it."""

import psycopg
import pytest
from django.db import connection

from tests import databases
from tests.helpers import flood
from workflows import jobs
from workflows.jobs.queue import RESERVE
from workflows.models import Job


def _finish_one() -> None:
    """Do what a job costs its worker in statements, without an engine."""
    reserved = jobs.reserve(after_client=0)
    assert reserved is not None
    attempt = jobs.claim(job_id=reserved.job_id, worker="w")
    assert attempt is not None
    assert jobs.succeed(attempt, outputs=[], summary={})


def _cost_of_a_reservation() -> tuple[int, float]:
    """Return the buffers that reserving a job touches, and the milliseconds it takes; the better of three."""
    costs = []
    for _ in range(3):
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {RESERVE}", [5, 0])
            plan = cursor.fetchone()[0][0]
            cursor.execute("ROLLBACK")
        costs.append((plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"], plan["Execution Time"]))
    return min(costs)


@pytest.mark.slow
def test_jobs_get_done_while_a_transaction_is_held_open_with_20_000_waiting(own_database: str):
    shop = flood(20_000)
    with psycopg.connect(databases.url(own_database)) as holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT count(*) FROM workflows_job")
        costs = {0: _cost_of_a_reservation()}
        for finished in range(1, 3_001):
            _finish_one()
            if finished % 1_000 == 0:
                costs[finished] = _cost_of_a_reservation()
        # Nothing that was finished can be cleaned up meanwhile, and a reservation has to step over it.
        assert costs[3_000][0] < 1_000, costs
        assert holder.execute("SELECT count(*) FROM workflows_job WHERE status = 'SUCCESS'").fetchone() == (0,)
    assert Job.objects.filter(status=Job.Status.SUCCESS).count() == 3_000
    shop.client.refresh_from_db()
    assert shop.client.open_jobs == 17_000
