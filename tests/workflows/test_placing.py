"""The one statement that places an order, against what Django's models write of the same order."""

import random
from typing import Any

import pytest
from django.db import connection, models, transaction
from django.db.models import F
from django.db.models.functions import Now

from billing import ledger
from billing.errors import BillingError
from billing.models import Client, LedgerEntry
from requestlog.models import RequestLog
from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.helpers import books_are_right, sql
from workflows import jobs
from workflows.jobs import accept
from workflows.jobs.policy import attempts_allowed, on_technical_failure
from workflows.models import Job, Workflow

OF_ITS_OWN = {"id", "client_id", "charge_id", "request_id", "job_id", "reference", "spec"}
TEXTS = ["", "podium", "ein Würfel", "日本", "🦄", 'it\'s 100 % "it"', "\\x41", "a\nb\t", "%s %(id)s", "$1", "x" * 3000]


def placed_by_the_models(
    *,
    client: Client,
    workflow: Workflow,
    spec: dict[str, Any],
    credits_cost: int,
    log: RequestLog,
    is_test: bool,
    once: jobs.Once | None,
) -> None:
    """What `jobs.submit` writes, one model at a time: its oracle."""
    ledger.check_admission(client=client, credits=credits_cost)
    policy = on_technical_failure(spec)
    log.job_id = new_ulid()
    with transaction.atomic():
        log.client_id = client.pk
        log.save(force_insert=True)
        row = Client.objects.select_for_update().get(pk=client.pk)
        row.balance, row.ledger_seq, row.open_jobs = row.balance - credits_cost, row.ledger_seq + 1, row.open_jobs + 1
        row.save(update_fields=["balance", "ledger_seq", "open_jobs"])
        charge = LedgerEntry.objects.create(
            client=client,
            seq=row.ledger_seq,
            kind=LedgerEntry.Kind.CHARGE,
            amount=-credits_cost,
            balance_after=row.balance,
            reference=log.job_id,
        )
        Job.objects.create(
            id=log.job_id,
            request_id=log.request_id,
            client=client,
            workflow=workflow.name,
            spec=spec,
            is_test=is_test,
            on_technical_failure=policy,
            output_format=workflow.output_format,
            idempotency_key=once.key if once else None,
            order_digest=once.digest if once else "",
            credits_cost=credits_cost,
            charge=charge,
            deadline_at=Now() + workflow.deadline,
            max_attempts=attempts_allowed(policy, workflow=workflow),
            time_limit=workflow.time_limit,
        )


def value(chance: random.Random, depth: int = 0) -> Any:
    kinds = 6 if depth > 2 else 8
    match chance.randrange(kinds):
        case 0:
            return None
        case 1:
            return chance.random() < 0.5
        case 2:
            return chance.choice([0, -1, 7, 2**31, -(2**63), 10**40])
        case 3:
            return chance.choice([0.5, -1e-9, 1e300, 3.0])
        case 4 | 5:
            return chance.choice(TEXTS)
        case 6:
            return [value(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {chance.choice(TEXTS): value(chance, depth + 1) for _ in range(chance.randrange(4))}


def an_order(chance: random.Random, workflows: list[Workflow], number: int) -> dict[str, Any]:
    is_test = chance.random() < 0.1
    body = chance.randbytes(chance.choice([0, 3, 400]))
    spec = {chance.choice(["mood", "seed", "metadata", "x"]): value(chance) for _ in range(chance.randrange(5))}
    if chance.random() < 0.4:
        spec["on_technical_failure"] = chance.choice(["retry", "fail", "fallback", "?", None, ""])
    if chance.random() < 0.3:
        spec["image_model"] = chance.choice(["gemini-3-pro-image", "built-in", None])
    return {
        "workflow": chance.choice(workflows),
        "spec": spec,
        "credits_cost": 0 if is_test else chance.choice([0, 1, 2, 9, 999]),
        "is_test": is_test,
        "once": jobs.Once(key=f"key {number}", digest="d" * 64, header="Idempotency-Key")
        if chance.random() < 0.3
        else None,
        "log": {
            "method": "POST",
            "path": chance.choice(["/v1/extract", "/v1/ü"]),
            "status": 202,
            "code": "",
            "duration_ms": chance.randrange(10_000),
            "api_key_prefix": chance.choice(["", "sk_12345678"]),
            "remote_addr": chance.choice(["", "::1"]),
            "user_agent": chance.choice(TEXTS)[:200],
            "body": body,
            "body_size": len(body),
            "body_truncated": chance.random() < 0.1,
        },
    }


def rows(model: type[models.Model], client: Client, order: str) -> list[dict[str, Any]]:
    """Return a client's rows without what no two orders share; of times, what lies between them."""
    found = []
    for row in model._base_manager.filter(client_id=client.pk).order_by(order).values():
        times = [name for name, one in row.items() if hasattr(one, "astimezone")]
        said = {name: one for name, one in row.items() if name not in OF_ITS_OWN and name not in times}
        if model is Job:
            since = row["accepted_at"]
            said |= {name: row[name] - since for name in times} | {"spec": row["spec"]}
        else:
            said["times"] = times
        found.append({name: bytes(one) if isinstance(one, memoryview) else one for name, one in said.items()})
    return found


@pytest.mark.parametrize("count", [300, pytest.param(5000, marks=pytest.mark.slow)])
def test_it_writes_the_rows_that_the_models_write(db, count: int):
    chance = random.Random(count)
    workflows = list(Workflow.objects.all())
    workflows[0].output_format, workflows[0].max_attempts = "webp", 1
    one, other = Shop.make(credits=10_000_000).client, Shop.make(credits=10_000_000).client
    Client.objects.update(max_open_jobs=1_000_000, jobs_per_minute=1_000_000)
    refused = 0
    for number in range(count):
        ordered = an_order(chance, workflows, number)
        log, failures = ordered.pop("log"), []
        balance = chance.choice([None] * 20 + [0, 5])
        for client, place in ((one, jobs.submit), (other, placed_by_the_models)):
            client.read_again()
            if balance is not None:
                client.balance = balance  # as an authentication may have read it before credits came in
            try:
                place(client=client, log=RequestLog(request_id=new_ulid(), **log), **ordered)
            except BillingError as error:
                failures.append(error.code)
        assert len(failures) in (0, 2)
        assert len(set(failures)) < 2
        refused += bool(failures)
    assert 0 < refused < count / 5
    for model, order in ((Job, "id"), (LedgerEntry, "seq"), (RequestLog, "request_id")):
        mine, theirs = rows(model, one, order), rows(model, other, order)
        assert len(mine) == len(theirs) >= count - refused
        assert mine == theirs
    books_are_right(one)
    assert Client.objects.filter(pk=one.pk, balance=Client.objects.get(pk=other.pk).balance).exists()
    # What names another row names the right one.
    assert not RequestLog.objects.filter(client_id=one.pk).exclude(job_id__in=Job.objects.values("id")).exists()
    assert not Job.objects.filter(client=one).exclude(charge__reference=F("id")).exists()
    assert not sql("SELECT 1 FROM workflows_job WHERE request_id NOT IN (SELECT request_id FROM request_logs)")


@pytest.mark.parametrize(("model", "table"), [(RequestLog, "request_logs"), (Job, "workflows_job")])
def test_its_columns_are_the_models_and_what_it_leaves_out_has_a_default(db, model: type[models.Model], table: str):
    text = accept.ROWS.split(f"INSERT INTO {table} (")[1].partition(")")[0]
    named = {name.strip() for name in text.split(",")}
    columns = {field.column: field for field in model._meta.concrete_fields}
    assert named <= columns.keys()
    for column in columns.keys() - named:
        field = columns[column]
        assert field.null or field.generated or field.has_db_default(), column
    with connection.cursor() as cursor:
        there = {column.name for column in connection.introspection.get_table_description(cursor, table)}
    assert there == columns.keys()
