from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from billing.models import Client
from workflows.errors import JobNotFound, JobOver
from workflows.jobs.refunds import CANCELLED, end_in_failure
from workflows.models import Job, JobEvent


def cancel(*, job_id: str, client: Client) -> Job:
    """Cancel an open job of a client's, and return it as it is then.

    A job that nobody works on ends here, in FAILURE, refunded. Of one that runs it is written down that it shall: from
    then on it can only end so, when its engine reaches its next step, or when its lease lapses. To cancel such a job
    again changes nothing. Raises JobNotFound, or JobOver where the job has ended.
    """
    while job := Job.objects.filter(pk=job_id, client=client).first():
        if job.status not in Job.OPEN:
            raise JobOver(job_id=job.pk, status=job.status)
        now = Job.objects.filter(pk=job.pk, status__in=Job.OPEN, attempt=job.attempt)
        idle = now.filter(Q(lease_until=None) | Q(lease_until__lte=Now()))
        running = now.filter(lease_until__gt=Now())
        message = "The job was cancelled."
        ended = end_in_failure(idle, job=job, code=CANCELLED, message=message, retryable=True)
        if ended or _ask(running, job):
            job.refresh_from_db()
            return job
        # Between the two looks it began, ended or waited: look again.
    raise JobNotFound(job_id=job_id)


def _ask(running: QuerySet[Job], job: Job) -> bool:
    with transaction.atomic(durable=True):
        if running.filter(cancel_requested_at=None).update(cancel_requested_at=Now()):
            JobEvent.objects.create(
                job=job, kind=JobEvent.Kind.CANCELLING, attempt=job.attempt, detail="asked for by the client"
            )
            return True
        return running.exists()
