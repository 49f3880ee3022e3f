"""What browsers are told of answers: what may run in them, who may frame them, and when cookies are sent."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings as configured
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import databases, s3
from tests.conftest import Shop
from tests.console import signed_in
from tests.gateway import Gateway
from tests.helpers import SPEC, get, post
from tests.http_client import HttpClient as Browser

NOTHING = {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"}
CONSOLE = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: http://127.0.0.1:8000",
    "connect-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
GUIDE = {**NOTHING, "default-src": "'self'", "img-src": "'self' data:"}
DOCS = {**GUIDE, "style-src": "'self' 'unsafe-inline'", "worker-src": "blob:"}


def policy(answer) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in answer.headers["Content-Security-Policy"].split(";"))
    return {name: sources for name, _, sources in parts}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/admin/", CONSOLE),
        ("/admin/login/", CONSOLE),
        ("/admin/workflows/job/", CONSOLE),
        ("/admin/nothing/here/", CONSOLE),
        ("/docs", DOCS),
        ("/redoc", DOCS),
        ("/docs/guide", GUIDE),
        ("/openapi.json", NOTHING),
        ("/v1/jobs", NOTHING),
        ("/nothing", NOTHING),
        ("/", NOTHING),
        ("/healthz", NOTHING),
        ("/files/nothing.png", NOTHING),
        ("/static/admin/js/cancel.js", NOTHING),
        # Not the console, whatever it begins with.
        ("/administration", NOTHING),
    ],
)
def test_every_answer_says_what_may_run_in_it(db, path: str, expected: dict[str, str]):
    for browser in (Browser(), signed_in() if "admin" in path else Browser()):
        assert policy(browser.get(path)) == expected


def test_a_file_runs_nothing_even_where_it_is_a_page(db):
    name = default_storage.save("clients/1/page.html", ContentFile(b"<script>alert(1)</script>"))
    answer = Browser().get(default_storage.url(name).removeprefix(configured.PUBLIC_URL))
    assert answer.status_code == 200
    assert policy(answer) == NOTHING
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_the_consoles_images_may_come_from_the_bucket(db, bucket: s3.Bucket):
    address = urlsplit(default_storage.url("clients/1/x.png"))
    assert policy(Browser().get("/admin/login/"))["img-src"] == f"'self' data: {address.scheme}://{address.netloc}"


def test_without_credentials_for_the_bucket_people_can_still_sign_in(db, settings, monkeypatch: pytest.MonkeyPatch):
    for name in s3.CREDENTIALS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    options = {"bucket_name": "studio", "endpoint_url": "http://127.0.0.1:9"}
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "workflows.s3.S3Storage", "OPTIONS": options}}
    answer = Browser().get("/admin/login/")
    assert (answer.status_code, policy(answer)["img-src"]) == (200, "'self' data:")


def test_django_and_its_pages_say_the_rest(db):
    for path in ("/admin/login/", "/v1/jobs", "/docs"):
        answer = Browser().get(path)
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer["X-Frame-Options"] == "DENY"
    assert "no-store" in Browser().get("/admin/login/")["Cache-Control"]


def test_cookies_are_for_this_site_and_no_script_and_without_tls_only_on_this_machine(db):
    get_user_model().objects.create_superuser("ada", password="correct horse")
    browser = Browser()
    browser.get("/admin/login/")
    browser.post("/admin/login/", {"username": "ada", "password": "correct horse"})
    for name in ("sessionid", "csrftoken"):
        cookie = browser.cookies[name]
        assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "Lax", "")


def test_outside_a_local_run_all_is_over_tls(own_database: str, tmp_path: Path):
    secret = "long and random " * 4
    public = {"PUBLIC_URL": "https://gateway.example", "SECRET_KEY": secret, "FIELD_ENCRYPTION_KEYS": secret}
    gateway = Gateway(databases.url(own_database), tmp_path, extra_env=public)
    gateway.start("web")
    try:
        headers = {"Host": "gateway.example", "X-Forwarded-Proto": "https"}
        answer = gateway.call("GET", "/admin/login/", headers=headers)
        assert answer.status == 200
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert {"HttpOnly", "SameSite=Lax", "Secure"} <= set(answer.headers["Set-Cookie"].split("; "))
        assert policy(answer)["img-src"] == "'self' data: https://gateway.example"
    finally:
        gateway.stop()


@pytest.mark.parametrize(("path", "status"), [("/v1/background-generator", 202), ("/v1/nowhere", 404)])
def test_an_answer_of_the_api_has_these_headers_and_no_cookie_whatever_cookies_came(
    db, shop: Shop, path: str, status: int
):
    browser = signed_in()
    browser.cookies["csrftoken"] = "not one of ours"  # for which the console would set another
    answer = post(shop, path, SPEC, http=browser)
    assert answer.status_code == status
    assert not answer.cookies
    of_every_answer = {
        "Content-Length",
        "Content-Security-Policy",
        "Content-Type",
        "Cross-Origin-Opener-Policy",
        "Referrer-Policy",
        "X-Content-Type-Options",
        "X-Frame-Options",
        "X-Request-Id",
    }
    of_an_order = {"Allow", "Location", "RateLimit", "RateLimit-Policy", "X-Credits-Balance", "X-Credits-Charged"}
    assert set(answer.headers) == of_every_answer | (of_an_order if status == 202 else set())


def test_the_api_pays_nothing_for_the_console(db, shop: Shop):
    """However many sessions, counts and policies there are, an order costs the statements that it cost."""
    browser = signed_in()
    post(shop, "/v1/background-generator", SPEC)  # what is read once
    for http in (browser, Browser()):
        with CaptureQueriesContext(
            connection,
        ) as statements:
            assert post(shop, "/v1/background-generator", SPEC, http=http).status_code == 202
            assert get(shop, "/v1/credits").status_code == 200
        said = " ".join(statement["sql"] for statement in statements)
        assert statements.captured_queries
        for table in ("django_session", "auth_user", "signincount"):
            assert table not in said
