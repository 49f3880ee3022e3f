"""The console's first page in a real browser: what it draws, and where its figures lead."""

import re

from playwright.sync_api import Page, expect

from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.gateway import Gateway

BACKGROUND = {"scene_type": "podium", "mood": "calm", "resolution": "512", "seed": 5}
# How many pixels of the chart are of a bar's colour, with a little of each other mixed in or not.
COLOURED = """() => {
    const canvas = document.querySelector("canvas.chart");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let coloured = 0;
    for (let at = 0; at < data.length; at += 4) {
        const [r, g, b] = data.slice(at, at + 3);
        coloured += data[at + 3] > 0 && Math.max(r, g, b) - Math.min(r, g, b) > 100;
    }
    return coloured;
}"""


def failed(gateway: Gateway, shop: Shop, model: str) -> None:
    accepted = gateway.call("POST", "/v1/background-generator", {**BACKGROUND, "image_model": model}, key=shop.key)
    assert gateway.finished(accepted.json["job_id"], key=shop.key)["status"] == "FAILURE"


def test_the_chart_is_drawn_and_told_as_a_table_too(gateway: Gateway, staff: Page, shop: Shop):
    failed(gateway, shop, f"model-{new_ulid()}")
    staff.goto(f"{gateway.url}/admin/")
    staff.wait_for_function(f"({COLOURED})() > 200")
    table = staff.get_by_role("table").filter(has_text="From (UTC)")
    expect(table).to_be_hidden()
    staff.get_by_text("Jobs by hour, as a table").click()
    expect(table).to_be_visible()
    expect(table.get_by_role("row").filter(has_text=":00")).not_to_have_count(0)


def test_another_range_is_a_click_away_and_fits_a_phone(gateway: Gateway, staff: Page):
    staff.goto(f"{gateway.url}/admin/")
    ranges = staff.get_by_role("navigation", name="Time range")
    expect(ranges.locator("[aria-current]")).to_have_text("24 hours")
    ranges.get_by_role("link", name="30 days").click()
    expect(staff).to_have_url(f"{gateway.url}/admin/?range=30d")
    expect(ranges.locator("[aria-current]")).to_have_text("30 days")
    expect(staff.get_by_text(re.compile(r"as of \d\d:\d\d:\d\d UTC"))).to_be_visible()
    staff.set_viewport_size({"width": 390, "height": 844})
    assert staff.evaluate("document.documentElement.scrollWidth") == 390


def test_a_figure_leads_to_the_jobs_that_it_counts(gateway: Gateway, staff: Page, shop: Shop):
    model = f"model-{new_ulid()}"
    for _ in range(3):
        failed(gateway, shop, model)
    failed(gateway, shop, "another-model")
    staff.goto(f"{gateway.url}/admin/?range=1h")
    row = staff.get_by_role("row").filter(has=staff.get_by_role("rowheader", name=model))
    expect(row).to_contain_text("100.0%")
    row.get_by_role("link", name="3", exact=True).click()
    expect(staff.locator("#result_list tbody tr")).to_have_count(3)
