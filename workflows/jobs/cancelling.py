from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from billing.models import Client
from workflows.errors import JobNotFound, JobOver
from workflows.jobs.refunds import CANCELLED, end_in_failure
from workflows.models import Job, JobEvent


def cancel(*, job_id: str, client: Client) -> Job:
    """Cancel an open job of a client's, which asked for it, and return it as it is then.

    A job that nobody works on ends here, in FAILURE, refunded. Of one that runs it is written down that it shall: from
    then on it can only end so, when its engine reaches its next step, or when its lease lapses. To cancel such a job
    again changes nothing. Raises JobNotFound, or JobOver where the job has ended.
    """
    return _cancel(Job.objects.filter(pk=job_id, client=client), job_id=job_id, by="the client")


def cancel_by_staff(*, job_id: str, actor: str) -> Job:
    """Cancel any open job, in somebody's name; else as `cancel`. Its client is told that staff did."""
    return _cancel(Job.objects.filter(pk=job_id), job_id=job_id, by="staff", actor=actor)


def why_not_cancel(job: Job) -> str | None:
    """Say why a job cannot be cancelled now; None where it can."""
    if job.status not in Job.OPEN:
        return "it has ended"
    return "it was cancelled, and ends as soon as its engine stops" if job.cancel_requested_at else None


def _cancel(which: QuerySet[Job], *, job_id: str, by: str, actor: str = "") -> Job:
    while job := which.first():
        if job.status not in Job.OPEN:
            raise JobOver(job_id=job.pk, status=job.status)
        now = Job.objects.filter(pk=job.pk, status__in=Job.OPEN, attempt=job.attempt)
        idle = now.filter(Q(lease_until=None) | Q(lease_until__lte=Now()))
        running = now.filter(lease_until__gt=Now())
        message = f"The job was cancelled by {by}." if actor else "The job was cancelled."
        ended = end_in_failure(idle, job=job, code=CANCELLED, message=message, retryable=True, actor=actor)
        if ended or _ask(running, job, by=by):
            job.refresh_from_db()
            return job
        # Between the two looks it began, ended or waited: look again.
    raise JobNotFound(job_id=job_id)


def _ask(running: QuerySet[Job], job: Job, *, by: str) -> bool:
    with transaction.atomic(durable=True):
        if running.filter(cancel_requested_at=None).update(cancel_requested_at=Now()):
            JobEvent.objects.create(
                job=job, kind=JobEvent.Kind.CANCELLING, attempt=job.attempt, detail=f"asked for by {by}"
            )
            return True
        return running.exists()
