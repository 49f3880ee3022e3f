"""What is kept of a job that has ended: its files until their time has come, all else until its client erases it.

Rows first where content goes, files first where only files go: whatever breaks off in between, no job says that its
files are gone while they are there, and `manage.py prune` finds what is left to do.
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce, Least, Now

from billing.models import Client
from requestlog.erasing import erase_bodies
from workflows.errors import JobNotFound, JobOpen, StorageUnavailable
from workflows.models import Job, JobEvent
from workflows.storage import delete_folder, job_folder
from workflows.webhooks.events import forget_what_was_told


def expiry() -> Subquery:
    """When the files of a job go that ends now, by the retention that its client has now."""
    kept = ExpressionWrapper(
        F("retention_days") * Value(timedelta(days=1), DurationField()), output_field=DurationField()
    )
    until = ExpressionWrapper(Now() + kept, output_field=DateTimeField())
    return Subquery(Client.objects.filter(pk=OuterRef("client_id")).values_list(until))


def erase(*, job_id: str, client: Client) -> None:
    """Erase what an ended job of a client's was about, for good: its spec, what was said of it, and its files.

    Its row stays, with status, times and money. To erase it again is to make sure. Raises JobNotFound, JobOpen, or
    StorageUnavailable: then only the files are there still, and the pruner deletes them if nobody else does.
    """
    job = Job.objects.only("client_id").filter(pk=job_id, client=client).first()
    if job is None:
        raise JobNotFound(job_id=job_id)
    if not forget(job):
        raise JobOpen(job_id=job.pk)
    try:
        erase_files(job)
    except OSError as error:
        raise StorageUnavailable(job_id=job.pk) from error


def forget(job: Job) -> bool:
    """Erase what the rows say of a job that has ended, and let its files expire. False: it is open."""
    with transaction.atomic(durable=True):
        moved = Job.objects.filter(pk=job.pk, ended_at__isnull=False).update(
            spec={},
            summary={},
            error_message="",
            erased_at=Coalesce("erased_at", Now()),
            # PostgreSQL's LEAST passes over NULLs.
            files_expire_at=Least("files_expire_at", Now()),
        )
        if not moved:
            return False
        job.outputs.all().delete()
        # What staff wrote when they refunded it is theirs.
        job.events.exclude(kind=JobEvent.Kind.REFUNDED).update(detail="")
        forget_what_was_told(job)
        erase_bodies(job_id=job.pk)
    return True


def erase_files(job: Job) -> None:
    """Delete whatever was stored for a job that has ended, by whichever attempt, and write down that it is gone.

    Raises OSError where the storage does.
    """
    delete_folder(job_folder(client_id=job.client_id, job_id=job.pk))
    Job.objects.filter(pk=job.pk, files_erased_at=None).update(files_erased_at=Now())
