"""A client's deliveries, page by page, newest first."""

from dataclasses import dataclass

from django.db.models import Q

from billing.models import Client
from workflows.webhooks.models import WebhookDelivery

# What filters match is searched among so many deliveries a page, so that what matches nothing costs no client much.
SEARCHED = 5_000
STATES = {
    "pending": Q(next_attempt_at__isnull=False),
    "delivered": Q(delivered_at__isnull=False),
    "failed": Q(gave_up_at__isnull=False),
}


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some deliveries, and the cursor of the next page; None on the last."""

    deliveries: list[WebhookDelivery]
    next: str | None


def page(
    *,
    client: Client,
    limit: int,
    cursor: str | None = None,
    endpoint_id: str | None = None,
    status: str | None = None,
    event_type: str | None = None,
) -> Page:
    """Return the next deliveries after `cursor` that match: `limit` of them, or fewer where SEARCHED were looked at."""
    rows = WebhookDelivery.objects.filter(client=client).order_by("-id")
    if endpoint_id is not None:
        rows = rows.filter(endpoint=endpoint_id)
    if cursor is not None:
        rows = rows.filter(id__lt=cursor)
    last = rows.values_list("id", flat=True)[SEARCHED - 1 : SEARCHED].first()
    wanted = rows if last is None else rows.filter(id__gte=last)
    if status is not None:
        wanted = wanted.filter(STATES[status])
    if event_type is not None:
        wanted = wanted.filter(event__type=event_type)
    found = list(wanted.select_related("event").defer("event__body")[: limit + 1])
    return Page(deliveries=found[:limit], next=found[limit - 1].pk if len(found) > limit else last)
