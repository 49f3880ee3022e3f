"""One job, as its client reads it."""

import hashlib

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Prefetch, Q, prefetch_related_objects
from django.db.models.functions import Now

from billing.models import Client
from workflows import outlook
from workflows.models import Job, JobEvent, Output
from workflows.storage import signed_at

OUTPUTS = Prefetch("outputs", Output.objects.order_by("position"))
EVENTS = Prefetch("events", JobEvent.objects.order_by("id"))

# What the queue writes into a row, every few seconds, and no client is told.
UNTOLD = {"run_after", "reserved_until", "lease_until", "due_at", "worker"}


class Reading:
    """A job at one moment. What is not on its row is read when it is asked for."""

    def __init__(self, job: Job, told: outlook.Outlook) -> None:
        self.job, self.outlook = job, told
        job.queue_position, job.eta_seconds = self.outlook.queue_position, self.outlook.eta_seconds

    @property
    def etag(self) -> str:
        """A weak tag that changes whenever what clients are told does.

        It is made from the row, which says as much as the job's events and outputs, so that these need not be read. The
        URLs of outputs change with the time that they are signed as of.
        """
        told = [getattr(self.job, field.attname) for field in Job._meta.concrete_fields if field.name not in UNTOLD]
        state = (told, self.job.rerun_ids, self.job.lease_until is None, self.outlook, signed_at())
        return f'W/"{hashlib.sha256(repr(state).encode()).hexdigest()[:32]}"'

    def whole(self) -> Job:
        """Return the job with its outputs and events, in two statements."""
        prefetch_related_objects([self.job], OUTPUTS, EVENTS)
        return self.job


def read(*, client: Client, which: Q) -> Reading | None:
    """Read a job of this client's, in one statement. None: there is no such job, or it is another's."""
    reruns = ArraySubquery(Job.objects.filter(rerun_of=OuterRef("pk")).order_by("pk").values("pk"))
    jobs = Job.objects.annotate(now=Now(), reruns_found=reruns, ahead=outlook.ahead(), typical=outlook.typical())
    job = jobs.filter(which, client=client).first()
    if job is None:
        return None
    job.read_at, job.rerun_ids = job.now, job.reruns_found
    return Reading(job, outlook.outlook(job, ahead=job.ahead, typical=job.typical))
