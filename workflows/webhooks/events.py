"""Telling clients: an event, and a delivery for each endpoint that asked for it, in the transaction of what it tells.

Each event is one statement, however many endpoints there are.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from billing.models import Client
from studio_gateway.ids import new_ulid
from workflows.models import Job, Output
from workflows.webhooks.models import Event, WebhookAttempt, WebhookEndpoint

MAX_ENDPOINTS = 10

# The clock is read now and not at the transaction's beginning: whoever tells of a job holds its row's lock, so that its
# events become due in their order.
TELL = """
WITH event AS (
    INSERT INTO workflows_event (id, client_id, job_id, type, sequence, body, created_at)
    VALUES (%(id)s, %(client_id)s, %(job_id)s, %(type)s, %(sequence)s, %(body)s, clock_timestamp())
    RETURNING id, client_id, type, created_at
)
INSERT INTO workflows_webhookdelivery (id, client_id, event_id, endpoint_id, created_at, next_attempt_at)
SELECT (%(delivery_ids)s::text[])[row_number() OVER (ORDER BY endpoint.id)], event.client_id, event.id, endpoint.id,
       event.created_at, event.created_at
  FROM event JOIN workflows_webhookendpoint endpoint USING (client_id)
 WHERE endpoint.disabled_at IS NULL AND {asked_for}
 ORDER BY endpoint.id
 LIMIT %(limit)s
"""
BY_FILTER = "(endpoint.event_types = '{}' OR event.type = ANY (endpoint.event_types))"
BY_ID = "endpoint.id = %(endpoint_id)s"


def tell_of_job(job: Job, *, type: Event.Type, at: datetime | None = None, outputs: Sequence[Output] = ()) -> None:
    """Tell a job's client when it began or ended, or what else became of it `at` a time.

    Must run in the transaction that changed the job's row.

    `job` is as it was read there. Its events have fixed numbers: none happens twice, and a job that never
    began fails first.
    """
    # Here, because DRF takes a while to import, which commands and supervisors need not wait for.
    from workflows.webhooks.serializers import ToldJobSerializer

    job._prefetched_objects_cache = {"outputs": outputs}  # type: ignore[attr-defined]  # no statement for them
    sequence = 1 if type == Event.Type.JOB_STARTED or not job.attempt else 2
    if type == Event.Type.JOB_REFUNDED:
        sequence = 3
    at = at or job.ended_at or job.started_at
    assert at is not None
    data = {**ToldJobSerializer(job).data, "sequence": sequence}
    _tell(type, client_id=job.client_id, at=at, data=data, job_id=job.pk, sequence=sequence)


def forget_what_was_told(job: Job) -> None:
    """Leave of a job's events that there were such, in the transaction that erases the job.

    They stay in the feed and in the log of deliveries, and what waits is still sent, in these words.
    """
    for event in Event.objects.filter(job=job):
        data = {"job_id": job.pk, "erased": True, "link": f"/v1/jobs/{job.pk}", "sequence": event.sequence}
        told = {**json.loads(event.body), "data": data}
        Event.objects.filter(pk=event.pk).update(body=json.dumps(told, ensure_ascii=False))
    # After the events: a sender that is at work looks at them before it writes down what it was answered.
    WebhookAttempt.objects.filter(delivery__event__job=job).update(response_excerpt="")


def tell_of_low_credits(client: Client) -> None:
    """Tell a client that an order took its balance below its threshold, in the transaction of the charge."""
    data = {"balance": client.balance, "threshold": client.low_credits_threshold}
    _tell(Event.Type.CREDITS_LOW, client_id=client.pk, at=client.read_at, data=data)


def tell_of_test(endpoint: WebhookEndpoint, *, at: datetime) -> str:
    """Tell one endpoint that this is a test, whatever events it asked for; return the id of the delivery."""
    return _tell(
        Event.Type.ENDPOINT_TEST,
        client_id=endpoint.client_id,
        at=at,
        data={"endpoint_id": endpoint.pk},
        asked_for=BY_ID,
        endpoint_id=endpoint.pk,
    )


def _tell(
    type: Event.Type,
    *,
    client_id: int,
    at: datetime,
    data: dict[str, Any],
    job_id: str | None = None,
    sequence: int | None = None,
    asked_for: str = BY_FILTER,
    endpoint_id: str = "",
) -> str:
    """Write the event and its deliveries; return the id of the first delivery, were there one."""
    timestamp = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    told = {"type": type.value, "timestamp": timestamp, "data": data}
    delivery_ids = [new_ulid() for _ in range(MAX_ENDPOINTS)]
    values: dict[str, Any] = {
        "id": new_ulid(),
        "client_id": client_id,
        "job_id": job_id,
        "type": type.value,
        "sequence": sequence,
        "body": json.dumps(told, ensure_ascii=False),
        "delivery_ids": delivery_ids,
        "limit": MAX_ENDPOINTS,
        "endpoint_id": endpoint_id,
    }
    with connection.cursor() as cursor:
        cursor.execute(TELL.format(asked_for=asked_for), values)
    return delivery_ids[0]
