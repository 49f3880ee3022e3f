from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from billing import ledger
from billing.models import Client
from requestlog.models import RequestLog
from studio_gateway.ids import new_ulid
from workflows.jobs.policy import attempts_allowed, on_technical_failure
from workflows.jobs.replays import Once, replayed
from workflows.models import Job, Workflow
from workflows.webhooks.events import tell_of_low_credits


def submit(
    *,
    client: Client,
    workflow: Workflow,
    spec: dict[str, Any],
    credits_cost: int,
    log: RequestLog,
    is_test: bool = False,
    once: Once | None = None,
) -> Job:
    """Accept an order: log row, job and charge, all or nothing, in one transaction that ends with the charge.

    `log` is the unsaved row of the request; it is saved with the job's id. Raises what `ledger.check_admission` raises,
    first from the client as read by authentication, before anything is written, and again from the statement that moves
    the balance, which alone decides.

    Of orders with the same `once` that come at once, one is accepted; the others wait for it at the job's unique key,
    before any of them touches the client's row, and return its job. Raises KeyReused.
    """
    ledger.check_admission(client=client, credits=credits_cost)
    policy = on_technical_failure(spec)
    job = Job(
        id=new_ulid(),
        request_id=log.request_id,
        client=client,
        workflow=workflow.name,
        spec=spec,
        is_test=is_test,
        on_technical_failure=policy,
        output_format=workflow.output_format,
        idempotency_key=once.key if once else None,
        order_digest=once.digest if once else "",
        credits_cost=credits_cost,
        charge_id=new_ulid(),
        deadline_at=Now() + workflow.deadline,
        max_attempts=attempts_allowed(policy, workflow=workflow),
        time_limit=workflow.time_limit,
    )
    log.job_id = job.id
    try:
        with transaction.atomic(durable=True):
            log.save(force_insert=True)
            job.save(force_insert=True)
            if ledger.charge(client=client, credits=credits_cost, entry_id=job.charge_id, reference=job.id):
                tell_of_low_credits(client)
    except IntegrityError as error:
        if once is None or "job_idempotency_key_once" not in str(error):
            raise
        client.read_again()
        twin = replayed(client=client, once=once)
        assert twin is not None  # it has been committed, or the unique key would have let this one in
        return twin
    return job
