"""Each index of the tables that grow has a reader, and says which: all others cost every order, and serve nobody."""

import inspect
import re
from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.models import Model

from billing import allowances
from billing.models import Client, LedgerEntry
from requestlog import retention
from requestlog.models import RequestLog
from tests import rows
from tests.bench.growth import acts
from tests.helpers import sql
from tests.rows.measure import pages, staff
from workflows import pruning, readiness
from workflows.jobs import sweeping
from workflows.models import Event, Job, JobEvent, Output, WebhookAttempt, WebhookDelivery
from workflows.webhooks import deliveries
from workflows.webhooks import retention as webhooks
from workflows.webhooks.watching import DeliveryWatch

GROWING: tuple[type[Model], ...] = (
    Client,
    LedgerEntry,
    RequestLog,
    Job,
    JobEvent,
    Output,
    Event,
    WebhookDelivery,
    WebhookAttempt,
)
# An index below a comment.
COMMENTED = re.compile(
    r'# [^\n]*\n +(?:models\.Index|BrinIndex)\((?:(?!Index\().)*?name="(?!text_pattern_ops)(\w+)"', re.DOTALL
)


def indexes(model: type[Model]) -> dict[str, int]:
    """Return how often each index was read that is not there to keep something unique."""
    return dict(
        sql(
            "SELECT indexrelname, idx_scan FROM pg_stat_user_indexes JOIN pg_index USING (indexrelid)"
            " WHERE relname = %s AND NOT indisunique",
            model._meta.db_table,
        )
    )


@pytest.mark.parametrize("model", GROWING, ids=lambda model: model._meta.db_table)
def test_each_index_is_declared_below_a_comment_that_names_its_reader(db, model: type[Model]):
    assert set(indexes(model)) == set(COMMENTED.findall(inspect.getsource(model)))


@pytest.fixture
def filled(own_database: str) -> Iterator[None]:
    rows.fill(jobs=3_000, clients=100)
    # Few rows are read as fast without an index.
    sql(f"ALTER DATABASE {own_database} SET enable_seqscan = off")
    connection.close()
    yield


def test_each_index_is_read(filled: None):
    browser = staff()
    for url in pages():
        assert browser.get(url).status_code == 200
    for act in acts().values():
        act()
    assert browser.get("/metrics").status_code == 200
    sql(readiness.STANDS_STILL.replace("%(still)s", "30"))
    list(sweeping.overdue()), list(sweeping.lost())
    list(pruning.expired_jobs())
    retention.prune(), webhooks.prune()
    allowances.spent_today(actor="support")
    deliveries.ready(after_endpoint="")
    DeliveryWatch("w").sending()
    sql("SELECT pg_stat_force_next_flush()")
    unread = [name for model in GROWING for name, scans in indexes(model).items() if not scans]
    assert unread == []


def test_what_is_written_for_an_order_is_written_into_no_more_indexes_than_these(db):
    """Those that are not partial: each of a job's is written into again whenever its row changes."""
    always = "SELECT count(*) FROM pg_index WHERE indrelid = %s::regclass AND indpred IS NULL"
    assert {table: sql(always, table)[0][0] for table in ("request_logs", "workflows_job", "billing_ledgerentry")} == {
        "request_logs": 1,
        "workflows_job": 6,
        "billing_ledgerentry": 3,
    }


def test_what_clients_and_workers_do_looks_at_few_rows_of_many(own_database: str):
    rows.fill(jobs=10_000, clients=50)
    tables = [model._meta.db_table for model in GROWING if model is not Client]

    def looked_at() -> int:
        sql("SELECT pg_stat_force_next_flush()")
        read = "SELECT sum(seq_tup_read + idx_tup_fetch)::int FROM pg_stat_user_tables WHERE relname = ANY (%s)"
        return int(sql(read, tables)[0][0])

    for name, act in acts().items():
        before = looked_at()
        act()
        # What a filter of the API searches is bounded in test_list_jobs.py.
        assert looked_at() - before <= 600 or "?" in name, name
