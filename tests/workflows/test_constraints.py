"""What the database itself refuses of jobs, their outputs and the workflows on offer (P2, P3), whoever asks and how."""

from collections.abc import Callable

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction

from billing import ledger
from billing.models import LedgerEntry
from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.helpers import books_are_right, claimed, known_to_the_database, order, refused_by, sql
from workflows import jobs
from workflows.models import Job, Output


def job_set(assignments: str) -> Callable[[Job], None]:
    return lambda job: sql(f"UPDATE workflows_job SET {assignments} WHERE id = %s", job.pk) and None


def workflow_set(assignments: str) -> Callable[[Job], None]:
    return lambda job: sql(f"UPDATE workflows_workflow SET {assignments}") and None


def output_twice(job: Job, *, positions: tuple[int, int] = (0, 0), keys: str = "ab", thumbnail_key: str = "") -> None:
    for key, position in zip(keys, positions, strict=True):
        sql(
            "INSERT INTO workflows_output"
            " (job_id, position, name, key, thumbnail_key, content_type, size, sha256, width, height, details)"
            " VALUES (%s, %s, 'x', %s, %s, 'image/png', 1, '', 1, 1, '{}')",
            job.pk,
            position,
            key,
            thumbnail_key,
        )


def same_key_twice(job: Job) -> None:
    sql("UPDATE workflows_job SET idempotency_key = 'k', order_digest = 'd'")
    job.refresh_from_db()
    job.pk, job.request_id, job.charge_id = new_ulid(), None, new_ulid()
    job.save(force_insert=True)


def one_refund_twice(job: Job) -> None:
    sql(
        "UPDATE workflows_job SET status = 'FAILURE', error_code = 'x', ended_at = now(), refund_id = charge_id"
        " WHERE id = %s",
        job.pk,
    )
    job.refresh_from_db()
    job.pk, job.request_id, job.charge_id = new_ulid(), None, new_ulid()
    job.save(force_insert=True)


def unknown_status(job: Job) -> None:
    # job_ended_at_says_ended knows no other status either, and is checked first.
    connection.check_constraints()
    sql("ALTER TABLE workflows_job DROP CONSTRAINT job_ended_at_says_ended")
    sql("UPDATE workflows_job SET status = 'CANCELLED'")


def negative_count(job: Job) -> None:
    sql("INSERT INTO workflows_worker VALUES ('w', now(), now(), 0, 0, -1)")


def model_set(assignments: str) -> Callable[[Job], None]:
    return lambda job: sql(f"UPDATE workflows_imagemodel SET {assignments} WHERE name = 'gpt-image-2'") and None


TOLD = """
INSERT INTO workflows_webhookendpoint
       (id, client_id, url, event_types, encrypted_secret, previous_encrypted_secret, disabled_reason)
SELECT id, client_id, 'https://a.example', '{}', 's', '', '' FROM workflows_job;
INSERT INTO workflows_event (id, client_id, job_id, type, sequence, body)
SELECT id, client_id, id, 'job.started', 1, '' FROM workflows_job;
INSERT INTO workflows_webhookdelivery (id, client_id, event_id, endpoint_id, next_attempt_at)
SELECT id, client_id, id, id, now() FROM workflows_job;
INSERT INTO workflows_webhookattempt
       (delivery_id, number, worker, at, duration_ms, url, request_headers, error, response_excerpt)
SELECT id, 1, '', now(), 1, '', '{}', '', '' FROM workflows_job;
"""


def told(statement: str) -> Callable[[Job], None]:
    """Return what breaks a row of a job that an endpoint is told of."""
    return lambda job: sql(TOLD + statement) and None


ANOTHER_EVENT = (
    "INSERT INTO workflows_event (id, client_id, job_id, type, sequence, body)"
    " SELECT repeat('0', 26), client_id, job_id, {type}, {sequence}, '' FROM workflows_event"
)


# One way to break each constraint, on an open job that nobody has begun; raw SQL, past all code of ours.
BREAKS: dict[str, Callable[[Job], None]] = {
    "workflow_time_limit_range": workflow_set("time_limit = '15 minutes 1 second'"),
    "workflow_max_attempts_range": workflow_set("max_attempts = 0"),
    "workflow_deadline_range": workflow_set("deadline = '25 hours'"),
    "workflow_output_format_known": workflow_set("output_format = 'gif'"),
    "job_status_known": unknown_status,
    "job_failure_has_refund": job_set("status = 'FAILURE', ended_at = now(), error_code = 'x'"),
    "job_open_has_no_refund": job_set("refund_id = charge_id"),
    "job_ended_at_says_ended": job_set("ended_at = now()"),
    "job_failure_says_why": job_set("error_code = 'x'"),
    "job_lease_only_while_running": job_set("lease_until = now()"),
    "job_attempt_range": job_set("status = 'IN_PROGRESS', attempt = max_attempts + 1"),
    "job_started_says_attempted": job_set("status = 'IN_PROGRESS'"),
    "job_rerun_is_free_and_not_ordered": job_set("rerun_of_id = id"),
    "job_test_is_free": job_set("is_test = true"),
    "job_idempotency_key_has_digest": job_set("idempotency_key = 'k'"),
    "job_idempotency_key_once": same_key_twice,
    "job_output_format_known": job_set("output_format = ''"),
    "job_on_technical_failure_known": job_set("on_technical_failure = 'hope'"),
    "job_fell_back_as_asked": job_set("fell_back = true"),
    "job_cancelled_ends_so": job_set("cancel_requested_at = now()"),
    "job_erased_once_ended": job_set("files_expire_at = now()"),
    "job_erased_says_nothing": job_set(
        "status = 'FAILURE', refund_id = charge_id, ended_at = now(), error_code = 'x', erased_at = now(),"
        " files_expire_at = now()"
    ),
    "job_credits_cost_not_negative": job_set("credits_cost = -1"),
    "job_refund_once": one_refund_twice,
    "output_position_once": output_twice,
    "output_key_once": lambda job: output_twice(job, positions=(0, 1), keys="aa"),
    "output_thumbnail_key_once": lambda job: output_twice(job, positions=(0, 1), thumbnail_key="t"),
    "worker_counts_not_negative": negative_count,
    "reconciliation_fixed_was_found": lambda job: sql(
        "INSERT INTO workflows_reconciliation (checked, found, fixed, violations) VALUES ('{}', 1, 2, '[]')"
    ),
    "image_model_name_once": model_set("name = 'gemini-3-pro-image'"),
    "image_model_name_as_compared": model_set("name = 'GPT'"),
    "image_model_vendor_id_not_empty": model_set("vendor_id = ''"),
    "image_model_resolutions_known": model_set("resolutions = '{1K,8K}'"),
    "image_model_ratios_known": model_set("ratios = '{1:1,5:1}'"),
    "image_model_sizes_whole": model_set("ratios = '{}'"),
    "event_type_known": told("UPDATE workflows_event SET type = 'job.lost'"),
    "event_sequence_is_a_jobs": told("UPDATE workflows_event SET sequence = NULL"),
    "event_sequence_once": told(ANOTHER_EVENT.format(type="'job.failed'", sequence="sequence")),
    "event_start_is_first": told(ANOTHER_EVENT.format(type="type", sequence="sequence + 1")),
    "endpoint_url_not_empty": told("UPDATE workflows_webhookendpoint SET url = ''"),
    "endpoint_event_types_known": told("UPDATE workflows_webhookendpoint SET event_types = '{job.lost}'"),
    "endpoint_disabled_says_why": told("UPDATE workflows_webhookendpoint SET disabled_at = now()"),
    "endpoint_previous_secret_ends": told("UPDATE workflows_webhookendpoint SET previous_encrypted_secret = 'x'"),
    "endpoint_deleted_has_no_secret": told("UPDATE workflows_webhookendpoint SET deleted_at = now()"),
    "delivery_once_per_endpoint": told(
        "INSERT INTO workflows_webhookdelivery (id, client_id, event_id, endpoint_id, next_attempt_at)"
        " SELECT repeat('0', 26), client_id, event_id, endpoint_id, now() FROM workflows_webhookdelivery"
    ),
    "delivery_waits_or_has_ended": told("UPDATE workflows_webhookdelivery SET delivered_at = now()"),
    "delivery_under_way_only_while_waiting": told(
        "UPDATE workflows_webhookdelivery SET next_attempt_at = NULL, gave_up_at = now(), lease_until = now()"
    ),
    "delivery_tries_range": told("UPDATE workflows_webhookdelivery SET tries = 1"),
    "attempt_number_once": told(
        "INSERT INTO workflows_webhookattempt (delivery_id, number, worker, at, duration_ms, url, request_headers,"
        " error, response_excerpt) SELECT id, 1, '', now(), 1, '', '{}', '', '' FROM workflows_webhookdelivery"
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_the_database_refuses_by_name(db, shop: Shop, name: str):
    job = order(shop)
    with refused_by(name):
        BREAKS[name](job)


def test_every_constraint_of_the_app_has_a_case_above_and_is_in_the_database(db):
    declared = {c.name for model in apps.get_app_config("workflows").get_models() for c in model._meta.constraints}
    assert declared == set(BREAKS)
    assert declared <= known_to_the_database()


def test_a_job_without_a_charge_is_refused(db, shop: Shop):
    job = order(shop)
    with refused_by("charge_id"):
        Job.objects.filter(pk=job.pk).update(charge=None)
    with refused_by("charge_id"):
        sql("UPDATE workflows_job SET charge_id = NULL")
    with refused_by("charge_id"):
        copy = Job.objects.get(pk=job.pk)
        copy.pk, copy.request_id, copy.charge_id = new_ulid(), None, None
        copy.save(force_insert=True)
    assert Job.objects.count() == 1


def foreign_key(column: str) -> str:
    ((name,),) = sql(
        "SELECT conname FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]"
        " WHERE conrelid = 'workflows_job'::regclass AND contype = 'f' AND attname = %s AND condeferred",
        column,
    )
    return name


def test_a_charge_that_is_not_there_is_refused_at_the_commit(db, shop: Shop):
    job = order(shop)
    name = foreign_key("charge_id")
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        sql("UPDATE workflows_job SET charge_id = %s", new_ulid())  # not yet: the key is deferred
        connection.check_constraints()
    with refused_by(name):
        copy = Job.objects.get(pk=job.pk)
        copy.pk, copy.request_id, copy.charge_id = new_ulid(), None, new_ulid()
        copy.save(force_insert=True)


def test_a_real_commit_refuses_a_job_whose_charge_never_came(own_database, shop: Shop):
    job = order(shop)
    with pytest.raises(IntegrityError, match=foreign_key("charge_id")), transaction.atomic():
        copy = Job.objects.get(pk=job.pk)
        copy.pk, copy.request_id, copy.charge_id = new_ulid(), None, new_ulid()
        copy.save(force_insert=True)
    assert Job.objects.count() == 1


def test_two_jobs_with_one_charge_are_refused(db, shop: Shop):
    first, second = order(shop), order(shop)
    with refused_by("workflows_job_charge_id_key"):
        Job.objects.filter(pk=second.pk).update(charge=first.charge_id)
    with refused_by("workflows_job_charge_id_key"):
        sql("UPDATE workflows_job SET charge_id = %s WHERE id = %s", first.charge_id, second.pk)


def test_two_jobs_with_one_request_are_refused(db, shop: Shop):
    first, second = order(shop), order(shop)
    with refused_by("workflows_job_request_id_key"):
        Job.objects.filter(pk=second.pk).update(request_id=first.request_id)


@pytest.mark.parametrize("begun", [False, True])
def test_a_failure_without_its_refund_is_refused(db, shop: Shop, begun: bool):
    job = order(shop)
    if begun:
        claimed(job)
    with refused_by("job_failure_has_refund"):
        Job.objects.filter(pk=job.pk).update(
            status="FAILURE", error_code="x", ended_at=job.accepted_at, lease_until=None
        )
    with refused_by("job_failure_has_refund"):
        sql("UPDATE workflows_job SET status = 'FAILURE', error_code = 'x', ended_at = now(), lease_until = NULL")
    with refused_by(foreign_key("refund_id")):
        sql(
            "UPDATE workflows_job SET status = 'FAILURE', error_code = 'x', ended_at = now(), lease_until = NULL,"
            " refund_id = %s",
            new_ulid(),
        )


def test_a_failed_job_cannot_lose_its_refund(db, shop: Shop):
    job = order(shop)
    jobs.fail(claimed(job), code="x", message="y", technical=False)
    with refused_by("job_failure_has_refund"):
        Job.objects.filter(pk=job.pk).update(refund=None)
    books_are_right(shop.client)


def test_a_second_refund_of_a_failed_job_is_refused(db, shop: Shop):
    job = order(shop)
    jobs.fail(claimed(job), code="x", message="y", technical=False)
    with refused_by("ledger_one_refund"):
        ledger.refund(
            client_id=shop.client.pk, credits=2, entry_id=new_ulid(), reference=job.pk, reason="r", closes_job=False
        )
    assert LedgerEntry.objects.filter(kind="REFUND").count() == 1
    books_are_right(shop.client)


def test_any_number_of_outputs_has_no_thumbnail(db, shop: Shop):
    output_twice(order(shop), positions=(0, 1))
    assert Output.objects.filter(thumbnail_key="").count() == 2


def test_jobs_with_rows_of_their_own_cannot_be_deleted(db, shop: Shop):
    job = order(shop)
    claimed(job)
    with pytest.raises(IntegrityError), transaction.atomic():
        sql("DELETE FROM workflows_job WHERE id = %s", job.pk)
        connection.check_constraints()
    assert Job.objects.filter(pk=job.pk).exists()


@pytest.mark.parametrize("status", ["NOT_STARTED", "IN_PROGRESS", "SUCCESS", "FAILURE"])
def test_a_job_that_was_cancelled_while_it_ran_can_only_fail_as_cancelled(db, shop: Shop, status: str):
    job = order(shop)
    if status != "NOT_STARTED":
        attempt = claimed(job)
    if status == "SUCCESS":
        jobs.succeed(attempt, outputs=[], summary={})
    if status == "FAILURE":
        jobs.fail(attempt, code="x", message="y", technical=False)
    with refused_by("job_cancelled_ends_so"):
        sql("UPDATE workflows_job SET cancel_requested_at = now(), lease_until = NULL")


@pytest.mark.parametrize("name", ["", " gpt", "gpt ", "built-in"])
def test_a_model_that_no_order_could_name_is_refused(db, name: str):
    with refused_by("image_model_name_as_compared"):
        sql("UPDATE workflows_imagemodel SET name = %s WHERE name = 'gpt-image-2'", name)
