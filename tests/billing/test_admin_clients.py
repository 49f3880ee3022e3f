"""Clients in the staff console."""

from django.contrib.admin.models import LogEntry
from django.db import connection

from billing import ledger
from billing.clients import suspend
from billing.models import ApiKey, Client
from tests.conftest import Shop
from tests.console import HOSTILE, messages, signed_in, submit_dialog


def form_of(shop: Shop, **fields: object) -> dict[str, object]:
    keys = {"api_keys-TOTAL_FORMS": 0, "api_keys-INITIAL_FORMS": 0}
    return {
        "name": shop.client.name,
        "max_open_jobs": 1000,
        "jobs_per_minute": 60,
        "storage_prefixes": "",
        "retention_days": 30,
        **keys,
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


def test_a_key_is_made_and_its_secret_shown_once(db, shop: Shop):
    browser, page = signed_in(), f"/admin/billing/client/{shop.client.pk}/"
    browser.get(f"{page}make_key/")
    assert ApiKey.objects.count() == 1
    submit_dialog(browser, f"{page}make_key/", days="30")
    key = ApiKey.objects.latest("pk")
    assert key.expires_at is not None
    (shown,) = messages(browser)
    secret = shown.split()[-1]
    assert secret.startswith(key.prefix)
    assert len(secret) == 43
    for path in (f"{page}change/", f"/admin/billing/apikey/{key.pk}/change/", "/admin/billing/apikey/", "/admin/"):
        html = browser.get(path).content.decode()
        assert secret not in html
        assert key.digest not in html
    assert secret not in LogEntry.objects.get().change_message


def test_a_key_is_revoked_for_good(db, shop: Shop):
    browser, key = signed_in(), shop.client.api_keys.get()
    page = f"/admin/billing/apikey/{key.pk}/"
    assert f"{page}revoke/" in browser.get(f"{page}change/").content.decode()
    browser.get(f"{page}revoke/")
    submit_dialog(browser, f"{page}revoke/")
    key.refresh_from_db()
    revoked_at = key.revoked_at
    assert revoked_at is not None
    assert f"{page}revoke/" not in browser.get(f"{page}change/").content.decode()
    submit_dialog(browser, f"{page}revoke/")
    key.refresh_from_db()
    assert key.revoked_at == revoked_at


def test_a_hostile_name_is_shown_as_text(db, shop: Shop):
    Client.objects.update(name=HOSTILE)
    browser, page = signed_in(), f"/admin/billing/client/{shop.client.pk}/"
    for path in ("/admin/billing/client/", f"{page}change/", f"{page}grant/", "/admin/billing/ledgerentry/"):
        html = browser.get(path).content.decode()
        assert "&lt;script&gt;alert(1)" in html
        assert "<script>alert(1)" not in html
        assert "<img src=x" not in html


def test_a_client_is_found_by_name_and_by_number(db, shop: Shop):
    Shop.make(name="Other")
    browser = signed_in()
    for term in ("sho", str(shop.client.pk)):
        found = browser.get("/admin/billing/client/", {"q": term}).context["cl"].result_list
        assert shop.client in found


def test_what_is_no_client_answers_404(db, shop: Shop):
    browser = signed_in()
    for wrong in ("0", "abc", "99999999999999999999999"):
        for action in ("grant", "make_key", "suspend"):
            assert browser.get(f"/admin/billing/client/{wrong}/{action}/").status_code in (200, 404)
            assert browser.post(f"/admin/billing/client/{wrong}/{action}/", {"_form_submitted": "on"}).status_code in (
                200,
                404,
            )
    assert ApiKey.objects.count() == 1
