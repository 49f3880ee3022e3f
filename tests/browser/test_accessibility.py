"""Every page of the console, for people who see it badly, use no mouse, or hold it in their hand."""

from collections.abc import Iterable, Iterator

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import Locator, Page, expect

from billing.models import Client
from tests import databases
from tests.browser.axe import NARROW, SIDEWAYS, accessible, faults
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


def walk(gateway: Gateway, page: Page, paths: Iterable[str], *, narrow: bool) -> None:
    found = {}
    for path in paths:
        answer = page.goto(gateway.url + path)
        assert answer.status == 200, path
        if wrong := faults(page, narrow=narrow):
            found[path] = wrong
    assert found == {}, "\n".join(fault for wrong in found.items() for fault in (wrong[0], *wrong[1]))


def lists_and_rows() -> list[str]:
    return [path for path in pages(rows=1) if "?q=" not in path and "/history/" not in path]


def test_each_list_and_a_row_of_each(gateway: Gateway, staff: Page):
    walk(gateway, staff, lists_and_rows(), narrow=False)


@pytest.mark.slow
def test_each_list_and_a_row_of_each_on_a_phone_and_what_is_made_by_one_template(gateway: Gateway, staff: Page):
    empty = [path for path in pages(rows=1) if "?q=" in path]
    histories = [path for path in pages(rows=1) if "/history/" in path]
    walk(gateway, staff, [*lists_and_rows(), *empty[:3], *histories[:3]], narrow=True)


def test_every_dialog(gateway: Gateway, staff: Page):
    opened = set()
    for path in [path for path in pages(rows=1) if path.endswith("/change/")]:
        staff.goto(gateway.url + path)
        for address in {link.get_attribute("hx-get") for link in staff.locator("[hx-target='#modal-content']").all()}:
            name = address.rstrip("/").rpartition("/")[2]
            if name in opened:
                continue
            opened.add(name)
            staff.locator(f"[hx-get='{address}']").first.dispatch_event("click")
            dialog = staff.get_by_role("dialog")
            expect(dialog.locator("form")).to_be_visible()
            assert dialog.get_attribute("aria-label"), address
            accessible(staff, narrow=False)
            staff.keyboard.press("Escape")
            expect(dialog).to_be_hidden()
    assert {"refund", "grant"} <= opened


def focused(page: Page) -> Locator:
    return page.locator(":focus")


def test_a_dialog_keeps_the_focus_until_it_is_closed_and_then_gives_it_back(gateway: Gateway, staff: Page):
    client = Client.objects.get()
    staff.goto(f"{gateway.url}/admin/billing/client/{client.pk}/change/")
    opener = staff.locator("[hx-get$='/grant/']").first
    opener.focus()
    staff.keyboard.press("Enter")
    dialog = staff.get_by_role("dialog", name="Grant credits")
    expect(dialog.get_by_label("Credits")).to_be_focused()
    within = 0
    for _ in range(12):
        staff.keyboard.press("Tab")
        # Past the last of a page's elements the browser's own are next.
        if staff.evaluate("document.activeElement !== document.body"):
            assert dialog.locator(":focus").count() == 1
            within += 1
    assert within > 5
    staff.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    staff.keyboard.press("Enter")
    dialog.get_by_role("button", name="Close").press("Enter")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()


def test_the_menu_of_the_user_by_keyboard(gateway: Gateway, staff: Page):
    staff.goto(f"{gateway.url}/admin/")
    menu = staff.get_by_role("button", name="grace")
    expect(menu).to_have_attribute("aria-expanded", "false")
    menu.focus()
    staff.keyboard.press("Enter")
    expect(menu).to_have_attribute("aria-expanded", "true")
    expect(staff.get_by_role("button", name="Light")).to_be_focused()
    accessible(staff)
    staff.get_by_role("button", name="Light").focus()
    staff.keyboard.press("Tab")
    staff.keyboard.press("Space")
    expect(staff.locator("html")).to_have_class("dark")
    staff.keyboard.press("Escape")
    expect(menu).to_be_focused()
    expect(menu).to_have_attribute("aria-expanded", "false")
    # While it fades, a click outside it closes it.
    expect(staff.get_by_role("button", name="Light")).to_be_hidden()
    menu.press("Enter")
    staff.get_by_role("button", name="Log out").press("Enter")
    expect(staff.get_by_text("logged out")).to_be_visible()
    accessible(staff)


def test_the_filters_by_keyboard(gateway: Gateway, staff: Page):
    staff.goto(f"{gateway.url}/admin/workflows/job/")
    opener = staff.get_by_role("button", name="Filters")
    opener.focus()
    staff.keyboard.press("Enter")
    expect(staff.locator("#changelist-filter")).to_be_visible()
    expect(staff.locator("#changelist-filter :focus")).to_have_count(1)
    accessible(staff)
    staff.locator("#changelist-filter input:visible").first.focus()
    staff.keyboard.press("Escape")
    expect(staff.locator("#changelist-filter")).to_be_hidden()
    expect(opener).to_be_focused()


def test_the_menu_of_pages_on_a_phone(gateway: Gateway, staff: Page):
    staff.set_viewport_size(NARROW)
    staff.goto(f"{gateway.url}/admin/")
    jobs = staff.locator("#nav-sidebar").get_by_role("link", name="Jobs")
    expect(jobs).to_be_hidden()
    staff.get_by_role("button", name="Menu").press("Enter")
    expect(jobs).to_be_visible()
    accessible(staff)
    jobs.press("Enter")
    expect(staff).to_have_url(f"{gateway.url}/admin/workflows/job/")


def test_whatever_has_the_focus_shows_it(gateway: Gateway, staff: Page):
    """Of every element that Tab reaches on a list, itself or the field that it is part of has an outline."""
    staff.goto(f"{gateway.url}/admin/workflows/job/")
    outlined = """() => {
        for (let element = document.activeElement; element; element = element.parentElement) {
            const {outlineStyle, outlineWidth} = getComputedStyle(element);
            if (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) return true;
        }
        return false;
    }"""
    reached = []
    for _ in range(80):
        staff.keyboard.press("Tab")
        if staff.evaluate("document.activeElement === document.body"):
            break
        reached.append(focused(staff).evaluate("element => element.outerHTML"))
        assert staff.evaluate(outlined), reached[-1]
    assert any("searchbar" in element for element in reached)
    assert any("/change/" in element for element in reached)
    assert any("filterOpen" in element for element in reached)


# The last one: the rows are never the same again.
def test_hostile_text_neither_runs_nor_pushes_a_page_wide(gateway: Gateway, staff: Page):
    spoil(WIDE_TEXT, but=get_user_model().objects.get(username="grace"))
    staff.add_init_script("window.owned = () => { window.wasOwned = true }")
    staff.set_viewport_size(NARROW)
    wrong = {}
    for path in pages(rows=1):
        staff.goto(gateway.url + path)
        assert staff.evaluate("document.querySelectorAll('x-owned').length || window.wasOwned || 0") == 0, path
        if sideways := staff.evaluate(SIDEWAYS):
            wrong[path] = sideways
    assert wrong == {}
