"""GET /v1/credits and /v1/credits/entries: the client's own books (P10), to the credit."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from billing import bill, ledger
from billing.models import Client, LedgerEntry
from tests.conftest import Shop
from tests.gateway import Gateway
from tests.helpers import FAILURE, books_are_right, claimed, dated, flood, get, order, sql, succeed
from workflows import jobs


def page(shop: Shop, **parameters: Any) -> dict[str, Any]:
    answer = get(shop, f"/v1/credits/entries?{urlencode(parameters)}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def seqs(shop: Shop, **parameters: Any) -> list[int]:
    seen: list[int] = []
    while True:
        body = page(shop, **parameters)
        seen += [entry["seq"] for entry in body["entries"]]
        if body["next"] is None:
            return seen
        parameters["cursor"] = body["next"]


def busy() -> Shop:
    """A client with a grant, a success, a failure, an open job and a refunded success: entries 1 to 7."""
    shop = Shop.make()
    succeed(claimed(order(shop, credits=5)))
    jobs.fail(claimed(order(shop, credits=7)), **FAILURE, technical=False)
    order(shop, credits=11)
    done = order(shop, credits=13)
    succeed(claimed(done))
    jobs.refund(job_id=done.pk, reason="blurred", actor="ann")
    return shop


# Where the client stands


def test_the_balance_and_what_moved_it(db):
    shop = busy()
    Shop.make(credits=1000)
    sums = {"charged": 36, "refunded": 20}
    assert get(shop, "/v1/credits").json() == {"balance": 84, "open_jobs": 1, "today": sums, "month": sums}
    nothing = {"charged": 0, "refunded": 0}
    body = get(Shop.make(credits=0), "/v1/credits").json()
    assert body == {"balance": 0, "open_jobs": 0, "today": nothing, "month": nothing}
    books_are_right(shop.client)


def test_the_day_and_the_month_begin_at_midnight_utc(db):
    shop = busy()
    now = datetime.now(UTC)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    dated(shop, 2, today.replace(day=1) - timedelta(microseconds=1))
    dated(shop, 3, today.replace(day=1))
    dated(shop, 4, today - timedelta(microseconds=1))
    dated(shop, 5, today)
    body = get(shop, "/v1/credits").json()
    first = now.day == 1
    assert body["today"] == {"charged": 24 + 7 * first, "refunded": 13}
    assert body["month"] == {"charged": 31, "refunded": 13 + 7 * (not first)}
    assert body["balance"] == 84


def test_the_balance_takes_two_statements_and_reads_no_other_clients_rows(own_database):
    shop = flood(30_000)
    small = Shop.make(credits=10)
    sql("VACUUM ANALYZE billing_ledgerentry")
    with CaptureQueriesContext(connection) as statements:
        assert get(shop, "/v1/credits").json()["month"]["charged"] == 30_000
    assert len(statements) == 2
    plan = "\n".join(line for (line,) in sql(f"EXPLAIN {bill.STANDING}", small.client.pk))
    assert "Index Only Scan using ledger_by_client_and_time" in plan, plan


# The entries


def test_entries_come_newest_first_and_each_balance_follows_from_the_last(db):
    shop = busy()
    entries = page(shop)["entries"]
    assert [(entry["seq"], entry["kind"], entry["amount"], entry["balance_after"]) for entry in entries] == [
        (7, "REFUND", 13, 84),
        (6, "CHARGE", -13, 71),
        (5, "CHARGE", -11, 84),
        (4, "REFUND", 7, 95),
        (3, "CHARGE", -7, 88),
        (2, "CHARGE", -5, 95),
        (1, "GRANT", 100, 100),
    ]
    row = LedgerEntry.objects.get(client=shop.client, seq=7)
    assert entries[0] == {
        "entry_id": row.pk,
        "seq": 7,
        "kind": "REFUND",
        "amount": 13,
        "balance_after": 84,
        "reference": row.reference,
        "created_at": row.created_at.isoformat().replace("+00:00", "Z"),
    }
    job = get(shop, f"/v1/jobs/{row.reference}").json()
    assert job["receipt"]["refund_entry_id"] == row.pk
    assert "ann" not in str(entries) and "blurred" not in str(entries)


def test_pages_hold_each_entry_once(db):
    shop = busy()
    Shop.make()
    assert seqs(shop, limit=2) == [7, 6, 5, 4, 3, 2, 1]
    assert page(shop, limit=7)["next"] is None
    first = page(shop, limit=3)
    order(shop)
    assert seqs(shop, limit=3, cursor=first["next"]) == [4, 3, 2, 1]
    assert page(shop, cursor=0) == page(Shop.make(credits=0)) == {"entries": [], "next": None}
    assert seqs(shop, cursor=2**53 - 1) == [8, 7, 6, 5, 4, 3, 2, 1]


def test_entries_are_found_by_kind_and_by_what_they_are_for(db):
    shop = busy()
    ledger.grant(client_id=shop.client.pk, credits=1, reason="Invoice", reference="2041")
    ledger.grant(client_id=Shop.make().client.pk, credits=1, reason="Invoice", reference="2041")
    assert seqs(shop, kind="GRANT") == [8, 1]
    assert seqs(shop, kind="REFUND", limit=1) == [7, 4]
    assert seqs(shop, kind="ADJUSTMENT") == []
    assert seqs(shop, reference="2041") == [8]
    job = LedgerEntry.objects.get(client=shop.client, seq=3).reference
    assert seqs(shop, reference=job, limit=1) == [4, 3]
    assert seqs(shop, reference=job, kind="REFUND") == [4]
    assert seqs(shop, reference="none") == []
    assert seqs(Shop.make(), reference=job) == []
    ledger.adjust(client_id=shop.client.pk, credits=-1, reason="Counted twice", reference="2041")
    assert seqs(shop, reference="2041") == [9, 8]
    assert seqs(shop, reference="2041", kind="ADJUSTMENT") == [9]


def test_the_range_goes_by_the_entries_time_wherever_they_stand_in_the_chain(db):
    shop = busy()
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    # The third waited for the client's row, and was overtaken.
    for seq, minutes in {1: 0, 2: 60, 3: 118, 4: 119, 5: 117, 6: 121, 7: 180}.items():
        dated(shop, seq, begin + timedelta(minutes=minutes))

    def at(minutes: int) -> str:
        return (begin + timedelta(minutes=minutes)).isoformat()

    assert seqs(shop, created_after=at(118)) == [7, 6, 4, 3]
    assert seqs(shop, created_after=at(118), created_before=at(121)) == [4, 3]
    assert seqs(shop, created_before=at(118)) == [5, 2, 1]
    assert seqs(shop, created_after=at(60), created_before=at(180), kind="CHARGE", limit=1) == [6, 5, 3, 2]
    assert seqs(shop, created_after=at(181)) == seqs(shop, created_before=at(0)) == []
    assert seqs(shop, created_after="2026-03-01", created_before="2026-03-02") == [7, 6, 5, 4, 3, 2, 1]


def test_what_matches_nothing_is_searched_piece_by_piece(db, monkeypatch):
    monkeypatch.setattr(bill, "SEARCHED", 3)
    shop = busy()
    found = page(shop, kind="GRANT")
    assert (found["entries"], found["next"]) == ([], "5")
    assert seqs(shop, kind="GRANT") == [1]
    assert seqs(shop) == [7, 6, 5, 4, 3, 2, 1]
    assert page(shop, cursor=4)["next"] is None


@pytest.mark.parametrize(
    ("query", "name", "code"),
    [
        ("limit=101", "limit", "less_than_equal"),
        ("cursor=-1", "cursor", "greater_than_equal"),
        ("cursor=9007199254740992", "cursor", "less_than_equal"),
        ("cursor=x", "cursor", "int_parsing"),
        ("kind=grant", "kind", "enum"),
        ("reference=", "reference", "string_too_short"),
        ("reference=%00", "reference", "string_unicode"),
        ("format=xml", "format", "enum"),
        ("created_after=1", "created_after", "datetime_parsing"),
        ("from=2026-01-01", "from", "extra_forbidden"),
    ],
)
def test_what_cannot_be_meant_is_refused(db, shop: Shop, query: str, name: str, code: str):
    answer = get(shop, f"/v1/credits/entries?{query}")
    assert answer.status_code == 422
    assert [(fault["loc"], fault["type"]) for fault in answer.json()["detail"]] == [(["query", name], code)]


def test_a_page_reads_no_more_than_a_piece_of_the_clients_own_chain(own_database):
    shop = flood(30_000)
    flood_of_another = Shop.make()
    sql("VACUUM ANALYZE billing_ledgerentry")
    for client, query in (
        (shop, "kind=GRANT"),
        (shop, "reference=none"),
        (shop, "created_before=2020-01-01"),
        (shop, "created_after=2020-01-01&kind=REFUND&cursor=20000"),
        (flood_of_another, "kind=CHARGE"),
    ):
        with CaptureQueriesContext(connection) as statements:
            assert get(client, f"/v1/credits/entries?{query}").status_code == 200
        assert len(statements) <= 4
        for statement in statements:
            if 'FROM "billing_ledgerentry"' in statement["sql"]:
                plan = "\n".join(line for (line,) in sql(f"EXPLAIN (ANALYZE) {statement['sql']}"))
                assert "Seq Scan" not in plan, plan
                removed = [int(line.split(":")[1]) for line in plan.splitlines() if "Rows Removed" in line]
                assert sum(removed) <= bill.SEARCHED, plan


# The file


def rows(answer: Any) -> list[dict[str, str]]:
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode(), newline="")))


@pytest.mark.parametrize(
    ("query", "accept", "is_csv"),
    [
        ("", "text/csv", True),
        ("", "text/csv, application/json;q=0.5", True),
        ("", "*/*", False),
        ("", "application/json", False),
        ("", "text/html", False),
        ("", "garbage", False),
        ("?format=csv", "application/json", True),
        ("?format=json", "text/csv", False),
    ],
)
def test_a_file_is_for_who_asks_for_it(db, query: str, accept: str, is_csv: bool):
    answer = get(busy(), f"/v1/credits/entries{query}", HTTP_ACCEPT=accept)
    assert answer.headers["Content-Type"].startswith("text/csv" if is_csv else "application/json")


def test_the_file_has_all_that_the_pages_have(db, monkeypatch):
    monkeypatch.setattr(bill, "SEARCHED", 3)
    shop = busy()
    listed = [{name: str(value) for name, value in entry.items()} for entry in everything(shop)]
    assert rows(get(shop, "/v1/credits/entries?format=csv&limit=1")) == listed
    charges = [entry for entry in listed if entry["kind"] == "CHARGE"]
    assert rows(get(shop, "/v1/credits/entries?format=csv&kind=CHARGE&created_after=2020-01-01")) == charges
    assert rows(get(Shop.make(credits=0), "/v1/credits/entries?format=csv")) == []


def everything(shop: Shop) -> list[dict[str, Any]]:
    entries, cursor = [], str(2**52)
    while cursor is not None:
        body = page(shop, cursor=cursor)
        entries, cursor = entries + body["entries"], body["next"]
    return entries


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_no_text_in_the_file_is_a_formula(db, shop: Shop, sign: str):
    reference = f'{sign}HYPERLINK("http://x","y")'
    ledger.grant(client_id=shop.client.pk, credits=1, reason="r", reference=reference)
    newest, oldest = rows(get(shop, "/v1/credits/entries?format=csv"))
    assert (newest["reference"], newest["amount"]) == (f"'{reference}", "1")
    assert oldest["reference"] == ""
    assert page(shop)["entries"][0]["reference"] == reference


def test_a_long_file_is_sent_as_it_is_read(gateway: Gateway):
    shop = Shop.make(credits=1)
    entries = [
        LedgerEntry(client=shop.client, seq=seq, kind="GRANT", amount=1, balance_after=seq, reason="r", actor="a")
        for seq in range(2, 5_001)
    ]
    with transaction.atomic():
        LedgerEntry.objects.bulk_create(entries)
        Client.objects.filter(pk=shop.client.pk).update(balance=5_000, ledger_seq=5_000)
    answer = gateway.call("GET", "/v1/credits/entries", key=shop.key, headers={"Accept": "text/csv"})
    assert (answer.status, answer.headers["Content-Length"]) == (200, None)
    lines = answer.body.decode().split("\r\n")
    assert (len(lines), lines[-1]) == (5_002, "")  # a heading, the grants, and the last line's end
    assert 'filename="credits.csv"' in answer.headers["Content-Disposition"]
    refused = gateway.call("GET", "/v1/credits/entries", headers={"Accept": "text/csv"})
    assert (refused.status, refused.json["code"]) == (401, "missing_api_key")
