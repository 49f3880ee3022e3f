"""GET /v1/jobs/{job_id} and /v1/requests/{request_id}: what became of an order, for its client alone (P10)."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from requestlog.models import RequestLog
from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.helpers import claimed, get, order, post, succeed
from workflows import jobs, outlook
from workflows.models import Job, Output


def read(shop: Shop, job: Job) -> dict:
    """Read a job by both of its ids, which answer alike."""
    by_job, by_request = get(shop, f"/v1/jobs/{job.pk}"), get(shop, f"/v1/requests/{job.request_id}")
    assert by_job.status_code == by_request.status_code == 200
    assert by_job.content == by_request.content
    assert by_job.headers["ETag"] == by_request.headers["ETag"]
    return by_job.json()


def not_found(answer) -> None:
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert body["code"] == "not_found"
    assert body["request_id"] == answer.headers["X-Request-Id"]


def test_an_open_job_is_read_as_it_was_ordered(db, shop: Shop):
    spec = {"scene_type": "podium", "mood": "calm", "seed": 10**40, "metadata": {"a": [1, None]}}
    accepted = post(shop, "/v1/background-generator", spec)
    job = Job.objects.get()
    assert accepted.headers["Location"] == f"/v1/jobs/{job.pk}"
    seen = read(shop, job)
    assert seen["job_id"] == job.pk
    assert seen["request_id"] == job.request_id == accepted.json()["request_id"]
    assert (seen["workflow"], seen["status"]) == ("background-generator", "NOT_STARTED")
    assert seen["spec"] == {**spec, "display_name": ""}
    assert (seen["credits_cost"], seen["credits_charged"], seen["credits_refunded"]) == (2, 2, 0)
    assert (seen["attempts"], seen["max_attempts"]) == (0, 3)
    assert (seen["started_at"], seen["ended_at"], seen["error"], seen["outputs"]) == (None, None, None, [])
    assert seen["accepted_at"].endswith("Z")
    assert seen["accepted_at"] < seen["deadline_at"]


def test_a_running_job_says_which_attempt_it_is(db, shop: Shop):
    job = order(shop)
    claimed(job)
    seen = read(shop, job)
    assert (seen["status"], seen["attempts"]) == ("IN_PROGRESS", 1)
    assert seen["started_at"] >= seen["accepted_at"]


def test_a_success_has_its_outputs_in_order_with_signed_urls(db, shop: Shop):
    job = order(shop)
    attempt = claimed(job)
    outputs = [
        Output(
            job=job,
            position=position,
            name=f"{position}.png",
            key=f"clients/1/{position}.png",
            content_type="image/png",
            size=5,
            sha256="a" * 64,
            width=3,
            height=4,
            details={"box": [1, 2, 3, 4]},
        )
        for position in (2, 0, 1)
    ]
    assert jobs.succeed(attempt, outputs=outputs, summary={"items": 3})
    seen = read(shop, job)
    assert (seen["status"], seen["summary"], seen["error"]) == ("SUCCESS", {"items": 3}, None)
    assert seen["ended_at"] >= seen["started_at"]
    assert [output["name"] for output in seen["outputs"]] == ["0.png", "1.png", "2.png"]
    first = seen["outputs"][0]
    assert "/files/clients/1/0.png?signature=" in first.pop("url")
    assert first == {
        "name": "0.png",
        "thumbnail_url": None,
        "content_type": "image/png",
        "size": 5,
        "sha256": "a" * 64,
        "width": 3,
        "height": 4,
        "details": {"box": [1, 2, 3, 4]},
    }


def test_a_failure_says_why_and_what_came_back(db, shop: Shop):
    job = order(shop, credits=4)
    jobs.fail(claimed(job), code="unknown_model", message="There is no image model “x”.", technical=False)
    seen = read(shop, job)
    assert seen["status"] == "FAILURE"
    assert seen["error"] == {"code": "unknown_model", "message": "There is no image model “x”.", "retryable": False}
    assert (seen["credits_cost"], seen["credits_charged"], seen["credits_refunded"]) == (4, 4, 4)
    assert shop.balance == 100


def test_a_success_that_staff_refunded_says_so(db, shop: Shop):
    job = order(shop, credits=4)
    jobs.succeed(claimed(job), outputs=[], summary={})
    jobs.refund(job_id=job.pk, reason="blurred", actor="ann")
    seen = read(shop, job)
    assert (seen["status"], seen["credits_charged"], seen["credits_refunded"], seen["error"]) == ("SUCCESS", 4, 4, None)
    assert "ann" not in str(seen)
    assert "blurred" not in str(seen)


def test_what_another_client_ordered_is_as_unknown_as_what_nobody_did(db, shop: Shop):
    other = Shop.make()
    job = order(other)
    assert get(other, f"/v1/jobs/{job.pk}").status_code == 200

    def answer(path: str) -> dict:
        got = get(shop, path)
        not_found(got)
        return {**got.json(), "request_id": ""}

    unknown = answer(f"/v1/jobs/{new_ulid()}")
    assert answer(f"/v1/jobs/{job.pk}") == unknown
    assert answer(f"/v1/requests/{job.request_id}") == unknown
    assert answer(f"/v1/requests/{new_ulid()}") == unknown


def test_an_id_of_one_kind_does_not_open_the_other(db, shop: Shop):
    job = order(shop)
    not_found(get(shop, f"/v1/jobs/{job.request_id}"))
    not_found(get(shop, f"/v1/requests/{job.pk}"))
    not_found(get(shop, f"/v1/jobs/{job.charge_id}"))


def test_ids_are_read_in_either_case(db, shop: Shop):
    job = order(shop)
    for path in (f"/v1/jobs/{job.pk.lower()}", f"/v1/requests/{job.request_id.lower()}", f"/v1/jobs/{job.pk.title()}"):
        answer = get(shop, path)
        assert answer.status_code == 200
        assert answer.json()["job_id"] == job.pk


@pytest.mark.parametrize("folder", ["jobs", "requests"])
@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "x",
        "1",
        "0" * 26,
        "Z" * 26,
        "0" * 25,
        "0" * 27,
        "I" * 26,
        "%00",
        "0" * 25 + "%00",
        "0" * 26 + "%00",
        "0" * 26 + "%0a",
        "%ff%fe",
        "%ed%a0%80" * 26,
        "é" * 26,
        "٠" * 26,
        "../../etc/passwd",
        "%2e%2e%2f",
        "' OR 1=1 --",
        "x" * 5000,
        "0" * 26 + "/",
        "{id}",
    ],
    ids=lambda s: ascii(s)[:20],
)
def test_garbage_in_the_path_is_a_404_in_json(db, shop: Shop, folder: str, garbage: str):
    order(shop)
    not_found(get(shop, f"/v1/{folder}/{garbage}"))


def test_reading_needs_a_key(db, shop: Shop):
    job = order(shop)
    for path in (f"/v1/jobs/{job.pk}", f"/v1/requests/{job.request_id}"):
        assert get(None, path).status_code == 401


def test_a_suspended_client_cannot_read(db, shop: Shop):
    job = order(shop)
    type(shop.client).objects.update(suspended_at=job.accepted_at)
    assert get(shop, f"/v1/jobs/{job.pk}").status_code == 403


def test_reading_is_not_logged_and_takes_few_statements(db, shop: Shop):
    waiting, running, done = order(shop), order(shop), order(shop)
    claimed(running)
    succeed(claimed(done))
    before = RequestLog.objects.count()
    for job in (waiting, running, done):
        with CaptureQueriesContext(connection) as statements:
            answer = get(shop, f"/v1/jobs/{job.pk}")
        # Authentication, job, outputs, events.
        assert (answer.status_code, len(statements)) == (200, 4)
        # The second time what the workflow's last jobs took is known in this process, and the third it is not.
        for _ in range(2):
            with CaptureQueriesContext(connection) as statements:
                again = get(shop, f"/v1/jobs/{job.pk}", HTTP_IF_NONE_MATCH=answer.headers["ETag"])
            assert (again.status_code, len(statements)) == (304, 2)
            outlook._kept.clear()
    assert RequestLog.objects.count() == before


@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_a_job_is_changed_by_none_of_these(db, shop: Shop, client, method: str):
    job = order(shop)
    answer = getattr(client, method)(f"/v1/jobs/{job.pk}", HTTP_AUTHORIZATION=f"Bearer {shop.key}")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]
