import json
from contextlib import nullcontext
from typing import Any

from django.db import IntegrityError, transaction

from billing import ledger
from billing.models import Client
from requestlog.models import RequestLog
from studio_gateway.ids import new_ulid
from workflows.jobs.policy import attempts_allowed, on_technical_failure
from workflows.jobs.replays import Once, replayed
from workflows.models import Job, Workflow
from workflows.webhooks.events import tell_of_low_credits

LOG = ("request_id", "method", "path", "status", "code", "duration_ms", "api_key_prefix", "job_id", "remote_addr",
       "user_agent", "body", "body_size", "body_truncated")  # fmt: skip
# Of a job, what its order is answered with; in the order of its columns.
ANSWERED = ("id", "request_id", "client_id", "status", "credits_cost")
# What an order writes besides its charge, in the charge's statement: so the client's row is locked for no longer than
# that takes, and there is nothing to undo. Columns that are not named have the database's defaults.
ROWS = """
, log AS (
    INSERT INTO request_logs (request_id, method, path, status, code, duration_ms, client_id, api_key_prefix, job_id,
           remote_addr, user_agent, body, body_size, body_truncated)
    SELECT %(request_id)s::text, %(method)s::text, %(path)s::text, %(status)s::int2, %(code)s::text,
           %(duration_ms)s::int4, id, %(api_key_prefix)s::text, %(job_id)s::text, %(remote_addr)s::text,
           %(user_agent)s::text, %(body)s::bytea, %(body_size)s::int4, %(body_truncated)s::bool
      FROM moved
), job AS (
    INSERT INTO workflows_job (id, request_id, client_id, charge_id, credits_cost, workflow, spec, is_test,
           idempotency_key, order_digest, status, deadline_at, on_technical_failure, output_format, attempt,
           max_attempts, time_limit, worker, error_code, error_message, summary)
    SELECT %(job_id)s::text, %(request_id)s::text, id, %(entry_id)s::text, %(credits)s::int4, %(workflow)s::text,
           %(spec)s::jsonb, %(is_test)s::bool, %(idempotency_key)s::text, %(order_digest)s::text, 'NOT_STARTED',
           statement_timestamp() + %(deadline)s::interval, %(on_technical_failure)s::text, %(output_format)s::text, 0,
           %(max_attempts)s::int2, %(time_limit)s::interval, '', '', '', '{}'::jsonb
      FROM moved
)
"""


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
    """Accept an order: log row, job and charge, all or nothing, in one statement.

    `log` is the unsaved row of the request; it is written with the job's id. Raises what `ledger.check_admission`
    raises, first from the client as read by authentication, before anything is written, and again from the statement
    that moves the balance, which alone decides. The job that is returned reads the rest of its row when it is asked.

    Of orders with the same `once` that come at once, one is accepted; the others wait for it and return its job. Raises
    KeyReused.
    """
    ledger.check_admission(client=client, credits=credits_cost)
    policy = on_technical_failure(spec)
    log.job_id = new_ulid()
    values = {
        **{name: getattr(log, name) for name in LOG},
        "workflow": workflow.name,
        "spec": json.dumps(spec),
        "is_test": is_test,
        "idempotency_key": once.key if once else None,
        "order_digest": once.digest if once else "",
        "on_technical_failure": policy.value,
        "output_format": workflow.output_format,
        "max_attempts": attempts_allowed(policy, workflow=workflow),
        "time_limit": workflow.time_limit,
        "deadline": workflow.deadline,
    }
    try:
        while not _placed(client, credits_cost, log.job_id, values):
            # A twin may have been accepted since, and have left no room for another.
            if once and (twin := replayed(client=client, once=once)):
                client.read_again()
                return twin
            # Name the guard that failed. Where none does any more, a job ended or credits came in between: once more.
            client.read_again()
            ledger.check_admission(client=client, credits=credits_cost)
    except IntegrityError as error:
        if once is None or "job_idempotency_key_once" not in str(error):
            raise
        client.read_again()
        twin = replayed(client=client, once=once)
        assert twin is not None  # it has been committed, or the unique key would have let this one in
        return twin
    return Job.from_db("default", ANSWERED, (log.job_id, log.request_id, client.pk, "NOT_STARTED", credits_cost))


def _placed(client: Client, credits: int, job_id: str, values: dict[str, Any]) -> bool:
    """Run the one statement, with a transaction around it only where the client may have to be told of low credits."""
    threshold = client.low_credits_threshold
    with nullcontext() if threshold is None else transaction.atomic(durable=True):
        placed = ledger.charge(
            client=client, credits=credits, entry_id=new_ulid(), reference=job_id, with_it=ROWS, values=values
        )
        if placed and threshold is not None and client.balance < threshold <= client.balance + credits:
            tell_of_low_credits(client)
    return placed
