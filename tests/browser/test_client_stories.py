"""What staff do for one client's money, keys and shops, in a real browser against real processes."""

import json

from playwright.sync_api import Locator, Page, expect

from billing.keys import create_key
from tests.browser.stories import BACKGROUND
from tests.conftest import Shop
from tests.console import HOSTILE
from tests.gateway import Gateway
from tests.shopify import DOMAIN, SECRET, needs_openssl, signature


def open_client(gateway: Gateway, page: Page, shop: Shop) -> None:
    page.goto(f"{gateway.url}/admin/billing/client/{shop.client.pk}/change/")


def dialog(page: Page, action: str) -> Locator:
    """Open the dialog of an action in the page's head."""
    page.locator(f"a[hx-get$='/{action}/']").click()
    return page.locator("#dialog")


def shown_secret(page: Page) -> str:
    expect(page.get_by_text("It is shown this once, and cannot be had again")).to_be_visible()
    return page.locator("#secret").inner_text()


def is_nowhere(page: Page, secret: str) -> None:
    """Assert that the browser keeps a secret no more, on the page or beside it."""
    page.reload()
    page.wait_for_load_state("networkidle")
    assert secret not in page.content()
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, history.state, document.cookie])")
    assert secret not in kept
    assert secret not in json.dumps(page.context.cookies())


def test_a_double_click_grants_credits_once_and_leads_to_the_entry(gateway: Gateway, staff: Page, shop: Shop):
    open_client(gateway, staff, shop)
    grant = dialog(staff, "grant")
    expect(grant).to_contain_text("Shop has a balance of 100 credits.")
    grant.get_by_label("Credits").fill("50")
    grant.get_by_role("button", name="Grant").click()
    expect(grant).to_contain_text("This field is required.")
    grant.get_by_label("Reason").fill("sorry for the wait")
    grant.get_by_role("button", name="Grant").dblclick()
    expect(staff.get_by_text("Granted 50 credits; the balance is 150.")).to_be_visible()
    staff.wait_for_load_state("networkidle")
    assert shop.balance == 150
    staff.get_by_role("link", name="Ledger entries").click()
    expect(staff.locator("#result_list tbody tr")).to_have_count(2)
    staff.locator("#result_list tr", has_text="sorry for the wait").locator("th a").click()
    for text in ("sorry for the wait", "grace", "+50", "150"):
        expect(staff.locator("#content-main")).to_contain_text(text)


def test_a_balance_is_adjusted_and_never_below_zero(gateway: Gateway, staff: Page, shop: Shop):
    open_client(gateway, staff, shop)
    for credits, said in (
        ("-101", "101 credits cannot be taken off a balance of 100: it never goes below zero."),
        ("-30", "Adjusted the balance by -30 credits; the balance is 70."),
    ):
        adjust = dialog(staff, "adjust")
        expect(adjust).to_contain_text("Shop has a balance of 100 credits.")
        adjust.get_by_label("Credits").fill(credits)
        adjust.get_by_label("Reason").fill("counted twice")
        adjust.get_by_role("button", name="Adjust").dblclick()
        expect(staff.get_by_text(said)).to_be_visible()
    staff.wait_for_load_state("networkidle")
    assert shop.balance == 70
    staff.get_by_role("link", name="History").click()
    expect(staff.get_by_text("Adjusted the balance by -30 credits: counted twice")).to_be_visible()


def test_a_key_is_made_used_and_revoked_and_its_secret_kept_nowhere(gateway: Gateway, staff: Page, shop: Shop):
    staff.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_client(gateway, staff, shop)
    make = dialog(staff, "make_key")
    make.get_by_label("Days until it expires").fill("30")
    make.get_by_role("button", name="Make key").dblclick()
    secret = shown_secret(staff)
    staff.wait_for_load_state("networkidle")
    assert shop.client.api_keys.count() == 2
    expect(staff.get_by_role("button", name="Copy")).to_be_focused()
    staff.keyboard.press("Enter")
    expect(staff.get_by_role("status")).to_have_text("Copied.")
    assert staff.evaluate("navigator.clipboard.readText()") == secret
    assert gateway.call("POST", "/v1/background-generator", BACKGROUND, key=secret).status == 202
    is_nowhere(staff, secret)
    staff.go_back()
    staff.go_forward()
    is_nowhere(staff, secret)

    row = staff.get_by_role("row", name=secret[:11])
    row.get_by_role("button", name="Revoke").click()
    staff.locator("#dialog").get_by_role("button", name="Revoke").click()
    expect(staff.get_by_text("is revoked.")).to_be_visible()
    expect(row).to_contain_text("revoked")
    expect(row.get_by_role("button")).to_have_count(0)
    assert gateway.call("POST", "/v1/background-generator", BACKGROUND, key=secret).status == 401


def test_the_keys_of_the_second_page_are_reached_and_revoked_by_keyboard(gateway: Gateway, staff: Page, shop: Shop):
    for _ in range(10):
        create_key(client=shop.client)
    oldest = shop.client.api_keys.earliest("pk")
    open_client(gateway, staff, shop)
    pages = staff.get_by_role("navigation", name="Pages of API keys")
    expect(staff.get_by_role("row", name=str(oldest))).to_have_count(0)
    pages.get_by_role("link", name="2").focus()
    staff.keyboard.press("Enter")
    staff.get_by_role("button", name=f"Revoke {oldest}").focus()
    staff.keyboard.press("Enter")
    staff.locator("#dialog").get_by_role("button", name="Revoke").focus()
    staff.keyboard.press("Enter")
    expect(staff.get_by_text(f"The API key {oldest} is revoked.")).to_be_visible()
    assert gateway.call("GET", "/v1/credits", key=shop.key).status == 401


@needs_openssl
def test_a_shopify_app_is_set_up_and_orders(gateway: Gateway, staff: Page, shop: Shop):
    open_client(gateway, staff, shop)
    staff.get_by_role("button", name="Set secret").click()
    staff.locator("#dialog").get_by_label("Secret").fill(SECRET)
    staff.locator("#dialog").get_by_role("button", name="Set secret").click()
    expect(staff.get_by_text("Set the Shopify secret.")).to_be_visible()
    is_nowhere(staff, SECRET)
    staff.get_by_role("button", name="Add shop").click()
    staff.locator("#dialog").get_by_label("Domain").fill(DOMAIN)
    staff.locator("#dialog").get_by_role("button", name="Add shop").click()
    expect(staff.get_by_text(f"{DOMAIN} is one of its shops.")).to_be_visible()

    def status(secret: str, seed: int) -> int:
        body = json.dumps({**BACKGROUND, "seed": seed}).encode()
        signed = {"X-Shopify-Hmac-Sha256": signature(secret, body), "X-Shopify-Shop-Domain": DOMAIN}
        return gateway.call("POST", "/v1/background-generator", body, headers=signed).status

    assert status(SECRET, 1) == 202
    staff.get_by_role("button", name="Set secret").click()
    staff.locator("#dialog").get_by_text("Retire the previous one at once").click()
    staff.locator("#dialog").get_by_role("button", name="Set secret").dblclick()
    made_up = shown_secret(staff)
    assert (status(made_up, 2), status(SECRET, 3)) == (202, 401)
    staff.get_by_role("link", name="I have kept it").click()
    is_nowhere(staff, made_up)

    staff.get_by_role("button", name=f"Remove {DOMAIN}").click()
    staff.locator("#dialog").get_by_role("button", name="Remove").click()
    expect(staff.get_by_text(f"{DOMAIN} is none of its shops any more.")).to_be_visible()
    assert status(made_up, 4) == 401


def test_a_client_of_a_hostile_name_is_told_by_name(gateway: Gateway, staff: Page, shop: Shop):
    hostile = Shop.make(name=HOSTILE, credits=9)
    assert gateway.call("POST", "/v1/background-generator", BACKGROUND, key=hostile.key).status == 202
    staff.goto(f"{gateway.url}/admin/billing/client/")
    staff.locator("#searchbar").fill(HOSTILE[:12].upper())
    staff.locator("#searchbar").press("Enter")
    expect(staff.locator("#result_list tbody tr")).to_have_count(1)
    staff.get_by_role("link", name=HOSTILE).click()
    expect(staff.get_by_role("img", name="Credits charged and refunded")).to_be_visible()
    staff.get_by_text("As a table").click()
    expect(staff.get_by_role("table", name="Credits charged and refunded by day (UTC)")).to_be_visible()
    expect(dialog(staff, "grant")).to_contain_text(f"{HOSTILE} has a balance of 8 credits.")
    staff.keyboard.press("Escape")
    dialog(staff, "make_key").get_by_role("button", name="Make key").click()
    shown_secret(staff)
    expect(staff.get_by_role("heading", name=f"API key of {HOSTILE}")).to_be_visible()


def test_the_pages_of_a_client_fit_a_phone(gateway: Gateway, staff: Page, shop: Shop):
    staff.set_viewport_size({"width": 390, "height": 800})
    for path in (f"{shop.client.pk}/change/", "", "add/"):
        staff.goto(f"{gateway.url}/admin/billing/client/{path}")
        assert staff.evaluate("document.documentElement.scrollWidth") <= 390
    open_client(gateway, staff, shop)
    staff.locator("#main .material-symbols-outlined", has_text="more_horiz").first.click()
    dialog(staff, "make_key").get_by_role("button", name="Make key").click()
    shown_secret(staff)
    assert staff.evaluate("document.documentElement.scrollWidth") <= 390
