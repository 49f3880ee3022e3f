"""How long rows of the request log are kept."""

from datetime import timedelta

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from ulid import ULID

from requestlog.models import RequestLog

LOG_DAYS = 90
BATCH = 1000


def expired() -> QuerySet[RequestLog]:
    """Rows received more than LOG_DAYS ago. Reads the primary key: a row's id is about as old as the row."""
    age = timedelta(days=LOG_DAYS)
    # Above every id of that millisecond. `received_at` decides: the ids are by the clocks of the web hosts.
    newest = f"{str(ULID.from_datetime(timezone.now() - age))[:10]}{'Z' * 16}"
    return RequestLog.objects.filter(pk__lte=newest, received_at__lt=Now() - age)


def prune() -> int:
    """Delete what has expired, oldest first, BATCH rows a transaction; return how many rows that were."""
    rows, deleted, last = expired(), 0, ""
    # From where the last batch ended: what was deleted before is not waded through again.
    while page := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        deleted += RequestLog.objects.filter(pk__in=page).delete()[0]
        last = page[-1]
    return deleted
