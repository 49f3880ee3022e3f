"""The life of a delivery, which is a job's in small: reserved by a broker, claimed by a sender, ended or put off.

Locks are taken in the order endpoint, delivery, event.
"""

import random
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from billing.models import Client
from studio_gateway.alerts import tell_staff
from workflows.errors import DeliveryNotFound, EndpointDisabled
from workflows.webhooks.endpoints import disable
from workflows.webhooks.models import Event, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from workflows.webhooks.posting import TIMEOUT_SECONDS, Answer

# After the first try, the second, and so on, give or take a tenth; after the last of them it is given up.
PAUSES = [
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=10),
]
# The most that a Retry-After is taken at its word for.
LONGEST_PAUSE = timedelta(days=1)
# An endpoint that has done nothing but fail for this long is disabled.
FAILING = timedelta(days=5)

AT_ONCE = 2
RESERVATION_SECONDS = 5
# A sender that is killed loses its delivery after this; another one sends it again then.
LEASE = timedelta(seconds=TIMEOUT_SECONDS + 5)

UNDER_WAY = "(other.reserved_until > statement_timestamp() OR other.lease_until > statement_timestamp())"
# The first endpoint after the one served last that has something due, and room for it. Not EXISTS, which would be read
# as a join with all that is due; ordered, so that it is read by its index.
READY = f"""
SELECT endpoint.id FROM workflows_webhookendpoint endpoint
 WHERE endpoint.disabled_at IS NULL AND endpoint.id > %(after)s
   AND (SELECT true FROM workflows_webhookdelivery due
         WHERE due.endpoint_id = endpoint.id AND due.next_attempt_at IS NOT NULL
           AND due.due_at <= statement_timestamp() ORDER BY due.due_at LIMIT 1)
   AND (SELECT count(*) FROM workflows_webhookdelivery other
         WHERE other.endpoint_id = endpoint.id AND {UNDER_WAY}) < {AT_ONCE}
 ORDER BY endpoint.id
 LIMIT 1
"""
# While this row is locked nobody else reserves for the endpoint, so what is under way can be counted.
LOCK = "SELECT FROM workflows_webhookendpoint WHERE id = %(endpoint_id)s FOR NO KEY UPDATE SKIP LOCKED"
# First attempts go one after another, so that they arrive in their order; one that takes longer than a second holds
# back no other.
RESERVE = f"""
UPDATE workflows_webhookdelivery
   SET reserved_until = statement_timestamp() + interval '{RESERVATION_SECONDS} seconds'
 WHERE id = (
    SELECT due.id FROM workflows_webhookdelivery due
     WHERE due.endpoint_id = %(endpoint_id)s AND due.next_attempt_at IS NOT NULL
       AND due.due_at <= statement_timestamp()
       AND (due.attempts > 0 OR NOT EXISTS (
            SELECT FROM workflows_webhookdelivery other
             WHERE other.endpoint_id = %(endpoint_id)s AND other.attempts <= 1 AND {UNDER_WAY}
               AND (other.attempts = 0 OR other.attempt_started_at > statement_timestamp() - interval '1 second')))
       AND (SELECT count(*) FROM workflows_webhookdelivery other
             WHERE other.endpoint_id = %(endpoint_id)s AND {UNDER_WAY}) < {AT_ONCE}
     ORDER BY due.due_at, due.id
     LIMIT 1
       FOR UPDATE SKIP LOCKED)
RETURNING id, endpoint_id, attempts
"""


class Reservation(NamedTuple):
    delivery_id: str
    endpoint_id: str
    attempts: int


def ready(*, after_endpoint: str) -> str | None:
    """Return the id of the next endpoint that something could be sent to now; they take turns."""
    with connection.cursor() as cursor:
        cursor.execute(READY, {"after": after_endpoint})
        row = cursor.fetchone()
        if row is None and after_endpoint:
            cursor.execute(READY, {"after": ""})
            row = cursor.fetchone()
    return row and str(row[0])


def reserve(*, endpoint_id: str) -> Reservation | None:
    """Reserve the next delivery to an endpoint for a moment; at most AT_ONCE are under way to it."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(LOCK, {"endpoint_id": endpoint_id})
        if cursor.fetchone() is None:
            return None
        # A statement of its own, which sees what was committed until the lock was taken.
        cursor.execute(RESERVE, {"endpoint_id": endpoint_id})
        row = cursor.fetchone()
    return row and Reservation(*row)


def claim(*, delivery_id: str, attempts: int, worker: str) -> WebhookDelivery | None:
    """Begin the attempt after the first `attempts` ones, while its reservation holds. None: it is not to be had."""
    moved = WebhookDelivery.objects.filter(
        pk=delivery_id, attempts=attempts, next_attempt_at__isnull=False, reserved_until__gt=Now()
    ).update(
        attempts=F("attempts") + 1,
        tries=F("tries") + 1,
        worker=worker,
        attempt_started_at=Now(),
        reserved_until=None,
        lease_until=Now() + LEASE,
    )
    if not moved:
        return None
    return WebhookDelivery.objects.select_related("event", "endpoint").get(pk=delivery_id)


def end(
    delivery: WebhookDelivery, *, answer: Answer, error: str, duration_ms: int, request_headers: dict[str, str]
) -> None:
    """Write down what came of the attempt: delivered where there is no `error`, else put off or given up.

    An endpoint that is gone, or has failed for FAILING, is disabled; of the latter staff are told.
    """
    assert delivery.attempt_started_at is not None
    row = WebhookDelivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts, lease_until__isnull=False)
    endpoint = WebhookEndpoint.objects.filter(pk=delivery.endpoint_id)
    tired = False
    with transaction.atomic(durable=True):
        if not error:
            endpoint.filter(failing_since__isnull=False).update(failing_since=None)
            row.update(delivered_at=Now(), next_attempt_at=None, lease_until=None)
        else:
            endpoint.filter(failing_since=None).update(failing_since=Now())
            failing = Q(failing_since__lte=Now() - FAILING)
            gone = answer.status == 410 and disable(endpoint, reason="The endpoint answered 410 Gone.")
            tired = not gone and disable(endpoint.filter(failing), reason="It failed for five days.")
            pause = _pause(tries=delivery.tries, retry_after=answer.retry_after)
            if pause is None or endpoint.exclude(disabled_at=None).exists():
                row.update(gave_up_at=Now(), next_attempt_at=None, lease_until=None)
            else:
                row.update(next_attempt_at=Now() + pause, lease_until=None)
        # What it answered may quote a job that has been erased meanwhile.
        event = Event.objects.select_for_update(no_key=True).get(pk=delivery.event_id)
        excerpt = answer.excerpt if event.body == delivery.event.body else ""
        WebhookAttempt.objects.create(
            delivery=delivery,
            number=delivery.attempts,
            worker=delivery.worker,
            at=delivery.attempt_started_at,
            duration_ms=duration_ms,
            url=delivery.endpoint.url,
            request_headers=request_headers,
            status=answer.status,
            error=error[:200],
            response_excerpt=excerpt,
        )
    if tired:
        tell_staff(
            f"Webhook endpoint {delivery.endpoint_id} is disabled",
            f"Client {delivery.client_id}: nothing could be delivered to {delivery.endpoint.url} for five days.\n"
            f"The last error: {error}",
        )


def find(*, client: Client, delivery_id: str) -> WebhookDelivery:
    """Return one of a client's deliveries. Raises DeliveryNotFound."""
    delivery = WebhookDelivery.objects.select_related("event").filter(client=client, pk=delivery_id).first()
    if delivery is None:
        raise DeliveryNotFound(delivery_id=delivery_id)
    return delivery


def replay(*, delivery_id: str, client: Client | None = None) -> WebhookDelivery:
    """Send a delivery now, whatever became of it, with the same id and body, and as often as a new one if it fails.

    Raises DeliveryNotFound, also for one that is not `client`'s, or EndpointDisabled.
    """
    mine = WebhookDelivery.objects.filter(**({"client": client} if client else {}))
    with transaction.atomic(durable=True):
        delivery = mine.filter(pk=delivery_id).first()
        if delivery is None:
            raise DeliveryNotFound(delivery_id=delivery_id)
        enabled = WebhookEndpoint.objects.filter(pk=delivery.endpoint_id, disabled_at=None)
        if not enabled.select_for_update(no_key=True).exists():
            raise EndpointDisabled(endpoint_id=delivery.endpoint_id)
        mine.filter(pk=delivery_id).update(next_attempt_at=Now(), delivered_at=None, gave_up_at=None, tries=0)
    return mine.get(pk=delivery_id)


def _pause(*, tries: int, retry_after: str) -> timedelta | None:
    """Return how long to wait after so many tries; never less than the endpoint asked for. None: it was the last."""
    if tries > len(PAUSES):
        return None
    return max(PAUSES[tries - 1] * random.uniform(0.9, 1.1), _asked(retry_after))


def _asked(retry_after: str) -> timedelta:
    """Read `Retry-After` (RFC 9110, section 10.2.3): seconds or a date; anything else asks for nothing."""
    try:
        if retry_after.isascii() and retry_after.isdigit():
            asked = timedelta(seconds=int(retry_after[:9]))
        else:
            asked = parsedate_to_datetime(retry_after).astimezone(UTC) - datetime.now(UTC)
    except (ValueError, OverflowError):
        return timedelta(0)
    return min(asked, LONGEST_PAUSE)
