"""`jobs_per_minute`: GCRA in the statement that charges, exact across processes, and told in every order's answer."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.clients import create_client
from billing.models import Client, LedgerEntry
from billing.rates import rate
from requestlog.models import RequestLog
from tests import databases
from tests.conftest import Shop
from tests.gateway import Gateway
from tests.helpers import SPEC, books_are_right, get, post, refused, sql, together
from workflows.models import Job

BACKGROUND, EXTRACT = "/v1/background-generator", "/v1/extract"


def limit(shop: Shop, per_minute: int, *, ahead: str = "0 s") -> None:
    """Let a client order so often; it has used up `ahead` of the minute."""
    sql(
        "UPDATE billing_client SET jobs_per_minute = %s, orders_tat = clock_timestamp() + %s::interval WHERE id = %s",
        per_minute,
        ahead,
        shop.client.pk,
    )


def told(answer: Any) -> tuple[int, int, int]:
    """Return q, r and t of an answer's headers, which must be written as the draft says."""
    policy = re.fullmatch(r'"orders";q=(\d+);w=60', answer.headers["RateLimit-Policy"])
    left = re.fullmatch(r'"orders";r=(\d+);t=(\d+)', answer.headers["RateLimit"])
    assert policy and left, answer.headers
    return int(policy[1]), int(left[1]), int(left[2])


def test_a_new_client_may_order_sixty_times_a_minute(db):
    made, key = create_client(name="New", credits=5)
    assert (made.jobs_per_minute, made.max_open_jobs) == (60, 1000)
    assert told(post(Shop(made, key), BACKGROUND, SPEC)) == (60, 59, 1)


def test_a_burst_of_the_minutes_orders_is_accepted_and_the_next_one_is_a_429(db, shop: Shop):
    limit(shop, 3)
    assert [told(post(shop, BACKGROUND, SPEC))[1] for _ in range(3)] == [2, 1, 0]
    answer = post(shop, BACKGROUND, SPEC)
    detail = refused(answer, 429, "too_many_orders")["detail"]
    quota, remaining, seconds = told(answer)
    assert (quota, remaining) == (3, 0)
    assert 19 <= seconds <= 20
    assert int(answer.headers["Retry-After"]) >= seconds
    assert "3 orders a minute" in detail
    assert (shop.balance, Job.objects.count()) == (94, 3)
    books_are_right(shop.client)


def test_an_order_fits_once_all_but_a_share_of_the_minute_is_free(db, shop: Shop):
    limit(shop, 3, ahead="48 s")  # 40 s are two orders; the third fits in 8 s
    answer = post(shop, BACKGROUND, SPEC)
    refused(answer, 429, "too_many_orders")
    assert told(answer)[1] == 0
    assert 1 <= told(answer)[2] <= 8
    limit(shop, 3, ahead="40 s")
    assert post(shop, BACKGROUND, SPEC).status_code == 202
    limit(shop, 1, ahead="9 s")
    refused(post(shop, BACKGROUND, SPEC), 429, "too_many_orders")
    limit(shop, 1, ahead="0 s")
    assert post(shop, BACKGROUND, SPEC).status_code == 202


def test_a_long_pause_gives_no_more_than_a_minutes_orders(db, shop: Shop):
    limit(shop, 2, ahead="-3 days")
    assert [post(shop, BACKGROUND, SPEC).status_code for _ in range(3)] == [202, 202, 429]


def test_what_is_refused_takes_nothing_from_the_rate(db, shop: Shop):
    limit(shop, 2)
    assert post(shop, BACKGROUND, {"scene_type": 1}).status_code == 422
    assert post(shop, BACKGROUND, SPEC, content_type="text/plain").status_code == 415
    Client.objects.update(max_open_jobs=0)
    refused(post(shop, BACKGROUND, SPEC), 429, "too_many_open_jobs")
    Client.objects.update(max_open_jobs=9)
    assert get(shop, f"/v1/jobs/{'0' * 26}").status_code == 404
    assert post(shop, f"{BACKGROUND}?dry_run=true", SPEC).status_code == 200
    assert [post(shop, BACKGROUND, SPEC).status_code for _ in range(3)] == [202, 202, 429]


def test_a_replay_takes_nothing_from_the_rate(db, shop: Shop):
    limit(shop, 1)
    answers = [post(shop, BACKGROUND, SPEC, HTTP_IDEMPOTENCY_KEY="k") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202] * 3
    assert told(answers[2])[:2] == (1, 0)


def test_too_poor_beats_too_many_and_too_many_open_beats_too_fast(db):
    shop = Shop.make(credits=1)
    limit(shop, 1, ahead="50 s")
    Client.objects.update(max_open_jobs=0)
    answer = post(shop, BACKGROUND, SPEC)
    refused(answer, 402, "insufficient_credits")
    assert "Retry-After" not in answer.headers
    cheap = {**SPEC, "resolution": "512"}
    answer = post(shop, BACKGROUND, cheap)
    refused(answer, 429, "too_many_open_jobs")
    assert int(answer.headers["Retry-After"]) >= told(answer)[2]
    Client.objects.update(max_open_jobs=1)
    refused(post(shop, BACKGROUND, cheap), 429, "too_many_orders")


def test_the_rate_costs_no_statement_of_its_own(own_database, shop: Shop):
    post(shop, BACKGROUND, SPEC)
    with CaptureQueriesContext(connection) as statements:
        post(shop, BACKGROUND, SPEC)
    assert len(statements) == 2, [statement["sql"][:60] for statement in statements]


def test_a_limit_that_staff_change_is_that_of_the_next_order(db, shop: Shop):
    limit(shop, 1)
    assert [post(shop, BACKGROUND, SPEC).status_code for _ in range(2)] == [202, 429]
    Client.objects.update(jobs_per_minute=60)
    # A minute's share of one a minute stands against the new rate: sixty of its shares.
    assert told(post(shop, BACKGROUND, SPEC))[0] == 60


# At once, in several processes


def test_a_hundred_orders_at_once_with_credit_for_ten_accept_exactly_ten(gateway: Gateway):
    shop = Shop.make(credits=10)
    spec = {**SPEC, "resolution": "512"}
    answers = together(*[lambda: gateway.call("POST", BACKGROUND, spec, key=shop.key)] * 100, over_http=True)
    assert Counter(answer.status for answer in answers) == {202: 10, 402: 90}
    assert shop.balance == 0
    books_are_right(shop.client)
    logs = RequestLog.objects.filter(client_id=shop.client.pk)
    assert Counter(logs.values_list("status", flat=True)) == {202: 10, 402: 90}
    for job in Job.objects.filter(client=shop.client):
        gateway.finished(job.pk, key=shop.key)


def test_orders_at_once_share_a_slow_rate_exactly(own_database, shop: Shop):
    limit(shop, 4)  # one every 15 s: none comes free meanwhile
    answers = together(*[lambda: post(shop, EXTRACT, {"trial_image": "x"})] * 24)
    assert Counter(answer.status_code for answer in answers) == {202: 4, 429: 20}
    assert sorted(told(answer)[1] for answer in answers if answer.status_code == 202) == [0, 1, 2, 3]
    assert {told(answer)[1] for answer in answers if answer.status_code == 429} == {0}
    assert LedgerEntry.objects.filter(kind="CHARGE").count() == 4
    books_are_right(shop.client)


def test_one_web_process_counts_what_another_has_accepted(own_database, shop: Shop, tmp_path):
    limit(shop, 4)
    webs = [Gateway(databases.url(own_database), tmp_path / name) for name in "ab"]
    try:
        for web in webs:
            web.start("web")
        calls = [lambda web=web: web.call("POST", EXTRACT, {"trial_image": "x"}, key=shop.key) for web in webs]
        answers = together(*calls * 8)
    finally:
        for web in webs:
            web.stop()
    assert Counter(answer.status for answer in answers) == {202: 4, 429: 12}
    books_are_right(shop.client)


# The arithmetic, against the guard's own in SQL

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GUARD = """
SELECT %(ahead)s::interval <= interval '1 minute' / %(limit)s * (%(limit)s - 1),
       extract(epoch FROM interval '1 minute' / %(limit)s)
"""


@pytest.mark.parametrize("per_minute", [1, 2, 3, 7, 59, 60, 61, 1000, 999_983, 1_000_000])
def test_what_is_told_agrees_with_what_the_guard_does(db, per_minute: int):
    share = timedelta(microseconds=round(60_000_000 / per_minute))
    micro = timedelta(microseconds=1)
    for taken in sorted({0, 1, 2, per_minute // 2, per_minute - 1, per_minute, per_minute + 3}):
        for ahead in (taken * share - micro, taken * share, taken * share + micro):
            with connection.cursor() as cursor:
                cursor.execute(GUARD, {"ahead": ahead, "limit": per_minute})
                fits, in_sql = cursor.fetchone()
            assert timedelta(seconds=float(in_sql)) == share
            left = rate(limit=per_minute, tat=NOW + ahead, now=NOW)
            assert (left.remaining > 0) == fits, (taken, ahead)
            assert 0 <= left.remaining <= per_minute
            # After so long there is one more, and not before, in whole seconds.
            later = rate(limit=per_minute, tat=NOW + ahead, now=NOW + timedelta(seconds=left.seconds))
            assert later.remaining > left.remaining or left.remaining == per_minute
            if left.seconds > 1:
                sooner = NOW + timedelta(seconds=left.seconds - 1)
                assert rate(limit=per_minute, tat=NOW + ahead, now=sooner).remaining == left.remaining


def test_an_untouched_minute_is_all_there_at_once():
    left = rate(limit=60, tat=NOW - timedelta(days=1), now=NOW)
    assert (left.limit, left.remaining, left.seconds) == (60, 60, 0)
