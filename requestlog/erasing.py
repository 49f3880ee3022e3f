"""What the request log forgets before its time: what clients sent, and who they are."""

from typing import Any

from django.db.models import F
from django.db.models.lookups import GreaterThan

from requestlog.models import RequestLog
from requestlog.retention import BATCH

NO_BODY: dict[str, Any] = {"body": b"", "body_truncated": GreaterThan(F("body_size"), 0)}


def erase_bodies(*, job_id: str) -> None:
    """Erase the bodies of all requests that ordered this job, or asked for it again."""
    RequestLog.objects.filter(job_id=job_id).exclude(body=b"").update(**NO_BODY)


def erase_client(*, client_id: int) -> int:
    """Erase the bodies of all of a client's requests, and where they came from, BATCH rows a transaction.

    Returns how many rows had something to erase. The rows stay: when, what path, which answer.
    """
    rows = RequestLog.objects.filter(client_id=client_id).order_by("pk")
    erased, last = 0, ""
    while page := list(rows.filter(pk__gt=last).values_list("pk", flat=True)[:BATCH]):
        telling = RequestLog.objects.filter(pk__in=page).exclude(body=b"", remote_addr="", user_agent="")
        erased += telling.update(**NO_BODY, remote_addr="", user_agent="")
        last = page[-1]
    return erased
