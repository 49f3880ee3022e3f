"""The naive life of a job: each step reads the row, changes it and saves it, and pays in a transaction of its own."""

import time
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from billing import ledger
from billing.models import Client
from studio_gateway.ids import new_ulid
from workflows.jobs import Attempt
from workflows.models import Job, JobEvent, Output

# What would refuse it, by table; the control's site has them no more.
CONSTRAINTS = {
    "workflows_job": (
        "job_failure_has_refund",
        "job_open_has_no_refund",
        "job_ended_at_says_ended",
        "job_failure_says_why",
        "job_lease_only_while_running",
        "job_started_says_attempted",
        "job_attempt_range",
        "job_cancelled_ends_so",
    ),
    "billing_client": ("client_open_jobs_not_negative",),
}
LEASE = timedelta(seconds=10)
# Between a status and its refund: whoever is killed here pays nothing back.
PAUSE_SECONDS = 1.0


def claim(*, job_id: str, worker: str) -> Attempt | None:
    job = Job.objects.select_related("client").get(pk=job_id)
    now = timezone.now()
    if job.status not in Job.OPEN or (job.lease_until and job.lease_until > now):
        return None
    job.status, job.attempt, job.worker = Job.Status.IN_PROGRESS, job.attempt + 1, worker
    job.started_at = job.attempt_started_at = now
    job.lease_until = now + LEASE
    _save(job)
    attempt = Attempt(job=job, number=job.attempt, configuration=0)
    attempt.record(JobEvent.Kind.STARTED)  # the supervisor goes by it
    return attempt


def heartbeat(attempt: Attempt) -> bool:
    Job.objects.filter(pk=attempt.job.pk).update(lease_until=timezone.now() + LEASE)
    return True


def succeed(attempt: Attempt, *, outputs: list[Output], summary: dict[str, Any]) -> bool:
    job = Job.objects.get(pk=attempt.job.pk)
    job.status, job.ended_at, job.lease_until, job.summary = Job.Status.SUCCESS, timezone.now(), None, summary
    _save(job)
    Output.objects.filter(job=job).delete()
    Output.objects.bulk_create(outputs)
    Client.objects.filter(pk=job.client_id).update(open_jobs=F("open_jobs") - 1)
    return True


def fail(attempt: Attempt, *, code: str, message: str, technical: bool) -> bool:
    job = Job.objects.get(pk=attempt.job.pk)
    if technical and job.attempt < job.max_attempts:
        job.lease_until, job.run_after = None, timezone.now()
        _save(job)
    else:
        _refund(job, code)
    return True


def give_up(attempt: Attempt) -> bool:
    return fail(attempt, code="cancelled", message="", technical=False)


def sweep() -> int:
    """End what is past its deadline, or has a worker that fell silent."""
    now = timezone.now()
    rows = Job.objects.filter(status__in=Job.OPEN)
    dead = [*rows.filter(deadline_at__lte=now), *rows.filter(lease_until__lte=now)]
    for job in dead:
        _refund(job, "worker_lost")
    return len(dead)


def _refund(job: Job, code: str) -> None:
    job.status, job.error_code, job.ended_at, job.lease_until = Job.Status.FAILURE, code, timezone.now(), None
    _save(job)
    time.sleep(PAUSE_SECONDS)
    with transaction.atomic():
        refund_id = new_ulid()
        ledger.refund(
            client_id=job.client_id,
            credits=job.credits_cost,
            entry_id=refund_id,
            reference=job.pk,
            reason=f"failed: {code}",
            closes_job=True,
        )
        job.refund_id = refund_id
        _save(job)


def _save(job: Job) -> None:
    """Save the whole row as it was read, but for the column that the database makes."""
    job.save(update_fields=[field.name for field in Job._meta.concrete_fields if field.name not in ("id", "due_at")])
