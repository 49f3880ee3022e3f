"""Idempotency-Key: the same order sent again is the same job and the same charge, however often and however late."""

import json
import threading
from collections import Counter
from typing import Any

import pytest
from django.db import connection

from billing.keys import create_key
from billing.models import Client, LedgerEntry
from requestlog.models import RequestLog
from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.gateway import Gateway, eventually
from tests.helpers import SPEC, books_are_right, claimed, get, post, refused, sql, together, waiting
from workflows import jobs
from workflows.models import Job, Workflow

BACKGROUND, EXTRACT = "/v1/background-generator", "/v1/extract"


def order(shop: Shop, body: Any = SPEC, *, key: str | None = "k", path: str = BACKGROUND, **headers: Any) -> Any:
    return post(shop, path, body, **({} if key is None else {"HTTP_IDEMPOTENCY_KEY": key}), **headers)


def is_replay(answer: Any, first: Any) -> None:
    assert answer.status_code == 202
    assert answer.content == first.content
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert answer.headers["X-Credits-Charged"] == "0"
    assert answer.headers["Location"] == first.headers["Location"]
    log = RequestLog.objects.get(pk=answer.headers["X-Request-Id"])
    assert log.pk != first.json()["request_id"]
    assert (log.status, log.job_id) == (202, first.json()["job_id"])


def is_reused(answer: Any) -> None:
    assert answer.status_code == 422
    (fault,) = answer.json()["detail"]
    assert (fault["loc"], fault["type"]) == (["header", "Idempotency-Key"], "idempotency_key_reused")
    assert set(fault) == {"loc", "msg", "type"}
    log = RequestLog.objects.get(pk=answer.headers["X-Request-Id"])
    assert (log.status, log.code, log.job_id) == (422, "idempotency_key_reused", "")


def only_one_was_ordered(shop: Shop, *, credits: int = 2) -> None:
    assert Job.objects.filter(client=shop.client).count() == 1
    assert LedgerEntry.objects.filter(client=shop.client, kind="CHARGE").count() == 1
    assert shop.balance == 100 - credits
    books_are_right(shop.client)


def test_the_same_order_again_is_the_first_ones_202(db, shop: Shop):
    first = order(shop)
    assert first.headers["X-Credits-Charged"] == "2"
    assert "Idempotent-Replayed" not in first.headers
    for _ in range(3):
        is_replay(order(shop), first)
    only_one_was_ordered(shop)
    assert RequestLog.objects.count() == 4


def test_the_job_is_found_by_the_request_id_of_its_replay_and_by_nobody_else(db, shop: Shop):
    first, again = order(shop), order(shop)
    for answer in (first, again):
        path = f"/v1/requests/{answer.headers['X-Request-Id']}"
        assert get(shop, path).json()["job_id"] == first.json()["job_id"]
        assert get(Shop.make(name="Other"), path).status_code == 404
    refusal = order(shop, {"scene_type": 1})
    assert get(shop, f"/v1/requests/{refusal.headers['X-Request-Id']}").status_code == 404


def test_without_a_key_every_order_is_its_own(db, shop: Shop):
    assert len({order(shop, key=None).json()["job_id"] for _ in range(2)}) == 2
    assert set(Job.objects.values_list("idempotency_key", "order_digest")) == {(None, "")}


SAME = {
    "spaces": b'{  "mood":\n"calm",   "scene_type": "podium" }',
    "other order": b'{"mood": "calm", "scene_type": "podium"}',
    "escapes": rb'{"scene_type": "p\u006fdium", "mood": "calm"}',
    "a name given twice": b'{"mood": 1, "mood": "calm", "scene_type": "podium"}',
}


@pytest.mark.parametrize("name", SAME)
def test_bodies_are_compared_as_they_are_read(db, shop: Shop, name: str):
    first = order(shop, SPEC)
    is_replay(order(shop, SAME[name]), first)
    only_one_was_ordered(shop)


def test_a_whole_float_is_the_integer_that_it_stands_for(db, shop: Shop):
    first = order(shop, {**SPEC, "seed": 5, "metadata": {"x": [1, -0.0]}})
    is_replay(order(shop, {**SPEC, "seed": 5.0, "metadata": {"x": [1.0, 0]}}), first)


FIRST = {**SPEC, "metadata": {"x": True, "y": [1, 2]}}
OTHER = {
    "another value": {**FIRST, "mood": "stormy"},
    "one field less": SPEC,
    "one field more": {**FIRST, "seed": 1},
    "one unknown field more": {**FIRST, "note": 1},
    "a default spelt out": {**FIRST, "display_name": ""},
    "null for nothing": {**FIRST, "seed": None},
    "1 for true": {**SPEC, "metadata": {"x": 1, "y": [1, 2]}},
    "another type": {**SPEC, "metadata": {"x": "true", "y": [1, 2]}},
    "a list turned round": {**SPEC, "metadata": {"x": True, "y": [2, 1]}},
}


@pytest.mark.parametrize("name", OTHER)
def test_another_body_under_the_same_key_is_a_422_and_orders_nothing(db, shop: Shop, name: str):
    first = order(shop, FIRST)
    is_reused(order(shop, OTHER[name]))
    assert Job.objects.get().pk == first.json()["job_id"]
    only_one_was_ordered(shop)


def test_the_same_key_and_body_at_another_path_is_a_422(db, shop: Shop):
    both = {**SPEC, "trial_image": "x"}
    order(shop, both)
    is_reused(order(shop, both, path=EXTRACT))
    only_one_was_ordered(shop)


def test_the_key_of_one_client_is_nothing_to_another(db, shop: Shop):
    other = Shop.make(name="Other")
    assert order(shop).json()["job_id"] != order(other).json()["job_id"]
    for each in (shop, other):
        only_one_was_ordered(each)


def test_the_job_is_replayed_with_another_api_key_of_the_same_client(db, shop: Shop):
    first = order(shop)
    _, secret = create_key(client=shop.client)
    is_replay(order(Shop(shop.client, secret)), first)


# The key as it may be written


@pytest.mark.parametrize(
    ("one", "other"),
    [("abc", '"abc"'), ("abc", "  abc\t"), ("a b", '"a b"'), ('a"b', r'"a\"b"'), ("a\\b", r'"a\\b"'), ("x" * 255,) * 2],
)
def test_quoted_and_bare_are_the_same_key(db, shop: Shop, one: str, other: str):
    first = order(shop, key=one)
    assert first.status_code == 202
    is_replay(order(shop, key=other), first)


@pytest.mark.parametrize(("one", "other"), [("abc", "ABC"), ("a", "a a"), ('"a', "a"), ("a,b", "a, b"), ("0", "00")])
def test_keys_that_differ_are_different(db, shop: Shop, one: str, other: str):
    assert order(shop, key=one).json()["job_id"] != order(shop, key=other).json()["job_id"]


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("", "string_too_short"),
        ("  ", "string_too_short"),
        ('""', "string_too_short"),
        ("x" * 256, "string_too_long"),
        ("x" * 300, "string_too_long"),
        ('"' + "x" * 256 + '"', "string_too_long"),
        ("é", "string_pattern_mismatch"),
        ("a\x00b", "string_pattern_mismatch"),
        ("a\x7f", "string_pattern_mismatch"),
        ("\udcff", "string_pattern_mismatch"),
        ("🔑", "string_pattern_mismatch"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_is_no_key_is_a_422_that_says_so(db, shop: Shop, key: str, fault: str):
    answer = order(shop, key=key)
    assert answer.status_code == 422
    assert [(one["loc"], one["type"]) for one in answer.json()["detail"]] == [(["header", "Idempotency-Key"], fault)]
    assert not Job.objects.exists()
    assert shop.balance == 100
    assert RequestLog.objects.get().status == 422


# However late


def test_a_job_that_has_failed_since_is_replayed_as_it_was(db, shop: Shop):
    first = order(shop)
    attempt = claimed(Job.objects.get())
    assert jobs.fail(attempt, code="broken", message="It broke.", technical=False)
    answer = order(shop)
    is_replay(answer, first)
    assert answer.json()["status"] == "NOT_STARTED"
    assert shop.balance == 100
    books_are_right(shop.client)


LATER = {
    "the balance is spent": "UPDATE billing_client SET balance = 0, ledger_seq = 9",
    "too many jobs are open": "UPDATE billing_client SET max_open_jobs = 0",
    "the minute's orders are placed": "UPDATE billing_client SET orders_tat = now() + interval '1 hour'",
    "the workflow is switched off": "UPDATE workflows_workflow SET enabled = false",
    "the workflow has no price": "DELETE FROM billing_price",
    "the logs are pruned": "DELETE FROM request_logs",
}


@pytest.mark.parametrize("name", LATER)
def test_an_order_is_replayed_though_it_would_be_refused_now(db, shop: Shop, name: str):
    first = order(shop)
    sql(LATER[name])
    is_replay(order(shop), first)
    assert order(shop, key="another").status_code == (202 if "logs" in name else order(shop, key=None).status_code)
    assert Job.objects.filter(idempotency_key="k").count() == 1


def test_a_refused_order_is_not_remembered(db, shop: Shop):
    sql("UPDATE billing_client SET max_open_jobs = 0")
    refused(order(shop), 429, "too_many_open_jobs")
    assert order(shop, {"scene_type": 1}).status_code == 422
    sql("UPDATE billing_client SET max_open_jobs = 5")
    assert "Idempotent-Replayed" not in order(shop).headers
    only_one_was_ordered(shop)


def test_a_suspended_client_is_refused_also_what_it_ordered_before(db, shop: Shop):
    order(shop)
    sql("UPDATE billing_client SET suspended_at = now()")
    refused(order(shop), 403, "client_suspended")


# At once


def at_once(count: int, gateway: Gateway, shop: Shop, spec: Any) -> list[Any]:
    headers = {"Idempotency-Key": "twin"}
    return together(*[lambda: gateway.call("POST", BACKGROUND, spec, key=shop.key, headers=headers)] * count)


def test_fifty_twins_at_once_are_one_job_and_one_charge_and_all_get_its_ids(gateway: Gateway, shop: Shop):
    spec = {**SPEC, "resolution": "512"}
    twins = together(
        *[lambda: gateway.call("POST", BACKGROUND, spec, key=shop.key, headers={"Idempotency-Key": "t"})] * 50
    )
    assert Counter(twin.status for twin in twins) == {202: 50}
    assert len({twin.body for twin in twins}) == 1
    assert Counter(twin.headers["Idempotent-Replayed"] for twin in twins) == {None: 1, "true": 49}
    assert Counter(twin.headers["X-Credits-Charged"] for twin in twins) == {"1": 1, "0": 49}
    assert len({twin.headers["X-Request-Id"] for twin in twins}) == 50
    job_id = twins[0].json["job_id"]
    logs = RequestLog.objects.filter(client_id=shop.client.pk)
    assert Counter(logs.values_list("status", "job_id")) == {(202, job_id): 50}
    only_one_was_ordered(shop, credits=1)
    assert gateway.finished(job_id, key=shop.key)["status"] == "SUCCESS"


def test_of_twins_with_credit_for_one_none_is_told_that_it_is_too_poor(gateway: Gateway):
    shop = Shop.make(credits=1)
    spec = {**SPEC, "resolution": "512"}
    assert Counter(twin.status for twin in at_once(20, gateway, shop, spec)) == {202: 20}
    assert shop.balance == 0
    books_are_right(shop.client)


def test_different_bodies_at_once_under_one_key_are_one_job_and_the_others_are_refused(own_database, shop: Shop):
    answers = together(*[lambda mood=mood: order(shop, {**SPEC, "mood": mood}) for mood in "abcdefgh"])
    assert Counter(answer.status_code for answer in answers) == {202: 1, 422: 7}
    only_one_was_ordered(shop)


def place(shop: Shop) -> Job:
    client = Client(pk=shop.client.pk)
    client.read_again()
    return jobs.submit(
        client=client,
        workflow=Workflow.objects.get(name="extract"),
        spec={},
        credits_cost=2,
        log=RequestLog(
            request_id=new_ulid(), method="POST", path="/", status=202, duration_ms=0, body_size=0, body_truncated=False
        ),
        once=jobs.Once(key="k", digest="d", header="Idempotency-Key"),
    )


@pytest.mark.parametrize("room", [2, 1], ids=["for both", "for one"])
def test_twins_wait_for_the_clients_row_and_one_of_them_is_accepted(own_database, shop: Shop, room: int):
    """The other is its replay, also where the row refuses it because the first has taken the last place."""
    Client.objects.update(max_open_jobs=room)
    results: list[Any] = []
    with connection.cursor() as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT 1 FROM billing_client WHERE id = %s FOR UPDATE", [shop.client.pk])

        def in_thread() -> None:
            try:
                results.append(place(shop).pk)
            finally:
                connection.close()

        twins = [threading.Thread(target=in_thread) for _ in range(2)]
        for twin in twins:
            twin.start()
        eventually(lambda: len(waiting()) == 2, what="both twins wait")
        holder.execute("COMMIT")
    for twin in twins:
        twin.join(30)
    assert len(results) == 2
    assert len(set(results)) == 1
    only_one_was_ordered(shop)


def test_a_twin_of_an_order_that_is_refused_in_the_end_takes_its_place(own_database, shop: Shop):
    """The first twin holds the key and is rolled back; the second must then be accepted, not replayed."""
    with connection.cursor() as first:
        first.execute("BEGIN")
        job = Job(id=new_ulid(), client=shop.client, workflow="extract", spec={}, credits_cost=2)
        job.charge_id, job.max_attempts, job.idempotency_key, job.order_digest = new_ulid(), 1, "k", "d"
        job.time_limit = Workflow.objects.get(name="extract").time_limit
        job.deadline_at = sql("SELECT now() + interval '1 hour'")[0][0]
        job.save(force_insert=True)
        results: list[Any] = []

        def second() -> None:
            try:
                results.append(place(shop))
            finally:
                connection.close()

        thread = threading.Thread(target=second)
        thread.start()
        eventually(waiting, what="the second twin waits")
        first.execute("ROLLBACK")
        thread.join(30)
    assert [placed.pk for placed in results] == [Job.objects.get().pk]
    assert results[0].pk != job.pk
    only_one_was_ordered(shop)


def test_the_log_of_a_key_tells_its_order_and_its_replays_apart(db, shop: Shop):
    first, again = order(shop), order(shop)
    rows = {row.pk: row for row in RequestLog.objects.all()}
    assert set(rows) == {first.headers["X-Request-Id"], again.headers["X-Request-Id"]}
    assert {row.job_id for row in rows.values()} == {first.json()["job_id"]}
    assert json.loads(first.content)["request_id"] == first.headers["X-Request-Id"] != again.headers["X-Request-Id"]
