"""POST /v1/{workflow}: accepted with a log row, a job and a charge, or refused with nothing but a log row."""

import json
from collections import Counter

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from billing.errors import InsufficientCredits, TooManyOpenJobs
from billing.models import Client, LedgerEntry
from requestlog.models import RequestLog
from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.gateway import Gateway
from tests.helpers import SPEC, books_are_right, nothing_was_ordered, order, post, refused, sql, together
from workflows import jobs
from workflows.models import Job, JobEvent, Output, Workflow

BACKGROUND, EXTRACT = "/v1/background-generator", "/v1/extract"


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


def test_an_order_takes_two_statements_one_to_authenticate_and_one_to_place_it(own_database, shop: Shop):
    assert post(shop, BACKGROUND, SPEC).status_code == 202  # warms the configuration cache
    with CaptureQueriesContext(connection) as statements:
        assert post(shop, BACKGROUND, SPEC).status_code == 202
    read, write = [statement["sql"] for statement in statements]
    assert read.startswith("SELECT")
    assert "UPDATE billing_client" in write


def test_a_client_who_wants_to_be_told_of_low_credits_is_told_in_the_transaction_of_the_order(own_database, shop: Shop):
    Client.objects.update(low_credits_threshold=99)
    with CaptureQueriesContext(connection) as statements:
        assert post(shop, BACKGROUND, SPEC).status_code == 202
    said = [statement["sql"].split()[0] for statement in statements]
    assert (said[-4], said[-1]) == ("BEGIN", "COMMIT")
    assert "UPDATE billing_client" in statements[-3]["sql"]
    assert "workflows_event" in statements[-2]["sql"]


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
    # By the answer, because the job may have failed by now.
    assert answer.headers["X-Credits-Balance"] == str(100 - answer.json["credits_cost"])
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


# All or nothing


def draft_for(shop: Shop, request_id: str) -> RequestLog:
    return RequestLog(
        request_id=request_id, method="POST", path="/", status=202, duration_ms=0, body_size=0, body_truncated=False
    )


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
    shop.client.read_again()
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
    shop.client.read_again()
    sql(f"UPDATE billing_client SET {change}")  # after authentication has read the row
    before = counts()
    with pytest.raises(error):
        submit(shop, request_id=new_ulid())
    assert counts() == before


def test_an_order_for_a_client_that_is_gone_leaves_nothing(own_database, shop: Shop):
    before = counts()
    shop.client.read_again()
    shop.client.pk = 10**9
    with pytest.raises(Client.DoesNotExist):
        submit(shop, request_id=new_ulid())
    assert counts() == before


def test_an_order_that_costs_less_than_nothing_is_refused_by_the_database(own_database, shop: Shop):
    shop.client.read_again()
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
