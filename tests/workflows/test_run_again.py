"""Staff run a job again: a new job with the same spec, for nothing, bound by no limit of its client's."""

import threading
from collections import Counter
from typing import Any

import pytest
from django.db import OperationalError, connection

from billing.clients import suspend
from billing.errors import BadText
from billing.models import Client, LedgerEntry
from tests.conftest import Shop
from tests.gateway import eventually
from tests.helpers import FAILURE, SPEC, books_are_right, claimed, get, order, refused_by, sql, succeed, together
from workflows import jobs
from workflows.errors import JobNotFound, NotRunAgain
from workflows.models import Job, Workflow
from workflows.reconcile import reconcile


def failed(shop: Shop, **changes: Any) -> Job:
    attempt = claimed(order(shop, **changes))
    assert jobs.fail(attempt, **FAILURE, technical=False)
    return Job.objects.get(pk=attempt.job.pk)


def test_it_is_a_job_like_any_other_with_a_charge_of_nothing_and_no_request(db, shop: Shop):
    old = failed(shop, output_format="webp", on_technical_failure="fail")
    new = Job.objects.get(pk=jobs.run_again(job_id=old.pk, actor="ada").pk)
    assert (new.spec, new.workflow, new.client_id) == (SPEC, old.workflow, old.client_id)
    assert (new.output_format, new.on_technical_failure, new.max_attempts) == ("webp", "fail", 1)
    assert (new.status, new.credits_cost, new.request_id, new.idempotency_key) == ("NOT_STARTED", 0, None, None)
    assert new.deadline_at - new.accepted_at == Workflow.objects.get(name=old.workflow).deadline
    charge = new.charge
    assert (charge.kind, charge.amount, charge.actor, charge.reason) == ("CHARGE", 0, "ada", f"run again of {old.pk}")
    assert shop.balance == 100
    books_are_right(shop.client)
    assert succeed(claimed(new))
    assert shop.balance == 100
    books_are_right(shop.client)


def test_both_jobs_say_so_and_a_known_etag_of_the_first_holds_no_more(db, shop: Shop):
    old = failed(shop)
    before = get(shop, f"/v1/jobs/{old.pk}")
    assert (before.json()["rerun_of"], before.json()["reruns"]) == (None, [])
    first = jobs.run_again(job_id=old.pk, actor="ada")
    assert get(shop, f"/v1/jobs/{old.pk}", HTTP_IF_NONE_MATCH=before["ETag"]).status_code == 200
    assert succeed(claimed(first))
    second = jobs.run_again(job_id=old.pk, actor="ada")
    assert get(shop, f"/v1/jobs/{old.pk}").json()["reruns"] == [first.pk, second.pk]
    told = get(shop, f"/v1/jobs/{second.pk}").json()
    assert (told["rerun_of"], told["reruns"], told["request_id"], told["credits_charged"]) == (old.pk, [], None, 0)
    listed = get(shop, "/v1/jobs").json()["jobs"]
    assert [(job["job_id"], job["rerun_of"]) for job in listed] == [
        (second.pk, old.pk),
        (first.pk, old.pk),
        (old.pk, None),
    ]


def test_no_limit_of_the_clients_binds_it(db, shop: Shop):
    old = failed(shop)
    waiting = order(shop)
    Client.objects.filter(pk=shop.client.pk).update(max_open_jobs=1, jobs_per_minute=1)
    Workflow.objects.update(enabled=False)
    suspend(client_id=shop.client.pk)
    before = sql("SELECT orders_tat FROM billing_client WHERE id = %s", shop.client.pk)
    new = jobs.run_again(job_id=old.pk, actor="ada")
    assert sql("SELECT orders_tat FROM billing_client WHERE id = %s", shop.client.pk) == before
    assert {new.pk, waiting.pk} == set(Job.objects.filter(status__in=Job.OPEN).values_list("pk", flat=True))
    books_are_right(shop.client)
    assert succeed(claimed(new))


def test_a_client_with_an_empty_balance_has_its_job_run_again(db):
    shop = Shop.make(credits=2)
    old = order(shop)
    assert succeed(claimed(old))
    assert shop.balance == 0
    assert jobs.run_again(job_id=old.pk, actor="ada").credits_cost == 0


def test_a_test_job_stays_one_when_it_is_run_again(db, shop: Shop):
    old = order(shop, credits=0, is_test=True)
    assert succeed(claimed(old))
    assert jobs.run_again(job_id=old.pk, actor="ada").is_test


def test_a_failed_rerun_gives_nothing_back_and_can_be_run_again_itself(db, shop: Shop):
    old = failed(shop)
    new = jobs.run_again(job_id=old.pk, actor="ada")
    assert jobs.fail(claimed(new), **FAILURE, technical=False)
    third = jobs.run_again(job_id=new.pk, actor="ada")
    assert third.rerun_of_id == new.pk
    assert shop.balance == 100
    books_are_right(shop.client)


@pytest.mark.parametrize("why", ["still open", "was erased", "is being run again, as job"])
def test_what_cannot_be_run_again_says_why_and_writes_nothing(db, shop: Shop, why: str):
    old = order(shop)
    if why != "still open":
        assert succeed(claimed(old))
    if why == "was erased":
        assert jobs.forget(old)
    if why == "is being run again, as job":
        jobs.run_again(job_id=old.pk, actor="ada")
    before = Job.objects.count(), LedgerEntry.objects.count()
    with pytest.raises(NotRunAgain, match=why):
        jobs.run_again(job_id=old.pk, actor="bob")
    old.refresh_from_db()
    assert why in jobs.why_not_run_again(old)
    assert (Job.objects.count(), LedgerEntry.objects.count()) == before
    books_are_right(shop.client)


def test_what_is_no_job_or_nobody_is_refused(db, shop: Shop):
    with pytest.raises(JobNotFound):
        jobs.run_again(job_id="0" * 26, actor="ada")
    with pytest.raises(BadText):
        jobs.run_again(job_id=failed(shop).pk, actor="a" * 151)
    assert Job.objects.count() == 1


def test_a_rerun_that_costs_something_or_was_ordered_is_refused_by_the_database(db, shop: Shop):
    old, charged = failed(shop), order(shop)
    with refused_by("job_rerun_is_free_and_not_ordered"):
        Job.objects.filter(pk=charged.pk).update(rerun_of=old)


def test_two_who_press_at_once_make_one_job(own_database, shop: Shop):
    for _ in range(10):
        old = failed(shop)
        results = together(*[lambda old=old: jobs.run_again(job_id=old.pk, actor="a")] * 5)
        assert Counter(type(result) for result in results) == {Job: 1, NotRunAgain: 4}
        assert old.reruns.count() == 1
    books_are_right(shop.client)
    assert reconcile().violations == []


def test_running_again_and_erasing_at_once_leave_a_whole_job_or_none(own_database, shop: Shop):
    for _ in range(20):
        old = failed(shop)
        made, erased = together(
            lambda old=old: jobs.run_again(job_id=old.pk, actor="a"), lambda old=old: jobs.forget(old)
        )
        assert erased is True
        if isinstance(made, Job):
            assert Job.objects.get(pk=made.pk).spec == SPEC
        else:
            assert isinstance(made, NotRunAgain)
    books_are_right(shop.client)


def test_killed_before_its_charge_it_leaves_nothing(own_database, shop: Shop):
    old = failed(shop)
    blocked = "SELECT {} FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%billing_client%%'"
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(jobs.run_again(job_id=old.pk, actor="a"))
        except OperationalError as error:
            outcome.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    held = connection.copy()
    held.ensure_connection()
    held.set_autocommit(False)
    with held.cursor() as cursor:
        cursor.execute("SELECT FROM billing_client WHERE id = %s FOR UPDATE", [shop.client.pk])
        thread.start()
        eventually(lambda: sql(blocked.format("pid")))
        sql(blocked.format("pg_terminate_backend(pid)"))
    thread.join(20)
    held.rollback()
    held.close()
    (error,) = outcome
    assert isinstance(error, OperationalError)
    assert Job.objects.count() == 1
    books_are_right(shop.client)
    assert jobs.run_again(job_id=old.pk, actor="a").rerun_of_id == old.pk
