"""What the console's lists read of tables that grow for ever: rows by an index, and few, however many there are."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from requestlog.models import RequestLog
from studio_gateway.admin import CappedPaginator, RecordAdmin
from tests import databases, rows
from tests.console import signed_in
from tests.rows.measure import pages
from workflows.reconcile import reconcile

JOBS = 8_000
# A list counts so many rows here, and shows so many: few of all, as 2000 and 50 are of a million.
COUNTED, SHOWN = 100, 10
# How many rows one statement may look at: what it counts or searches, and what it leaves out on its way there.
LOOKED_AT = 2_500
STATEMENTS = 12
GROWING = {"workflows_job", "billing_ledgerentry", "request_logs"}
PLANS = "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) "


@pytest.fixture(scope="module")
def filled(django_db_setup: None, django_db_blocker) -> Iterator[str]:
    with django_db_blocker.unblock():
        name = databases.fresh()
        with databases.connected(name):
            rows.fill(jobs=JOBS, clients=300)
        yield name
        databases.drop(name)


@pytest.fixture
def statements(filled: str, django_db_blocker, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Any]]]:
    """What is sent to the filled database from here on."""
    monkeypatch.setattr(CappedPaginator, "cap", COUNTED)
    monkeypatch.setattr(RecordAdmin, "list_per_page", SHOWN)
    sent: list[tuple[str, Any]] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, *rest: Any) -> Any:
        sent.append((sql, params))
        return execute(sql, params, *rest)

    with django_db_blocker.unblock(), databases.connected(filled), connection.execute_wrapper(note):
        yield sent


def scans(plan: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    """Yield how each growing table is read, and how many of its rows are looked at."""
    if plan.get("Relation Name") in GROWING:
        passed_over = sum(plan.get(f"Rows Removed by {what}", 0) for what in ("Filter", "Index Recheck"))
        yield plan["Relation Name"], plan["Node Type"], (plan["Actual Rows"] + passed_over) * plan["Actual Loops"]
    for below in plan.get("Plans", []):
        yield from scans(below)


def test_each_list_search_and_filter_reads_few_rows_each_by_an_index(statements: list[tuple[str, Any]]):
    browser = signed_in()
    lists = [url for url in pages() if url.partition("?")[0].count("/") == 4 and "?p=" not in url]
    assert len(lists) > 60
    for url in lists:
        statements.clear()
        answer = browser.get(url)
        assert answer.status_code == 200, url
        sent = [*statements]
        assert len(sent) <= STATEMENTS, (url, len(sent))
        for sql, params in sent:
            if not sql.startswith(("SELECT", "(SELECT")):
                continue
            with connection.cursor() as cursor:
                cursor.execute(PLANS + sql, params)
                (found,) = cursor.fetchone()
            (whole,) = json.loads(found) if isinstance(found, str) else found
            for table, node, looked_at in scans(whole["Plan"]):
                assert node != "Seq Scan", (url, sql)
                assert looked_at <= LOOKED_AT, (url, table, node, looked_at, sql)


def test_the_rows_are_those_that_a_gateway_would_have_written(statements: list[tuple[str, Any]]):
    assert RequestLog.objects.count() > JOBS
    assert reconcile(fix=False).violations == []
