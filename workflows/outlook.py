"""How long an open job still takes: an estimate, for its client."""

import math
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import IntegerField, JSONField
from django.db.models.expressions import RawSQL

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

# Both are subqueries of the statement that reads a job (reading.py), of whose row they speak.

# Jobs that may be begun before this one while it waits: clients take turns (jobs/queue.py), so before a client's n-th
# job there are n - 1 of its own and up to n of each other. Each step reads the index job_queue, and there are about
# MOST_AHEAD of them at most. NULL for a job that does not wait.
AHEAD = f"""
CASE WHEN workflows_job.status IN ('NOT_STARTED', 'IN_PROGRESS')
      AND (workflows_job.lease_until IS NULL OR workflows_job.lease_until <= statement_timestamp()) THEN (
WITH RECURSIVE own AS (
    SELECT count(*) AS ahead
      FROM (SELECT FROM workflows_job mine
             WHERE mine.status IN ('NOT_STARTED', 'IN_PROGRESS') AND mine.client_id = workflows_job.client_id
               AND mine.due_at <= statement_timestamp()
               AND (mine.due_at, mine.id) < (workflows_job.due_at, workflows_job.id)
             ORDER BY mine.due_at, mine.id LIMIT {MOST_AHEAD}) mine
), clients (id) AS (
    SELECT min(first.client_id) FROM workflows_job first WHERE first.status IN ('NOT_STARTED', 'IN_PROGRESS')
     UNION ALL
    SELECT (SELECT min(next.client_id) FROM workflows_job next
             WHERE next.status IN ('NOT_STARTED', 'IN_PROGRESS') AND next.client_id > clients.id)
      FROM clients WHERE id IS NOT NULL
)
SELECT own.ahead + (
    SELECT count(*)
      FROM (SELECT FROM clients, LATERAL (
                SELECT FROM workflows_job other
                 WHERE other.status IN ('NOT_STARTED', 'IN_PROGRESS') AND other.client_id = clients.id
                   AND other.due_at <= statement_timestamp()
                 ORDER BY other.due_at, other.id LIMIT own.ahead + 1) due
             WHERE clients.id <> workflows_job.client_id
             LIMIT {MOST_AHEAD}) others)
  FROM own
) END
"""
# What the last successes of its workflow took, where it is open and this process has not looked just now; and how many
# workers there are. Reads the index job_last_successes.
TYPICAL = f"""
CASE WHEN workflows_job.status IN ('NOT_STARTED', 'IN_PROGRESS') AND workflows_job.workflow <> ALL (%s) THEN (
SELECT jsonb_build_object(
    'seconds', (SELECT percentile_cont(0.5) WITHIN GROUP (
                       ORDER BY date_part('epoch', last.ended_at - last.attempt_started_at))
                  FROM (SELECT ended_at, attempt_started_at FROM workflows_job done
                         WHERE done.status = 'SUCCESS' AND done.workflow = workflows_job.workflow
                         ORDER BY done.ended_at DESC LIMIT {LAST}) last),
    'workers', (SELECT count(*) FROM workflows_worker
                 WHERE seen_at > statement_timestamp() - interval '{SILENT.seconds} seconds'))
) END
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


def ahead() -> RawSQL:
    return RawSQL(AHEAD, [], IntegerField(null=True))


def typical() -> RawSQL:
    fresh = [name for name, (looked_at, *_) in _kept.items() if time.monotonic() - looked_at <= KEPT_SECONDS]
    return RawSQL(TYPICAL, [fresh], JSONField(null=True))


def outlook(job: Job, *, ahead: int | None, typical: dict[str, Any] | None) -> Outlook:
    """Estimate when `job`, as it was at `job.read_at`, will have ended, from what `ahead` and `typical` said with it.

    `queue_position` counts from 1, the job that is begun next, and is None for a job that runs or has MOST_AHEAD before
    it. `eta_seconds` supposes that all before it takes as long as its own workflow's last successes did, and that each
    worker has as many processes as this machine's; it is None where there are no successes or no workers. What is known
    of a workflow is KEPT_SECONDS old at most.
    """
    if job.status not in Job.OPEN:
        return Outlook()
    if typical is not None:
        took = None if typical["seconds"] is None else timedelta(seconds=typical["seconds"])
        _kept[job.workflow] = (time.monotonic(), took, typical["workers"] * settings.WORKER_PROCESSES)
    _, took, at_once = _kept[job.workflow]
    if ahead is None:
        assert job.attempt_started_at is not None
        left = took and took - (job.read_at - job.attempt_started_at)
        return Outlook(eta_seconds=_seconds(job, left))
    if ahead >= MOST_AHEAD:
        return Outlook()
    left = None
    if took is not None and at_once:
        left = max(job.run_after - job.read_at, timedelta()) + (ahead // at_once + 1) * took
    return Outlook(queue_position=ahead + 1, eta_seconds=_seconds(job, left))


def _seconds(job: Job, left: timedelta | None) -> int | None:
    """Round up; what takes longer than was thought is told as a second, and by its deadline every job has ended."""
    if left is None:
        return None
    return max(1, math.ceil(min(left, job.deadline_at - job.read_at).total_seconds()))
