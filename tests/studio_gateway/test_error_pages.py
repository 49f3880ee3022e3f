"""What is not there: JSON for programs, a page for people."""

import pytest

from tests.console import signed_in
from tests.helpers import get


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/v1/nothing", "There is nothing here."),
        ("/nothing", "There is nothing here."),
        ("/files/nothing", "Not found."),
    ],
)
def test_a_path_that_is_not_there_is_said_so_in_json(db, path: str, detail: str):
    answer = get(None, path)
    assert answer.status_code == 404
    assert answer.json() == {
        "detail": detail,
        "code": "not_found",
        "request_id": answer.headers["X-Request-Id"],
    }


def test_in_the_console_it_is_a_page(db):
    answer = signed_in().get("/admin/nothing/")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/", "/admin"])
def test_whoever_opens_the_address_in_a_browser_comes_to_the_console(db, path: str):
    answer = get(None, path)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")
