"""Every page of the console, for people who see it badly, use no mouse, or hold it in their hand."""

from collections.abc import Iterable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from billing.models import Client
from tests import databases
from tests.browser.axe import NARROW, accessible, faults
from tests.console_rows import WIDE as WIDE_TEXT
from tests.console_rows import make_rows, pages, spoil
from tests.gateway import Gateway

pytestmark = pytest.mark.usefixtures("rows")


@pytest.fixture(scope="module")
def running_gateway(
    django_db_setup: None, django_db_blocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, str]]:
    """A gateway without a worker, so that rows stay as they are."""
    with django_db_blocker.unblock():
        name = databases.fresh()
    gateway = Gateway(databases.url(name), tmp_path_factory.mktemp("console"))
    gateway.start("web")
    yield gateway, name
    gateway.stop()
    with django_db_blocker.unblock():
        databases.drop(name)


@pytest.fixture
def rows(gateway: Gateway) -> None:
    if not Client.objects.exists():
        make_rows()


def test_the_sign_in(gateway: Gateway, page: Page):
    page.goto(f"{gateway.url}/admin/login/")
    accessible(page)
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Please enter the correct username and password")).to_be_visible()
    accessible(page)
    theme = page.get_by_role("button", name="Theme")
    theme.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Dark").press("Enter")
    expect(page.locator("html")).to_have_class("dark")
    accessible(page)


def walk(gateway: Gateway, page: Page, paths: Iterable[str]) -> None:
    found = {}
    for path in paths:
        answer = page.goto(gateway.url + path)
        assert answer.status == 200, path
        if wrong := faults(page):
            found[path] = wrong
    assert found == {}, "\n".join(fault for wrong in found.items() for fault in (wrong[0], *wrong[1]))


def test_each_list_full_and_empty_and_the_page_of_each_row(gateway: Gateway, staff: Page):
    walk(gateway, staff, pages(rows=1))
