"""What a client's orders cost and gave back, added up from the ledger."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from billing.models import Client

LONGEST = timedelta(days=366)
# Free strings may be as many as there are jobs, and long.
MOST_GROUPS = 1_000
MOST_CHARACTERS = 200

GROUPS = {
    "day": "to_char(e.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
    "workflow": "j.workflow",
    "image_model": f"left(j.spec ->> 'image_model', {MOST_CHARACTERS})",
    "pilot_brand": f"left(j.spec ->> 'pilot_brand', {MOST_CHARACTERS})",
}
# Reads the range of the index ledger_by_client_and_time, and each entry's job. What is not a job's, or a job that is
# not there, would count too: the sums are the ledger's. The first row is the total of all groups.
USAGE = """
SELECT {group} AS name,
       count(*) FILTER (WHERE e.kind = 'CHARGE') AS jobs,
       count(*) FILTER (WHERE e.kind = 'CHARGE' AND j.status = 'SUCCESS') AS succeeded,
       count(*) FILTER (WHERE e.kind = 'CHARGE' AND j.status = 'FAILURE') AS failed,
       coalesce(-sum(e.amount) FILTER (WHERE e.kind = 'CHARGE'), 0)::bigint AS charged,
       coalesce(sum(e.amount) FILTER (WHERE e.kind = 'REFUND'), 0)::bigint AS refunded
  FROM billing_ledgerentry e
  LEFT JOIN workflows_job j ON j.id = e.reference
 WHERE e.client_id = %(client)s AND e.created_at >= %(begin)s AND e.created_at < %(end)s
   AND e.kind IN ('CHARGE', 'REFUND') AND j.is_test IS NOT TRUE AND j.rerun_of_id IS NULL
 GROUP BY GROUPING SETS (({group}), ())
 ORDER BY grouping({group}) DESC, {order}
 LIMIT %(most)s
"""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Sums of one range: the total, and its groups, each like {"name": "extract", "jobs": 3, …}."""

    total: dict[str, Any]
    groups: list[dict[str, Any]]


def usage(*, client: Client, group_by: str, begin: datetime, end: datetime) -> Usage:
    """Add up the ledger entries of `begin` <= time < `end`, by one of GROUPS.

    `jobs`, `succeeded` and `failed` count the jobs that were charged in the range, as they stand now; `refunded` is
    what came back in the range, whenever it was charged. Jobs of test keys and jobs run again, which cost nothing, are
    left out. Beyond MOST_GROUPS only the dearest groups are told, and the total is of all.
    """
    order = "name" if group_by == "day" else "charged DESC, jobs DESC, name"
    values: dict[str, Any] = {"client": client.pk, "begin": begin, "end": end, "most": MOST_GROUPS + 1}
    with connection.cursor() as cursor:
        cursor.execute(USAGE.format(group=GROUPS[group_by], order=order), values)
        names = [column.name for column in cursor.description]
        total, *groups = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return Usage(total=total, groups=groups)
