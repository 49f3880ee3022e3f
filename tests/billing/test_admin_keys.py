"""API keys in the staff console."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from billing.models import ApiKey
from tests.conftest import Shop
from tests.console import HOSTILE, messages, secret_in, signed_in, submit_dialog
from tests.helpers import post


def client_page(shop: Shop) -> str:
    return f"/admin/billing/client/{shop.client.pk}/"


@pytest.mark.parametrize(("fields", "prefix"), [({"days": "30"}, "sk_"), ({"test": "on"}, "sk_test_")])
def test_a_key_is_made_and_its_secret_shown_in_one_answer(db, shop: Shop, fields: dict[str, Any], prefix: str):
    browser = signed_in()
    browser.get(f"{client_page(shop)}make_key/")
    assert ApiKey.objects.count() == 1
    secret = secret_in(submit_dialog(browser, f"{client_page(shop)}make_key/", **fields), browser)
    key = ApiKey.objects.latest("pk")
    assert secret.startswith(key.prefix)
    assert secret.startswith("sk_test_") is (prefix == "sk_test_")
    assert (key.expires_at is not None) is ("days" in fields)
    if key.expires_at is not None:
        assert 29 <= (key.expires_at - timezone.now()).days <= 30
    order = post(None, "/v1/background-generator", {"scene_type": "podium", "mood": "calm"},
                 HTTP_AUTHORIZATION=f"Bearer {secret}")  # fmt: skip
    assert order.status_code == 202
    for path in (f"{client_page(shop)}change/", f"/admin/billing/apikey/{key.pk}/change/", "/admin/billing/apikey/"):
        html = browser.get(path).content.decode()
        assert key.prefix in html
        assert secret not in html
        assert key.digest not in html
    assert LogEntry.objects.get().change_message == f"Made the API key {key}"


def test_a_key_is_revoked_for_good_from_its_own_page_and_from_its_client(db, shop: Shop):
    browser, key = signed_in(), shop.client.api_keys.get()
    revoke = f"/admin/billing/apikey/{key.pk}/revoke/"
    pages = (f"/admin/billing/apikey/{key.pk}/change/", f"{client_page(shop)}change/")
    for page in pages:
        assert revoke in browser.get(page).content.decode()
    browser.get(revoke)
    key.refresh_from_db()
    assert key.revoked_at is None
    assert submit_dialog(browser, revoke).headers["HX-Redirect"] == f"{client_page(shop)}change/"
    assert messages(browser) == [f"The API key {key} is revoked."]
    key.refresh_from_db()
    revoked_at = key.revoked_at
    assert revoked_at is not None
    for page in pages:
        assert revoke not in browser.get(page).content.decode()
    submit_dialog(browser, revoke)
    key.refresh_from_db()
    assert key.revoked_at == revoked_at


def test_keys_are_found_by_their_first_characters_alone(db, shop: Shop):
    Shop.make()
    browser, key = signed_in(), shop.client.api_keys.get()

    def found(term: str) -> list[ApiKey]:
        return list(browser.get("/admin/billing/apikey/", {"q": term}).context["cl"].result_list)

    assert found(key.prefix) == found(key.prefix[:8]) == [key]
    assert found("Shop") == found(HOSTILE) == found(key.prefix[1:]) == []


def test_a_client_with_many_keys_shows_some_of_them_on_a_page(db, shop: Shop):
    ApiKey.objects.bulk_create(ApiKey(client=shop.client, digest=f"{n:064x}", prefix=f"sk_{n:08}") for n in range(30))
    browser = signed_in()
    html = browser.get(f"{client_page(shop)}change/").content.decode()
    assert html.count("/revoke/") == 10
    assert "31 API keys" in html
