import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.gateway import Gateway

# How long a page may take, in ms. Not a goal: only a page that never comes is wrong, and the machines are busy.
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for one module: Playwright's event loop, which runs meanwhile, is not left to other tests."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on this machine")
    with pytest.MonkeyPatch.context() as patch:
        # In a thread with an event loop Django would refuse to use the database.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            yield browser
            browser.close()


@pytest.fixture
def page(gateway: Gateway, chromium: Browser) -> Iterator[Page]:
    """A page of somebody's; fails on errors and on requests to any other host."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page, wrong = context.new_page(), []
    page.set_default_timeout(PATIENCE)
    ours = (f"{gateway.url}/", f"blob:{gateway.url}/", "data:")
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(ours) else wrong.append(request.url))
    yield page
    context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def cookies() -> list[Any]:
    """Of who signed in to the console in this module."""
    return []


@pytest.fixture
def staff(gateway: Gateway, page: Page, cookies: list[Any]) -> Page:
    """The page of somebody who has signed in to the console, by its form where nobody has yet: passwords take long."""
    page.context.add_cookies(cookies)
    if not page.context.request.get(f"{gateway.url}/admin/password_change/", max_redirects=0).ok:
        users = get_user_model().objects
        if not users.filter(username="grace").exists():
            users.create_superuser("grace", password="correct horse")
        page.goto(f"{gateway.url}/admin/")
        page.get_by_label("Username").fill("grace")
        page.get_by_label("Password").fill("correct horse")
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{gateway.url}/admin/")
        cookies[:] = page.context.cookies()
    return page
