from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from billing import ledger
from billing.models import Client
from requestlog.models import RequestLog
from studio_gateway.ids import new_ulid
from workflows.models import Job, Workflow


def submit(*, client: Client, workflow: Workflow, spec: dict[str, Any], credits_cost: int, log: RequestLog) -> Job:
    """Accept an order: log row, job and charge, all or nothing, in one transaction that ends with the charge.

    `log` is the unsaved row of the request; it is saved with the job's id. Raises InsufficientCredits, ClientSuspended
    or TooManyOpenJobs, first from the client as read by authentication, before anything is written, and again from the
    statement that moves the balance, which alone decides.
    """
    ledger.check_admission(client=client, credits=credits_cost)
    job = Job(
        id=new_ulid(),
        request_id=log.request_id,
        client=client,
        workflow=workflow.name,
        spec=spec,
        credits_cost=credits_cost,
        charge_id=new_ulid(),
        deadline_at=Now() + workflow.deadline,
        max_attempts=workflow.max_attempts,
        time_limit=workflow.time_limit,
    )
    log.job_id = job.id
    with transaction.atomic(durable=True):
        log.save(force_insert=True)
        job.save(force_insert=True)
        ledger.charge(client_id=client.pk, credits=credits_cost, entry_id=job.charge_id, reference=job.id)
    return job
