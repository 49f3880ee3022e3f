"""Events to be pulled, by clients that cannot be called."""

import json
from dataclasses import dataclass
from typing import Any

from django.db import connection

from billing.models import Client

# Of the bodies of a page, in characters; the first is there whatever its size.
PAGE_SIZE = 2_000_000

# In the order of the transactions that wrote them, and only those before which no transaction that is under way could
# still write another: readers never miss one, however long its transaction took to commit.
READ = """
SELECT id, body, lpad(to_hex(xid::text::numeric::bigint), 16, '0') || id
  FROM (SELECT id, body, xid, sum(length(body)) OVER (ORDER BY xid, id) AS size
          FROM (SELECT id, body, xid FROM workflows_event
                 WHERE client_id = %(client_id)s AND (xid, id) > (%(xid)s::xid8, %(id)s)
                   AND xid < pg_snapshot_xmin(pg_current_snapshot())
                 ORDER BY xid, id
                 LIMIT %(limit)s) page) sized
 WHERE size <= %(size)s OR size = length(body)
 ORDER BY xid, id
"""


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some events, and the cursor of what follows them; None where there has been none."""

    events: list[dict[str, Any]]
    next: str | None


def read(*, client: Client, limit: int, after: str | None = None) -> Page:
    """Return the next events after that cursor, in an order that does not change: `limit` of them, or fewer."""
    place = {"xid": str(int(after[:16], 16)), "id": after[16:].upper()} if after else {"xid": "0", "id": ""}
    with connection.cursor() as cursor:
        cursor.execute(READ, {"client_id": client.pk, "limit": limit, "size": PAGE_SIZE, **place})
        rows = cursor.fetchall()
    events = [{"id": f"msg_{event_id}", **json.loads(body)} for event_id, body, _ in rows]
    return Page(events=events, next=rows[-1][2] if rows else after)
