"""How long rows of the request log are kept."""

from datetime import timedelta

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from requestlog.models import RequestLog
from studio_gateway.ids import last_ulid

# Also of what clients are told, and of its deliveries (workflows/webhooks/retention.py).
LOG_DAYS = 90
BATCH = 1000


def expired() -> QuerySet[RequestLog]:
    """Rows received more than LOG_DAYS ago. Reads the primary key: a row's id is about as old as the row."""
    age = timedelta(days=LOG_DAYS)
    # `received_at` decides: the ids are by the clocks of the web hosts.
    return RequestLog.objects.filter(pk__lte=last_ulid(timezone.now() - age), received_at__lt=Now() - age)


def prune() -> int:
    """Delete what has expired, oldest first, BATCH rows a transaction; return how many rows that were."""
    rows, deleted, last = expired(), 0, ""
    # From where the last batch ended: what was deleted before is not waded through again.
    while page := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        deleted += RequestLog.objects.filter(pk__in=page).delete()[0]
        last = page[-1]
    return deleted
