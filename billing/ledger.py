"""The till: the only code that moves a balance.

Every movement is one statement that updates the client's row and writes the entry from what the update returned, so
`seq` and `balance_after` cannot disagree with the row they came from, and two movements of one client queue up on its
row. What calls these from a transaction of its own calls them last: the client's row stays locked until the commit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, connection, transaction

from billing.errors import (
    BadAdjustment,
    BadAmount,
    BadText,
    BalanceTooLow,
    ClientSuspended,
    InsufficientCredits,
    ReasonRequired,
    ReferenceTaken,
    TooManyOpenJobs,
    TooManyOrders,
    UnknownClient,
)
from billing.models import MAX_ACTOR, MAX_AMOUNT, MAX_REASON, MAX_REFERENCE, Client, LedgerEntry
from studio_gateway.ids import new_ulid
from studio_gateway.prepared import prepared_cursor
from studio_gateway.text import is_storable

MOVE = """
WITH moved AS (
    UPDATE billing_client
       SET balance = balance + %(amount)s, ledger_seq = ledger_seq + 1, open_jobs = open_jobs + %(open_jobs)s
     WHERE id = %(client_id)s AND balance + %(amount)s >= 0
 RETURNING id, balance, ledger_seq
)
INSERT INTO billing_ledgerentry (id, client_id, seq, kind, amount, balance_after, reference, reason, actor)
SELECT %(entry_id)s, id, ledger_seq, %(kind)s, %(amount)s, balance, %(reference)s, %(reason)s, %(actor)s FROM moved
"""
# GCRA (ITU-T I.371): an order moves the theoretical arrival time on by a minute's share, and is refused where it runs
# ahead of the clock by more than all shares but one. `clock_timestamp` and not the statement's time: the statement may
# have waited for the row.
CHARGE = """
WITH moved AS (
    UPDATE billing_client
       SET balance = balance - %(credits)s::int8, ledger_seq = ledger_seq + 1, open_jobs = open_jobs + 1,
           orders_tat = GREATEST(orders_tat, clock_timestamp()) + interval '1 minute' / jobs_per_minute
     WHERE id = %(client_id)s::int8 AND balance >= %(credits)s::int8
       AND suspended_at IS NULL AND open_jobs < max_open_jobs
       AND orders_tat - clock_timestamp() <= interval '1 minute' / jobs_per_minute * (jobs_per_minute - 1)
       AND low_credits_threshold IS NOT DISTINCT FROM %(threshold)s::int8
 RETURNING id, balance, ledger_seq, open_jobs, orders_tat, clock_timestamp() AS read_at
), entry AS (
    INSERT INTO billing_ledgerentry (id, client_id, seq, kind, amount, balance_after, reference, reason, actor)
    SELECT %(entry_id)s::text, id, ledger_seq, 'CHARGE', -%(credits)s::int8, balance, %(reference)s::text, '', ''
      FROM moved
)
{with_it}
SELECT balance, open_jobs, orders_tat, read_at FROM moved
"""
# A CTE for the statement that writes what follows from a job's end without a refund, in the transaction that ends it.
CLOSE_JOB = """
, closed AS (
    UPDATE billing_client SET open_jobs = open_jobs - 1 WHERE id = %(client_id)s
)
"""


@dataclass(frozen=True, kw_only=True)
class _Movement:
    kind: LedgerEntry.Kind
    client_id: int
    amount: int
    entry_id: str
    reference: str
    reason: str = ""
    actor: str = ""
    open_jobs: int = 0

    def run(self) -> bool:
        """Move the balance; False: there is no such client, or too little on its balance."""
        with connection.cursor() as cursor:
            cursor.execute(MOVE, {**self.__dict__, "kind": self.kind.value})
            return bool(cursor.rowcount)


def charge(
    *,
    client: Client,
    credits: int,
    entry_id: str,
    reference: str,
    with_it: str = "",
    values: Mapping[str, Any] | None = None,
) -> bool:
    """Take `credits` for the job `reference`, and count it as open and as one of the minute's orders.

    `with_it` is SQL of further CTEs that insert what is charged for, `SELECT … FROM moved`, in the same statement.
    False: nothing was written, because the row is not as `client` shows it; `Client.read_again` and `check_admission`
    tell what was refused, if it still would be. True: `client` shows what the row says afterwards.
    """
    with prepared_cursor() as cursor:
        cursor.execute(
            CHARGE.format(with_it=with_it),
            {
                **(values or {}),
                "client_id": client.pk,
                "credits": credits,
                "entry_id": entry_id,
                "reference": reference,
                "threshold": client.low_credits_threshold,
            },
        )
        moved = cursor.fetchone()
    if moved is None:
        return False
    client.balance, client.open_jobs, client.orders_tat, client.read_at = moved
    return True


def charge_nothing(*, client_id: int, entry_id: str, reference: str, reason: str, actor: str) -> None:
    """Write the CHARGE of 0 for a job that `actor` gives away, and count it as open, whatever the client's limits.

    Must run in the transaction that makes the job.
    """
    movement = _Movement(
        kind=LedgerEntry.Kind.CHARGE,
        client_id=client_id,
        amount=0,
        entry_id=entry_id,
        reference=reference,
        reason=reason,
        actor=actor,
        open_jobs=1,
    )
    if not movement.run():
        raise UnknownClient(client_id=client_id)


def check_staff_texts(*, reason: str, actor: str, reference: str = "") -> None:
    """Raise ReasonRequired or BadText for what no entry of staff's may say."""
    if not reason.strip():
        raise ReasonRequired
    for what, text, limit in (
        ("reason", reason, MAX_REASON),
        ("reference", reference, MAX_REFERENCE),
        ("name of who does it", actor, MAX_ACTOR),
    ):
        if len(text) > limit or not is_storable(text):
            raise BadText(what=what, limit=limit)


def check_admission(*, client: Client, credits: int) -> None:
    """Tell from the row as it was read what `charge` would refuse: an early no, never a late yes.

    Raises ClientSuspended, InsufficientCredits, TooManyOpenJobs or TooManyOrders, in this order.
    """
    if client.suspended_at is not None:
        raise ClientSuspended
    if client.balance < credits:
        raise InsufficientCredits(price=credits, balance=client.balance)
    rate = client.rate
    if client.open_jobs >= client.max_open_jobs:
        raise TooManyOpenJobs(
            open_jobs=client.open_jobs, max_open_jobs=client.max_open_jobs, retry_after=max(5, rate.seconds)
        )
    if not rate.remaining:
        raise TooManyOrders(jobs_per_minute=client.jobs_per_minute, retry_after=rate.seconds)


def refund(
    *,
    client_id: int,
    credits: int,
    entry_id: str,
    reference: str,
    reason: str,
    actor: str = "",
    closes_job: bool,
) -> None:
    """Give `credits` back for the job `reference`, in the transaction that marks the job as refunded.

    With `closes_job` the job also stops counting as open. A second refund of one job violates `ledger_one_refund`.
    """
    movement = _Movement(
        kind=LedgerEntry.Kind.REFUND,
        client_id=client_id,
        amount=credits,
        entry_id=entry_id,
        reference=reference,
        reason=reason,
        actor=actor,
        open_jobs=-1 if closes_job else 0,
    )
    if not movement.run():
        raise UnknownClient(client_id=client_id)


def grant(*, client_id: int, credits: int, reason: str, reference: str = "", actor: str = "") -> LedgerEntry:
    """Give a client `credits`; the same `reference` never grants twice, and a repeat returns the first entry.

    Raises UnknownClient, BadAmount, what check_staff_texts raises, or ReferenceTaken where the reference stands for
    another amount.
    """
    if not 1 <= credits <= MAX_AMOUNT:
        raise BadAmount(amount=credits, limit=MAX_AMOUNT)
    return _move_by_staff(
        LedgerEntry.Kind.GRANT, client_id=client_id, credits=credits, reason=reason, reference=reference, actor=actor
    )


def adjust(*, client_id: int, credits: int, reason: str, reference: str = "", actor: str = "") -> LedgerEntry:
    """Set a client's balance right by `credits`, up or down; the same `reference` never adjusts twice, as with `grant`.

    Raises what `grant` raises, with BadAdjustment for BadAmount, and BalanceTooLow where less than nothing would be
    left.
    """
    if not 1 <= abs(credits) <= MAX_AMOUNT:
        raise BadAdjustment(amount=credits, limit=MAX_AMOUNT)
    return _move_by_staff(
        LedgerEntry.Kind.ADJUSTMENT,
        client_id=client_id,
        credits=credits,
        reason=reason,
        reference=reference,
        actor=actor,
    )


def _move_by_staff(
    kind: LedgerEntry.Kind, *, client_id: int, credits: int, reason: str, reference: str, actor: str
) -> LedgerEntry:
    check_staff_texts(reason=reason, actor=actor, reference=reference)
    movement = _Movement(
        kind=kind,
        client_id=client_id,
        amount=credits,
        entry_id=new_ulid(),
        reference=reference,
        reason=reason,
        actor=actor,
    )
    try:
        with transaction.atomic():
            while not movement.run():
                # A repeat may find that the first left too little for another.
                if first := _first_of(movement):
                    return first
                balance = Client.objects.filter(pk=client_id).values_list("balance", flat=True).first()
                if balance is None:
                    raise UnknownClient(client_id=client_id)
                # Where it is enough by now, credits came in between: once more.
                if balance + credits < 0:
                    raise BalanceTooLow(balance=balance, credits=-credits)
    except IntegrityError as error:
        first = _first_of(movement) if "_reference_once" in str(error) else None
        if first is None:
            raise
        return first
    return LedgerEntry.objects.get(pk=movement.entry_id)


def _first_of(movement: _Movement) -> LedgerEntry | None:
    """Return the entry that has the movement's reference, if there is one. Raises ReferenceTaken."""
    if not movement.reference:
        return None
    entry = LedgerEntry.objects.filter(
        client_id=movement.client_id, kind=movement.kind, reference=movement.reference
    ).first()
    if entry is not None and entry.amount != movement.amount:
        what = "a grant" if movement.kind == LedgerEntry.Kind.GRANT else "an adjustment"
        raise ReferenceTaken(reference=movement.reference, what=what, amount=entry.amount)
    return entry
