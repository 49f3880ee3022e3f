"""Setting balances right in the staff console."""

from django.contrib.admin.models import LogEntry

from billing.models import LedgerEntry
from tests.conftest import Shop
from tests.console import messages, signed_in, submit_dialog


def adjustments(shop: Shop) -> list[LedgerEntry]:
    return list(shop.client.ledger_entries.filter(kind="ADJUSTMENT").order_by("seq"))


def path(shop: Shop) -> str:
    return f"/admin/billing/client/{shop.client.pk}/adjust/"


def test_an_adjustment_moves_the_balance_either_way_and_says_who_and_why(db, shop: Shop):
    browser = signed_in()
    assert "Shop has a balance of 100 credits." in browser.get(path(shop)).content.decode()
    for credits, after in ((-25, 75), (5, 80)):
        answer = submit_dialog(browser, path(shop), credits=credits, reason="counted twice")
        assert answer.headers["HX-Redirect"] == f"/admin/billing/client/{shop.client.pk}/change/"
        entry = adjustments(shop)[-1]
        assert (entry.amount, entry.balance_after, entry.reason, entry.actor) == (
            credits,
            after,
            "counted twice",
            "ada",
        )
        assert messages(browser) == [f"Adjusted the balance by {credits:+d} credits; the balance is {after}."]
    assert shop.balance == 80
    said = "Adjusted the balance by -25 credits: counted twice"
    assert LogEntry.objects.earliest("pk").change_message == said


def test_one_dialog_sent_twice_adjusts_once(db, shop: Shop):
    browser = signed_in()
    form = browser.get(path(shop)).context["form"]
    sent = {name: form[name].value() or "" for name in form.fields} | {"credits": "-60", "reason": "counted twice"}
    for _ in range(2):
        browser.post(path(shop), sent)
    assert [entry.amount for entry in adjustments(shop)] == [-60]
    assert LogEntry.objects.count() == 1
    assert messages(browser) == [
        "Adjusted the balance by -60 credits; the balance is 40.",
        "Adjusted the balance by -60 credits before, and not a second time; the balance was 40 then.",
    ]


def test_what_is_more_than_the_balance_is_not_taken(db, shop: Shop):
    browser = signed_in()
    submit_dialog(browser, path(shop), credits="-101", reason="counted twice")
    assert messages(browser) == ["101 credits cannot be taken off a balance of 100: it never goes below zero."]
    assert (adjustments(shop), LogEntry.objects.count()) == ([], 0)


def test_an_adjustment_without_a_reason_or_an_amount_moves_nothing(db, shop: Shop):
    browser = signed_in()
    for credits, reason in (("25", ""), ("25", "  "), ("0", "x"), ("", "x"), ("-1000000001", "x"), ("1.5", "x")):
        answer = submit_dialog(browser, path(shop), credits=credits, reason=reason)
        assert "HX-Redirect" not in answer.headers
        assert answer.context["form"].errors
    assert adjustments(shop) == []
