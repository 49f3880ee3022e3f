"""Clients in the staff console."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection

from billing import ledger, shopify
from billing.clients import suspend
from billing.models import ApiKey, Client
from tests.conftest import Shop
from tests.console import signed_in, signed_in_with, submit_dialog


def page(shop: Shop) -> str:
    return f"/admin/billing/client/{shop.client.pk}/change/"


def form_of(shop: Shop, **fields: object) -> dict[str, object]:
    inlines = ("api_keys", "shop_domains", "webhook_endpoints")
    counts = {f"{rows}-{kind}_FORMS": 0 for rows in inlines for kind in ("TOTAL", "INITIAL")}
    return {
        "name": shop.client.name,
        "max_open_jobs": 1000,
        "jobs_per_minute": 60,
        "storage_prefixes": "",
        "retention_days": 30,
        **counts,
        **fields,
    }


def test_limits_and_prefixes_are_edited(db, shop: Shop):
    browser, path = signed_in(), f"/admin/billing/client/{shop.client.pk}/change/"
    answer = browser.post(
        path, form_of(shop, max_open_jobs=7, retention_days=3, storage_prefixes="shop/photos/\r\nshop/old/")
    )
    assert answer.status_code == 302
    shop.client.refresh_from_db()
    assert (shop.client.max_open_jobs, shop.client.retention_days) == (7, 3)
    assert shop.client.storage_prefixes == ["shop/photos/", "shop/old/"]
    assert LogEntry.objects.get().object_id == str(shop.client.pk)


# Another value for each field, and the right that it takes to set it.
CHANGES = {
    "name": ("Renamed", "change_client"),
    "max_open_jobs": (7, "set_limits"),
    "jobs_per_minute": (8, "set_limits"),
    "low_credits_threshold": (9, "set_limits"),
    "storage_prefixes": (["shop/"], "set_storage"),
    "retention_days": (3, "set_storage"),
}


@pytest.mark.parametrize("right", ["change_client", "set_limits", "set_storage"])
def test_each_right_changes_its_own_fields_and_shows_the_others(db, shop: Shop, right: str):
    browser, path = signed_in_with("billing.view_client", f"billing.{right}"), page(shop)
    before = Client.objects.values(*CHANGES).get()
    sent = {name: value[0] if isinstance(value, list) else value for name, (value, _) in CHANGES.items()}
    offered = set(browser.get(path).context["adminform"].form.fields)
    assert offered == {name for name, (_, needed) in CHANGES.items() if needed == right}
    assert browser.post(path, form_of(shop, **sent)).status_code == 302
    expected = {name: value if name in offered else before[name] for name, (value, _) in CHANGES.items()}
    assert Client.objects.values(*CHANGES).get() == expected
    assert LogEntry.objects.count() == 1


def test_who_may_only_look_is_offered_nothing_and_changes_nothing(db, shop: Shop):
    shopify.add_shop(client_id=shop.client.pk, domain="cap-and-co.myshopify.com")
    browser = signed_in_with("billing.view_client", "billing.view_apikey")
    html = browser.get(page(shop)).content.decode()
    assert "cap-and-co.myshopify.com" in html
    assert "#modal-content" not in html
    assert "<textarea" not in html
    assert browser.post(page(shop), form_of(shop, name="Mine")).status_code == 403
    before = Client.objects.values().get()
    for action in ACTIONS:
        path = page(shop).replace("change", action)
        sent = {"_form_submitted": "True", "credits": 5, "reason": "r", "reference": "x", "domain": "a.example"}
        assert (browser.get(path).status_code, browser.post(path, sent).status_code) == (403, 403)
    assert browser.get("/admin/billing/client/add/").status_code == 403
    assert Client.objects.values().get() == before
    assert (ApiKey.objects.count(), shop.client.shop_domains.count(), LogEntry.objects.count()) == (1, 1, 0)


# Each button, and the one right that it takes.
ACTIONS = {
    "grant": "grant_credits",
    "adjust": "adjust_credits",
    "make_key": "add_apikey",
    "set_shopify_secret": "add_shopifysecret",
    "add_shop": "add_shopdomain",
    "remove_shop": "delete_shopdomain",
    "suspend": "suspend_client",
}


@pytest.mark.parametrize("action", ACTIONS)
def test_each_right_offers_its_own_button_and_no_other(db, shop: Shop, action: str):
    shopify.add_shop(client_id=shop.client.pk, domain="cap-and-co.myshopify.com")
    browser = signed_in_with("billing.view_client", "billing.view_apikey", f"billing.{ACTIONS[action]}")
    html = browser.get(page(shop)).content.decode()
    assert [other for other in ACTIONS if f"/client/{shop.client.pk}/{other}/" in html] == [action]
    for other in ACTIONS:
        answer = browser.get(page(shop).replace("change", other), {"domain": "cap-and-co.myshopify.com"})
        assert answer.status_code == (200 if other == action else 403)


def test_a_prefix_that_is_none_is_refused(db, shop: Shop):
    browser, path = signed_in(), f"/admin/billing/client/{shop.client.pk}/change/"
    for prefix in ("/etc/", "a/../b/", "a"):
        answer = browser.post(path, form_of(shop, storage_prefixes=prefix))
        assert list(answer.context["adminform"].errors) == ["storage_prefixes"]
    shop.client.refresh_from_db()
    assert shop.client.storage_prefixes == []


def test_saving_the_form_never_writes_back_a_balance_that_moved_meanwhile(db, shop: Shop):
    """Credits that come in between the form's reading of the row and its writing are kept."""
    browser, path = signed_in(), f"/admin/billing/client/{shop.client.pk}/change/"
    granted = []

    def grant_first(execute, sql, params, many, context):
        if sql.startswith('UPDATE "billing_client"') and not granted:
            granted.append(ledger.grant(client_id=shop.client.pk, credits=30, reason="meanwhile"))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(grant_first):
        assert browser.post(path, form_of(shop, name="Renamed")).status_code == 302
    shop.client.refresh_from_db()
    assert granted
    assert (shop.client.name, shop.client.balance, shop.client.ledger_seq) == ("Renamed", 130, 2)


def test_a_client_is_added_with_nothing_to_its_name(db):
    browser = signed_in()
    sent = {"name": "New shop", "max_open_jobs": 5, "jobs_per_minute": 60, "storage_prefixes": "", "retention_days": 9}
    assert browser.post("/admin/billing/client/add/", sent).status_code == 302
    client = Client.objects.get()
    assert (client.name, client.balance, client.max_open_jobs, client.api_keys.count()) == ("New shop", 0, 5, 0)


def test_who_adds_a_client_names_it_and_sets_what_their_rights_cover(db):
    browser = signed_in_with("billing.add_client", "billing.view_client")
    sent = {"name": "New shop", "max_open_jobs": 5, "jobs_per_minute": 6, "storage_prefixes": "a/", "retention_days": 9}
    assert browser.post("/admin/billing/client/add/", sent).status_code == 302
    client = Client.objects.get()
    assert (client.name, client.max_open_jobs, client.jobs_per_minute) == ("New shop", 1000, 60)
    assert (client.storage_prefixes, client.retention_days) == ([], 30)


def test_a_client_cannot_be_deleted(db, shop: Shop):
    assert signed_in().post(f"/admin/billing/client/{shop.client.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Client.objects.count() == 1


def test_a_client_is_suspended_and_let_back_in(db, shop: Shop):
    browser, page = signed_in(), f"/admin/billing/client/{shop.client.pk}/"
    for action, other, suspended in (("suspend", "lift_suspension", True), ("lift_suspension", "suspend", False)):
        offered = browser.get(f"{page}change/").content.decode()
        assert f"{page}{action}/" in offered
        assert f"{page}{other}/" not in offered
        browser.get(f"{page}{action}/")
        submit_dialog(browser, f"{page}{action}/")
        shop.client.refresh_from_db()
        assert (shop.client.suspended_at is not None) is suspended
    assert LogEntry.objects.count() == 2


def test_a_second_suspension_keeps_the_date_of_the_first(db, shop: Shop):
    Client.objects.update(suspended_at="2020-01-01T00:00Z")
    suspend(client_id=shop.client.pk)
    shop.client.refresh_from_db()
    assert shop.client.suspended_at.year == 2020


def test_what_is_no_client_answers_404(db, shop: Shop):
    browser = signed_in()
    for wrong in ("0", "abc", "99999999999999999999999"):
        for action in ("grant", "adjust", "make_key", "set_shopify_secret", "add_shop", "remove_shop", "suspend"):
            assert browser.get(f"/admin/billing/client/{wrong}/{action}/").status_code in (200, 404)
            assert browser.post(f"/admin/billing/client/{wrong}/{action}/", {"_form_submitted": "on"}).status_code in (
                200,
                404,
            )
    assert (ApiKey.objects.count(), LogEntry.objects.count()) == (1, 0)
