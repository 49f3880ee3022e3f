"""How long what clients were told is kept, and how all that one client was told goes."""

import time
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from requestlog.retention import BATCH, LOG_DAYS
from studio_gateway.ids import last_ulid
from workflows.webhooks.endpoints import disable
from workflows.webhooks.models import Event, WebhookAttempt, WebhookDelivery, WebhookEndpoint

KEPT = timedelta(days=LOG_DAYS)
LOOK_SECONDS = 0.2


def expired_deliveries() -> QuerySet[WebhookDelivery]:
    """Deliveries of expired events that have ended. Reads the primary key, as does `expired_events`."""
    ids_until = last_ulid(timezone.now() - KEPT)
    return WebhookDelivery.objects.filter(pk__lte=ids_until, created_at__lt=Now() - KEPT, next_attempt_at=None)


def expired_events() -> QuerySet[Event]:
    """Events told more than LOG_DAYS ago, of which no delivery waits still."""
    waiting = WebhookDelivery.objects.filter(event=OuterRef("pk"), next_attempt_at__isnull=False)
    ids_until = last_ulid(timezone.now() - KEPT)
    return Event.objects.filter(~Exists(waiting), pk__lte=ids_until, created_at__lt=Now() - KEPT)


def prune() -> tuple[int, int]:
    """Delete what has expired; return how many deliveries, with their attempts, and how many events that were."""
    return _delete_deliveries(expired_deliveries()), _delete_events(expired_events())


def erase_client(*, client_id: int) -> tuple[int, int]:
    """Delete all that a client was told, and its endpoints; return how many events and endpoints that were.

    Waits for what is being sent at the moment, a few seconds at most: its sender writes the last row.
    """
    endpoints = WebhookEndpoint.objects.filter(client_id=client_id)
    disable(endpoints, reason="Its client was erased.")
    deliveries = WebhookDelivery.objects.filter(client_id=client_id)
    while deliveries.filter(lease_until__gt=Now()).exists():
        time.sleep(LOOK_SECONDS)
    # What senders left that failed or were killed.
    deliveries.filter(next_attempt_at__isnull=False).update(
        gave_up_at=Now(), next_attempt_at=None, reserved_until=None, lease_until=None
    )
    _delete_deliveries(deliveries)
    return _delete_events(Event.objects.filter(client_id=client_id)), endpoints.delete()[0]


def _delete_deliveries(rows: QuerySet[WebhookDelivery]) -> int:
    deleted, last = 0, ""
    while True:
        with transaction.atomic(durable=True):
            # Locked, so that none is replayed while its attempts go.
            wanted = rows.filter(pk__gt=last, next_attempt_at=None).order_by("pk").select_for_update(skip_locked=True)
            page = list(wanted.values_list("pk", flat=True)[:BATCH])
            WebhookAttempt.objects.filter(delivery__in=page).delete()
            WebhookDelivery.objects.filter(pk__in=page).delete()
        if not page:
            return deleted
        deleted, last = deleted + len(page), page[-1]


def _delete_events(rows: QuerySet[Event]) -> int:
    deleted, last = 0, ""
    rows = rows.exclude(Exists(WebhookDelivery.objects.filter(event=OuterRef("pk"))))
    while page := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        deleted += Event.objects.filter(pk__in=page).delete()[0]
        last = page[-1]
    return deleted
