"""GET /v1/usage: sums that are the ledger's, to the credit, for whatever range and groups."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from billing.models import LedgerEntry
from tests.conftest import Shop
from tests.helpers import FAILURE, SPEC, claimed, dated, flood, get, order, sql, succeed
from workflows import jobs
from workflows.models import Job
from workflows.usage import MOST_GROUPS

GROUPS = ["day", "workflow", "image_model", "pilot_brand"]
NOTHING = {"jobs": 0, "succeeded": 0, "failed": 0, "charged": 0, "refunded": 0}


def usage(shop: Shop, **parameters: Any) -> dict[str, Any]:
    answer = get(shop, f"/v1/usage?{urlencode(parameters)}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def of_the_ledger(shop: Shop, **when: Any) -> tuple[int, int]:
    """Add up the ledger: what was charged, and what was refunded."""
    entries = LedgerEntry.objects.filter(client=shop.client, **when)
    sums = dict(entries.values_list("kind").annotate(total=Sum("amount")))
    return -sums.get("CHARGE", 0), sums.get("REFUND", 0)


def sums(group: dict[str, Any]) -> tuple[int, ...]:
    return tuple(group[name] for name in NOTHING)


def fail(job: Job) -> None:
    jobs.fail(claimed(job), **FAILURE, technical=False)


def busy() -> Shop:
    """A client with orders of several sorts: entries 1 to 9."""
    shop = Shop.make()
    succeed(claimed(order(shop, credits=1, spec={**SPEC, "image_model": "paint", "pilot_brand": "Cap"})))
    fail(order(shop, credits=2, spec={**SPEC, "image_model": "paint", "pilot_brand": "Hat"}))
    order(shop, credits=4, workflow="extract", spec={"trial_image": "a.jpg"})
    order(shop, credits=0, is_test=True)
    done = order(shop, credits=8, spec={**SPEC, "image_model": "x" * 300, "pilot_brand": None})
    succeed(claimed(done))
    jobs.refund(job_id=done.pk, reason="r", actor="a")
    fail(order(Shop.make(), credits=50))
    return shop


def test_a_job_that_staff_ran_again_is_not_counted_twice(db, shop: Shop):
    done = order(shop, credits=3)
    succeed(claimed(done))
    succeed(claimed(jobs.run_again(job_id=done.pk, actor="ada")))
    assert sums(usage(shop, group_by="workflow")["total"]) == (1, 1, 0, 3, 0)


def test_each_group_has_its_part_and_the_total_is_the_ledgers(db):
    shop = busy()
    for group_by in GROUPS:
        body = usage(shop, group_by=group_by)
        assert sums(body["total"]) == (4, 2, 1, *of_the_ledger(shop)) == (4, 2, 1, 15, 10)
        for name in NOTHING:
            assert sum(group[name] for group in body["groups"]) == body["total"][name]
        assert body["group_by"] == group_by

    def groups(group_by: str) -> dict[str | None, tuple[int, ...]]:
        return {group["name"]: sums(group) for group in usage(shop, group_by=group_by)["groups"]}

    assert groups("workflow") == {"background-generator": (3, 2, 1, 11, 10), "extract": (1, 0, 0, 4, 0)}
    assert groups("image_model") == {"x" * 200: (1, 1, 0, 8, 8), None: (1, 0, 0, 4, 0), "paint": (2, 1, 1, 3, 2)}
    assert groups("pilot_brand") == {None: (2, 1, 0, 12, 8), "Cap": (1, 1, 0, 1, 0), "Hat": (1, 0, 1, 2, 2)}
    assert list(groups("image_model")) == ["x" * 200, None, "paint"]  # dearest first


def test_days_are_those_of_the_entries_in_utc(db):
    shop = busy()
    first, second = datetime(2026, 3, 31, 23, 59, 59, 999999, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    for seq in range(2, 10):
        dated(shop, seq, first if seq < 4 else second)
    march, april = usage(shop, **{"from": "2026-03-01", "to": "2026-05-01"})["groups"]
    assert (march["name"], sums(march)) == ("2026-03-31", (2, 1, 1, 3, 0))
    assert (april["name"], sums(april)) == ("2026-04-01", (2, 1, 0, 12, 10))  # a refund of a day before


def test_the_range_begins_with_its_first_moment_and_ends_before_its_second(db):
    shop = busy()
    begin = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for seq in range(2, 10):
        dated(shop, seq, begin + timedelta(seconds=seq))
    for first in range(1, 10):
        for last in range(first + 1, 12):
            when = begin + timedelta(seconds=first), begin + timedelta(seconds=last)
            body = usage(shop, **{"from": when[0].isoformat(), "to": when[1].isoformat(), "group_by": "pilot_brand"})
            ledger = of_the_ledger(shop, created_at__gte=when[0], created_at__lt=when[1])
            assert (body["total"]["charged"], body["total"]["refunded"]) == ledger
            assert [body["from"], body["to"]] == [moment.isoformat().replace("+00:00", "Z") for moment in when]


def test_without_a_range_it_is_this_month(db):
    shop = busy()
    now = datetime.now(UTC)
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    dated(shop, 2, month - timedelta(microseconds=1))
    dated(shop, 3, month)
    body = usage(shop)
    assert (body["group_by"], body["from"]) == ("day", month.isoformat().replace("+00:00", "Z"))
    assert sums(body["total"]) == (3, 1, 1, 14, 10)


def test_where_nothing_happened_there_are_no_groups(db, shop: Shop):
    for group_by in GROUPS:
        body = usage(shop, group_by=group_by)
        assert (body["groups"], body["total"]) == ([], NOTHING)


@pytest.mark.parametrize(
    ("query", "name", "code"),
    [
        ("group_by=week", "group_by", "enum"),
        ("group_by=", "group_by", "enum"),
        ("from=x", "from", "datetime_parsing"),
        ("to=2026-01-01&to=2026-02-01", "to", "repeated"),
        ("from=2026-01-02&to=2026-01-02", "to", "empty_range"),
        ("from=2026-01-02&to=2026-01-01", "to", "empty_range"),
        ("from=9999-01-01", "to", "empty_range"),
        ("from=2024-01-01&to=2025-01-01T00:00:01Z", "to", "long_range"),
        ("from=0001-01-01&to=9999-12-31", "to", "long_range"),
        ("created_after=2026-01-01", "created_after", "extra_forbidden"),
    ],
)
def test_what_cannot_be_meant_is_refused(db, shop: Shop, query: str, name: str, code: str):
    answer = get(shop, f"/v1/usage?{query}")
    assert answer.status_code == 422
    assert [(fault["loc"], fault["type"]) for fault in answer.json()["detail"]] == [(["query", name], code)]
    assert usage(shop, **{"from": "2024-01-01", "to": "2025-01-01"})["total"] == NOTHING  # 366 days


def test_it_takes_two_statements_and_a_thousand_groups_at_most_are_told(own_database):
    shop, small = flood(30_000), Shop.make()
    sql("UPDATE workflows_job SET spec = jsonb_build_object('pilot_brand', id)")
    order(small)
    sql("VACUUM ANALYZE billing_ledgerentry, workflows_job")
    with CaptureQueriesContext(connection) as statements:
        body = usage(shop, group_by="pilot_brand")
    assert len(statements) == 2
    assert (len(body["groups"]), body["total"]["charged"], body["total"]["jobs"]) == (MOST_GROUPS, 30_000, 30_000)
    with CaptureQueriesContext(connection) as statements:
        assert usage(small, group_by="pilot_brand")["total"]["jobs"] == 1
    plan = "\n".join(line for (line,) in sql(f"EXPLAIN {statements[-1]['sql']}"))
    assert "ledger_by_client_and_time" in plan and "Seq Scan" not in plan, plan
