"""/docs and /redoc in a real browser: every operation is there, one is tried, and nobody else's server is asked."""

from playwright.sync_api import Locator, Page, expect

from tests.conftest import Shop
from tests.gateway import Gateway


def summaries(gateway: Gateway) -> list[str]:
    paths = gateway.call("GET", "/openapi.json").json["paths"]
    return [operation["summary"] for item in paths.values() for operation in item.values()]


def open_page(gateway: Gateway, page: Page, path: str) -> None:
    answer = page.goto(f"{gateway.url}{path}")
    assert answer is not None
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert page.title() == "Studio Gateway API"


def test_the_reference_shows_every_operation(gateway: Gateway, page: Page):
    open_page(gateway, page, "/redoc")
    for summary in summaries(gateway):
        expect(page.locator("h2", has_text=summary).first).to_be_visible()
    page.get_by_placeholder("Search").fill("background")
    expect(page.locator("[data-role='search:results']")).to_contain_text("Dispatch a background-generator workflow")
    page.get_by_role("link", name="Try it").click()
    expect(page.get_by_role("button", name="Authorize")).to_be_visible()


def tried(page: Page, operation: str, **parameters: str) -> Locator:
    """Try an operation out with what the page offers as its body; return where its answer will stand."""
    block = page.locator(f"#operations-{operation}")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    for name, value in parameters.items():
        block.get_by_placeholder(name).fill(value)
    block.get_by_role("button", name="Execute").click()
    return block.locator(".live-responses-table .response")


def test_a_job_is_ordered_and_read_on_the_page_that_tries_it(gateway: Gateway, page: Page, shop: Shop):
    open_page(gateway, page, "/docs")
    for summary in summaries(gateway):
        expect(page.get_by_text(summary, exact=True)).to_be_visible()
    page.get_by_role("button", name="Authorize").click()
    dialog = page.locator(".dialog-ux")
    dialog.get_by_role("textbox").fill(shop.key)
    dialog.get_by_role("button", name="Apply credentials").click()
    dialog.get_by_role("button", name="Close").last.click()

    ordered = tried(page, "Orders-order_background_generator")
    expect(ordered).to_contain_text("NOT_STARTED")
    job = shop.client.jobs.get()
    assert gateway.finished(job.pk, key=shop.key)["status"] == "SUCCESS"
    read = tried(page, "Jobs-get_job", job_id=job.pk)
    expect(read.locator(".response-col_status")).to_contain_text("200")
    expect(read).to_contain_text('"status": "SUCCESS"')
    expect(read).to_contain_text("background.png")
