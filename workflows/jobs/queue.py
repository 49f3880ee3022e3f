from datetime import timedelta
from typing import NamedTuple

from django.db import connection

# Long enough to reach an idle worker process, short enough that a job which waits behind a busy one is soon free for
# another cluster.
RESERVATION_SECONDS = 5

# The first due job of the first client after the one served last. Reads the index job_queue.
RESERVE = """
UPDATE workflows_job
   SET reserved_until = clock_timestamp() + make_interval(secs => %s)
 WHERE id = (
    SELECT id FROM workflows_job
     WHERE status IN ('NOT_STARTED', 'IN_PROGRESS') AND client_id > %s AND due_at <= clock_timestamp()
       AND attempt < max_attempts AND deadline_at > clock_timestamp()
     ORDER BY client_id, due_at, id
     LIMIT 1
       FOR UPDATE SKIP LOCKED)
RETURNING id, client_id, time_limit
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
    with connection.cursor() as cursor:
        cursor.execute(RESERVE, [RESERVATION_SECONDS, after_client])
        row = cursor.fetchone()
        if row is None and after_client:
            cursor.execute(RESERVE, [RESERVATION_SECONDS, 0])
            row = cursor.fetchone()
    return row and Reservation(*row)
