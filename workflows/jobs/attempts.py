import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Least, Now

from billing import ledger
from workflows.jobs.erasing import expiry
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


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A claimed job: the number is the fence that everything this attempt writes must pass."""

    job: Job
    number: int

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
    with transaction.atomic(durable=True):
        moved = Job.objects.filter(
            Q(lease_until=None) | Q(lease_until__lte=Now()),
            pk=job_id,
            status__in=Job.OPEN,
            run_after__lte=Now(),
            attempt__lt=F("max_attempts"),
            deadline_at__gt=Now(),
            cancel_requested_at=None,
        ).update(
            status=Job.Status.IN_PROGRESS,
            fell_back=Case(
                When(on_technical_failure=Job.OnTechnicalFailure.FALLBACK, attempt__gte=1, then=Value(True)),
                default=F("fell_back"),
            ),
            attempt=F("attempt") + 1,
            worker=worker,
            started_at=Coalesce("started_at", Now()),
            attempt_started_at=Now(),
            lease_until=Least(Now() + LEASE, Now() + F("time_limit") + LEASE_GRACE),
        )
        if not moved:
            return None
        job = Job.objects.select_related("client").get(pk=job_id)
        attempt = Attempt(job=job, number=job.attempt)
        attempt.record(JobEvent.Kind.STARTED, remark(job))
        if attempt.number == 1:
            tell_of_job(job, type=Event.Type.JOB_STARTED)
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
    with transaction.atomic(durable=True):
        wanted = attempt.running().filter(cancel_requested_at=None)
        moved = wanted.update(
            status=Job.Status.SUCCESS, ended_at=Now(), files_expire_at=expiry(), lease_until=None, summary=summary
        )
        if not moved:
            return False
        Output.objects.bulk_create(outputs)
        attempt.record(JobEvent.Kind.SUCCEEDED)
        tell_of_job(Job.objects.get(pk=attempt.job.pk), type=Event.Type.JOB_SUCCEEDED, outputs=outputs)
        ledger.close_job(client_id=attempt.job.client_id)
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
