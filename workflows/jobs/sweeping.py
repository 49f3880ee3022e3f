from django.db.models import F, QuerySet
from django.db.models.functions import Now

from workflows.jobs.refunds import end_in_failure
from workflows.models import Job

BATCH = 100


def overdue() -> QuerySet[Job]:
    """Open jobs whose deadline has passed, whoever is at work on them."""
    return Job.objects.filter(status__in=Job.OPEN, deadline_at__lte=Now())


def lost() -> QuerySet[Job]:
    """Running jobs whose worker fell silent during their last attempt."""
    return Job.objects.filter(
        status=Job.Status.IN_PROGRESS, lease_until__lte=Now(), attempt__gte=F("max_attempts")
    )


def sweep() -> int:
    """Fail and refund what nobody will finish, one job per transaction; return how many ended here.

    Any number of sweeps may run at once, also against workers: each job is ended by whoever's UPDATE moves it.
    """
    ended = 0
    for rows, code, message in (
        (overdue(), "deadline_exceeded", "The job was not done by its deadline."),
        (lost(), "worker_lost", "The worker was lost while it was at this job, on the last of its attempts."),
    ):
        for job in rows.order_by("pk")[:BATCH]:
            row = rows.filter(pk=job.pk, attempt=job.attempt)
            ended += end_in_failure(row, job=job, code=code, message=message)
    return ended
