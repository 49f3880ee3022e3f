"""The benchmark runs, and what pgbench writes in it is what an order over HTTP writes."""

import os
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from billing.models import Client, LedgerEntry
from requestlog.models import RequestLog
from tests.bench import SECTIONS, report
from tests.bench.accept import PATH, SPEC, shop
from tests.bench.load import Refused, load, order
from tests.bench.pgbench import pgbench
from tests.bench.site import Bench
from tests.gateway import Gateway
from tests.helpers import post, sql
from workflows.models import Job
from workflows.reconcile import reconcile

# What is one order's own: of these it is compared whether there is a value, and of times as well.
OWN = {"id", "name", "request_id", "client_id", "charge_id", "reference", "job_id", "api_key_prefix", "duration_ms"}


class InTests(Bench):
    """Copies the database that the tests have migrated."""

    _migrated = True


def rows(client: int) -> list[dict[str, Any]]:
    """Return what there is of a client and its orders, as far as it is alike for each."""
    of_client = {Client: {"pk": client}, LedgerEntry: {"client": client}, Job: {"client": client}}
    found = [
        {"table": model, **row}
        for model, which in {**of_client, RequestLog: {"client_id": client}}.items()
        for row in model.objects.filter(**which).values()
    ]
    return [
        {name: bool(value) if name in OWN or isinstance(value, datetime) else value for name, value in row.items()}
        for row in found
    ]


def sizes() -> dict[str, int]:
    """Return how many rows every table has."""
    tables = sql("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
    return {table: sql(f'SELECT count(*) FROM "{table}"')[0][0] for (table,) in tables}


def test_pgbench_writes_the_rows_of_an_order_over_http(own_database: str):
    (over_http, key), (bare, _) = shop("Over HTTP"), shop("Bare")
    before = sizes()
    answer = post(None, PATH, SPEC, HTTP_AUTHORIZATION=f"Bearer {key}", HTTP_USER_AGENT="bench")
    assert answer.status_code == 202
    between = sizes()
    pgbench(clients=range(bare, bare + 1), spec=SPEC, connections=1, orders=1)
    written = {table: between[table] - before[table] for table in before if between[table] != before[table]}
    assert written == {"request_logs": 1, "workflows_job": 1, "billing_ledgerentry": 1}
    assert written == {table: size - between[table] for table, size in sizes().items() if size != between[table]}
    assert rows(bare) == rows(over_http)
    assert reconcile().clean


def test_what_is_refused_is_no_figure(gateway: Gateway):
    request = order(path=PATH, key="sk_unknown", body=b"{}", port=gateway.port)
    with pytest.raises(Refused, match="invalid_api_key"):
        load(port=gateway.port, requests=[request], connections=1, seconds=5, status=202)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "accept" else pytest.mark.slow) for name in SECTIONS]
)
def test_each_section_has_its_figures(name: str, django_db_setup: None, django_db_blocker, tmp_path: Path):
    if connection.settings_dict["ENGINE"] != "studio_gateway.embedded":
        pytest.skip("the benchmark measures the embedded server, and the tests have another")
    bench = InTests(Path(os.environ["STUDIO_DATA_DIR"]), rounds=1, rows=3_000, quick=True)
    with django_db_blocker.unblock():
        section = import_module(SECTIONS[name]).measure(bench)
    report.write({"CPU": "any"}, {name: section}, tmp_path)
    table = (tmp_path / "bench.md").read_text()
    assert all(f"| {row.what} | " in table for row in section.rows) and len(section.rows) > 2
