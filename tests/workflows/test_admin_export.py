"""The list of jobs as CSV."""

import csv
import io
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Client
from tests import databases
from tests.conftest import Shop
from tests.console import fail, order, signed_in, succeed
from tests.gateway import Gateway
from tests.helpers import flood
from workflows.admin.export import COLUMNS, PAGE
from workflows.models import Job

PATH = "/admin/workflows/job/export/"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def exported(browser: Any, **parameters: object) -> list[dict[str, str]]:
    answer = browser.get(PATH, parameters)
    assert answer.status_code == 200
    assert answer.streaming
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert 'attachment; filename="jobs-' in answer.headers["Content-Disposition"]
    return rows(b"".join(answer.streaming_content).decode())


def test_it_holds_what_the_list_selects_newest_first(db, shop: Shop):
    done = succeed(
        order(shop.client, spec={"display_name": "Été", "pilot_brand": "Acme", "image_model": "gpt-image-1"})
    )
    failed = fail(order(shop.client), message='It is\nbroken, "quite".')
    browser = signed_in()
    second, first = exported(browser)
    assert list(first) == list(COLUMNS)
    assert (first["job_id"], first["request_id"], first["client"]) == (done.pk, done.request_id, "Shop")
    assert (first["display_name"], first["brand"], first["model"]) == ("Été", "Acme", "gpt-image-1")
    assert (first["status"], first["credits_cost"], first["refund_id"]) == ("SUCCESS", "3", "")
    assert first["accepted_at"] == done.accepted_at.isoformat()
    assert (second["job_id"], second["refund_id"]) == (failed.pk, failed.refund_id)
    assert (second["error_code"], second["error_message"]) == ("unknown_model", 'It is\nbroken, "quite".')
    assert [row["job_id"] for row in exported(browser, status__exact="FAILURE")] == [failed.pk]
    assert [row["job_id"] for row in exported(browser, q="été", brand="Acme")] == [done.pk]
    assert exported(browser, brand="nobody's") == []
    html = browser.get("/admin/workflows/job/", {"status__exact": "FAILURE"}).content.decode()
    assert f'href="{PATH}?status__exact=FAILURE"' in html


def test_a_spreadsheet_takes_nothing_in_it_for_a_formula(db):
    for sign in ("=", "+", "-", "@", "\t", "\r"):
        client = Shop.make().client
        Client.objects.filter(pk=client.pk).update(name=f"{sign}cmd|' /C calc'!A0")
        fail(order(client, spec={"display_name": f"{sign}1", "pilot_brand": f"{sign}2"}), message=f"{sign}3")
    for row in exported(signed_in()):
        for column in ("client", "display_name", "brand", "error_message"):
            assert row[column][0] == "'", row
            assert row[column][1] in "=+-@\t\r"
        assert row["credits_cost"] == "3"


def test_it_is_read_a_page_at_a_time(db):
    flood(2 * PAGE + 7)
    browser = signed_in()
    with CaptureQueriesContext(connection) as queries:
        ids = [row["job_id"] for row in exported(browser)]
    assert ids == sorted(Job.objects.values_list("pk", flat=True), reverse=True)
    read = [query["sql"] for query in queries if "told_error_message" in query["sql"]]
    assert len(read) == 4
    assert all(f"LIMIT {PAGE}" in statement for statement in read)


def test_it_is_for_whoever_may_look_and_changes_nothing(db, shop: Shop, client, django_user_model):
    order(shop.client)
    assert client.get(PATH).status_code == 302
    nobody = django_user_model.objects.create_user("bob", is_staff=True)
    client.force_login(nobody)
    assert client.get(PATH).status_code == 403
    nobody.user_permissions.set(Permission.objects.filter(codename="view_job"))
    assert len(exported(client)) == 1
    assert client.post(PATH).status_code == 405
    assert client.get(PATH, {"accepted_after": "soon"}).headers["Location"] == "/admin/workflows/job/?e=1"


def test_the_web_process_streams_it(own_database: str, tmp_path: Path):
    flood(3 * PAGE)
    cookie = signed_in().cookies[settings.SESSION_COOKIE_NAME].value
    gateway = Gateway(databases.url(own_database), tmp_path, extra_env={"SECRET_KEY": settings.SECRET_KEY})
    try:
        gateway.start("web")
        # More often than the process has connections: each is given back.
        for _ in range(12):
            answer = gateway.call("GET", PATH, headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}"})
            assert answer.status == 200
            assert len(rows(answer.body.decode())) == 3 * PAGE
    finally:
        gateway.stop()
