from datetime import timedelta
from typing import NamedTuple

from studio_gateway.prepared import prepared_cursor

# Long enough to reach an idle worker process, short enough that a job which waits behind a busy one is soon free for
# another cluster.
RESERVATION_SECONDS = 5

# The first due job of the first client after the one served last. Reads the index job_queue, also by `due_at`: for that
# the time must be stable within the statement, which clock_timestamp() is not. CASE keeps the planner from guessing:
# after a flood of orders, by the statistics of a calmer hour, it would expect so few rows that it read them all, and
# sorted. The commit does not wait for the disk: a reservation that a crash of the server takes along is made again.
RESERVE = """
UPDATE workflows_job
   SET reserved_until = statement_timestamp() + make_interval(secs => %s::int)
 WHERE id = (
    SELECT id FROM workflows_job
     WHERE status IN ('NOT_STARTED', 'IN_PROGRESS') AND client_id > %s::int8 AND due_at <= statement_timestamp()
       AND CASE WHEN attempt < max_attempts THEN deadline_at > statement_timestamp() END
     ORDER BY client_id, due_at, id
     LIMIT 1
       FOR UPDATE SKIP LOCKED)
RETURNING id, client_id, time_limit, set_config('synchronous_commit', 'off', true)
"""


class Reservation(NamedTuple):
    job_id: str
    client_id: int
    time_limit: timedelta


def reserve(*, after_client: int) -> Reservation | None:
    """Reserve a due job for a moment, or return None where nothing is due.

    Clients take turns by id, beginning after `after_client`; within a client the job that has been due longest is
    first. So one client's ten thousand jobs keep another's first waiting for one job at most. A reservation is only a
    courtesy between brokers: the claim is what counts.
    """
    with prepared_cursor() as cursor:
        cursor.execute(RESERVE, [RESERVATION_SECONDS, after_client])
        row = cursor.fetchone()
        if row is None and after_client:
            cursor.execute(RESERVE, [RESERVATION_SECONDS, 0])
            row = cursor.fetchone()
    return row and Reservation(*row[:3])
