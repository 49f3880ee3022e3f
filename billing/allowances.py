"""How much somebody of the staff may refund by themselves."""

from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from billing.errors import RefundsSpent, RefundTooLarge

# Reads the index ledger_refunds_by_actor.
SPENT = """
SELECT coalesce(sum(amount), 0)::bigint FROM billing_ledgerentry
 WHERE kind = 'REFUND' AND actor <> '' AND actor = %s
   AND created_at >= date_trunc('day', statement_timestamp(), 'UTC')
"""


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """The most credits that one refund may give back, and all of one person's within a UTC day."""

    each: int
    a_day: int


def support() -> Allowance:
    """What the settings allow to whoever has not the right to refund without limit."""
    return Allowance(each=settings.SUPPORT_REFUND_CREDITS, a_day=settings.SUPPORT_REFUND_CREDITS_A_DAY)


def spent_today(*, actor: str) -> int:
    """Return how many credits `actor` has refunded since 00:00 UTC."""
    with connection.cursor() as cursor:
        cursor.execute(SPENT, [actor])
        return int(cursor.fetchone()[0])


def check(*, actor: str, credits: int, allowance: Allowance) -> None:
    """Raise RefundTooLarge or RefundsSpent where `actor` may not refund so many credits now."""
    if credits > allowance.each:
        raise RefundTooLarge(credits=credits, most=allowance.each)
    spent = spent_today(actor=actor)
    if spent + credits > allowance.a_day:
        raise RefundsSpent(credits=credits, left=max(0, allowance.a_day - spent), most=allowance.a_day)


def draw(*, actor: str, credits: int, allowance: Allowance) -> None:
    """Let `actor` refund `credits`, in the transaction that does, before it locks anything else.

    Whatever the same person refunds at once waits until that transaction is over, and counts it then. Raises what
    `check` raises.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"billing.allowances {actor}"])
    check(actor=actor, credits=credits, allowance=allowance)
