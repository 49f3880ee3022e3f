"""The job table as the queue: what is handed out, in which order, to whom, and through django-q2's broker."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ
from django_q.signing import SignedPackage
from django_q.tasks import async_task

from billing.models import Client
from tests import rows
from tests.conftest import Shop
from tests.helpers import SPEC, books_are_right, claimed, flood, order, post, sql, together
from tests.workflows.hook import Hook
from workflows import jobs
from workflows.broker import JobBroker
from workflows.jobs.queue import RESERVATION_SECONDS, RESERVE
from workflows.models import Job, WebhookDelivery
from workflows.tasks import run_job


def taken(after_client: int = 0) -> str | None:
    reserved = jobs.reserve(after_client=after_client)
    return None if reserved is None else reserved.job_id


def due(job: Job, **columns: str) -> Job:
    for column, interval in columns.items():
        sql(f"UPDATE workflows_job SET {column} = clock_timestamp() + %s::interval WHERE id = %s", interval, job.pk)
    return job


def test_an_order_is_due_at_once(db, shop: Shop):
    job = order(shop)
    reserved = jobs.reserve(after_client=0)
    assert reserved == (job.pk, shop.client.pk, job.time_limit)
    job.refresh_from_db()
    assert (job.status, job.attempt, job.lease_until) == ("NOT_STARTED", 0, None)
    ((left,),) = sql("SELECT reserved_until - clock_timestamp() FROM workflows_job")
    assert timedelta(seconds=RESERVATION_SECONDS - 3) < left <= timedelta(seconds=RESERVATION_SECONDS)


def test_nothing_is_due_where_there_is_nothing(db):
    assert taken() is None
    assert taken(after_client=7) is None


def test_within_a_client_the_job_that_has_been_due_longest_is_first(db, shop: Shop):
    first, second, third = (order(shop) for _ in range(3))
    due(third, run_after="-3 seconds")
    due(first, run_after="-2 seconds")
    due(second, run_after="-1 second")
    assert [taken() for _ in range(4)] == [third.pk, first.pk, second.pk, None]


def test_jobs_due_at_one_moment_go_in_the_order_of_their_ids(db, shop: Shop):
    made = [order(shop) for _ in range(4)]
    sql("UPDATE workflows_job SET run_after = now() - interval '1 second'")
    assert [taken() for _ in range(4)] == sorted(job.pk for job in made)


def test_clients_take_turns(db):
    shops = [Shop.make(name=name) for name in "abc"]
    for shop in shops:
        for _ in range(2):
            order(shop)
    after, served = 0, []
    while (reserved := jobs.reserve(after_client=after)) is not None:
        after = reserved.client_id
        served.append(after)
    assert served == [shop.client.pk for shop in shops] * 2


def test_what_is_not_due_is_not_handed_out(db, shop: Shop):
    waiting = due(order(shop), run_after="1 minute")
    reserved = due(order(shop), reserved_until="5 seconds")
    leased = order(shop)
    claimed(leased)
    exhausted = order(shop, max_attempts=1)
    claimed(exhausted)
    due(exhausted, lease_until="-1 second")
    overdue = due(order(shop), deadline_at="-1 second")
    succeeded, failed = order(shop), order(shop)
    jobs.succeed(claimed(succeeded), outputs=[], summary={})
    jobs.fail(claimed(failed), code="x", message="y", technical=False)
    assert taken() is None
    # And each of them is, once what held it back is over.
    for job, columns in (
        (waiting, {"run_after": "-1 second"}),
        (reserved, {"reserved_until": "-1 second"}),
        (leased, {"lease_until": "-1 second"}),
        (overdue, {"deadline_at": "1 minute"}),
    ):
        due(job, **columns)
        assert taken() == job.pk
        assert taken() is None
    Job.objects.filter(pk=exhausted.pk).update(max_attempts=2)
    assert taken() == exhausted.pk


def test_ten_thousand_jobs_of_one_client_keep_the_first_of_another_waiting_for_one(db):
    big = flood()
    books_are_right_in_numbers(big)
    small = Shop.make(name="Small")
    job = order(small)
    for before in range(3):
        broker = JobBroker()
        served = [task["args"][0] for task in (opened(broker) for _ in range(before + 2))]
        assert job.pk in served[:2]
        sql("UPDATE workflows_job SET reserved_until = NULL WHERE reserved_until IS NOT NULL")


def test_a_client_that_comes_before_another_by_id_is_served_in_its_turn_too(db):
    small = Shop.make(name="Small")
    big = flood(1_000)
    assert big.client.pk > small.client.pk
    broker = JobBroker()
    for _ in range(5):
        opened(broker)
    job = order(small)
    assert job.pk in [opened(broker)["args"][0] for _ in range(2)]


def books_are_right_in_numbers(shop: Shop) -> None:
    shop.client.refresh_from_db()
    ((total, last),) = sql("SELECT sum(amount), max(seq) FROM billing_ledgerentry WHERE client_id = %s", shop.client.pk)
    assert (shop.client.balance, shop.client.ledger_seq) == (total, last)
    assert shop.client.open_jobs == shop.client.jobs.count() == 10_000


@pytest.mark.parametrize("after_client", [0, 1_000_000])
def test_a_reservation_reads_its_index_and_not_the_whole_queue(db, after_client: int):
    flood()
    plan = planned(after_client)
    assert "job_queue" in plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan


def test_a_reservation_passes_over_in_the_index_what_is_not_due(db):
    flood()
    sql("UPDATE workflows_job SET run_after = clock_timestamp() + interval '1 minute'")
    sql("ANALYZE workflows_job")
    # Before PostgreSQL 18 a table of which nothing is due is as cheaply read and sorted as found by the index.
    sql("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
    plan = planned(0)
    (condition,) = [line for line in plan.splitlines() if "Index Cond" in line and "client_id" in line]
    assert "due_at" in condition, plan


@pytest.mark.parametrize("before", [0, 300, 3_000, 10_000])
def test_a_reservation_reads_its_index_while_the_statistics_are_of_a_calmer_hour(own_database, before: int):
    rows.fill(jobs=before, clients=50)
    sql("ANALYZE")
    flood(analyze=False)
    plan = planned(0)
    assert "job_queue" in plan
    assert "Sort" not in plan


def planned(after_client: int) -> str:
    return "\n".join(line for (line,) in sql("EXPLAIN " + RESERVE, RESERVATION_SECONDS, after_client))


def test_brokers_at_once_never_get_the_same_job(own_database):
    for name in "abc":
        shop = Shop.make(name=name)
        for _ in range(20):
            order(shop)

    def drain() -> list[str]:
        got, after = [], 0
        # A competitor may hold the only due rows: nothing is handed out then, though something is left.
        while (reserved := jobs.reserve(after_client=after)) is not None:
            after = reserved.client_id
            got.append(reserved.job_id)
        return got

    got = [job_id for part in together(*[drain] * 4) for job_id in part] + drain()
    assert len(got) == len(set(got)) == 60
    assert set(got) == set(Job.objects.values_list("pk", flat=True))


def test_a_locked_job_is_passed_over(own_database, shop: Shop):
    import psycopg
    from django.db import connection

    first, second = order(shop), order(shop)
    parameters = {
        k: v for k, v in connection.get_connection_params().items() if k in ("dbname", "host", "port", "user")
    }
    parameters["password"] = connection.get_connection_params().get("password")
    with psycopg.connect(**parameters) as other:
        other.execute("SELECT 1 FROM workflows_job WHERE id = %s FOR UPDATE", [first.pk])
        assert taken() == second.pk
        assert taken() is None
    assert taken() == first.pk


# django-q2's broker


def opened(broker: JobBroker) -> dict[str, Any]:
    """Dequeue one task and open its package, as django-q2's pusher does."""
    ((_, package),) = broker.dequeue()
    return SignedPackage.loads(package)


def test_a_task_carries_the_id_of_its_job_and_nothing_else(db, shop: Shop):
    job = order(shop, time_limit=timedelta(seconds=2.5))
    ((task_id, package),) = JobBroker().dequeue()
    task = SignedPackage.loads(package)
    assert (task["func"], task["args"], task["kwargs"]) == ("workflows.tasks.run_job", (job.pk,), {})
    assert task["timeout"] == 3
    assert task_id != job.pk
    assert job.pk in task_id
    assert "podium" not in repr(task)


@pytest.mark.parametrize("verb", ["acknowledge", "fail"])
def test_to_acknowledge_or_fail_the_task_of_a_job_does_nothing(db, shop: Shop, verb: str):
    order(shop)
    broker = JobBroker()
    ((task_id, _),) = broker.dequeue()
    before = (list(Job.objects.values()), list(Client.objects.values()))
    getattr(broker, verb)(task_id)
    assert (list(Job.objects.values()), list(Client.objects.values())) == before
    books_are_right(shop.client)


@pytest.mark.parametrize("verb", ["acknowledge", "fail"])
def test_other_tasks_of_django_q2_still_work(db, verb: str):
    broker = JobBroker()
    async_task("math.sqrt", 4, broker=broker)
    assert OrmQ.objects.count() == 1
    ((task_id, package),) = broker.dequeue()
    task = SignedPackage.loads(package)
    assert (task["func"], task["args"]) == ("math.sqrt", (4,))
    assert broker.dequeue() is None or not broker.dequeue()
    getattr(broker, verb)(task_id)
    assert OrmQ.objects.count() == 0


def test_other_tasks_get_their_turn_when_no_job_is_due(db, shop: Shop):
    job = order(shop)
    broker = JobBroker()
    async_task("math.sqrt", 4, broker=broker)
    assert [opened(broker)["func"] for _ in range(2)] == ["workflows.tasks.run_job", "math.sqrt"]
    assert Job.objects.get().pk == job.pk


def test_to_look_in_vain_takes_one_statement(db, shop: Shop):
    order(shop)
    broker = JobBroker()
    opened(broker)
    # After the client served last, and from the first on; and in django-q2's own table, which is looked into seldom.
    assert not broker.dequeue()
    with CaptureQueriesContext(connection) as statements:
        assert not broker.dequeue()
    assert len(statements) == 1


def test_a_job_takes_six_statements_from_its_place_in_the_queue_to_its_result(own_database, hook: Hook):
    for _ in range(2):  # the first reads the configuration too, as its process knows none yet
        assert post(hook.shop, "/v1/background-generator", SPEC).status_code == 202
        with CaptureQueriesContext(connection) as statements:
            task = opened(JobBroker())
            run_job(*task["args"])
    assert [" ".join(statement["sql"].split()[:3]) for statement in statements] == [
        "UPDATE workflows_job SET",  # reserved
        "BEGIN",
        "UPDATE workflows_job SET",  # claimed
        "WITH event AS",
        "COMMIT",
        "BEGIN",
        "UPDATE workflows_job SET",  # succeeded
        'INSERT INTO "workflows_output"',
        "WITH event AS",
        "COMMIT",
    ]
    assert WebhookDelivery.objects.count() == 4
