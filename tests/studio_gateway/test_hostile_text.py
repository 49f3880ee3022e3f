"""Whatever clients write into names, specs and messages is text in the console, and never more than text."""

import re
from html.parser import HTMLParser

import pytest
from django.contrib.auth import get_user_model

from tests.console_rows import ELEMENT, HOSTILE, make_rows, pages, spoil
from tests.http_client import HttpClient as Browser

# Data, which no browser runs.
DATA = {"application/json", "text/template"}


class Page(HTMLParser):
    """Collects what would run, what was made by the hostile text, and the text itself."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.dialogs: set[str] = set()
        self.text = ""
        self.in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self.in_script = tag == "script" and known.get("type") not in DATA
        if tag in ("x-owned", "iframe", "object", "embed", "base"):
            self.wrong.append(f"<{tag}>")
        for name, value in known.items():
            runs = name.startswith(("on", "hx-on")) or re.match(r"\s*(javascript|data):", value)
            evaluated = name.startswith(("x-", "@", ":")) and "owned" in value
            if runs or evaluated or not re.fullmatch(r"[\w@:.-]+", name):
                self.wrong.append(f"<{tag} {name}={value!r}>")
        if "hx-get" in known:
            self.dialogs.add(known["hx-get"])

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.in_script and data.strip():
            self.wrong.append(f"an inline script: {data.strip()[:80]}")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self.in_script = False


@pytest.fixture
def browser(db, storage) -> Browser:
    make_rows()
    staff = get_user_model().objects.create_superuser("ada")
    spoil(HOSTILE, but=staff)
    browser = Browser()
    browser.force_login(staff)
    return browser


def test_no_page_of_the_console_makes_more_of_it_than_text(browser: Browser):
    shown, wrong = set(), {}
    todo = [*pages()]
    for path in todo:
        answer = browser.get(path)
        assert answer.status_code == 200, path
        assert "no-store" in answer.get("Cache-Control", ""), path
        page = Page()
        page.feed(answer.content.decode())
        if page.wrong:
            wrong[path] = page.wrong
        if ELEMENT in page.text:
            shown.add(path)
        todo += sorted(page.dialogs - set(todo))
    assert wrong == {}
    # That this could fail: nearly all of these pages do show such text.
    assert len(shown) > 40, shown
    assert any(path.endswith("/grant/") for path in shown)


def test_a_search_for_it_shows_it_as_text(browser: Browser):
    for name in ("workflows/job", "billing/client", "billing/ledgerentry", "requestlog/requestlog", "auth/user"):
        answer = browser.get(f"/admin/{name}/", {"q": HOSTILE})
        page = Page()
        page.feed(answer.content.decode())
        assert (answer.status_code, page.wrong) == (200, []), name
