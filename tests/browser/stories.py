"""What the stories of the staff console share."""

from playwright.sync_api import Locator, Page

from tests.conftest import Shop
from tests.gateway import Gateway

BACKGROUND = {"scene_type": "podium", "mood": "calm", "resolution": "512", "seed": 5}


def finished(gateway: Gateway, shop: Shop, spec: dict) -> dict:
    accepted = gateway.call("POST", "/v1/background-generator", spec, key=shop.key)
    assert accepted.status == 202
    return gateway.finished(accepted.json["job_id"], key=shop.key)


def button(page: Page, action: str) -> Locator:
    """The button that opens the dialog of an action."""
    return page.locator(f"a[hx-get$='/{action}/']")
