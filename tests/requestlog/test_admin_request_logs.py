"""Request logs in the staff console."""

import pytest

from requestlog.models import RequestLog
from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.console import HOSTILE, order, signed_in
from tests.helpers import post

PATH = "/admin/requestlog/requestlog/"


def log(**fields: object) -> RequestLog:
    return RequestLog.objects.create(
        **{"request_id": new_ulid(), "method": "POST", "path": "/v1/extract", "status": 422, "duration_ms": 3}
        | {"body": b"", "body_size": 0}
        | fields
    )


def test_nobody_changes_a_request_log(db):
    browser, row = signed_in(), log()
    assert browser.get(f"{PATH}{row.pk}/change/").status_code == 200
    for path in ("add/", f"{row.pk}/change/", f"{row.pk}/delete/"):
        assert browser.post(f"{PATH}{path}", {"post": "yes", "status": 200}).status_code == 403
    assert RequestLog.objects.get().status == 422


def test_it_is_found_by_its_id_and_by_its_job(db, shop: Shop):
    job = order(shop.client)
    log()
    browser = signed_in()
    for term in (job.request_id, f" {job.pk.lower()} "):
        (found,) = browser.get(PATH, {"q": term}).context["cl"].result_list
        assert found.pk == job.request_id
    assert list(browser.get(PATH, {"q": "%"}).context["cl"].result_list) == []
    html = browser.get(f"{PATH}{job.request_id}/change/").content.decode()
    assert f"/admin/workflows/job/{job.pk}/change/" in html
    assert f"/admin/billing/client/{shop.client.pk}/change/" in html


def test_the_exchange_is_shown_without_the_secrets_that_were_in_it(db, shop: Shop):
    other = Shop.make(name="Other")
    spec = {"scene_type": "podium", "mood": "calm", "metadata": {"pasted": other.key}}
    order_id = post(shop, "/v1/background-generator?signature=abcdefghij", spec).json()["request_id"]
    html = signed_in().get(f"{PATH}{order_id}/change/").content.decode()
    for shown in ("/v1/background-generator", "podium", "202", shop.client.api_keys.get().prefix):
        assert shown in html
    for secret in (shop.key[11:], other.key[11:], "abcdefghij"):
        assert secret not in html
    assert f"{other.key[:11]}*****" in html


def test_a_body_of_json_is_laid_out(db):
    row = log(body=b'{"a":{"b":1}}', body_size=13)
    html = signed_in().get(f"{PATH}{row.pk}/change/").content.decode()
    assert "{\n  &quot;a&quot;: {\n    &quot;b&quot;: 1\n  }\n}" in html


@pytest.mark.parametrize(
    "body", [HOSTILE.encode(), b"\xff\xfe\x00{", b"[" * 60_000, b'{"a": "' + HOSTILE.replace('"', "'").encode() + b'"}']
)
def test_a_hostile_body_is_shown_as_text(db, body: bytes):
    row = log(
        body=body,
        body_size=70_000,
        body_truncated=True,
        user_agent=HOSTILE,
        path=f"/v1/{HOSTILE}",
        code="x_" + HOSTILE[:50],
    )
    browser = signed_in()
    for path in (PATH, f"{PATH}{row.pk}/change/"):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert b"<script>alert(1)" not in answer.content
        assert b"<img src=x" not in answer.content
    assert f"70000, of which the first {len(body)} are kept" in answer.content.decode()


def test_the_list_costs_the_same_for_one_row_and_for_many(db, django_assert_max_num_queries):
    for number in range(60):
        log(client_id=number + 1)
    browser = signed_in()
    with django_assert_max_num_queries(5) as queries:
        answer = browser.get(PATH, {"answer": "4"})
    assert len(answer.context["cl"].result_list) == 50
    counts = [q["sql"] for q in queries.captured_queries if "COUNT(" in q["sql"]]
    assert counts
    assert all("LIMIT 2000" in sql for sql in counts)
