"""What the database itself refuses of clients, keys, prices and the ledger (P1, P2, P3, P8), whoever asks and how."""

from collections.abc import Callable

import pytest
from django.apps import apps
from django.db import Error, IntegrityError, connection, transaction
from django.db.models import ProtectedError

from billing import ledger
from billing.models import MAX_AMOUNT, ApiKey, Client, Configuration, LedgerEntry, Price, ShopDomain, ShopifySecret
from studio_gateway.ids import ULIDField, new_ulid
from tests.conftest import Shop
from tests.helpers import known_to_the_database, order, refused_by, sql

INSERT = """INSERT INTO billing_ledgerentry
    (id, client_id, seq, kind, amount, balance_after, reference, reason, actor, created_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, '', now())"""


def enter(
    client: Client, *, seq: int, amount: int, after: int, kind: str = "GRANT", reference: str = "", reason: str = "why"
) -> None:
    """Write a ledger entry past the till."""
    sql(INSERT, new_ulid(), client.pk, seq, kind, amount, after, reference, reason)


def client_row(column: str, value: int) -> Callable[[Client], None]:
    return lambda client: sql(f"UPDATE billing_client SET {column} = %s WHERE id = %s", value, client.pk) and None


def empty_ledger(client: Client) -> None:
    sql("INSERT INTO billing_client (name, balance, ledger_seq, open_jobs, max_open_jobs, storage_prefixes, created_at)"
        " VALUES ('x', 5, 0, 0, 1, '{}', now())")  # fmt: skip


def price(**values: object) -> Callable[[Client], None]:
    return lambda client: Price.objects.create(**{"workflow": "w", "credits": 1, **values}) and None


def price_twice(client: Client) -> None:
    for _ in range(2):
        sql("INSERT INTO billing_price (workflow, model, pixel_class, credits) VALUES ('w', NULL, NULL, 1)")


def shopify_secret_twice(client: Client) -> None:
    for _ in range(2):
        ShopifySecret.objects.create(client=client, encrypted="x", fingerprint="0" * 64)


def shop_domain(*domains: str) -> Callable[[Client], None]:
    return lambda client: [ShopDomain.objects.create(client=client, domain=domain) for domain in domains] and None


def entry_twice(**values: object) -> Callable[[Client], None]:
    def twice(client: Client) -> None:
        enter(client, seq=2, **values)
        enter(client, seq=3, **values)

    return twice


# One way to break each constraint, on a client with one GRANT of 100; raw SQL, so that no code of ours stands between.
BREAKS: dict[str, Callable[[Client], None]] = {
    "client_balance_not_negative": client_row("balance", -1),
    "client_open_jobs_not_negative": client_row("open_jobs", -1),
    "client_max_open_jobs_range": client_row("max_open_jobs", 1_000_001),
    "client_jobs_per_minute_range": client_row("jobs_per_minute", 0),
    "client_low_credits_threshold_range": client_row("low_credits_threshold", 0),
    "client_retention_days_range": client_row("retention_days", 0),
    "shopify_secret_once": shopify_secret_twice,
    "shop_domain_once": shop_domain("shop.example", "shop.example"),
    "shop_domain_in_lower_case": shop_domain("Shop.example"),
    "client_no_empty_prefix": client_row("storage_prefixes", ["shop/", ""]),
    "client_empty_ledger_empty_balance": empty_ledger,
    "apikey_digest_is_sha256": lambda client: (
        sql(
            "INSERT INTO billing_apikey (client_id, digest, prefix, created_at) VALUES (%s, 'sk_plain', 'sk_', now())",
            client.pk,
        )
        and None
    ),
    "ledger_seq_once_per_client": lambda client: enter(client, seq=1, amount=100, after=100),
    "ledger_seq_positive": lambda client: enter(client, seq=0, amount=100, after=100),
    "ledger_balance_after_not_negative": lambda client: enter(client, seq=2, amount=-1, after=-1, kind="ADJUSTMENT"),
    "ledger_first_entry_starts_at_zero": lambda client: enter(
        Client.objects.create(name="new"), seq=1, amount=5, after=6
    ),
    "ledger_amount_sign": lambda client: enter(client, seq=2, amount=1, after=101, kind="CHARGE", reference="j"),
    "ledger_amount_range": lambda client: enter(client, seq=2, amount=MAX_AMOUNT + 1, after=5),
    "ledger_one_charge": entry_twice(amount=-1, after=1, kind="CHARGE", reference="j"),
    "ledger_one_refund": entry_twice(amount=1, after=1, kind="REFUND", reference="j"),
    "ledger_charge_and_refund_have_reference": lambda client: enter(client, seq=2, amount=-1, after=99, kind="CHARGE"),
    "ledger_grant_reference_once": entry_twice(amount=1, after=1, reference="invoice 1"),
    "ledger_adjustment_reference_once": entry_twice(amount=-1, after=1, kind="ADJUSTMENT", reference="ticket 1"),
    "ledger_staff_entries_have_reason": lambda client: enter(client, seq=2, amount=1, after=101, reason=""),
    "configuration_one_row": lambda client: (
        sql("INSERT INTO billing_configuration (id, version) VALUES (2, 1)") and None
    ),
    "price_one_per_scope": price_twice,
    "price_credits_range": price(credits=-1),
    "price_model_not_empty": price(model=""),
    "price_pixel_class_not_empty": price(pixel_class=""),
}


@pytest.mark.parametrize("name", BREAKS)
def test_the_database_refuses_by_name(db, shop: Shop, name: str):
    with refused_by(name):
        BREAKS[name](shop.client)


def test_every_constraint_of_the_app_has_a_case_above():
    declared = {c.name for model in apps.get_app_config("billing").get_models() for c in model._meta.constraints}
    assert declared == set(BREAKS)


def test_every_declared_constraint_and_trigger_is_in_the_database_and_validated(db):
    declared = {c.name for model in apps.get_app_config("billing").get_models() for c in model._meta.constraints}
    assert declared <= known_to_the_database()
    triggers = {
        (table, enabled)
        for table, enabled in sql("SELECT tgrelid::regclass::text, tgenabled FROM pg_trigger WHERE NOT tgisinternal")
    }
    assert {("billing_ledgerentry", "O"), ("billing_price", "O"), ("workflows_workflow", "O")} <= triggers


@pytest.mark.parametrize(
    ("kind", "amount"),
    [("GRANT", 0), ("GRANT", -1), ("CHARGE", 1), ("REFUND", -1), ("ADJUSTMENT", 0), ("BONUS", 1), ("", 1)],
)
def test_an_entry_has_a_known_kind_and_the_sign_of_its_kind(db, shop: Shop, kind: str, amount: int):
    with refused_by("ledger_amount_sign"):
        enter(shop.client, seq=2, amount=amount, after=100 + amount, kind=kind, reference="j")


def test_the_till_itself_cannot_go_below_zero_or_charge_a_job_twice(db, shop: Shop):
    with pytest.raises(IntegrityError, match="ledger_one_charge"), transaction.atomic():
        for _ in range(2):
            ledger.charge(client=shop.client, credits=1, entry_id=new_ulid(), reference="job")
    assert shop.balance == 100


def test_the_till_refunds_a_reference_once(db, shop: Shop):
    with pytest.raises(IntegrityError, match="ledger_one_refund"), transaction.atomic():
        for _ in range(2):
            ledger.refund(
                client_id=shop.client.pk, credits=1, entry_id=new_ulid(), reference="j", reason="r", closes_job=False
            )
    assert shop.balance == 100


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_ledgerentry SET amount = 1000",
        "UPDATE billing_ledgerentry SET reason = reason WHERE false",
        "DELETE FROM billing_ledgerentry",
        "DELETE FROM billing_ledgerentry WHERE false",
        "TRUNCATE billing_ledgerentry CASCADE",
        "TRUNCATE billing_client CASCADE",
        "MERGE INTO billing_ledgerentry e USING billing_client c ON c.id = e.client_id WHEN MATCHED THEN DELETE",
        "WITH gone AS (DELETE FROM billing_ledgerentry RETURNING *) SELECT * FROM gone",
        "INSERT INTO billing_ledgerentry SELECT * FROM billing_ledgerentry ON CONFLICT (id) DO UPDATE SET amount = 7",
    ],
)
def test_ledger_entries_are_never_changed_or_deleted_by_sql(db, shop: Shop, statement: str):
    before = list(LedgerEntry.objects.values())
    connection.check_constraints()  # with deferred checks pending, TRUNCATE is refused for that reason already
    with pytest.raises(Error, match="ledger entries are never changed or deleted"), transaction.atomic():
        sql(statement)
    assert list(LedgerEntry.objects.values()) == before
    assert len(before) == 1


def test_ledger_entries_are_never_changed_or_deleted_by_the_orm(db, shop: Shop):
    entry = LedgerEntry.objects.get(client=shop.client)
    entry.amount = 5
    for change in (
        entry.save,
        entry.delete,
        LedgerEntry.objects.filter(pk=entry.pk).delete,
        lambda: LedgerEntry.objects.update(amount=5),
        lambda: LedgerEntry.objects.bulk_update([entry], ["amount"]),
        lambda: LedgerEntry.objects.bulk_create(
            [entry], update_conflicts=True, update_fields=["amount"], unique_fields=["id"]
        ),
    ):
        with pytest.raises(Error, match="ledger entries are never changed or deleted"), transaction.atomic():
            change()
    entry.refresh_from_db()
    assert entry.amount == 100


def test_a_client_with_entries_cannot_be_deleted(db, shop: Shop):
    ApiKey.objects.all().delete()
    with pytest.raises(ProtectedError):
        shop.client.delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        sql("DELETE FROM billing_client WHERE id = %s", shop.client.pk)
        connection.check_constraints()
    assert LedgerEntry.objects.filter(client=shop.client).count() == 1


def test_the_configuration_has_exactly_one_row(db):
    assert Configuration.objects.count() == 1


def test_ulids_are_collated_c_everywhere(db, shop: Shop):
    job = order(shop)
    columns = [
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, ULIDField) or isinstance(getattr(field, "target_field", None), ULIDField)
    ]
    assert {
        ("request_logs", "request_id"),
        ("request_logs", "job_id"),
        ("workflows_job", "request_id"),
        ("workflows_job", "id"),
        ("workflows_job", "charge_id"),
        ("workflows_job", "refund_id"),
        ("workflows_output", "job_id"),
        ("workflows_jobevent", "job_id"),
        ("billing_ledgerentry", "id"),
    } <= set(columns)
    for table, column in columns:
        ((collation, length),) = sql(
            "SELECT collname, atttypmod - 4 FROM pg_attribute LEFT JOIN pg_collation c ON c.oid = attcollation"
            " WHERE attrelid = %s::regclass AND attname = %s",
            table,
            column,
        )
        assert (table, column, collation, length) == (table, column, "C", 26)
    assert len(job.pk) == len(job.request_id) == 26
