"""`manage.py reconcile` finds what is planted: at least one broken promise of each kind that rows can show."""

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from billing import ledger
from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.helpers import claimed, flood, order, post, sql
from workflows import jobs
from workflows.models import Job, Reconciliation

NO_TRIGGER = "ALTER TABLE billing_ledgerentry DISABLE TRIGGER USER;"
TRIGGER = "SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE billing_ledgerentry ENABLE TRIGGER USER;"


class Books:
    """A client with a grant more than it began with and a job of each kind; `plant` breaks something."""

    def __init__(self) -> None:
        self.shop = Shop.make(credits=100)
        self.grant = ledger.grant(client_id=self.shop.client.pk, credits=5, reason="goodwill")
        self.success, self.failure, self.open = (order(self.shop) for _ in range(3))
        jobs.succeed(claimed(self.success), outputs=[], summary={})
        jobs.fail(claimed(self.failure), code="x", message="x", technical=False)
        for job in (self.success, self.failure, self.open):
            job.refresh_from_db()

    def plant(self, statement: str) -> None:
        """Run SQL in which {success}, {failure.refund_id}, {client.pk} … stand for the rows of these books."""
        names = {"success": self.success, "failure": self.failure, "open": self.open, "client": self.shop.client}
        sql(statement.format(**names, grant=self.grant, new=new_ulid()))


@pytest.fixture
def books(own_database: str) -> Iterator[Books]:
    yield Books()


def reconcile(*flags: str) -> tuple[int, dict[str, Any]]:
    out, code = StringIO(), 0
    try:
        call_command("reconcile", "--json", *flags, stdout=out)
    except SystemExit as stop:
        code = int(str(stop.code))
    return code, json.loads(out.getvalue())


def without(constraint: str, table: str = "workflows_job") -> str:
    """Return SQL that drops a constraint, as a careless migration would."""
    return f"ALTER TABLE {table} DROP CONSTRAINT {constraint};"


MENDED = {
    "a balance that its entries do not sum to": (
        "P1",
        "UPDATE billing_client SET balance = balance + 7 WHERE id = {client.pk}",
    ),
    "a ledger_seq that is not the last entry's": (
        "P1",
        "UPDATE billing_client SET ledger_seq = ledger_seq + 1 WHERE id = {client.pk}",
    ),
    "open_jobs that is not the number of open jobs": (
        "P1",
        "UPDATE billing_client SET open_jobs = open_jobs + 1 WHERE id = {client.pk}",
    ),
    "a failure whose refund was never written": (
        "P3",
        without("job_failure_has_refund")
        + NO_TRIGGER
        + "UPDATE workflows_job SET refund_id = NULL WHERE id = '{failure.pk}';"
        + "SET CONSTRAINTS ALL IMMEDIATE;"
        + "DELETE FROM billing_ledgerentry WHERE id = '{failure.refund_id}';"
        + "UPDATE billing_client SET balance = balance - 2, ledger_seq = ledger_seq - 1 WHERE id = {client.pk};"
        + TRIGGER,
    ),
    "a failure that does not name its refund": (
        "P3",
        without("job_failure_has_refund") + "UPDATE workflows_job SET refund_id = NULL WHERE id = '{failure.pk}'",
    ),
    "an open job past its deadline": (
        "P5",
        "UPDATE workflows_job SET deadline_at = now() - interval '2 minutes' WHERE id = '{open.pk}'",
    ),
    "an open job with no attempt left and nobody at it": (
        "P7",
        "UPDATE workflows_job SET status = 'IN_PROGRESS', attempt = max_attempts WHERE id = '{open.pk}'",
    ),
    "an open job reserved for a day": (
        "P7",
        "UPDATE workflows_job SET reserved_until = now() + interval '1 day' WHERE id = '{open.pk}'",
    ),
    "a job that waits until after its deadline": (
        "P7",
        "UPDATE workflows_job SET run_after = deadline_at WHERE id = '{open.pk}'",
    ),
    "a lease that outlives its attempt": (
        "P7",
        "UPDATE workflows_job SET status = 'IN_PROGRESS', attempt = 1, attempt_started_at = now(),"
        " lease_until = now() + interval '1 hour', deadline_at = now() + interval '2 hours' WHERE id = '{open.pk}'",
    ),
}
REPORTED = {
    "an entry missing from the chain": (
        "P1",
        NO_TRIGGER + "DELETE FROM billing_ledgerentry WHERE id = '{grant.pk}';" + TRIGGER,
    ),
    "a balance_after that does not follow": (
        "P1",
        NO_TRIGGER + "UPDATE billing_ledgerentry SET balance_after = 1 WHERE id = '{grant.pk}';" + TRIGGER,
    ),
    "a job whose charge is gone": (
        "P2",
        "DO $$ BEGIN EXECUTE (SELECT 'ALTER TABLE workflows_job DROP CONSTRAINT ' || conname FROM pg_constraint"
        " WHERE conrelid = 'workflows_job'::regclass AND contype = 'f' AND conname LIKE '%charge%'); END $$;"
        + NO_TRIGGER
        + "DELETE FROM billing_ledgerentry WHERE id = '{success.charge_id}';"
        + TRIGGER,
    ),
    "a job that cost another amount than it was charged": (
        "P2",
        "UPDATE workflows_job SET credits_cost = 9 WHERE id = '{success.pk}'",
    ),
    "a charge for no job": (
        "P2",
        "INSERT INTO billing_ledgerentry (id, client_id, seq, kind, amount, balance_after, reference, reason, actor)"
        " VALUES ('{new}', {client.pk}, 99, 'CHARGE', 0, 0, 'nothing', '', '')",
    ),
    "a refund of another amount": (
        "P3",
        NO_TRIGGER + "UPDATE billing_ledgerentry SET amount = 1 WHERE id = '{failure.refund_id}';" + TRIGGER,
    ),
    "a refund of a job that is open": (
        "P3",
        "INSERT INTO billing_ledgerentry (id, client_id, seq, kind, amount, balance_after, reference, reason, actor)"
        " VALUES ('{new}', {client.pk}, 99, 'REFUND', 2, 2, '{open.pk}', '', '')",
    ),
    "a success refunded by nobody": (
        "P4",
        "INSERT INTO billing_ledgerentry (id, client_id, seq, kind, amount, balance_after, reference, reason, actor)"
        " VALUES ('{new}', {client.pk}, 99, 'REFUND', 2, 2, '{success.pk}', 'sorry', '');"
        " UPDATE workflows_job SET refund_id = '{new}' WHERE id = '{success.pk}'",
    ),
    "a success refunded in part": (
        "P4",
        "INSERT INTO billing_ledgerentry (id, client_id, seq, kind, amount, balance_after, reference, reason, actor)"
        " VALUES ('{new}', {client.pk}, 99, 'REFUND', 1, 1, '{success.pk}', 'sorry', 'ann');"
        " UPDATE workflows_job SET refund_id = '{new}' WHERE id = '{success.pk}'",
    ),
    "a job without its request log": ("P6", "DELETE FROM request_logs WHERE request_id = '{success.request_id}'"),
    "a 202 without its job": (
        "P6",
        "INSERT INTO request_logs SELECT '{new}', received_at, method, path, status, code, duration_ms, client_id,"
        " api_key_prefix, '{new}', remote_addr, user_agent, body, body_size FROM request_logs LIMIT 1",
    ),
    "a ledger that could be changed": ("P8", NO_TRIGGER),
    "a ledger without its trigger": (
        "P8",
        "DO $$ BEGIN EXECUTE (SELECT format('DROP TRIGGER %I ON billing_ledgerentry', tgname) FROM pg_trigger"
        " WHERE tgrelid = 'billing_ledgerentry'::regclass AND tgname LIKE 'pgtrigger_ledger%'); END $$",
    ),
}


def test_a_webhook_that_is_on_its_way_is_no_order_without_a_job(own_database: str, shop: Shop):
    endpoint = post(shop, "/v1/webhook-endpoints", {"url": "https://hooks.example"}).json()["endpoint_id"]
    test = post(shop, f"/v1/webhook-endpoints/{endpoint}/test", b"")
    replay = post(shop, f"/v1/webhook-deliveries/{test.json()['delivery_id']}/replay", b"")
    assert (test.status_code, replay.status_code) == (202, 202)
    assert reconcile()[0] == 0


def test_books_in_order_pass(books: Books):
    jobs.refund(job_id=books.success.pk, reason="colours", actor="ann")
    code, report = reconcile()
    assert (code, report["violations"]) == (0, [])
    assert report["checked"] == {"clients": 1, "ledger_entries": 7, "jobs": 3, "open_jobs": 1, "request_logs": 3}


@pytest.mark.parametrize("planted", [*MENDED, *REPORTED])
def test_a_planted_violation_is_found(books: Books, planted: str):
    promise, statement = (MENDED | REPORTED)[planted]
    books.plant(statement)
    code, report = reconcile()
    assert code == 1
    assert promise in {violation["promise"] for violation in report["violations"]}
    assert not any(violation["fixed"] for violation in report["violations"])
    # Looking changed nothing.
    assert reconcile() == (1, report)


@pytest.mark.parametrize("planted", MENDED)
def test_fix_mends_what_can_be_mended(books: Books, planted: str):
    promise, statement = MENDED[planted]
    entries = sql("SELECT * FROM billing_ledgerentry")
    books.plant(statement)
    kept = [row for row in entries if row[0] in {r[0] for r in sql("SELECT id FROM billing_ledgerentry")}]
    code, report = reconcile("--fix")
    assert code == 0, report
    assert {v["promise"] for v in report["violations"]} >= {promise}
    assert all(violation["fixed"] for violation in report["violations"])
    code, report = reconcile()
    assert (code, report["violations"]) == (0, [])
    assert [row for row in sql("SELECT * FROM billing_ledgerentry") if row in kept] == kept
    books.failure.refresh_from_db()
    assert books.failure.refund is not None and books.failure.refund.amount == books.failure.credits_cost


@pytest.mark.parametrize("planted", REPORTED)
def test_fix_leaves_what_needs_a_person(books: Books, planted: str):
    promise, statement = REPORTED[planted]
    books.plant(statement)
    code, report = reconcile("--fix")
    assert code == 1
    assert promise in {v["promise"] for v in report["violations"] if not v["fixed"]}


def test_a_job_found_past_its_deadline_is_failed_and_refunded(books: Books):
    books.plant(MENDED["an open job past its deadline"][1])
    before = books.shop.balance
    reconcile("--fix")
    books.open.refresh_from_db()
    assert books.open.status == Job.Status.FAILURE
    assert books.shop.balance == before + books.open.credits_cost


def test_a_server_that_does_not_wait_for_its_disk_is_reported(books: Books, own_database: str):
    sql(f"ALTER DATABASE {own_database} SET synchronous_commit = off")
    connection.close()
    code, report = reconcile()
    assert (code, [v["promise"] for v in report["violations"]]) == (1, ["P7"])
    assert report["violations"][0]["detail"] == "synchronous_commit is off"


def test_it_says_in_words_what_it_found_and_what_fix_would_do(books: Books):
    books.plant(MENDED["a balance that its entries do not sum to"][1])
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("reconcile", stdout=out)
    said = out.getvalue()
    assert f"P1 client_id={books.shop.client.pk}: balance is" in said
    assert "--fix would: reset balance" in said
    assert "1 violation(s) left." in said


def test_what_it_found_is_kept_for_the_console(books: Books):
    assert reconcile()[0] == 0
    books.plant(MENDED["a balance that its entries do not sum to"][1])
    code, report = reconcile("--fix")
    assert code == 0
    clean, mended = Reconciliation.objects.order_by("pk")
    assert (clean.found, clean.fixed, clean.violations) == (0, 0, [])
    assert (mended.found, mended.fixed, mended.violations) == (1, 1, report["violations"])
    assert clean.checked["jobs"] == 3


def test_of_very_many_violations_the_first_are_kept(books: Books):
    flood(1_001)
    sql("UPDATE workflows_job SET deadline_at = now() - interval '1 hour' WHERE workflow = 'extract'")
    assert len(reconcile()[1]["violations"]) > 1_000
    kept = Reconciliation.objects.get()
    assert (kept.found > 1_000, len(kept.violations)) == (True, 1_000)


@pytest.mark.parametrize("planted", [None, "a balance that its entries do not sum to"])
def test_a_database_that_takes_no_row_is_checked_all_the_same(books: Books, own_database: str, planted: str | None):
    if planted:
        books.plant(MENDED[planted][1])
    sql(f"ALTER DATABASE {own_database} SET default_transaction_read_only = on")
    connection.close()
    code, report = reconcile()
    assert (code, len(report["violations"])) == ((1, 1) if planted else (0, 0))
    assert not Reconciliation.objects.exists()
