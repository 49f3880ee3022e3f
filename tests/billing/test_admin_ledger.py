"""The ledger in the staff console."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import ledger
from billing.models import LedgerEntry
from tests.conftest import Shop
from tests.console import HOSTILE, fail, order, signed_in
from tests.helpers import dated


def test_nobody_changes_the_ledger(db, shop: Shop):
    browser, entry = signed_in(), LedgerEntry.objects.get()
    assert browser.get(f"/admin/billing/ledgerentry/{entry.pk}/change/").status_code == 200
    for path in ("add/", f"{entry.pk}/change/", f"{entry.pk}/delete/"):
        assert browser.post(f"/admin/billing/ledgerentry/{path}", {"post": "yes", "amount": 5}).status_code == 403
    sent = {"action": "delete_selected", "_selected_action": entry.pk, "post": "yes"}
    browser.post("/admin/billing/ledgerentry/", sent)
    assert list(LedgerEntry.objects.values_list("amount", flat=True)) == [100]


def test_an_entry_is_found_by_its_id_its_job_its_request_and_its_reference(db, shop: Shop):
    job = fail(order(shop.client))
    Shop.make(name="Other")
    browser = signed_in()

    def found(term: str) -> set[str]:
        return {entry.pk for entry in browser.get("/admin/billing/ledgerentry/", {"q": term}).context["cl"].result_list}

    assert found(job.charge_id) == {job.charge_id}
    assert found(job.pk.lower()) == {job.charge_id, job.refund_id}
    assert found(job.request_id) == {job.charge_id, job.refund_id}
    grant = ledger.grant(client_id=shop.client.pk, credits=1, reason="x", reference="T-77")
    assert found("T-77") == {grant.pk}
    assert found("T-7") == set()


def test_a_kind_a_client_and_a_time_each_select_their_entries(db, shop: Shop):
    job = fail(order(shop.client))
    Shop.make(name="Other")
    browser = signed_in()

    def found(**parameters: object) -> list[tuple[str, int]]:
        entries = browser.get("/admin/billing/ledgerentry/", parameters).context["cl"].result_list
        return [(entry.kind, entry.seq) for entry in entries]

    assert found(kind__exact="REFUND") == [("REFUND", 3)]
    # In the order of its ledger, newest first.
    whole = [("REFUND", 3), ("CHARGE", 2), ("GRANT", 1)]
    assert found(client__id__exact=shop.client.pk) == whole
    assert found(client__id__exact=shop.client.pk, kind__exact="GRANT") == [("GRANT", 1)]
    dated(shop, 2, job.charge.created_at - timedelta(minutes=5))
    early = (job.charge.created_at - timedelta(minutes=5)).isoformat()
    assert found(created_after=early, client__id__exact=shop.client.pk) == whole
    late = job.charge.created_at - timedelta(minutes=4)
    assert found(created_before=late.isoformat()) == [("CHARGE", 2)]
    assert ("CHARGE", 2) not in found(created_after=late.isoformat())


def test_charges_and_refunds_link_to_their_job_and_grants_do_not(db, shop: Shop):
    job = fail(order(shop.client))
    ledger.grant(client_id=shop.client.pk, credits=1, reason=HOSTILE, reference=job.pk)
    html = signed_in().get("/admin/billing/ledgerentry/").content.decode()
    assert html.count(f'href="/admin/workflows/job/{job.pk}/change/"') == 2
    assert "<script>alert(1)" not in html


def test_the_list_costs_the_same_for_one_client_and_for_many(db, shop: Shop):
    browser = signed_in()
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            browser.get("/admin/billing/ledgerentry/")
        counts.append(len(queries))
        for number in range(5):
            order(Shop.make(name=f"Shop {number}").client)
    assert counts[0] == counts[1] <= 6
