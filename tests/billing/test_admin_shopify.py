"""Shopify secrets and shops in the staff console."""

import pytest
from django.contrib.admin.models import LogEntry

from billing import shopify
from billing.models import ShopDomain
from studio_gateway.encryption import decrypt
from tests.conftest import Shop
from tests.console import HOSTILE, messages, secret_in, signed_in, submit_dialog
from tests.shopify import BODY, DOMAIN, NEWER, SECRET, needs_openssl, order


def page(shop: Shop, action: str = "change") -> str:
    return f"/admin/billing/client/{shop.client.pk}/{action}/"


def stored(shop: Shop) -> list[str | None]:
    return [decrypt(secret.encrypted) for secret in shop.client.shopify_secrets.order_by("pk")]


def test_a_secret_is_typed_in_and_never_shown(db, shop: Shop):
    browser = signed_in()
    assert "Secret: none is set." in browser.get(page(shop)).content.decode()
    for secret in (SECRET, NEWER):
        answer = submit_dialog(browser, page(shop, "set_shopify_secret"), secret=secret)
        assert answer.headers["HX-Redirect"] == page(shop)
        assert messages(browser) == ["Set the Shopify secret."]
    html = browser.get(page(shop)).content.decode()
    assert "; the previous one, set" in html
    assert SECRET not in html
    assert NEWER not in html
    assert stored(shop) == [SECRET, NEWER]
    assert {entry.change_message for entry in LogEntry.objects.all()} == {"Set a Shopify secret"}


def test_the_previous_secret_is_retired_where_asked(db, shop: Shop):
    browser = signed_in()
    for secret in (SECRET, NEWER):
        submit_dialog(browser, page(shop, "set_shopify_secret"), secret=secret, retire_previous="on")
    assert stored(shop) == [NEWER]
    assert "still holds" not in browser.get(page(shop)).content.decode()
    assert LogEntry.objects.latest("pk").change_message == "Set a Shopify secret and retired the previous one"


def test_a_secret_is_made_up_and_shown_in_one_answer(db, shop: Shop):
    browser = signed_in()
    answer = submit_dialog(browser, page(shop, "set_shopify_secret"))
    assert stored(shop) == [secret_in(answer, browser)]


@pytest.mark.parametrize("secret", ["with space", "häßlich", HOSTILE])
def test_what_is_no_secret_or_another_clients_is_refused_and_not_shown_again(db, shop: Shop, secret: str):
    other = Shop.make()
    shopify.set_secret(client_id=other.client.pk, secret=SECRET)
    browser = signed_in()
    for refused in (secret, SECRET):
        submit_dialog(browser, page(shop, "set_shopify_secret"), secret=refused)
        (said,) = messages(browser)
        assert "Shopify secret" in said
        assert refused not in said
    assert (stored(shop), LogEntry.objects.count()) == ([], 0)
    answer = submit_dialog(browser, page(shop, "set_shopify_secret"), secret="x" * 201)
    assert answer.context["form"].errors
    assert "x" * 201 not in answer.content.decode()


@needs_openssl
def test_a_shop_is_added_orders_and_is_removed(db, shop: Shop):
    browser = signed_in()
    submit_dialog(browser, page(shop, "set_shopify_secret"), secret=SECRET)
    submit_dialog(browser, page(shop, "add_shop"), domain=f" {DOMAIN.upper()} ")
    assert messages(browser)[-1] == f"{DOMAIN} is one of its shops."
    assert order(BODY).status_code == 202
    remove = f"{page(shop, 'remove_shop')}?domain={DOMAIN}"
    html = browser.get(page(shop)).content.decode()
    assert remove in html
    assert f'aria-label="Remove {DOMAIN}"' in html
    assert DOMAIN in browser.get(remove).content.decode()
    assert ShopDomain.objects.count() == 1
    submit_dialog(browser, remove)
    assert messages(browser) == [f"{DOMAIN} is none of its shops any more."]
    assert not ShopDomain.objects.exists()
    assert order(BODY).status_code == 401
    said = [entry.change_message for entry in LogEntry.objects.order_by("pk")]
    assert said == ["Set a Shopify secret", f"Added the shop {DOMAIN}", f"Removed the shop {DOMAIN}"]


def test_what_is_no_shop_or_anothers_is_not_added(db, shop: Shop):
    other = Shop.make()
    shopify.add_shop(client_id=other.client.pk, domain=DOMAIN)
    browser = signed_in()
    for domain, said in ((DOMAIN, "belongs to another client"), (HOSTILE, "is not the domain of a shop")):
        submit_dialog(browser, page(shop, "add_shop"), domain=domain)
        assert said in messages(browser)[0]
    assert (shop.client.shop_domains.count(), LogEntry.objects.count()) == (0, 0)


def test_another_clients_shop_is_not_removed(db, shop: Shop):
    other = Shop.make()
    shopify.add_shop(client_id=other.client.pk, domain=DOMAIN)
    browser = signed_in()
    assert browser.get(f"{page(shop, 'remove_shop')}?domain={DOMAIN}").status_code == 404
    browser.post(page(shop, "remove_shop"), {"_form_submitted": "True", "domain": DOMAIN})
    assert messages(browser) == [f"{DOMAIN} was none of its shops."]
    assert (other.client.shop_domains.count(), LogEntry.objects.count()) == (1, 0)


def test_a_client_with_many_shops_shows_some_of_them_on_a_page(db, shop: Shop):
    ShopDomain.objects.bulk_create(ShopDomain(client=shop.client, domain=f"shop-{n}.example") for n in range(30))
    assert signed_in().get(page(shop)).content.decode().count("remove_shop/?domain=") == 10
