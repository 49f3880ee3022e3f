import json
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Least, Now

from billing.ledger import CLOSE_JOB
from billing.models import Client
from studio_gateway.prepared import Row, prepared_cursor
from workflows.jobs.policy import remark
from workflows.jobs.refunds import CANCELLED, end_in_failure
from workflows.models import Event, Job, JobEvent, Output
from workflows.webhooks.events import tell_of_job

# A worker that stops heartbeating loses its job after this; another may have it then.
LEASE = timedelta(seconds=10)
# What a lease may exceed the attempt's time limit by: the worker needs it to say that the limit struck.
LEASE_GRACE = timedelta(seconds=5)
# The pause after attempt n is this times 4 to the power of n - 1, give or take a quarter.
BACKOFF_SECONDS = 2.0

# Every job is claimed and ended: each takes two statements, the job's own and one for all that follows from it.
JOB, CLIENT = Row(Job), Row(Client)
CLAIM = f"""
UPDATE workflows_job
   SET status = 'IN_PROGRESS',
       fell_back = fell_back OR (on_technical_failure = 'fallback' AND attempt >= 1),
       attempt = attempt + 1,
       worker = %(worker)s,
       started_at = COALESCE(started_at, statement_timestamp()),
       attempt_started_at = statement_timestamp(),
       lease_until = statement_timestamp() + LEAST(%(lease)s::interval, time_limit + %(grace)s::interval)
  FROM billing_client, billing_configuration
 WHERE workflows_job.id = %(job_id)s AND billing_client.id = workflows_job.client_id
   AND workflows_job.status IN ('NOT_STARTED', 'IN_PROGRESS')
   AND (lease_until IS NULL OR lease_until <= statement_timestamp())
   AND run_after <= statement_timestamp()
   AND attempt < max_attempts
   AND deadline_at > statement_timestamp()
   AND cancel_requested_at IS NULL
RETURNING billing_configuration.version, {JOB.columns}, {CLIENT.columns}
"""
SUCCEED = f"""
UPDATE workflows_job
   SET status = 'SUCCESS',
       ended_at = statement_timestamp(),
       files_expire_at = statement_timestamp() + interval '1 day' * billing_client.retention_days,
       lease_until = NULL,
       summary = %(summary)s::jsonb
  FROM billing_client
 WHERE workflows_job.id = %(job_id)s AND billing_client.id = workflows_job.client_id
   AND workflows_job.status = 'IN_PROGRESS' AND attempt = %(attempt)s
   AND lease_until IS NOT NULL AND cancel_requested_at IS NULL
RETURNING {JOB.columns}
"""
# A CTE for the statement that tells of it.
TIMELINE = """
, timeline AS (
    INSERT INTO workflows_jobevent (job_id, kind, attempt, worker, detail)
    VALUES (%(job_id)s, %(kind)s, %(attempt)s, %(worker)s, %(detail)s)
)
"""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A claimed job: the number is the fence that everything this attempt writes must pass.

    `configuration` is the version that the configuration had when it was claimed.
    """

    job: Job
    number: int
    configuration: int

    def running(self) -> QuerySet[Job]:
        """The job's row, for as long as this attempt is the one that runs."""
        return Job.objects.filter(
            pk=self.job.pk, status=Job.Status.IN_PROGRESS, attempt=self.number, lease_until__isnull=False
        )

    def record(self, kind: JobEvent.Kind, detail: str = "") -> None:
        JobEvent.objects.create(job=self.job, kind=kind, attempt=self.number, worker=self.job.worker, detail=detail)


def claim(*, job_id: str, worker: str) -> Attempt | None:
    """Begin the next attempt of a due job: raise its number and take a lease. None: it is not to be had.

    With FALLBACK every attempt but the first is the built-in engine's: the first failed, or its worker was lost.
    """
    values: dict[str, Any] = {"job_id": job_id, "worker": worker, "lease": LEASE, "grace": LEASE_GRACE}
    with transaction.atomic(durable=True):
        with prepared_cursor() as cursor:
            cursor.execute(CLAIM, values)
            row = cursor.fetchone()
        if row is None:
            return None
        configuration, job = row[0], JOB.instance(row[1 : 1 + len(JOB)])
        job.client = CLIENT.instance(row[1 + len(JOB) :])
        attempt = Attempt(job=job, number=job.attempt, configuration=configuration)
        if attempt.number > 1:
            attempt.record(JobEvent.Kind.STARTED, remark(job))
        else:
            told = {"kind": JobEvent.Kind.STARTED.value, "attempt": 1, "worker": worker, "detail": remark(job)}
            tell_of_job(job, type=Event.Type.JOB_STARTED, with_it=TIMELINE, values=told)
    return attempt


def heartbeat(attempt: Attempt) -> bool:
    """Renew the lease, never past the attempt's time limit.

    False: nobody waits for this attempt any more. It is over, whatever its worker thinks, or the job was cancelled and
    will be ended by the sweep unless its worker does so before the lease lapses.
    """
    limit = F("attempt_started_at") + F("time_limit") + LEASE_GRACE
    wanted = attempt.running().filter(cancel_requested_at=None)
    return bool(wanted.update(lease_until=Least(Now() + LEASE, limit)))


def succeed(attempt: Attempt, *, outputs: list[Output], summary: dict[str, Any]) -> bool:
    """End the job in SUCCESS with its outputs. False: it came too late, or was cancelled; nothing was written."""
    values: dict[str, Any] = {"job_id": attempt.job.pk, "attempt": attempt.number, "summary": json.dumps(summary)}
    with transaction.atomic(durable=True):
        with prepared_cursor() as cursor:
            cursor.execute(SUCCEED, values)
            row = cursor.fetchone()
        if row is None:
            return False
        job = JOB.instance(row)
        Output.objects.bulk_create(outputs)
        told = {"kind": JobEvent.Kind.SUCCEEDED.value, "attempt": job.attempt, "worker": job.worker, "detail": ""}
        # The client's row comes last, and is locked for no longer than this statement and the commit.
        tell_of_job(job, type=Event.Type.JOB_SUCCEEDED, outputs=outputs, with_it=TIMELINE + CLOSE_JOB, values=told)
    return True


def fail(attempt: Attempt, *, code: str, message: str, technical: bool) -> bool:
    """End the attempt: let the job wait for its next one, or end it in FAILURE with its refund.

    Only a technical failure is tried again, while attempts are left and the pause ends before the deadline. A job that
    was cancelled ends as cancelled. False: the attempt came too late and nothing was written.
    """
    if technical and _wait(attempt, detail=f"{code}: {message}"):
        return True
    return end_in_failure(attempt.running(), job=attempt.job, code=code, message=message, retryable=technical)


def give_up(attempt: Attempt) -> bool:
    """End the job if it was cancelled while this attempt ran. False: it was not, or has ended; nothing was written."""
    cancelled = attempt.running().exclude(cancel_requested_at=None)
    message = "The job was cancelled."
    return end_in_failure(cancelled, job=attempt.job, code=CANCELLED, message=message, retryable=True)


def _wait(attempt: Attempt, *, detail: str) -> bool:
    pause = timedelta(seconds=BACKOFF_SECONDS * 4 ** (attempt.number - 1) * random.uniform(0.75, 1.25))
    with transaction.atomic(durable=True):
        moved = (
            attempt.running()
            .filter(attempt__lt=F("max_attempts"), deadline_at__gt=Now() + pause, cancel_requested_at=None)
            .update(lease_until=None, reserved_until=None, run_after=Now() + pause)
        )
        if moved:
            attempt.record(JobEvent.Kind.WAITING, detail)
    return bool(moved)
