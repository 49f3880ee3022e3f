import logging
from datetime import timedelta

from django.db import IntegrityError
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from workflows.jobs.refunds import end_in_failure
from workflows.models import Job

logger = logging.getLogger(__name__)

SWEEP_LIMIT = 500
# How long past its deadline a job may be seen open, whatever was killed: a sweep comes every 2 s and ends one job a
# transaction; the rest is for the database to be back, and for a worker that sweeps.
MARGIN = timedelta(seconds=30)


def overdue() -> QuerySet[Job]:
    """Open jobs whose deadline has passed, whoever is at work on them."""
    return Job.objects.filter(ended_at=None, deadline_at__lte=Now())


def lost() -> QuerySet[Job]:
    """Running jobs whose worker fell silent, and which shall not run again: out of attempts, or cancelled."""
    last = Q(attempt__gte=F("max_attempts")) | Q(cancel_requested_at__isnull=False)
    return Job.objects.filter(last, status=Job.Status.IN_PROGRESS, lease_until__lte=Now())


def sweep() -> int:
    """Fail and refund what nobody will finish, one job per transaction; return how many ended here.

    At most SWEEP_LIMIT of each sort, so that whoever sweeps can see to other things in between: when that many ended,
    there may be more. Any number of sweeps may run at once, also against workers: each job is ended by whoever's UPDATE
    moves it. A job that cannot be ended, because its rows contradict each other, is left to `reconcile` and keeps no
    other waiting.
    """
    ended = _end(overdue(), code="deadline_exceeded", message="The job was not done by its deadline.")
    lost_message = "The worker was lost while it was at this job, on the last of its attempts."
    return ended + _end(lost(), code="worker_lost", message=lost_message)


def _end(rows: QuerySet[Job], *, code: str, message: str) -> int:
    ended, last = 0, ""
    while ended < SWEEP_LIMIT and (page := list(rows.filter(pk__gt=last).order_by("pk")[:SWEEP_LIMIT])):
        for job in page:
            row = rows.filter(pk=job.pk, attempt=job.attempt)
            try:
                ended += end_in_failure(row, job=job, code=code, message=message, retryable=True)
            except IntegrityError:
                logger.exception("job %s cannot be ended", job.pk)
        last = page[-1].pk
    return ended
