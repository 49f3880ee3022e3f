"""What nobody will miss: files that no job has. Killed workers delete nothing, and a lost commit's files are kept."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import NamedTuple

from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from studio_gateway.text import is_storable
from workflows.models import Job, Output

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


def orphans() -> Iterator[str]:
    """Yield the keys of files below clients/{id}/jobs/{job}/{attempt}/ that no output has, and none will have.

    That is so when the job has ended or a later attempt has begun. Files of a job that is not in the database are left
    alone: they may be another database's, or what a restored one does not know yet.
    """
    for client in _folders("clients"):
        jobs = _folders(f"clients/{client}/jobs")
        for start in range(0, len(jobs), BATCH):
            files = [file for job in jobs[start : start + BATCH] for file in _files(client, job)]
            yield from (key for key in _without_output(files) if _is_old(key))


def _without_output(files: list[_File]) -> list[str]:
    # In this order: the files were there before the jobs are read, and of a job that has ended all outputs are.
    jobs = Job.objects.only("status", "attempt").in_bulk([file.job_id for file in files])
    over = [file for file in files if (job := jobs.get(file.job_id)) and _is_over(job, file.attempt)]
    keys = [file.key for file in over]
    kept = set(Output.objects.filter(key__in=keys).values_list("key", flat=True))
    kept |= set(Output.objects.filter(thumbnail_key__in=keys).values_list("thumbnail_key", flat=True))
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
