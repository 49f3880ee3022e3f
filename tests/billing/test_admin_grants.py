"""Granting credits in the staff console."""

from django.contrib.admin.models import LogEntry

from billing.models import LedgerEntry
from tests.conftest import Shop
from tests.console import messages, signed_in, submit_dialog


def grants(shop: Shop) -> list[LedgerEntry]:
    return list(shop.client.ledger_entries.filter(kind="GRANT").order_by("seq"))[1:]


def test_a_grant_moves_the_balance_and_says_who_and_why(db, shop: Shop):
    browser, path = signed_in(), f"/admin/billing/client/{shop.client.pk}/grant/"
    answer = submit_dialog(browser, path, credits="25", reason="sorry for the wait")
    assert answer.headers["HX-Redirect"] == f"/admin/billing/client/{shop.client.pk}/change/"
    (entry,) = grants(shop)
    assert (entry.amount, entry.balance_after, entry.reason, entry.actor) == (25, 125, "sorry for the wait", "ada")
    assert shop.balance == 125
    assert messages(browser) == ["Granted 25 credits; the balance is 125."]
    audit = LogEntry.objects.get()
    assert (audit.object_id, audit.change_message) == (str(shop.client.pk), "Granted 25 credits: sorry for the wait")


def test_one_dialog_sent_twice_grants_once(db, shop: Shop):
    browser, path = signed_in(), f"/admin/billing/client/{shop.client.pk}/grant/"
    form = browser.get(path).context["form"]
    sent = {name: form[name].value() or "" for name in form.fields} | {"credits": "25", "reason": "sorry"}
    browser.post(path, sent)
    browser.post(path, sent)
    assert [entry.amount for entry in grants(shop)] == [25]
    assert LogEntry.objects.count() == 1
    assert messages(browser) == [
        "Granted 25 credits; the balance is 125.",
        "Granted 25 credits before, and not a second time; the balance was 125 then.",
    ]


def test_two_dialogs_grant_twice(db, shop: Shop):
    browser, path = signed_in(), f"/admin/billing/client/{shop.client.pk}/grant/"
    for _ in range(2):
        submit_dialog(browser, path, credits="25", reason="sorry")
    assert shop.balance == 150


def test_a_grant_without_a_reason_or_an_amount_moves_nothing(db, shop: Shop):
    browser, path = signed_in(), f"/admin/billing/client/{shop.client.pk}/grant/"
    for credits, reason in (("25", ""), ("25", "  "), ("0", "x"), ("-5", "x"), ("1000000001", "x"), ("1.5", "x")):
        answer = submit_dialog(browser, path, credits=credits, reason=reason)
        assert "HX-Redirect" not in answer.headers
        assert answer.context["form"].errors
    assert grants(shop) == []


def test_the_tills_refusal_is_told_to_the_person(db, shop: Shop):
    browser, path = signed_in(), f"/admin/billing/client/{shop.client.pk}/grant/"
    for credits in ("25", "26"):
        submit_dialog(browser, path, credits=credits, reason="sorry", reference="T-1")
    assert shop.balance == 125
    assert messages(browser)[1] == "The reference T-1 already stands for a grant of 25 credits to this client."


def test_opening_the_dialog_grants_nothing(db, shop: Shop):
    browser = signed_in()
    path = f"/admin/billing/client/{shop.client.pk}/grant/?credits=5&reason=x&reference=y&_form_submitted=True"
    assert browser.get(path).status_code == 200
    assert browser.post(path).status_code == 200
    assert shop.balance == 100
