"""What staff do for a client who writes in, in a real browser against real processes."""

from playwright.sync_api import Page, expect

from tests.conftest import Shop
from tests.gateway import Gateway

BACKGROUND = {"scene_type": "podium", "mood": "calm", "resolution": "512", "seed": 5}


def finished(gateway: Gateway, shop: Shop, spec: dict) -> dict:
    accepted = gateway.call("POST", "/v1/background-generator", spec, key=shop.key)
    assert accepted.status == 202
    return gateway.finished(accepted.json["job_id"], key=shop.key)


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
