"""GET /v1/jobs: a client's own jobs (P10), newest first, page by page, at a bounded cost."""

from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.helpers import FAILURE, SPEC, claimed, flood, get, move, order, post, sql, succeed
from workflows import jobs, listing
from workflows.models import Job


def page(shop: Shop, **parameters: Any) -> dict[str, Any]:
    answer = get(shop, f"/v1/jobs?{urlencode(parameters)}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def ids(shop: Shop, **parameters: Any) -> list[str]:
    """Follow the pages from the first to the last."""
    seen: list[str] = []
    while True:
        body = page(shop, **parameters)
        seen += [job["job_id"] for job in body["jobs"]]
        if body["next"] is None:
            return seen
        parameters["cursor"] = body["next"]


def pk(*listed: Job) -> list[str]:
    return [job.pk for job in listed]


def ordered(shop: Shop, path: str = "background-generator", **spec: Any) -> Job:
    body = {"trial_image": "a.jpg"} if path == "extract" else {**SPEC, **spec}
    answer = post(shop, f"/v1/{path}", body)
    assert answer.status_code == 202, answer.content
    return Job.objects.get(pk=answer.json()["job_id"])


def test_pages_hold_each_job_once_newest_first(db, shop: Shop):
    made = [order(shop, credits=0) for _ in range(7)][::-1]
    order(Shop.make())
    assert ids(shop) == pk(*made)
    assert ids(shop, limit=3) == pk(*made)
    first = page(shop, limit=3)
    assert [job["job_id"] for job in first["jobs"]] == pk(*made[:3])
    newer = order(shop, credits=0)
    second = page(shop, limit=3, cursor=first["next"])
    assert [job["job_id"] for job in second["jobs"]] == pk(*made[3:6])
    assert ids(shop, limit=4, cursor=second["next"].lower()) == pk(*made[6:])
    assert page(shop, limit=1)["jobs"][0]["job_id"] == newer.pk


def test_a_page_that_ends_with_the_last_job_is_the_last(db, shop: Shop):
    for _ in range(4):
        order(shop)
    assert page(shop, limit=4)["next"] is None
    assert page(shop, limit=3)["next"] is not None
    assert page(Shop.make()) == {"jobs": [], "next": None}


def test_a_listed_job_is_the_job_without_what_is_long(db, shop: Shop):
    order(shop)
    jobs.fail(claimed(order(shop)), **FAILURE, technical=True)
    jobs.fail(claimed(order(shop)), **FAILURE, technical=False)
    succeed(claimed(ordered(shop, metadata={"a": [1]})))
    for listed in page(shop)["jobs"]:
        job = get(shop, f"/v1/jobs/{listed['job_id']}").json()
        for name in ("spec", "reruns", "timeline", "queue_position", "eta_seconds"):
            job.pop(name)
        assert listed == job


def test_jobs_are_found_by_status_and_workflow(db, shop: Shop):
    waiting, running, done, failed = (order(shop) for _ in range(4))
    extract = ordered(shop, "extract")
    claimed(running)
    succeed(claimed(done))
    jobs.fail(claimed(failed), **FAILURE, technical=False)
    assert ids(shop, status="NOT_STARTED") == pk(extract, waiting)
    assert ids(shop, status="IN_PROGRESS") == pk(running)
    assert ids(shop, status="SUCCESS", workflow="background-generator") == pk(done)
    assert ids(shop, status="FAILURE", workflow="extract") == []
    assert ids(shop, workflow="extract") == pk(extract)
    assert ids(shop, workflow="never-was") == []


def test_jobs_are_found_by_pilot_brand(db, shop: Shop):
    brand, _, long, _ = (ordered(shop, pilot_brand=name) for name in ("Cap & Co", "cap & co", "x" * 200, None))
    assert ids(shop, pilot_brand="Cap & Co") == pk(brand)
    assert ids(shop, pilot_brand="x" * 200) == pk(long)
    assert ids(shop, pilot_brand="null") == []


SENT = ["7", 7, 7.0, 1000, "true", True, None, "", "a", ["a"], "[1]", [1], {"a": 1}, "NaN", "1e999", 0, 10**30, "é]"]
FOUND = {
    "7": ["7", 7, 7.0],
    "7.0": [7, 7.0],
    "1e3": [1000],
    "true": ["true", True],
    "null": [None],
    "": [""],
    "a": ["a"],
    '"a"': [],
    "[1]": ["[1]"],
    '{"a": 1}': [],
    "NaN": ["NaN"],
    "1e999": ["1e999"],
    "-0": [0],
    "1" + "0" * 30: [10**30],
    "é]": ["é]"],
}


def test_metadata_is_found_as_a_string_and_as_json_writes_it(db, shop: Shop):
    for sent in SENT:
        ordered(shop, metadata={"k": sent})
    ordered(shop, metadata={"other": "7", "deeper": {"k": "7"}})
    for value, found in FOUND.items():
        matches = [job["metadata"]["k"] for job in page(shop, limit=100, **{"metadata[k]": value})["jobs"]]
        assert [repr(match) for match in matches] == [repr(match) for match in found[::-1]], value


def test_all_of_several_filters_hold(db, shop: Shop):
    both = ordered(shop, metadata={"a": 1, "b]": "x", "": "y"}, pilot_brand="B")
    ordered(shop, metadata={"a": 1}, pilot_brand="B")
    assert ids(shop, **{"metadata[a]": "1", "metadata[b]]": "x", "metadata[]": "y", "pilot_brand": "B"}) == pk(both)
    assert ids(shop, **{"metadata[a]": "1", "metadata[b]]": "z"}) == []


def test_the_range_begins_with_its_first_moment_and_ends_before_its_second(db, shop: Shop):
    made = [order(shop) for _ in range(4)][::-1]
    moments = [job.accepted_at.isoformat() for job in made]
    assert ids(shop, created_after=moments[2]) == pk(*made[:3])
    assert ids(shop, created_before=moments[2]) == pk(made[3])
    assert ids(shop, created_after=moments[2], created_before=moments[0]) == pk(*made[1:3])
    assert ids(shop, created_after=moments[0], created_before=moments[0]) == []
    assert ids(shop, created_after=moments[2].replace("+00:00", "Z"), limit=1) == pk(*made[:3])
    # The row counts, also where the clocks of ids and rows differ by minutes.
    move(made[1], accepted_at="-9 minutes")
    assert ids(shop, created_before=moments[3]) == pk(made[1])
    assert ids(shop, created_after="2020-01-01", created_before="2100-01-01") == pk(*made)
    assert ids(shop, created_after="0001-01-01T00:00:00+23:59", created_before="9999-12-31T23:59:59-23:59") == pk(*made)
    assert ids(shop, created_before="1969-12-31") == []
    assert ids(shop, created_after="2020-01-01T00:00:00+22:10", created_before="2100-01-01T00:00:00-22:10") == pk(*made)


REFUSED = {
    "limit=0": ("limit", "greater_than_equal"),
    "limit=-1": ("limit", "greater_than_equal"),
    "limit=101": ("limit", "less_than_equal"),
    "limit=" + "9" * 5000: ("limit", "less_than_equal"),
    "limit=-" + "9" * 5000: ("limit", "greater_than_equal"),
    "limit=": ("limit", "int_parsing"),
    "limit=1.0": ("limit", "int_parsing"),
    "limit=%D9%A7": ("limit", "int_parsing"),
    "limit=2&limit=3": ("limit", "repeated"),
    "status=": ("status", "enum"),
    "status=success": ("status", "enum"),
    "status=SUCCESS&status=FAILURE": ("status", "repeated"),
    "workflow=" + "x" * 65: ("workflow", "string_too_long"),
    "workflow=%00": ("workflow", "string_unicode"),
    "pilot_brand=" + "x" * 201: ("pilot_brand", "string_too_long"),
    "pilot_brand=a%00": ("pilot_brand", "string_unicode"),
    "metadata=x": ("metadata", "extra_forbidden"),
    "metadata[k]=%00": ("metadata", "string_unicode"),
    "metadata[%00]=k": ("metadata", "string_unicode"),
    "metadata[k]=" + "x" * 201: ("metadata", "string_too_long"),
    "metadata[" + "x" * 201 + "]=k": ("metadata", "string_too_long"),
    "metadata[k]=1&metadata[k]=2": ("metadata[k]", "repeated"),
    "&".join(f"metadata[{n}]=1" for n in range(11)): ("metadata", "too_long"),
    "stauts=SUCCESS": ("stauts", "extra_forbidden"),
    "Status=SUCCESS": ("Status", "extra_forbidden"),
    "cursor=": ("cursor", "string_pattern_mismatch"),
    "cursor=1": ("cursor", "string_pattern_mismatch"),
    "cursor=" + "I" * 26: ("cursor", "string_pattern_mismatch"),
    "created_after=": ("created_after", "datetime_parsing"),
    "created_after=yesterday": ("created_after", "datetime_parsing"),
    "created_after=20261122": ("created_after", "datetime_parsing"),
    "created_after=2026-11-31": ("created_after", "datetime_parsing"),
    "created_after=2026-11-22T14:36:10": ("created_after", "datetime_parsing"),
    "created_after=2026-11-22T14:36:10+01:00": ("created_after", "datetime_parsing"),  # a plus that means a space
    "created_after=2026-W47-7": ("created_after", "datetime_parsing"),
    "created_after=1790000000": ("created_after", "datetime_parsing"),
    "created_before=0000-01-01": ("created_before", "datetime_parsing"),
    "created_before=2026-11-22T24:00:01Z": ("created_before", "datetime_parsing"),
}


@pytest.mark.parametrize("query", REFUSED, ids=lambda query: query[:40])
def test_what_cannot_be_meant_is_refused(db, shop: Shop, query: str):
    answer = get(shop, f"/v1/jobs?{query}")
    name, code = REFUSED[query]
    assert answer.status_code == 422, answer.content
    assert [(fault["loc"], fault["type"]) for fault in answer.json()["detail"]] == [(["query", name], code)]


def test_all_faults_are_named(db, shop: Shop):
    answer = get(shop, "/v1/jobs?limit=x&status=y&sort=up")
    assert {fault["loc"][1] for fault in answer.json()["detail"]} == {"limit", "status", "sort"}


def test_a_thousand_parameters_do_no_harm(db, shop: Shop):
    answer = get(shop, "/v1/jobs?" + "&".join(f"metadata[{n}]=1" for n in range(5000)))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_any_cursor_is_a_place_among_ones_own_jobs(db, shop: Shop):
    order(Shop.make())
    mine = order(shop)
    assert ids(shop, cursor=new_ulid()) == pk(mine)
    assert ids(shop, cursor="0" * 26) == []


def test_what_matches_nothing_is_searched_piece_by_piece(own_database, monkeypatch):
    monkeypatch.setattr(listing, "SEARCHED", 40)
    shop = flood(100)
    (oldest,) = sql("SELECT min(id) FROM workflows_job")[0]
    sql("UPDATE workflows_job SET workflow = 'other' WHERE id = %s", oldest)
    pages = [page(shop, workflow="other")]
    while pages[-1]["next"]:
        pages.append(page(shop, workflow="other", cursor=pages[-1]["next"]))
    assert [len(found["jobs"]) for found in pages] == [0, 0, 1]
    assert pages[-1]["jobs"][0]["job_id"] == oldest


def test_pages_of_large_orders_are_short(db, shop: Shop, monkeypatch):
    monkeypatch.setattr(listing, "PAGE_SIZE", 5000)
    large = [ordered(shop, metadata={"text": "x" * 2000}) for _ in range(3)]
    small = [ordered(shop) for _ in range(3)]
    huge = ordered(shop, metadata={"text": "x" * 9000})
    assert [job["job_id"] for job in page(shop)["jobs"]] == pk(huge)
    assert ids(shop) == pk(huge, *small[::-1], *large[::-1])
    assert len(page(shop, cursor=huge.pk)["jobs"]) == 5


def test_a_page_takes_as_many_statements_however_long_it_is(db, shop: Shop):
    for _ in range(6):
        succeed(claimed(order(shop)))
    # Authentication, what fits, jobs, outputs; with a filter, also how far to look.
    for count, parameters in [(4, {"limit": 1}), (4, {}), (5, {"status": "SUCCESS"}), (5, {"metadata[a]": "1"})]:
        with CaptureQueriesContext(connection) as statements:
            found = page(shop, **parameters)["jobs"]
        assert len(statements) == (count if found else 3)


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for below in plan.get("Plans", ()) for node in nodes(below))]


def test_no_more_than_a_piece_of_a_clients_own_range_is_read(own_database):
    shop = flood(60_000)
    sql("VACUUM ANALYZE workflows_job")
    for query in (
        "limit=100",
        "status=SUCCESS",
        "workflow=background-generator",
        "metadata[a]=b",
        "pilot_brand=b&cursor=00000000000000000000050000",
        "created_after=2020-01-01&created_before=2100-01-01",
    ):
        with CaptureQueriesContext(connection) as statements:
            assert get(shop, f"/v1/jobs?{query}").status_code == 200
        reads = [statement["sql"] for statement in statements if 'FROM "workflows_job"' in statement["sql"]]
        assert reads
        for read in reads:
            ((found,),) = sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {read}".replace("%", "%%"))
            for node in nodes(found[0]["Plan"]):
                assert node["Node Type"] != "Seq Scan", read
                looked_at = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                assert looked_at <= listing.SEARCHED, (query, node)
