"""Telling clients: an event, and a delivery for each endpoint that asked for it, in the transaction of what it tells.

Each event is one statement, however many endpoints there are, and whatever else is written with it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from billing.models import Client
from studio_gateway.ids import new_ulid
from studio_gateway.prepared import prepared_cursor
from workflows.models import Job, Output
from workflows.webhooks.models import Event, WebhookAttempt, WebhookEndpoint

if TYPE_CHECKING:
    from workflows.webhooks.serializers import ToldJobSerializer

MAX_ENDPOINTS = 10  # which one digit numbers

# The clock is read now and not at the transaction's beginning: whoever tells of a job holds its row's lock, so that its
# events become due in their order. The deliveries' ids are the event's, numbered in the first of its random digits: the
# last are counted up from event to event within a millisecond.
TELL = f"""
WITH event AS (
    INSERT INTO workflows_event (id, client_id, job_id, type, sequence, body, created_at)
    VALUES (%(id)s, %(client_id)s, %(job_id)s, %(type)s, %(sequence)s, %(body)s, clock_timestamp())
    RETURNING id, client_id, type, created_at
)
{{with_it}}
INSERT INTO workflows_webhookdelivery (id, client_id, event_id, endpoint_id, created_at, next_attempt_at)
SELECT overlay(event.id PLACING (row_number() OVER (ORDER BY endpoint.id) - 1)::text FROM 11), event.client_id,
       event.id, endpoint.id, event.created_at, event.created_at
  FROM event JOIN workflows_webhookendpoint endpoint USING (client_id)
 WHERE endpoint.disabled_at IS NULL AND {{asked_for}}
 ORDER BY endpoint.id
 LIMIT {MAX_ENDPOINTS}
"""
BY_FILTER = "(endpoint.event_types = '{}' OR event.type = ANY (endpoint.event_types))"
BY_ID = "endpoint.id = %(endpoint_id)s"
NOTHING: Mapping[str, Any] = MappingProxyType({})


def tell_of_job(
    job: Job,
    *,
    type: Event.Type,
    at: datetime | None = None,
    outputs: Sequence[Output] = (),
    with_it: str = "",
    values: Mapping[str, Any] = NOTHING,
) -> None:
    """Tell a job's client when it began or ended, or what else became of it `at` a time.

    Must run in the transaction that changed the job's row; `with_it` is SQL of further CTEs that write what follows
    from it in the same statement, with `values`.

    `job` is as it was read there. Its events have fixed numbers: none happens twice, and a job that never
    began fails first.
    """
    job._prefetched_objects_cache = {"outputs": outputs}  # type: ignore[attr-defined]  # no statement for them
    sequence = 1 if type == Event.Type.JOB_STARTED or not job.attempt else 2
    if type == Event.Type.JOB_REFUNDED:
        sequence = 3
    at = at or job.ended_at or job.started_at
    assert at is not None
    data = {**_told().to_representation(job), "sequence": sequence}
    _tell(
        type,
        client_id=job.client_id,
        at=at,
        data=data,
        job_id=job.pk,
        sequence=sequence,
        with_it=with_it,
        values=values,
    )


@cache
def _told() -> "ToldJobSerializer":
    """Return the serializer of all jobs in this process: to be made it takes longer than to be used."""
    # Here, because DRF takes a while to import, which commands and supervisors need not wait for.
    from workflows.webhooks.serializers import ToldJobSerializer

    return ToldJobSerializer()


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
    """Tell one endpoint that this is a test, whatever events it asked for; return the id of the event."""
    return _tell(
        Event.Type.ENDPOINT_TEST,
        client_id=endpoint.client_id,
        at=at,
        data={"endpoint_id": endpoint.pk},
        asked_for=BY_ID,
        values={"endpoint_id": endpoint.pk},
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
    with_it: str = "",
    values: Mapping[str, Any] = NOTHING,
) -> str:
    """Write the event and its deliveries; return the event's id."""
    timestamp = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    told = {"type": type.value, "timestamp": timestamp, "data": data}
    event: dict[str, Any] = {
        "id": new_ulid(),
        "client_id": client_id,
        "job_id": job_id,
        "type": type.value,
        "sequence": sequence,
        "body": json.dumps(told, ensure_ascii=False),
    }
    with prepared_cursor() as cursor:
        cursor.execute(TELL.format(with_it=with_it, asked_for=asked_for), {**values, **event})
    return str(event["id"])
