"""What staff do for a client who writes in, in a real browser against real processes."""

from playwright.sync_api import Locator, Page, expect

from tests.conftest import Shop
from tests.gateway import Gateway

BACKGROUND = {"scene_type": "podium", "mood": "calm", "resolution": "512", "seed": 5}


def finished(gateway: Gateway, shop: Shop, spec: dict) -> dict:
    accepted = gateway.call("POST", "/v1/background-generator", spec, key=shop.key)
    assert accepted.status == 202
    return gateway.finished(accepted.json["job_id"], key=shop.key)


def button(page: Page, action: str) -> Locator:
    return page.locator(f"a[hx-get$='/{action}/']")


def test_a_double_click_grants_credits_once(gateway: Gateway, staff: Page, shop: Shop):
    staff.goto(f"{gateway.url}/admin/billing/client/{shop.client.pk}/change/")
    button(staff, "grant").click()
    dialog = staff.locator("#dialog")
    expect(dialog).to_contain_text("Shop has a balance of 100 credits.")
    dialog.get_by_label("Credits").fill("50")
    dialog.get_by_label("Reason").fill("sorry for the wait")
    dialog.get_by_role("button", name="Grant").dblclick()
    expect(staff.get_by_text("Granted 50 credits; the balance is 150.")).to_be_visible()
    staff.wait_for_load_state("networkidle")
    assert shop.balance == 150
    staff.get_by_role("link", name="Ledger entries").click()
    expect(staff.locator("#result_list")).to_contain_text("sorry for the wait")
    expect(staff.locator("#result_list tbody tr")).to_have_count(2)


def test_a_key_is_made_used_and_revoked(gateway: Gateway, staff: Page, shop: Shop):
    staff.goto(f"{gateway.url}/admin/billing/client/{shop.client.pk}/change/")
    button(staff, "make_key").click()
    staff.get_by_role("button", name="Make key").dblclick()
    message = staff.get_by_text("The new API key, shown this once:")
    expect(message).to_be_visible()
    secret = message.inner_text().split()[-1]
    staff.wait_for_load_state("networkidle")
    assert shop.client.api_keys.count() == 2
    assert gateway.call("POST", "/v1/background-generator", BACKGROUND, key=secret).status == 202
    staff.reload()
    expect(staff.get_by_text(secret)).to_have_count(0)

    staff.get_by_role("link", name=secret[:11]).click()
    button(staff, "revoke").click()
    staff.locator("#dialog").get_by_role("button", name="Revoke").click()
    expect(staff.get_by_text("is revoked.")).to_be_visible()
    assert gateway.call("POST", "/v1/background-generator", BACKGROUND, key=secret).status == 401


def test_jobs_are_narrowed_to_one_client(gateway: Gateway, staff: Page, shop: Shop):
    finished(gateway, shop, BACKGROUND)
    other = Shop.make(name="Only this one")
    job = finished(gateway, other, BACKGROUND)
    staff.goto(f"{gateway.url}/admin/workflows/job/")
    staff.locator("a", has_text="Filters").click()
    staff.locator("#changelist-filter .select2-selection").click()
    staff.locator(".select2-search__field").fill("only this")
    staff.locator(".select2-results__option", has_text="Only this one").click()
    staff.get_by_role("button", name="Apply").click()
    expect(staff.locator("#result_list tbody tr")).to_have_count(1)
    expect(staff.locator("#result_list")).to_contain_text(job["job_id"])
