"""Files that have outlived their use: of jobs and uploads whose time has come, and what no job has.

Killed workers delete nothing, and a lost commit's files are kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import NamedTuple

from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from billing.models import Client
from studio_gateway.text import is_storable
from workflows.jobs.erasing import expiry
from workflows.models import Job, Output
from workflows.storage import remove_empty_folders, stored_below, upload_folder

# Younger files are left alone, whatever the rows say.
YOUNGEST = timedelta(hours=1)
# So many jobs' files are looked up at once.
BATCH = 500
# Any number that nothing else locks in this database.
LOCK = 7_276_825_401


class _File(NamedTuple):
    key: str
    job_id: str
    attempt: int


@contextmanager
def alone() -> Iterator[bool]:
    """Tell whether nobody else prunes this database, and keep others away meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        (got,) = cursor.fetchone()
        try:
            yield got
        finally:
            if got:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def date() -> None:
    """Let the files of jobs that succeeded before files expired go as if the jobs had ended now.

    So they do also where older code ends jobs beside this one.
    """
    while page := list(_undated().values_list("pk", flat=True)[:BATCH]):
        Job.objects.filter(pk__in=page, files_expire_at=None).update(files_expire_at=expiry())


def expired_jobs() -> Iterator[Job]:
    """Yield the jobs whose files are to be deleted now, in the order in which they expired.

    Those that were erased are among them, for as long as their files could not be deleted.
    """
    expired = _with_files().only("client_id", "files_expire_at").filter(files_expire_at__lte=Now())
    page = list(expired[:BATCH])
    while page:
        yield from page
        at, pk = page[-1].files_expire_at, page[-1].pk
        later = expired.filter(Q(files_expire_at__gt=at) | Q(files_expire_at=at, pk__gt=pk), files_expire_at__gte=at)
        page = list(later[:BATCH])


# Both read the index job_files_kept.
def _with_files() -> QuerySet[Job]:
    kept = Job.objects.filter(Q(status=Job.Status.SUCCESS) | Q(erased_at__isnull=False), files_erased_at=None)
    return kept.order_by("files_expire_at", "pk")


def _undated() -> QuerySet[Job]:
    return Job.objects.filter(status=Job.Status.SUCCESS, files_erased_at=None, files_expire_at=None)


def expired_uploads() -> Iterator[str]:
    """Yield the keys of photos that were uploaded longer ago than their client's files are kept."""
    for client_id, days in Client.objects.order_by("pk").values_list("pk", "retention_days"):
        end = timezone.now() - timedelta(days=days)
        yield from (key for key, written in stored_below(upload_folder(client_id)) if written < end)


def orphans() -> Iterator[str]:
    """Yield the keys of files below clients/{id}/jobs/{job}/{attempt}/ that no output has, and none will have.

    That is so when the job has ended or a later attempt has begun; what a late worker wrote after a job's files were
    gone is no output either, whatever its name. Files of a job that is not in the database are left alone: they may be
    another database's, or what a restored one does not know yet.
    """
    for client, jobs in _stored_jobs():
        files = [file for job in jobs for file in _files(client, job)]
        yield from (key for key in _without_output(files) if _is_old(key))


def tidy() -> None:
    """Remove the folders that jobs which have ended left empty."""
    for client, jobs in _stored_jobs():
        for job in Job.objects.only("pk").filter(pk__in=jobs, ended_at__isnull=False):
            remove_empty_folders(f"clients/{client}/jobs/{job.pk}")


def _stored_jobs() -> Iterator[tuple[str, list[str]]]:
    """Yield the ids of clients, each with those of some jobs that have a folder."""
    for client in _folders("clients"):
        jobs = [job for job in _folders(f"clients/{client}/jobs") if is_storable(job)]
        for start in range(0, len(jobs), BATCH):
            yield client, jobs[start : start + BATCH]


def _without_output(files: list[_File]) -> list[str]:
    # In this order: the files were there before the jobs are read, and of a job that has ended all outputs are.
    jobs = Job.objects.only("status", "attempt").in_bulk([file.job_id for file in files])
    over = [file for file in files if (job := jobs.get(file.job_id)) and _is_over(job, file.attempt)]
    outputs, keys = Output.objects.filter(job__files_erased_at=None), [file.key for file in over]
    kept = set(outputs.filter(key__in=keys).values_list("key", flat=True))
    kept |= set(outputs.filter(thumbnail_key__in=keys).values_list("thumbnail_key", flat=True))
    return [key for key in keys if key not in kept]


def _is_over(job: Job, attempt: int) -> bool:
    return job.status not in Job.OPEN or attempt < job.attempt


def _is_old(key: str) -> bool:
    with suppress(FileNotFoundError):  # whoever left it has come back and deleted it
        return default_storage.get_modified_time(key) < timezone.now() - YOUNGEST
    return False


def _folders(path: str) -> list[str]:
    with suppress(FileNotFoundError):
        return default_storage.listdir(path)[0]
    return []


def _files(client: str, job_id: str) -> Iterator[_File]:
    for attempt in _folders(f"clients/{client}/jobs/{job_id}"):
        folder = f"clients/{client}/jobs/{job_id}/{attempt}"
        with suppress(FileNotFoundError):
            keys = [f"{folder}/{name}" for name in default_storage.listdir(folder)[1]]
            # What is named otherwise is not ours.
            yield from (_File(key, job_id, int(attempt)) for key in keys if attempt.isdecimal() and is_storable(key))
