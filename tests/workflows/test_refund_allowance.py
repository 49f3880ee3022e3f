"""What Support may give back: so much at once, and so much a day, also where two windows refund at once."""

from collections import Counter

import pytest

from billing import allowances
from billing.allowances import Allowance
from billing.errors import RefundsSpent, RefundTooLarge
from tests.conftest import Shop
from tests.helpers import books_are_right, claimed, order, sql, succeed, together
from workflows import jobs
from workflows.errors import NotRefundable
from workflows.models import Job

SMALL = Allowance(each=5, a_day=10)


def made(shop: Shop, *, credits: int) -> Job:
    job = order(shop, credits=credits)
    assert succeed(claimed(job))
    return job


def refund(job: Job, *, actor: str = "sam", allowance: Allowance | None = SMALL) -> Job:
    return jobs.refund(job_id=job.pk, reason="blurred", actor=actor, allowance=allowance)


def test_a_refund_may_be_as_large_as_the_allowance_says(db, shop: Shop):
    refund(made(shop, credits=5))
    larger = made(shop, credits=6)
    with pytest.raises(RefundTooLarge, match="6 credits is more than the 5"):
        refund(larger)
    assert shop.balance == 94
    refund(larger, allowance=None)
    assert shop.balance == 100
    books_are_right(shop.client)


def test_a_days_refunds_are_counted_together_and_each_persons_apart(db, shop: Shop):
    refund(made(shop, credits=5))
    refund(made(shop, credits=3))
    job = made(shop, credits=3)
    with pytest.raises(RefundsSpent, match=r"Of the 10 credits .* a day 2 are left, and this takes 3"):
        refund(job)
    assert allowances.spent_today(actor="sam") == 8
    job.refresh_from_db()
    assert job.refund_id is None
    refund(job, actor="sue")
    refund(made(shop, credits=2))
    books_are_right(shop.client)


def test_what_was_refunded_yesterday_or_by_itself_is_not_counted(own_database, shop: Shop):
    refund(made(shop, credits=5))
    refund(made(shop, credits=5))
    jobs.fail(claimed(order(shop, credits=9)), code="x", message="y", technical=False)
    job = made(shop, credits=5)
    with pytest.raises(RefundsSpent):
        refund(job)
    sql("ALTER TABLE billing_ledgerentry DISABLE TRIGGER USER")
    sql("UPDATE billing_ledgerentry SET created_at = created_at - interval '1 day' WHERE kind = 'REFUND'")
    sql("ALTER TABLE billing_ledgerentry ENABLE TRIGGER USER")
    assert allowances.spent_today(actor="sam") == 0
    refund(job)


def test_a_job_that_cannot_be_refunded_takes_nothing_of_the_allowance(db, shop: Shop):
    job = made(shop, credits=5)
    refund(job)
    for _ in range(3):
        with pytest.raises(NotRefundable, match="already"):
            refund(job)
    assert allowances.spent_today(actor="sam") == 5


def test_refunds_at_once_do_not_exceed_the_day(own_database, shop: Shop):
    mine = [made(shop, credits=3) for _ in range(8)]
    results = together(*[lambda job=job: refund(job) for job in mine])
    assert Counter(type(result) for result in results) == {Job: 3, RefundsSpent: 5}
    assert shop.balance == 100 - 5 * 3
    assert allowances.spent_today(actor="sam") == 9
    books_are_right(shop.client)


def test_the_settings_say_what_support_may(settings):
    settings.SUPPORT_REFUND_CREDITS, settings.SUPPORT_REFUND_CREDITS_A_DAY = 7, 70
    assert allowances.support() == Allowance(each=7, a_day=70)
