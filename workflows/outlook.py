"""How long an open job still takes: an estimate, for its client."""

import math
import time
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection

from workflows.metrics import SILENT
from workflows.models import Job

# Jobs further back are told no position.
MOST_AHEAD = 1_000
# How many of a workflow's last successes say what its next one takes.
LAST = 50
# For how long one look at these, and at the workers, is told by a process.
KEPT_SECONDS = 5.0
# A client that waits asks again after what is left, in these bounds.
SOONEST, LATEST = 1, 30

# Jobs that may be begun before one of client `client`, due at `due`: clients take turns (jobs/queue.py), so before its
# n-th job there are n - 1 of its own and up to n of each other. Each step reads the index job_queue, and there are
# about MOST_AHEAD of them at most.
AHEAD = """
WITH RECURSIVE own AS (
    SELECT count(*) AS ahead
      FROM (SELECT FROM workflows_job
             WHERE status IN ('NOT_STARTED', 'IN_PROGRESS') AND client_id = %(client)s
               AND due_at <= statement_timestamp() AND (due_at, id) < (%(due)s, %(id)s)
             ORDER BY due_at, id LIMIT %(most)s) mine
), clients (id) AS (
    SELECT min(client_id) FROM workflows_job WHERE status IN ('NOT_STARTED', 'IN_PROGRESS')
     UNION ALL
    SELECT (SELECT min(client_id) FROM workflows_job
             WHERE status IN ('NOT_STARTED', 'IN_PROGRESS') AND client_id > clients.id)
      FROM clients WHERE id IS NOT NULL
)
SELECT own.ahead + (
    SELECT count(*)
      FROM (SELECT FROM clients, LATERAL (
                SELECT FROM workflows_job
                 WHERE status IN ('NOT_STARTED', 'IN_PROGRESS') AND client_id = clients.id
                   AND due_at <= statement_timestamp()
                 ORDER BY due_at, id LIMIT own.ahead + 1) due
             WHERE clients.id <> %(client)s
             LIMIT %(most)s) others)
  FROM own
"""
# Reads the index job_last_successes.
TYPICAL = """
SELECT (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ended_at - attempt_started_at)
          FROM (SELECT ended_at, attempt_started_at FROM workflows_job
                 WHERE status = 'SUCCESS' AND workflow = %(workflow)s
                 ORDER BY ended_at DESC LIMIT %(last)s) successes),
       (SELECT count(*) FROM workflows_worker WHERE seen_at > statement_timestamp() - make_interval(secs => %(silent)s))
"""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What may be said of a job that is still open; of one that has ended, nothing."""

    queue_position: int | None = None
    eta_seconds: int | None = None

    @property
    def retry_after(self) -> int:
        """After how many seconds it makes sense to read the job again."""
        return min(max(self.eta_seconds or SOONEST, SOONEST), LATEST)


# By workflow: when it was looked at, how long an attempt takes, and how many run at once.
_kept: dict[str, tuple[float, timedelta | None, int]] = {}


def outlook(job: Job) -> Outlook:
    """Estimate when `job`, as it was at `job.read_at`, will have ended.

    `queue_position` counts from 1, the job that is begun next, and is None for a job that runs or has MOST_AHEAD before
    it. `eta_seconds` supposes that all before it takes as long as its own workflow's last successes did, and that each
    worker has as many processes as this machine's; it is None where there are no successes or no workers. Takes one
    statement for a job that waits, and another when the last look at the workflow is older than KEPT_SECONDS.
    """
    if job.status not in Job.OPEN:
        return Outlook()
    typical, at_once = _typical(job.workflow)
    if job.lease_until is not None and job.lease_until > job.read_at:
        assert job.attempt_started_at is not None
        left = typical and typical - (job.read_at - job.attempt_started_at)
        return Outlook(eta_seconds=_seconds(job, left))
    ahead = _ahead(job)
    left = None
    if typical is not None and ahead is not None and at_once:
        left = max(job.run_after - job.read_at, timedelta()) + (ahead // at_once + 1) * typical
    return Outlook(queue_position=None if ahead is None else ahead + 1, eta_seconds=_seconds(job, left))


def _seconds(job: Job, left: timedelta | None) -> int | None:
    """Round up; what takes longer than was thought is told as a second, and by its deadline every job has ended."""
    if left is None:
        return None
    return max(1, math.ceil(min(left, job.deadline_at - job.read_at).total_seconds()))


def _ahead(job: Job) -> int | None:
    values = {"client": job.client_id, "due": job.due_at, "id": job.pk, "most": MOST_AHEAD}
    with connection.cursor() as cursor:
        cursor.execute(AHEAD, values)
        (ahead,) = cursor.fetchone()
    return int(ahead) if ahead < MOST_AHEAD else None


def _typical(workflow: str) -> tuple[timedelta | None, int]:
    looked_at, typical, at_once = _kept.get(workflow, (-math.inf, None, 0))
    if time.monotonic() - looked_at > KEPT_SECONDS:
        with connection.cursor() as cursor:
            cursor.execute(TYPICAL, {"workflow": workflow, "last": LAST, "silent": SILENT.seconds})
            typical, workers = cursor.fetchone()
        at_once = workers * settings.WORKER_PROCESSES
        _kept[workflow] = (time.monotonic(), typical, at_once)
    return typical, at_once
