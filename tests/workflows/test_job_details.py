"""GET /v1/jobs/{job_id}: its timeline, its receipt, and what becomes of it next; and when nothing of it has changed."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from billing.models import LedgerEntry
from tests.conftest import Shop
from tests.helpers import (
    FAILURE,
    SPEC,
    claimed,
    flood,
    get,
    lapse,
    move,
    now,
    order,
    output,
    post,
    sql,
    succeed,
)
from tests.http_client import HttpClient
from workflows import jobs, outlook
from workflows.models import Job, Worker
from workflows.reading import read


def seen(shop: Shop, job: Job) -> dict[str, Any]:
    answer = get(shop, f"/v1/jobs/{job.pk}")
    assert answer.status_code == 200
    return answer.json()


def told(shop: Shop, job: Job) -> list[tuple[str, int, str]]:
    timeline = seen(shop, job)["timeline"]
    assert timeline == sorted(timeline, key=lambda entry: entry["at"])
    assert all(entry.keys() == {"at", "event", "attempt", "detail"} for entry in timeline)
    return [(entry["event"], entry["attempt"], entry["detail"]) for entry in timeline]


# What it says


def test_metadata_is_told_as_it_was_sent(db, shop: Shop):
    metadata = {"order": "1001", "nested": {"a": [1, None, 2.5]}, "": True}
    post(shop, "/v1/background-generator", {**SPEC, "metadata": metadata})
    assert seen(shop, Job.objects.get())["metadata"] == metadata
    assert seen(shop, order(shop))["metadata"] is None
    assert post(shop, "/v1/extract", {"trial_image": "a.jpg"}).status_code == 202
    assert seen(shop, Job.objects.get(workflow="extract"))["metadata"] is None


def test_the_timeline_tells_each_attempt_and_nothing_of_who_worked_on_it(db, shop: Shop):
    job = order(shop, on_technical_failure="fallback", spec={**SPEC, "image_model": "paint"})
    jobs.fail(claimed(job, worker="host-7:41"), code="provider_failed", message="It answered 500.", technical=True)
    move(job, run_after="-1 second")
    attempt = claimed(job, worker="host-8:42")
    jobs.cancel(job_id=job.pk, client=shop.client)
    jobs.give_up(attempt)
    assert told(shop, job) == [
        ("accepted", 0, ""),
        ("started", 1, ""),
        ("waiting", 1, "provider_failed: It answered 500."),
        ("started", 2, 'by the built-in engine instead of "paint"'),
        ("cancelling", 2, "asked for by the client"),
        ("failed", 2, "cancelled: The job was cancelled."),
    ]
    assert "host" not in get(shop, f"/v1/jobs/{job.pk}").content.decode()


def test_what_staff_write_is_not_told(db, shop: Shop):
    job = order(shop)
    succeed(claimed(job))
    jobs.refund(job_id=job.pk, reason="blurred", actor="ann")
    assert told(shop, job)[-2:] == [("succeeded", 1, ""), ("refunded", 1, "")]
    assert not {"ann", "blurred"} & set(get(shop, f"/v1/jobs/{job.pk}").content.decode().replace('"', " ").split())


def test_the_receipt_names_the_ledgers_entries(db, shop: Shop):
    job = order(shop, credits=4)
    entries = LedgerEntry.objects.filter(reference=job.pk)
    charge = entries.get(kind="CHARGE").pk
    assert seen(shop, job)["receipt"] == {
        "charged": 4,
        "refunded": 0,
        "charge_entry_id": charge,
        "refund_entry_id": None,
    }
    jobs.fail(claimed(job), **FAILURE, technical=False)
    refund = entries.get(kind="REFUND").pk
    assert seen(shop, job)["receipt"] == {
        "charged": 4,
        "refunded": 4,
        "charge_entry_id": charge,
        "refund_entry_id": refund,
    }


def finally_(job: Job) -> None:
    jobs.fail(claimed(job), **FAILURE, technical=False)


def technically(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(max_attempts=1)
    jobs.fail(claimed(job), **FAILURE, technical=True)


def cancelled(job: Job) -> None:
    jobs.cancel(job_id=job.pk, client=job.client)


def cancelled_while_it_ran(job: Job) -> None:
    attempt = claimed(job)
    jobs.cancel(job_id=job.pk, client=job.client)
    jobs.fail(attempt, **FAILURE, technical=False)


def past_its_deadline(job: Job) -> None:
    move(job, deadline_at="-1 second")
    jobs.sweep()


def lost(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(max_attempts=1)
    claimed(job)
    lapse(job)
    jobs.sweep()


@pytest.mark.parametrize(
    ("end", "code", "retryable"),
    [
        (finally_, "broken", False),
        (technically, "broken", True),
        (cancelled, "cancelled", True),
        (cancelled_while_it_ran, "cancelled", True),
        (past_its_deadline, "deadline_exceeded", True),
        (lost, "worker_lost", True),
    ],
)
def test_an_error_says_whether_the_same_order_may_succeed(
    db, shop: Shop, end: Callable[[Job], None], code: str, retryable: bool
):
    job = order(shop)
    end(job)
    error = seen(shop, job)["error"]
    assert (error["code"], error["retryable"]) == (code, retryable)


# What becomes of it next


def place(shop: Shop, job: Job) -> int | None:
    return seen(shop, job)["queue_position"]


def test_a_place_in_the_queue_counts_the_turns_of_clients(db, shop: Shop):
    mine = [order(shop) for _ in range(3)]
    assert [place(shop, job) for job in mine] == [1, 2, 3]
    busy, other = Shop.make(), Shop.make()
    for _ in range(5):
        order(busy)
    one = order(other)
    # Before the n-th of one client there are up to n of each other.
    assert [place(shop, job) for job in mine] == [3, 5, 7]
    assert place(other, one) == 3
    for job in busy.client.jobs.order_by("id")[:5]:
        claimed(job)
    assert [place(shop, job) for job in mine] == [2, 3, 4]
    assert place(shop, mine[0]) == 2
    succeed(claimed(mine[0]))
    assert [place(shop, job) for job in mine] == [None, 2, 3]


def test_a_place_beyond_a_thousand_is_not_told_and_not_counted(own_database):
    shop = flood(100_000)
    newest, oldest = Job.objects.latest("id"), Job.objects.earliest("id")
    other = Shop.make()
    last = order(other)
    assert place(shop, newest) is None
    assert place(shop, oldest) == 2
    assert place(other, last) == 2
    for of, job in ((shop, newest), (shop, oldest), (other, last)):
        whole = explained(of, job)
        assert pages(whole) < 1.5 * outlook.MOST_AHEAD, whole


def explained(shop: Shop, job: Job) -> dict[str, Any]:
    """Return how the statement that reads a job was run; every table in it must be read by an index."""
    with CaptureQueriesContext(connection) as statements:
        assert read(client=shop.client, which=Q(pk=job.pk)) is not None
    (statement,) = statements
    ((found,),) = sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement['sql']}")
    todo = [found[0]["Plan"]]
    while todo:
        node = todo.pop()
        assert node["Node Type"] != "Seq Scan" or node["Relation Name"] == "workflows_worker", node
        todo += node.get("Plans", [])
    return found[0]["Plan"]


def pages(plan: dict[str, Any]) -> int:
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def took(shop: Shop, seconds: float) -> None:
    """Add a success that took so long."""
    job = order(shop)
    succeed(claimed(job))
    Job.objects.filter(pk=job.pk).update(
        attempt_started_at=job.accepted_at, ended_at=job.accepted_at + timedelta(seconds=seconds)
    )


def worker() -> None:
    """Have one that reported just now, and goes on to."""
    Worker.objects.create(name="w", started_at=now(), seen_at=now() + timedelta(hours=1))


def test_what_is_left_is_estimated_from_the_last_successes_and_the_workers(db, shop: Shop, settings):
    settings.WORKER_PROCESSES = 2
    first, second, third = (order(shop) for _ in range(3))
    assert seen(shop, first)["eta_seconds"] is None
    for seconds in (1, 8, 9, 10, 500):
        took(shop, seconds)
    outlook._kept.clear()
    assert seen(shop, first)["eta_seconds"] is None  # nobody is at work
    worker()
    outlook._kept.clear()
    assert [seen(shop, job)["eta_seconds"] for job in (first, second, third)] == [9, 9, 18]
    claimed(first)
    move(first, attempt_started_at="-4 seconds")
    assert 1 <= seen(shop, first)["eta_seconds"] <= 5
    move(first, attempt_started_at="-100 seconds")
    assert seen(shop, first)["eta_seconds"] == 1
    move(second, run_after="20 seconds")
    assert 9 < seen(shop, second)["eta_seconds"] <= 29
    move(second, deadline_at="3 seconds")
    assert 1 <= seen(shop, second)["eta_seconds"] <= 3
    succeed(jobs.Attempt(job=first, number=1, configuration=0))
    assert seen(shop, first)["eta_seconds"] is None


@pytest.mark.parametrize(("seconds", "wait"), [(None, 1), (0.2, 1), (7, 7), (600, 30)])
def test_an_open_job_says_when_to_ask_again(db, shop: Shop, settings, seconds: float | None, wait: int):
    job = order(shop)
    if seconds is not None:
        took(shop, seconds)
        worker()
    answer = get(shop, f"/v1/jobs/{job.pk}")
    assert answer.headers["Retry-After"] == str(wait)
    again = get(shop, f"/v1/jobs/{job.pk}", HTTP_IF_NONE_MATCH=answer.headers["ETag"])
    assert (again.status_code, again.headers["Retry-After"]) == (304, str(wait))
    succeed(claimed(job))
    assert "Retry-After" not in get(shop, f"/v1/jobs/{job.pk}").headers


def test_what_is_known_of_a_workflow_is_read_along_an_index(own_database):
    flood(20_000)
    sql("UPDATE workflows_job SET status = 'SUCCESS', attempt = 1, attempt_started_at = now(), ended_at = now()")
    sql("VACUUM ANALYZE workflows_job")
    ordering = Shop.make()
    whole = explained(ordering, order(ordering, workflow="extract"))
    assert "job_last_successes" in str(whole)
    assert pages(whole) < 200, whole


# Whether it has changed


def etag(shop: Shop, job: Job) -> str:
    return get(shop, f"/v1/jobs/{job.pk}").headers["ETag"]


def test_whatever_changes_what_is_told_changes_the_etag(db, shop: Shop):
    job = order(shop, max_attempts=2)
    tags = [etag(shop, job)]

    def changed() -> None:
        tags.append(etag(shop, job))
        assert etag(shop, job) == tags[-1]
        assert len(set(tags)) == len(tags)

    attempt = claimed(job)
    changed()
    jobs.heartbeat(attempt)
    assert etag(shop, job) == tags[-1]  # of which no client is told
    jobs.fail(attempt, **FAILURE, technical=True)
    changed()
    move(job, run_after="-1 second")
    attempt = claimed(job)
    changed()
    succeed(attempt)
    changed()
    jobs.refund(job_id=job.pk, reason="r", actor="a")
    changed()


def test_a_cancel_and_a_place_change_the_etag_too(db, shop: Shop):
    first, second = order(shop), order(shop)
    before = etag(shop, second)
    attempt = claimed(first)
    assert etag(shop, second) != before
    before = etag(shop, first)
    jobs.cancel(job_id=first.pk, client=shop.client)
    assert etag(shop, first) != before
    before = etag(shop, first)
    jobs.give_up(attempt)
    assert etag(shop, first) != before


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("{etag}", 304),
        ("{strong}", 304),
        ('"other", {etag}', 304),
        ("*", 304),
        ('"other"', 200),
        ("", 200),
        ("{bare}", 200),
        ("garbage\x01,,", 200),
    ],
)
def test_who_knows_the_job_already_is_sent_nothing(db, shop: Shop, sent: str, status: int):
    job = order(shop)
    succeed(claimed(job))
    known = etag(shop, job)
    sent = sent.format(etag=known, strong=known.removeprefix("W/"), bare=known.removeprefix("W/").strip('"'))
    for path in (f"/v1/jobs/{job.pk}", f"/v1/requests/{job.request_id}"):
        answer = get(shop, path, HTTP_IF_NONE_MATCH=sent)
        assert (answer.status_code, answer.headers["ETag"]) == (status, known)
        assert bool(answer.content) is (status == 200)


def test_an_etag_opens_nothing(db, shop: Shop):
    job = order(shop)
    known = etag(shop, job)
    for tag in (known, "*"):
        assert get(Shop.make(), f"/v1/jobs/{job.pk}", HTTP_IF_NONE_MATCH=tag).status_code == 404
        assert get(None, f"/v1/jobs/{job.pk}", HTTP_IF_NONE_MATCH=tag).status_code == 401


def test_a_url_is_the_same_for_half_its_life_and_holds_for_as_long_again(
    db, shop: Shop, settings, monkeypatch, tmp_path
):
    storages = {name: dict(options) for name, options in settings.STORAGES.items()}
    storages["default"]["OPTIONS"] = {"location": tmp_path, "base_url": "http://testserver/files/"}
    settings.STORAGES = storages
    clock = 1_800_000_000.0  # a multiple of half an hour
    monkeypatch.setattr(time, "time", lambda: clock)
    job = order(shop)
    attempt = claimed(job)
    made = output(attempt)
    default_storage.save(made.key, ContentFile(b"x"))
    jobs.succeed(attempt, outputs=[made], summary={})
    first = get(shop, f"/v1/jobs/{job.pk}")
    url = first.json()["outputs"][0]["url"]
    for seconds, known in ((1799, True), (1800, False)):
        clock = 1_800_000_000.0 + seconds
        again = get(shop, f"/v1/jobs/{job.pk}", HTTP_IF_NONE_MATCH=first.headers["ETag"])
        assert (again.status_code == 304) is known
    assert again.json()["outputs"][0]["url"] != url
    clock = 1_800_000_000.0 + 1799 + 1800
    assert HttpClient().get(url).status_code == 200
    clock += 2
    assert HttpClient().get(url).status_code == 404
