"""The end of a client's data: all that it sent and was sent. What is left is the ledger, and jobs without content."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import QuerySet
from django.db.models.functions import Now

from billing.clients import find_client, suspend_idle
from requestlog import erasing as request_logs
from workflows import jobs
from workflows.errors import ClientHasOpenJobs
from workflows.models import Job
from workflows.storage import client_folder, delete_folder
from workflows.webhooks import retention as webhooks

BATCH = 500


@dataclass(frozen=True, kw_only=True)
class Erased:
    """How much there was to erase."""

    jobs: int
    request_logs: int
    events: int
    endpoints: int


def erase_client(*, client_id: int) -> Erased:
    """Suspend a client that has no open job, and erase what is known of it but for its ledger, for good.

    Rows go first and all files below its folder last, so that whatever breaks off is finished by doing it again. Raises
    UnknownClient, ClientHasOpenJobs, or OSError: then files are there still.
    """
    client = find_client(client_id=client_id)
    if not suspend_idle(client_id=client.pk):
        raise ClientHasOpenJobs(client_id=client.pk)
    forgotten = 0
    for page in _pages(client.jobs.filter(erased_at=None)):
        for job in page:
            if not jobs.forget(job):  # somebody has lifted the suspension
                raise ClientHasOpenJobs(client_id=client.pk)
        forgotten += len(page)
    events, endpoints = webhooks.erase_client(client_id=client.pk)
    logs = request_logs.erase_client(client_id=client.pk)
    delete_folder(client_folder(client.pk))
    for page in _pages(client.jobs.filter(files_erased_at=None)):
        Job.objects.filter(pk__in=[job.pk for job in page]).update(files_erased_at=Now())
    return Erased(jobs=forgotten, request_logs=logs, events=events, endpoints=endpoints)


def _pages(rows: QuerySet[Job]) -> Iterator[list[Job]]:
    last = ""
    while page := list(rows.only("client_id").filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield page
        last = page[-1].pk
