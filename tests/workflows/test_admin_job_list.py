"""The list of jobs in the staff console: what finds a job, and what it shows of it."""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.console import HOSTILE, fail, messages, order, signed_in, succeed
from tests.helpers import sql
from workflows import jobs
from workflows.models import Job, Output

PATH = "/admin/workflows/job/"


def listed(browser: Any, **parameters: object) -> list[str]:
    answer = browser.get(PATH, parameters)
    assert answer.status_code == 200, answer
    return [job.pk for job in answer.context["cl"].result_list]


def iso(moment: Any) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def test_a_status_a_workflow_a_client_and_a_failure_code_each_select_their_jobs(db, shop: Shop):
    other = Shop.make(name="Other")
    failed, waiting = fail(order(shop.client)), order(other.client)
    Job.objects.filter(pk=waiting.pk).update(workflow="extract")
    browser = signed_in()
    assert listed(browser) == [waiting.pk, failed.pk]
    assert listed(browser, status__exact="FAILURE") == [failed.pk]
    assert listed(browser, workflow="extract") == [waiting.pk]
    assert listed(browser, client__id__exact=other.client.pk) == [waiting.pk]
    assert listed(browser, error_code="unknown_model") == [failed.pk]
    assert listed(browser, error_code="unknown") == []
    assert listed(browser, error_code="unknown_model", client__id__exact=other.client.pk) == []


def test_a_brand_and_a_model_select_what_was_ordered_with_exactly_these(db, shop: Shop):
    long = "b" * 64
    specs: list[dict[str, Any]] = [
        {"pilot_brand": "Acme", "image_model": "gpt-image-1"},
        {"pilot_brand": "acme"},
        {"pilot_brand": long, "image_model": None},
        {"pilot_brand": f"{long}x", "image_model": "built-in"},
    ]
    acme, small, exact, longer = (order(shop.client, spec=spec).pk for spec in specs)
    browser = signed_in()
    assert listed(browser, brand="Acme") == [acme]
    assert listed(browser, brand="acme") == [small]
    assert listed(browser, brand="Acm") == []
    assert listed(browser, brand=long) == [exact]
    assert listed(browser, brand=f"{long}x") == [longer]
    assert listed(browser, brand=f"{long}y") == []
    assert listed(browser, model="gpt-image-1") == [acme]
    assert listed(browser, model="built-in") == [longer, exact, small]
    assert listed(browser, model="gpt-image-1", brand="acme") == []


def test_what_was_accepted_from_one_time_on_and_before_another_is_selected(db, shop: Shop):
    first, second = order(shop.client), order(shop.client)
    # The clock of whoever made the id may be minutes off the database's.
    sql("UPDATE workflows_job SET accepted_at = accepted_at + interval '9 minutes' WHERE id = %s", second.pk)
    browser = signed_in()
    early, late = (Job.objects.get(pk=job.pk).accepted_at for job in (first, second))
    assert listed(browser, accepted_after=iso(early)) == [second.pk, first.pk]
    assert listed(browser, accepted_before=iso(early)) == []
    assert listed(browser, accepted_after=iso(early + timedelta(microseconds=1))) == [second.pk]
    assert listed(browser, accepted_before=iso(late)) == [first.pk]
    assert listed(browser, accepted_after=iso(early), accepted_before=iso(late)) == [first.pk]
    # As a browser's own field writes it: in UTC, as its label says.
    assert listed(browser, accepted_after=f"{late:%Y-%m-%dT%H:%M}") == [second.pk]
    assert listed(browser, accepted_after="2020-01-01T00:00:00+02:00", accepted_before="") == [second.pk, first.pk]
    assert listed(browser, accepted_after="0001-01-01T00:00:00Z", accepted_before="9999-12-31T23:59:59Z") == [
        second.pk,
        first.pk,
    ]
    html = browser.get(PATH, {"accepted_after": "2026-11-22T10:00:00Z"}).content.decode()
    assert 'value="2026-11-22T10:00:00"' in html


def test_what_is_no_time_is_said_and_not_guessed(db, shop: Shop):
    browser = signed_in()
    for text in ("yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00"):
        assert browser.get(PATH, {"accepted_after": text}).headers["Location"] == f"{PATH}?e=1"
        assert messages(browser) == [f"{text} is not a time like 2026-11-22T10:00:00Z."]


def test_a_job_is_found_by_its_id_its_request_its_key_and_what_it_runs_again(db, shop: Shop):
    job = fail(order(shop.client))
    order(shop.client)
    again, key = jobs.run_again(job_id=job.pk, actor="ada"), new_ulid()
    Job.objects.filter(pk=job.pk).update(idempotency_key=key.lower(), order_digest="x")
    browser = signed_in()
    assert listed(browser, q=f" {job.pk.lower()} ") == [again.pk, job.pk]
    assert listed(browser, q=job.request_id) == [job.pk]
    # A key is the client's text, which may look like one of our ids.
    assert listed(browser, q=key.lower()) == [job.pk]
    assert listed(browser, q=key) == []
    Job.objects.filter(pk=job.pk).update(idempotency_key="Order 7")
    assert listed(browser, q="Order 7") == [job.pk]
    assert listed(browser, q="Order") == []
    assert listed(browser, q=job.charge_id) == []
    # A client is chosen by the filter that knows clients.
    assert listed(browser, q="Shop") == []


def test_a_display_name_is_found_by_how_it_begins_in_either_case(db, shop: Shop):
    long = "É" * 70
    names = ["Summer 100% Sale", "summer_sale", "Late summer", "", long, f"{long}x"]
    found = dict(zip(names, (order(shop.client, spec={"display_name": name}).pk for name in names), strict=True))
    browser = signed_in()
    assert listed(browser, q="SUMMER") == [found["summer_sale"], found["Summer 100% Sale"]]
    assert listed(browser, q="summer 100%") == [found["Summer 100% Sale"]]
    assert listed(browser, q="summer%") == []
    assert listed(browser, q="summer_") == [found["summer_sale"]]
    assert listed(browser, q="\\") == []
    assert listed(browser, q=long) == [found[f"{long}x"], found[long]]
    assert listed(browser, q=f"{long}X".replace("X", "x")) == [found[f"{long}x"]]
    assert listed(browser, q="summer", status__exact="FAILURE") == []


def test_no_text_however_hostile_breaks_the_list(db, shop: Shop):
    job = succeed(order(shop.client, spec={"display_name": HOSTILE, "pilot_brand": HOSTILE}))
    browser = signed_in()
    for parameter in ("q", "brand", "model", "error_code", "workflow", "status__exact", "client__id__exact"):
        for text in (HOSTILE, "%", "'", "\\", "x" * 5000, "-1", "9" * 40):
            assert browser.get(PATH, {parameter: text}).status_code in (200, 302)
        assert browser.get(PATH, {parameter: "a\x00b"}).status_code in (200, 302, 400)
    html = browser.get(PATH, {"brand": HOSTILE}).content.decode()
    assert job.pk in html
    assert "<script>alert(1)" not in html
    assert "<img src=x" not in html


def test_the_first_output_is_shown_small_until_its_files_are_erased(db, shop: Shop):
    job = succeed(order(shop.client))
    Output.objects.update(thumbnail_key="clients/1/a.webp")
    output = Output.objects.get()
    output.pk, output.position, output.key, output.thumbnail_key = None, 1, "b", "clients/1/second.webp"
    output.save()
    browser = signed_in()
    html = browser.get(PATH).content.decode()
    assert "clients/1/a.webp?signature=" in html
    assert "second.webp" not in html
    Job.objects.filter(pk=job.pk).update(files_erased_at=job.ended_at)
    assert "a.webp" not in browser.get(PATH).content.decode()


def test_the_list_takes_as_many_statements_for_two_jobs_as_for_sixty(db, shop: Shop):
    browser, counts = signed_in(), []
    for many in (2, 58):
        for number in range(many):
            succeed(order(Shop.make(name=f"Shop {number}").client, spec={"display_name": "Sale"}))
        for query in ({}, {"status__exact": "SUCCESS"}, {"q": "sale"}, {"brand": "x"}):
            with CaptureQueriesContext(connection) as queries:
                browser.get(PATH, query)
            counts.append(len(queries))
    assert counts[:4] == counts[4:]
    assert max(counts) <= 8


def test_specs_summaries_and_further_outputs_are_not_read_for_the_list(db, shop: Shop):
    succeed(order(shop.client, spec={"display_name": "n" * 1000}))
    browser = signed_in()
    with CaptureQueriesContext(connection) as queries:
        html = browser.get(PATH).content.decode()
    assert "n" * 80 in html
    assert "n" * 81 not in html
    read = [query["sql"] for query in queries if '"workflows_job"."id",' in query["sql"]]
    assert read
    assert not any('"spec",' in statement or '"summary"' in statement for statement in read)
    outputs = [query["sql"] for query in queries if 'FROM "workflows_output"' in query["sql"]]
    assert len(outputs) == 1
    assert '"position" = 0' in outputs[0]
