"""POST /v1/{workflow}: accepted with a log row, a job and a charge, or refused with nothing but a log row."""

import json
from collections import Counter
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from billing.errors import InsufficientCredits, TooManyOpenJobs
from billing.models import Client, LedgerEntry
from requestlog.models import RequestLog
from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.gateway import Gateway
from tests.helpers import SPEC, books_are_right, order, over_the_wire, post, sql, together
from workflows import jobs
from workflows.models import Job, JobEvent, Output, Workflow

BACKGROUND, EXTRACT = "/v1/background-generator", "/v1/extract"
MIB = 1024 * 1024


def nothing_was_ordered(shop: Shop) -> None:
    assert shop.balance == 100
    assert not Job.objects.exists()
    assert LedgerEntry.objects.count() == 1


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert body["detail"]
    assert body["request_id"] == answer.headers["X-Request-Id"]
    log = RequestLog.objects.get(pk=body["request_id"])
    assert (log.status, log.code, log.job_id) == (status, code, "")
    return body


# Accepted


def test_an_order_is_answered_with_its_job_and_its_price(db, shop: Shop):
    answer = post(shop, BACKGROUND, SPEC)
    assert answer.status_code == 202
    job = Job.objects.get()
    assert answer.json() == {
        "request_id": job.request_id,
        "job_id": job.pk,
        "status": "NOT_STARTED",
        "credits_cost": 2,
    }
    assert answer.headers["X-Request-Id"] == job.request_id
    assert answer.headers["Location"] == f"/v1/jobs/{job.pk}"
    assert answer.headers["Content-Type"] == "application/json"


def test_an_order_leaves_a_log_row_a_job_and_a_charge(db, shop: Shop):
    body = json.dumps({**SPEC, "unheard_of": 1, "seed": 5}, indent=3).encode()
    answer = post(shop, BACKGROUND, body, HTTP_USER_AGENT="curl/8").json()
    job = Job.objects.get(pk=answer["job_id"])
    assert job.spec == {**SPEC, "seed": 5, "display_name": ""}
    assert (job.client_id, job.workflow, job.status, job.attempt) == (
        shop.client.pk,
        "background-generator",
        "NOT_STARTED",
        0,
    )
    workflow = Workflow.objects.get(name="background-generator")
    assert (job.max_attempts, job.time_limit) == (workflow.max_attempts, workflow.time_limit)
    assert job.deadline_at - job.accepted_at == workflow.deadline
    assert job.due_at == job.run_after == job.accepted_at
    log = RequestLog.objects.get()
    assert (log.request_id, log.job_id, log.status, log.code) == (job.request_id, job.pk, 202, "")
    assert (log.method, log.path, log.user_agent) == ("POST", BACKGROUND, "curl/8")
    assert (log.client_id, log.api_key_prefix) == (shop.client.pk, shop.key[:11])
    assert (bytes(log.body), log.body_size) == (body, len(body))
    shop.client.refresh_from_db()
    assert (shop.client.balance, shop.client.open_jobs) == (98, 1)
    books_are_right(shop.client)


def test_the_log_row_the_job_and_the_charge_are_written_by_one_transaction(own_database, shop: Shop):
    assert post(shop, BACKGROUND, SPEC).status_code == 202
    ((transactions,),) = sql(
        "SELECT count(DISTINCT x) FROM (SELECT xmin::text AS x FROM request_logs UNION ALL"
        " SELECT xmin::text FROM workflows_job UNION ALL SELECT xmin::text FROM billing_client UNION ALL"
        " SELECT xmin::text FROM billing_ledgerentry WHERE kind = 'CHARGE') rows"
    )
    assert transactions == 1


def test_an_order_takes_at_most_seven_statements_begin_and_commit_included(own_database, shop: Shop):
    assert post(shop, BACKGROUND, SPEC).status_code == 202  # warms the configuration cache
    with CaptureQueriesContext(connection) as statements:
        assert post(shop, BACKGROUND, SPEC).status_code == 202
    said = [statement["sql"].split()[0] for statement in statements]
    assert said[0] == "SELECT"
    assert said[1] == "BEGIN"
    assert said[-1] == "COMMIT"
    assert len(said) <= 7, said


def test_the_balance_moves_in_the_last_statement_so_that_its_row_is_locked_shortly(own_database, shop: Shop):
    post(shop, BACKGROUND, SPEC)
    with CaptureQueriesContext(connection) as statements:
        post(shop, BACKGROUND, SPEC)
    assert "UPDATE billing_client" in statements[-2]["sql"]


# The examples of the published pages, as they stand.
EXAMPLES = {
    BACKGROUND: b"""{ "image_model": "example", "eval_enabled": true, "resolution": "example", \
"aspect_ratio": "example", "seed": 1, "on_technical_failure": "example", "display_name": "", \
"scene_type": "example", "mood": "example", "dominant_colors": [ "example" ], "metadata": {}, \
"pilot_brand": "example" }""",
    EXTRACT: b"""{ "trial_image": "example", "runtime_config": {}, "extraction_context": \
{ "max_items": 1, "product_name": "example", "product_description": "example" } }""",
}


@pytest.mark.parametrize("path", EXAMPLES)
def test_the_published_example_is_accepted_and_what_it_names_in_vain_is_refunded(
    gateway: Gateway, shop: Shop, path: str
):
    answer = gateway.call("POST", path, EXAMPLES[path], key=shop.key)
    assert answer.status == 202
    assert shop.balance == 100 - answer.json["credits_cost"]
    job = gateway.finished(answer.json["job_id"], key=shop.key)
    assert job["spec"] == json.loads(EXAMPLES[path])
    assert (job["status"], job["credits_refunded"]) == ("FAILURE", answer.json["credits_cost"])
    assert job["error"]["code"] in ("unknown_model", "unknown_resolution", "trial_image_not_found")
    assert shop.balance == 100
    books_are_right(shop.client)


ACCEPTED = {
    "null where it may be": {**SPEC, "seed": None, "resolution": None, "eval_enabled": None, "pilot_brand": None},
    "blank strings": {"scene_type": "", "mood": " "},
    "a whole float": {**SPEC, "seed": 5.0},
    "a large integer": {**SPEC, "seed": 10**4000},
    "a negative integer": {**SPEC, "seed": -(10**30)},
    "small and large floats": {**SPEC, "metadata": {"x": -2.5e20, "y": 5e-324, "z": -0.0, "pi": 3.141592653589793}},
    "any text": {**SPEC, "display_name": "🧥 \u200b\ufeff \U0010ffff"},
    "strings that look like others": {**SPEC, "resolution": "5", "display_name": "null"},
    "199 levels": {**SPEC, "metadata": json.loads('{"a":' * 197 + "1" + "}" * 197)},
    "an empty key": {**SPEC, "metadata": {"": {"": ""}}},
    "names the schema does not know": {**SPEC, "priority": 1, "__proto__": {"x": 1}, "id": "x", "client": 1},
    "a bad string under an unknown name": b'{"scene_type": "a", "mood": "b", "zzz": "\\u0000 \\ud800"}',
    "a name given twice": b'{"scene_type": 1, "scene_type": "a", "mood": "b"}',
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_the_schema_allows_is_accepted_and_read_back_as_sent(db, shop: Shop, name: str):
    answer = post(shop, BACKGROUND, ACCEPTED[name])
    assert answer.status_code == 202, answer.content
    job = Job.objects.get()
    sent = ACCEPTED[name] if isinstance(ACCEPTED[name], dict) else json.loads(ACCEPTED[name])
    assert job.spec == {"display_name": "", **{k: v for k, v in sent.items() if k in KNOWN}}


KNOWN = {"image_model", "eval_enabled", "resolution", "aspect_ratio", "seed", "on_technical_failure", "display_name"}
KNOWN |= {"scene_type", "mood", "dominant_colors", "metadata", "pilot_brand"}


# Refused for the client's sake


def test_too_few_credits_are_a_402_that_says_price_and_balance(db):
    shop = Shop.make(credits=1)
    detail = refused(post(shop, BACKGROUND, {**SPEC, "resolution": "4K"}), 402, "insufficient_credits")["detail"]
    assert "8 credits" in detail
    assert "balance is 1" in detail
    assert (shop.balance, Job.objects.count(), LedgerEntry.objects.count()) == (1, 0, 1)
    log = RequestLog.objects.get()
    assert (log.client_id, log.api_key_prefix) == (shop.client.pk, shop.key[:11])
    assert json.loads(bytes(log.body)) == {**SPEC, "resolution": "4K"}


def test_the_last_credit_buys_the_last_order(db):
    shop = Shop.make(credits=4)
    assert [post(shop, BACKGROUND, SPEC).status_code for _ in range(4)] == [202, 202, 402, 402]
    assert shop.balance == 0
    assert sorted(RequestLog.objects.values_list("status", flat=True)) == [202, 202, 402, 402]
    books_are_right(shop.client)


def test_a_suspended_client_is_a_403(db, shop: Shop):
    sql("UPDATE billing_client SET suspended_at = now()")
    refused(post(shop, BACKGROUND, SPEC), 403, "client_suspended")
    nothing_was_ordered(shop)


def test_too_many_open_jobs_are_a_429_until_one_of_them_has_ended(db, shop: Shop):
    Client.objects.filter(pk=shop.client.pk).update(max_open_jobs=1)
    first = post(shop, BACKGROUND, SPEC).json()["job_id"]
    answer = post(shop, BACKGROUND, SPEC)
    refused(answer, 429, "too_many_open_jobs")
    assert int(answer.headers["Retry-After"]) > 0
    assert (shop.balance, Job.objects.count()) == (98, 1)
    attempt = jobs.claim(job_id=first, worker="w")
    assert attempt is not None
    jobs.succeed(attempt, outputs=[], summary={})
    assert post(shop, BACKGROUND, SPEC).status_code == 202


def test_a_workflow_that_staff_switch_off_is_a_503_until_they_switch_it_on(db, shop: Shop):
    assert post(shop, EXTRACT, {"trial_image": "a"}).status_code == 202
    row = Workflow.objects.filter(name="extract")
    row.update(enabled=False)
    answer = post(shop, EXTRACT, {"trial_image": "a"})
    refused(answer, 503, "workflow_disabled")
    assert answer.headers["Retry-After"]
    assert post(shop, BACKGROUND, SPEC).status_code == 202
    row.update(enabled=True)
    assert post(shop, EXTRACT, {"trial_image": "a"}).status_code == 202
    row.delete()
    refused(post(shop, EXTRACT, {"trial_image": "a"}), 503, "workflow_disabled")
    assert Job.objects.count() == 3


def test_limits_that_staff_change_are_those_of_the_next_order(db, shop: Shop):
    Workflow.objects.filter(name="extract").update(time_limit="00:00:07", max_attempts=1, deadline="00:01:00")
    post(shop, EXTRACT, {"trial_image": "a"})
    job = Job.objects.get()
    assert (job.time_limit.seconds, job.max_attempts) == (7, 1)
    assert (job.deadline_at - job.accepted_at).seconds == 60


# Refused for the body's sake

Fault = tuple[list[str | int], str]
FAULTS: dict[str, tuple[str, Any, list[Fault]]] = {
    "nothing": (BACKGROUND, {}, [(["body", "scene_type"], "missing"), (["body", "mood"], "missing")]),
    "all faults at once": (
        BACKGROUND,
        {
            "image_model": 1,
            "eval_enabled": "yes",
            "seed": 1.5,
            "display_name": None,
            "scene_type": ["x"],
            "dominant_colors": ["red", 1, None],
            "metadata": [],
        },
        [
            (["body", "image_model"], "string_type"),
            (["body", "eval_enabled"], "bool_type"),
            (["body", "seed"], "int_from_float"),
            (["body", "display_name"], "string_type"),
            (["body", "scene_type"], "string_type"),
            (["body", "mood"], "missing"),
            (["body", "dominant_colors", 1], "string_type"),
            (["body", "dominant_colors", 2], "string_type"),
            (["body", "metadata"], "dict_type"),
        ],
    ),
    "a string for an integer": (BACKGROUND, {**SPEC, "seed": "5"}, [(["body", "seed"], "int_type")]),
    "a boolean for an integer": (BACKGROUND, {**SPEC, "seed": True}, [(["body", "seed"], "int_type")]),
    "0 for a boolean": (BACKGROUND, {**SPEC, "eval_enabled": 0}, [(["body", "eval_enabled"], "bool_type")]),
    "null for a string": (BACKGROUND, {**SPEC, "mood": None}, [(["body", "mood"], "string_type")]),
    "null for a list": (BACKGROUND, {**SPEC, "dominant_colors": None}, [(["body", "dominant_colors"], "list_type")]),
    "null for an object": (BACKGROUND, {**SPEC, "metadata": None}, [(["body", "metadata"], "dict_type")]),
    "a string for a list": (
        BACKGROUND,
        {**SPEC, "dominant_colors": "red"},
        [(["body", "dominant_colors"], "list_type")],
    ),
    "below the minimum": (
        EXTRACT,
        {"trial_image": "x", "extraction_context": {"max_items": 0, "product_name": 1}},
        [
            (["body", "extraction_context", "max_items"], "greater_than_equal"),
            (["body", "extraction_context", "product_name"], "string_type"),
        ],
    ),
    "a list for an object": (
        EXTRACT,
        {"extraction_context": []},
        [(["body", "trial_image"], "missing"), (["body", "extraction_context"], "model_attributes_type")],
    ),
    "null": (BACKGROUND, b"null", [(["body"], "model_attributes_type")]),
    "a bare string": (BACKGROUND, b'"x"', [(["body"], "model_attributes_type")]),
    "a list": (BACKGROUND, b"[]", [(["body"], "model_attributes_type")]),
    "a number": (BACKGROUND, b"0", [(["body"], "model_attributes_type")]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_all_faults_of_a_body_are_named_where_they_are(db, shop: Shop, name: str):
    path, body, faults = FAULTS[name]
    answer = post(shop, path, body)
    assert answer.status_code == 422
    detail = answer.json()["detail"]
    assert [(fault["loc"], fault["type"]) for fault in detail] == faults
    assert all(isinstance(fault["msg"], str) and fault["msg"] and "{" not in fault["msg"] for fault in detail)
    assert all(set(fault) == {"loc", "msg", "type"} for fault in detail)
    log = RequestLog.objects.get(pk=answer.headers["X-Request-Id"])
    assert (log.status, log.code) == (422, "validation_error")
    nothing_was_ordered(shop)


def spec_with(raw: str) -> bytes:
    return b'{"scene_type": "a", "mood": "b", "metadata": %s}' % raw.encode()


BAD_STRINGS = {"NUL": "\\u0000", "lone high": "\\ud800", "lone low": "x\\udfff", "swapped": "\\udc00\\ud800"}
HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "null": b"null",
    "true": b"true",
    "bare string": b'"scene_type"',
    "broken": b'{"scene_type": "a"',
    "trailing comma": b'{"scene_type": "a", "mood": "b",}',
    "trailing garbage": b'{"scene_type": "a", "mood": "b"} x',
    "two documents": b'{"scene_type": "a", "mood": "b"}{}',
    "single quotes": b"{'scene_type': 'a', 'mood': 'b'}",
    "BOM": b'\xef\xbb\xbf{"scene_type": "a", "mood": "b"}',
    "UTF-16": '{"scene_type": "a", "mood": "b"}'.encode("utf-16"),
    "invalid UTF-8": b'{"scene_type": "\xff", "mood": "b"}',
    "overlong UTF-8": b'{"scene_type": "\xc0\x80", "mood": "b"}',
    "surrogate as UTF-8": b'{"scene_type": "\xed\xa0\x80", "mood": "b"}',
    "raw NUL": b'{"scene_type": "a\x00", "mood": "b"}',
    "only NULs": b"\x00" * 1000,
    "raw newline in a string": b'{"scene_type": "a\nb", "mood": "b"}',
    "NaN": spec_with("NaN"),
    "NaN below": spec_with('{"a": [1, {"b": NaN}]}'),
    "Infinity": b'{"scene_type": "a", "mood": "b", "seed": Infinity}',
    "minus Infinity": spec_with('{"a": -Infinity}'),
    "a double too large": spec_with('{"a": 1e999}'),
    "seed too large": b'{"scene_type": "a", "mood": "b", "seed": 1e999}',
    "5,000 digits": b'{"scene_type": "a", "mood": "b", "seed": ' + b"1" * 5000 + b"}",
    "5,000 digits under an unknown name": b'{"scene_type": "a", "mood": "b", "zzz": -' + b"1" * 5000 + b"}",
    "500,000 digits": spec_with('{"a": %s}' % ("9" * 500_000)),
    "500,000 digits and a point": spec_with('{"a": %s.5}' % ("9" * 500_000)),
    "201 levels": spec_with('{"a":' * 201 + "1" + "}" * 201),
    "100,000 lists": b"[" * 100_000,
    "100,000 closed lists": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep under a known name": spec_with("[" * 50_000 + "]" * 50_000),
    "300 levels under an unknown name": b'{"scene_type": "a", "mood": "b", "z": ' + b"[" * 300 + b"]" * 300 + b"}",
    **{
        f"{name} in {where}": template.replace("@", bad).encode()
        for name, bad in BAD_STRINGS.items()
        for where, template in {
            "a field": '{"scene_type": "@", "mood": "b"}',
            "an optional field": '{"scene_type": "a", "mood": "b", "image_model": "@"}',
            "a list": '{"scene_type": "a", "mood": "b", "dominant_colors": ["red", "@"]}',
            "a value": '{"scene_type": "a", "mood": "b", "metadata": {"x": "@"}}',
            "a key": '{"scene_type": "a", "mood": "b", "metadata": {"@": 1}}',
            "a deep value": '{"scene_type": "a", "mood": "b", "metadata": {"x": [[{"y": ["@"]}]]}}',
            "a deep key": '{"scene_type": "a", "mood": "b", "metadata": {"x": [[{"y@": {"z": 1}}]]}}',
            "a key above a bad value": '{"scene_type": "a", "mood": "b", "metadata": {"k@": {"x": "@"}}}',
        }.items()
    },
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_is_a_422_that_leaves_one_log_row_and_nothing_else(db, shop: Shop, name: str):
    body = HOSTILE[name]
    answer = post(shop, BACKGROUND, body)
    assert answer.status_code == 422, (answer.status_code, answer.content[:300])
    assert answer.json()["detail"]
    assert len(answer.content) < 5_000
    log = RequestLog.objects.get()
    assert (log.request_id, log.status, log.code) == (answer.headers["X-Request-Id"], 422, "validation_error")
    assert bytes(log.body) == body[: 64 * 1024]
    assert log.body_size == len(body)
    nothing_was_ordered(shop)


MANY: dict[str, tuple[bytes, int]] = {
    "wrong items": (b'"dominant_colors": [' + b",".join([b"1"] * 500_000) + b"]", 100),
    "wrong strings": (b'"metadata": {"x": [' + b",".join([rb'"\u0000"'] * 110_000) + b"]}", 100),
    "wrong keys": (b'"metadata": {' + b",".join(rb'"\ud800%x": 1' % i for i in range(60_000)) + b"}", 100),
    "one long key": (b'"metadata": {"' + b"k" * 900_000 + rb'": ["\u0000", "\u0000"]}', 2),
}


@pytest.mark.parametrize("name", MANY)
def test_a_megabyte_of_faults_is_answered_shortly_with_the_first_hundred(db, shop: Shop, name: str):
    body, faults = MANY[name]
    answer = post(shop, BACKGROUND, b'{"scene_type": 1, %s}' % body)
    assert answer.status_code == 422
    detail = answer.json()["detail"]
    assert [fault["loc"][1] for fault in detail[:2]] == ["scene_type", "mood"]
    assert len(detail) == 2 + faults
    assert len(answer.content) < 50_000
    nothing_was_ordered(shop)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_in_the_other_workflow_is_a_422_too(db, shop: Shop, name: str):
    body = HOSTILE[name].replace(b"scene_type", b"trial_image").replace(b'"metadata"', b'"runtime_config"')
    body = body.replace(b'"dominant_colors": ["red", ', b'"extraction_context": {"product_name": ')
    body = body.replace(b'"]}', b'"}}') if b"product_name" in body else body
    answer = post(shop, EXTRACT, body)
    # What only the other workflow knows is ignored here.
    unknown_here = b"image_model" in body or b'"seed"' in body
    assert answer.status_code == 422 or (answer.status_code == 202 and unknown_here), answer.content[:300]
    assert RequestLog.objects.count() == 1
    if answer.status_code == 422:
        nothing_was_ordered(shop)


def test_hostile_bodies_are_422_from_a_running_web_process(gateway: Gateway, shop: Shop):
    for name, body in HOSTILE.items():
        answer = gateway.call("POST", BACKGROUND, body, key=shop.key)
        assert answer.status == 422, name
        assert RequestLog.objects.get(pk=answer.headers["X-Request-Id"]).body_size == len(body)
    assert not Job.objects.filter(client=shop.client).exists()
    assert shop.balance == 100
    assert RequestLog.objects.filter(client_id=shop.client.pk).count() == len(HOSTILE)


def test_at_most_64_kib_of_a_body_are_kept(db, shop: Shop):
    body = json.dumps({**SPEC, "display_name": "é" * 100_000}, ensure_ascii=False).encode()
    assert post(shop, BACKGROUND, body).status_code == 202
    log = RequestLog.objects.get()
    assert bytes(log.body) == body[: 64 * 1024]
    assert log.body_size == len(body) > 200_000
    assert Job.objects.get().spec["display_name"] == "é" * 100_000


def test_the_body_of_whoever_did_not_authenticate_is_not_kept(db, shop: Shop):
    for header in ("", "Bearer sk_unknown"):
        answer = post(None, BACKGROUND, {**SPEC, "display_name": "private"}, HTTP_AUTHORIZATION=header)
        assert answer.status_code == 401
        log = RequestLog.objects.get(pk=answer.headers["X-Request-Id"])
        assert (bytes(log.body), log.body_size, log.client_id) == (b"", 0, None)


@pytest.mark.parametrize("path", [BACKGROUND, EXTRACT])
def test_a_body_of_1_mib_is_read_and_one_byte_more_is_a_413(db, shop: Shop, path: str):
    body = b'{"scene_type": "a", "mood": "b", "trial_image": "c", "zzz": "'
    body += b"x" * (MIB - len(body) - 2) + b'"}'
    assert post(shop, path, body).status_code == 202
    refused(post(shop, path, body + b" "), 413, "body_too_large")
    assert Job.objects.count() == 1


@pytest.mark.parametrize("known", [True, False])
def test_a_body_of_more_than_1_mib_is_refused_by_its_length_before_it_is_sent(
    gateway: Gateway, shop: Shop, known: bool
):
    status, headers = over_the_wire(
        gateway,
        f"POST {BACKGROUND} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {shop.key if known else 'x'}\r\nContent-Length: {MIB + 1}\r\n\r\n".encode(),
    )
    assert status == (413 if known else 401)
    log = RequestLog.objects.get(pk=headers["x-request-id"])
    assert (log.status, log.body_size) == (status, 0)


# Refused for the request's sake


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "x",
        "\x00",
    ],
)
def test_a_body_of_another_type_is_a_415(db, shop: Shop, content_type: str):
    refused(post(shop, BACKGROUND, json.dumps(SPEC).encode(), content_type=content_type), 415, "unsupported_media_type")
    nothing_was_ordered(shop)


@pytest.mark.parametrize("content_type", ["APPLICATION/JSON", "application/json; charset=utf-8", "application/json;"])
def test_the_type_is_read_as_http_says(db, shop: Shop, content_type: str):
    assert post(shop, BACKGROUND, json.dumps(SPEC).encode(), content_type=content_type).status_code == 202


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "", "*", "\x00"])
def test_the_answer_is_json_whatever_is_asked_for(db, shop: Shop, accept: str):
    answer = post(shop, BACKGROUND, SPEC, HTTP_ACCEPT=accept)
    assert answer.status_code == 202
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v1/", "/v1/extract/", "/v1/EXTRACT", "/v1/extract%00", "/v1//extract"]
)
def test_another_path_is_a_404_in_json(db, shop: Shop, path: str):
    refused(post(shop, path, SPEC), 404, "not_found")
    refused(post(None, path, SPEC), 404, "not_found")
    nothing_was_ordered(shop)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_another_method_is_a_405_that_says_which_are_allowed(db, shop: Shop, client, method: str):
    answer = client.generic(method, BACKGROUND, b"{}", HTTP_AUTHORIZATION=f"Bearer {shop.key}")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]
    assert RequestLog.objects.filter(status=405).count() == (method != "GET")
    nothing_was_ordered(shop)


def test_an_unknown_host_is_a_400_in_json(db, shop: Shop):
    refused(post(shop, BACKGROUND, SPEC, HTTP_HOST="evil.example"), 400, "bad_request")
    nothing_was_ordered(shop)


# All or nothing


def draft_for(shop: Shop, request_id: str) -> RequestLog:
    return RequestLog(request_id=request_id, method="POST", path="/", status=202, duration_ms=0, body_size=0)


def submit(shop: Shop, *, request_id: str, credits: int = 2) -> Job:
    return jobs.submit(
        client=shop.client,
        workflow=Workflow.objects.get(name="extract"),
        spec={},
        credits_cost=credits,
        log=draft_for(shop, request_id),
    )


def counts() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (RequestLog, Job, LedgerEntry, JobEvent, Output))


def test_an_order_whose_log_row_cannot_be_written_leaves_nothing(own_database, shop: Shop):
    taken = new_ulid()
    draft_for(shop, taken).save()
    before = counts()
    with pytest.raises(IntegrityError, match="request_logs_pkey"):
        submit(shop, request_id=taken)
    assert counts() == before
    nothing_was_ordered(shop)


def test_an_order_whose_job_cannot_be_written_leaves_nothing(own_database, shop: Shop):
    job = order(shop)
    RequestLog.objects.all().delete()
    before = counts()
    with pytest.raises(IntegrityError, match="workflows_job_request_id_key"):
        submit(shop, request_id=job.request_id)
    assert counts() == before
    assert shop.balance == 98


@pytest.mark.parametrize(
    ("change", "error"),
    [("balance = 1, ledger_seq = 9", InsufficientCredits), ("max_open_jobs = 0", TooManyOpenJobs)],
)
def test_an_order_that_the_last_statement_refuses_leaves_nothing(own_database, shop: Shop, change: str, error: type):
    shop.client.refresh_from_db()
    sql(f"UPDATE billing_client SET {change}")  # after authentication has read the row
    before = counts()
    with pytest.raises(error):
        submit(shop, request_id=new_ulid())
    assert counts() == before


def test_an_order_for_a_client_that_is_gone_leaves_nothing(own_database, shop: Shop):
    before = counts()
    shop.client.refresh_from_db()
    shop.client.pk = 10**9
    with pytest.raises(Client.DoesNotExist):
        submit(shop, request_id=new_ulid())
    assert counts() == before


def test_an_order_that_costs_less_than_nothing_is_refused_by_the_database(own_database, shop: Shop):
    shop.client.refresh_from_db()
    with pytest.raises(IntegrityError, match="job_credits_cost_not_negative"):
        submit(shop, request_id=new_ulid(), credits=-5)
    nothing_was_ordered(shop)


# At once


def test_thirty_orders_at_once_with_credit_for_ten_accept_exactly_ten(gateway: Gateway):
    shop = Shop.make(credits=10)
    before = RequestLog.objects.count()
    spec = {**SPEC, "resolution": "512"}
    answers = together(*[lambda: gateway.call("POST", BACKGROUND, spec, key=shop.key)] * 30)
    assert Counter(answer.status for answer in answers) == {202: 10, 402: 20}
    assert {answer.json["code"] for answer in answers if answer.status == 402} == {"insufficient_credits"}
    accepted = {answer.json["job_id"] for answer in answers if answer.status == 202}
    assert {job.pk for job in Job.objects.filter(client=shop.client)} == accepted
    assert len(accepted) == 10
    for job_id in accepted:
        assert gateway.finished(job_id, key=shop.key)["status"] == "SUCCESS"
    assert shop.balance == 0
    books_are_right(shop.client)
    logs = RequestLog.objects.filter(client_id=shop.client.pk)
    assert Counter(logs.values_list("status", flat=True)) == {202: 10, 402: 20}
    assert RequestLog.objects.count() - before == 30


def test_orders_at_once_share_the_last_open_places(own_database, shop: Shop):
    Client.objects.filter(pk=shop.client.pk).update(max_open_jobs=3)
    answers = together(*[lambda: post(shop, EXTRACT, {"trial_image": "x"})] * 9)
    assert Counter(answer.status_code for answer in answers) == {202: 3, 429: 6}
    assert Counter(RequestLog.objects.values_list("status", flat=True)) == {202: 3, 429: 6}
    books_are_right(shop.client)
