"""/docs/guide in a real browser: it can be read, also on a narrow screen, and nobody else's server is asked."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.gateway import ROOT, Gateway

GUIDE = (ROOT / "docs" / "guide.md").read_text()
CHAPTERS = re.findall(r"^## (.*)$", GUIDE, re.MULTILINE)


def test_every_chapter_is_there_and_the_table_of_contents_goes_to_it(gateway: Gateway, page: Page):
    answer = page.goto(f"{gateway.url}/docs/guide")
    assert answer is not None
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert page.title() == "Guide · Studio Gateway API"
    expect(page.get_by_role("heading", level=1)).to_have_text("Guide for client apps")
    assert page.get_by_role("heading", level=2).all_inner_texts() == CHAPTERS
    contents = page.get_by_role("navigation", name="Contents").get_by_role("link")
    assert contents.all_inner_texts() == CHAPTERS
    for link, chapter in zip(contents.all(), CHAPTERS, strict=True):
        link.click()
        expect(page.get_by_role("heading", name=chapter, exact=True)).to_be_in_viewport()
    assert page.locator("pre").count() == GUIDE.count("\n```\n")
    assert page.locator("main").inner_text().count("```") == 0


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_other_pages_lead_to_it(gateway: Gateway, page: Page, path: str):
    page.goto(f"{gateway.url}{path}")
    page.locator("#docs a[href='/docs/guide']").wait_for()
    page.get_by_role("banner").get_by_role("link", name="Guide").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Guide for client apps")


def test_on_a_narrow_screen_only_code_scrolls_sideways(gateway: Gateway, page: Page):
    page.set_viewport_size({"width": 420, "height": 800})
    page.goto(f"{gateway.url}/docs/guide")
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    for name in ("Guide", "Try it", "Reference", "openapi.json"):
        expect(page.get_by_role("banner").get_by_role("link", name=name)).to_be_in_viewport(ratio=1)
