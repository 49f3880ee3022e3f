"""The till: the only code that moves a balance.

Every movement is one statement that updates the client's row and writes the entry from what the update returned, so
`seq` and `balance_after` cannot disagree with the row they came from, and two movements of one client queue up on its
row. What calls these from a transaction of its own calls them last: the client's row stays locked until the commit.
"""

from dataclasses import dataclass

from django.db import IntegrityError, connection, transaction
from django.db.models import F

from billing.errors import (
    BadAmount,
    BadText,
    ClientSuspended,
    InsufficientCredits,
    ReasonRequired,
    ReferenceTaken,
    TooManyOpenJobs,
    UnknownClient,
)
from billing.models import MAX_ACTOR, MAX_AMOUNT, MAX_REASON, MAX_REFERENCE, Client, LedgerEntry
from studio_gateway.ids import new_ulid
from studio_gateway.text import is_storable

MOVE = """
WITH moved AS (
    UPDATE billing_client
       SET balance = balance + %(amount)s, ledger_seq = ledger_seq + 1, open_jobs = open_jobs + %(open_jobs)s
     WHERE id = %(client_id)s AND balance + %(amount)s >= 0 {guard}
 RETURNING id, balance, ledger_seq
)
INSERT INTO billing_ledgerentry (id, client_id, seq, kind, amount, balance_after, reference, reason, actor)
SELECT %(entry_id)s, id, ledger_seq, %(kind)s, %(amount)s, balance, %(reference)s, %(reason)s, %(actor)s FROM moved
RETURNING balance_after
"""
ADMISSION_GUARD = "AND suspended_at IS NULL AND open_jobs < max_open_jobs"


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

    def run(self, *, guard: str = "") -> int | None:
        """Return the balance afterwards, or None where no row passed the guards."""
        with connection.cursor() as cursor:
            cursor.execute(MOVE.format(guard=guard), {**self.__dict__, "kind": self.kind.value})
            row = cursor.fetchone()
        return None if row is None else row[0]


def charge(*, client_id: int, credits: int, entry_id: str, reference: str) -> int:
    """Take `credits` for the job `reference`, count it as open, and return the balance afterwards.

    Must run in the transaction that makes the job. Raises InsufficientCredits, ClientSuspended or TooManyOpenJobs; then
    nothing has moved and the transaction must be rolled back.
    """
    movement = _Movement(
        kind=LedgerEntry.Kind.CHARGE,
        client_id=client_id,
        amount=-credits,
        entry_id=entry_id,
        reference=reference,
        open_jobs=1,
    )
    while (balance := movement.run(guard=ADMISSION_GUARD)) is None:
        # Name the guard that failed. Where none does any more, a job ended or credits came in between: once more.
        check_admission(client=Client.objects.get(pk=client_id), credits=credits)
    return balance


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
    """Raise what `charge` would raise for this row as it was read: an early no, never a late yes."""
    if client.suspended_at is not None:
        raise ClientSuspended
    if client.balance < credits:
        raise InsufficientCredits(price=credits, balance=client.balance)
    if client.open_jobs >= client.max_open_jobs:
        raise TooManyOpenJobs(open_jobs=client.open_jobs, max_open_jobs=client.max_open_jobs)


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
    if movement.run() is None:
        raise UnknownClient(client_id=client_id)


def close_job(*, client_id: int) -> None:
    """Count one open job less, in the transaction that ends it without a refund."""
    Client.objects.filter(pk=client_id).update(open_jobs=F("open_jobs") - 1)


def grant(*, client_id: int, credits: int, reason: str, reference: str = "", actor: str = "") -> LedgerEntry:
    """Give a client `credits`; the same `reference` never grants twice, and a repeat returns the first entry.

    Raises UnknownClient, BadAmount, what check_staff_texts raises, or ReferenceTaken where the reference stands for
    another amount.
    """
    if not 1 <= credits <= MAX_AMOUNT:
        raise BadAmount(amount=credits, limit=MAX_AMOUNT)
    check_staff_texts(reason=reason, actor=actor, reference=reference)
    movement = _Movement(
        kind=LedgerEntry.Kind.GRANT,
        client_id=client_id,
        amount=credits,
        entry_id=new_ulid(),
        reference=reference,
        reason=reason,
        actor=actor,
    )
    try:
        with transaction.atomic():
            if movement.run() is None:
                raise UnknownClient(client_id=client_id)
    except IntegrityError as error:
        if "ledger_grant_reference_once" not in str(error):
            raise
        entry = LedgerEntry.objects.get(client_id=client_id, kind=LedgerEntry.Kind.GRANT, reference=reference)
        if entry.amount != credits:
            raise ReferenceTaken(reference=reference, amount=entry.amount) from error
        return entry
    return LedgerEntry.objects.get(pk=movement.entry_id)
