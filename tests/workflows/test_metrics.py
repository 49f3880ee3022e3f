"""What /metrics tells of a known history, to whom, and at what cost."""

from collections.abc import Callable
from ipaddress import ip_network

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Shop
from tests.helpers import FAILURE, claimed, flood, get, lapse, move, order, sql, succeed
from workflows import jobs, metrics, readiness


def figures(text: str) -> dict[str, float]:
    """Return each figure by its name, with the value of its label behind it."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {" ".join([sample.name, *sample.labels.values()]): sample.value for sample in samples}


def told() -> dict[str, float]:
    answer = get(None, "/metrics")
    assert answer.status_code == 200, answer.content
    return figures(answer.content.decode())


def report(name: str, seen: str = "-1 second", sweeps: int = 0, swept: int = 0, restarts: int = 0) -> None:
    sql(
        "INSERT INTO workflows_worker (name, started_at, seen_at, sweeps, swept_jobs, cluster_restarts)"
        " VALUES (%s, now(), statement_timestamp() + %s::interval, %s, %s, %s)",
        *(name, seen, sweeps, swept, restarts),
    )


def test_nothing_has_happened(db):
    assert told() == {
        "studio_jobs_open NOT_STARTED": 0,
        "studio_jobs_open IN_PROGRESS": 0,
        "studio_oldest_due_job_age_seconds": 0,
        "studio_attempts_started_total": 0,
        "studio_attempts_retried_total": 0,
        "studio_jobs_ended_total SUCCESS": 0,
        "studio_jobs_ended_total FAILURE": 0,
        "studio_refunds_total failure": 0,
        "studio_refunds_total staff": 0,
        "studio_workers": 0,
    }


def test_a_known_history_is_counted(db, shop: Shop):
    before = order(shop)
    assert succeed(claimed(before))
    sql("UPDATE workflows_jobevent SET at = date_trunc('day', now(), 'UTC') - interval '1 second'")
    done, given_back, failed, paused, running, overdue, _ = (order(shop) for _ in range(7))
    for job in (done, given_back):
        assert succeed(claimed(job))
    jobs.refund(job_id=given_back.pk, reason="r", actor="a")
    assert jobs.fail(claimed(failed), **FAILURE, technical=False)
    assert jobs.fail(claimed(paused), **FAILURE, technical=True)
    claimed(running)
    move(overdue, deadline_at="-1 second")
    assert jobs.sweep() == 1
    report("host:1", sweeps=7, swept=1, restarts=2)
    report("host:2", seen="-5 seconds")
    report("host:3", seen="-16 seconds")
    found = told()
    assert 0 < found.pop("studio_oldest_due_job_age_seconds") < 60
    assert found == {
        "studio_jobs_open NOT_STARTED": 1,
        "studio_jobs_open IN_PROGRESS": 2,
        "studio_attempts_started_total": 5,
        "studio_attempts_retried_total": 1,
        "studio_jobs_ended_total SUCCESS": 2,
        "studio_jobs_ended_total FAILURE": 2,
        "studio_refunds_total failure": 2,
        "studio_refunds_total staff": 1,
        "studio_workers": 2,
        "studio_worker_sweeps_total host:1": 7,
        "studio_worker_sweeps_total host:2": 0,
        "studio_worker_swept_jobs_total host:1": 1,
        "studio_worker_swept_jobs_total host:2": 0,
        "studio_worker_cluster_restarts_total host:1": 2,
        "studio_worker_cluster_restarts_total host:2": 0,
    }


def reserved(shop: Shop) -> None:
    move(order(shop), run_after="-100 seconds", reserved_until="5 seconds")


def of_a_lost_worker(shop: Shop) -> None:
    job = order(shop)
    claimed(job)
    move(job, run_after="-200 seconds", lease_until="-100 seconds")


def running(shop: Shop) -> None:
    job = order(shop)
    claimed(job)
    move(job, run_after="-100 seconds")


def paused(shop: Shop) -> None:
    move(order(shop), run_after="100 seconds")


def overdue(shop: Shop) -> None:
    move(order(shop), run_after="-100 seconds", deadline_at="-1 second")


def out_of_attempts(shop: Shop) -> None:
    job = order(shop, max_attempts=1)
    claimed(job)
    move(job, run_after="-200 seconds", lease_until="-100 seconds")


def cancelled(shop: Shop) -> None:
    job = order(shop)
    claimed(job)
    jobs.cancel(job_id=job.pk, client=shop.client)
    move(job, run_after="-100 seconds")
    lapse(job)


@pytest.mark.parametrize(
    ("state", "age"),
    [
        (reserved, 100),
        (of_a_lost_worker, 100),
        (running, 0),
        (paused, 0),
        (overdue, 0),
        (out_of_attempts, 0),
        (cancelled, 0),
    ],
)
def test_only_what_could_be_begun_has_an_age(db, shop: Shop, state: Callable[[Shop], None], age: int):
    state(shop)
    assert age <= told()["studio_oldest_due_job_age_seconds"] <= (age and age + 30)


def test_all_of_it_takes_few_statements(db, shop: Shop):
    for number in range(5):
        succeed(claimed(order(shop)))
        report(f"host:{number}")
    with CaptureQueriesContext(
        connection,
    ) as statements:
        told()
    assert 0 < len(statements) <= 3


def test_the_statements_read_indexes(own_database):
    flood(20_000)
    sql("UPDATE workflows_job SET status = 'SUCCESS', attempt = 1, ended_at = now() WHERE id > lpad('200', 26, '0')")
    sql(
        "INSERT INTO workflows_jobevent (job_id, at, kind, attempt, worker, detail)"
        " SELECT lpad('1', 26, '0'), now() - make_interval(secs => (60000 - n) * 10), 'started', 1, 'w', 'd'"
        " FROM generate_series(1, 60000) n"
    )
    sql("SELECT brin_summarize_new_values('job_event_at')")
    sql("ANALYZE workflows_job, workflows_jobevent")
    still = {"still": readiness.STILL_SECONDS}
    for statement, values, indexes in (
        (metrics.OPEN_JOBS, None, {"job_queue"}),
        (metrics.EVENTS_TODAY, None, {"job_event_at"}),
        (readiness.STANDS_STILL, still, {"job_event_at", "job_leases", "job_open_by_deadline"}),
    ):
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {statement}", values)
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "Seq Scan on workflows_job" not in plan, plan
        assert all(index in plan for index in indexes), plan


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("Bearer t0k3n", 200),
        ("bearer  t0k3n ", 200),
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer t0k3", 401),
        ("Bearer t0k3n2", 401),
        ("Bearer t0k\xe93n", 401),
        ("Basic t0k3n", 401),
        ("t0k3n", 401),
    ],
)
@pytest.mark.parametrize("address", ["127.0.0.1", "203.0.113.9"])
def test_with_a_token_it_is_all_that_counts(db, settings, address: str, sent: str | None, status: int):
    settings.METRICS_TOKEN = "t0k3n"
    headers = {} if sent is None else {"HTTP_AUTHORIZATION": sent}
    answer = get(None, "/metrics", REMOTE_ADDR=address, **headers)
    assert answer.status_code == status
    assert answer.headers.get("WWW-Authenticate", "").startswith("Bearer") is (status == 401)
    assert (b"studio_jobs_open" in answer.content) is (status == 200)


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("127.0.0.2", {}, 200),
        ("::1", {}, 200),
        ("203.0.113.9", {}, 403),
        ("10.0.0.1", {}, 403),
        ("", {}, 403),
        ("127.0.0.1", {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}, 403),
        ("127.0.0.1", {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 403),
        ("127.0.0.1", {"HTTP_X_FORWARDED_FOR": ""}, 403),
        ("127.0.0.1", {"HTTP_X_FORWARDED_PROTO": "https"}, 403),
        ("127.0.0.1", {"HTTP_FORWARDED": "for=203.0.113.9"}, 403),
        ("127.0.0.1", {"HTTP_VIA": "1.1 proxy"}, 403),
        ("10.0.0.1", {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 403),
    ],
)
@pytest.mark.parametrize("trusted", [[], [ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8")]])
def test_without_a_token_it_is_for_this_machine_alone(db, settings, address, headers, status, trusted):
    settings.TRUSTED_PROXIES = trusted
    answer = get(None, "/metrics", REMOTE_ADDR=address, **headers)
    assert answer.status_code == status
    assert (b"studio_jobs_open" in answer.content) is (status == 200)
