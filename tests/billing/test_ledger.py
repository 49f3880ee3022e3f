"""Grants, charges and refunds: each one statement that moves the balance and writes the entry."""

import random
from collections import Counter

import pytest

from billing import ledger
from billing.errors import (
    BadAdjustment,
    BadAmount,
    BadText,
    BalanceTooLow,
    BillingError,
    ClientSuspended,
    InsufficientCredits,
    ReasonRequired,
    ReferenceTaken,
    TooManyOpenJobs,
    UnknownClient,
)
from billing.models import MAX_AMOUNT, Client, LedgerEntry
from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.helpers import books_are_right, sql, together


def chain(client: Client) -> list[tuple[int, str, int, int]]:
    return list(client.ledger_entries.order_by("seq").values_list("seq", "kind", "amount", "balance_after"))


def charge(client: Client, credits: int = 1, reference: str = "") -> int:
    """Charge in a transaction of its own, as no order does, and return the balance that the till says."""
    own = Client(pk=client.pk)
    while not ledger.charge(client=own, credits=credits, entry_id=new_ulid(), reference=reference or new_ulid()):
        own.read_again()
        ledger.check_admission(client=own, credits=credits)
    return own.balance


def test_a_grant_moves_the_balance_and_says_who_why_and_what_for(db, shop: Shop):
    entry = ledger.grant(client_id=shop.client.pk, credits=7, reason="invoice", reference="INV-1", actor="ann")
    assert (entry.amount, entry.balance_after, entry.seq) == (7, 107, 2)
    assert (entry.reason, entry.reference, entry.actor) == ("invoice", "INV-1", "ann")
    assert shop.balance == 107
    assert chain(shop.client) == [(1, "GRANT", 100, 100), (2, "GRANT", 7, 107)]
    books_are_right(shop.client)


def test_the_same_reference_grants_once_and_returns_the_first_entry(db, shop: Shop):
    first = ledger.grant(client_id=shop.client.pk, credits=7, reason="invoice", reference="INV-1")
    again = ledger.grant(client_id=shop.client.pk, credits=7, reason="told twice", reference="INV-1")
    assert again == first
    assert shop.balance == 107
    assert len(chain(shop.client)) == 2


def test_the_same_reference_with_another_amount_is_refused(db, shop: Shop):
    ledger.grant(client_id=shop.client.pk, credits=7, reason="invoice", reference="INV-1")
    with pytest.raises(ReferenceTaken, match="INV-1 already stands for a grant of 7 credits"):
        ledger.grant(client_id=shop.client.pk, credits=8, reason="invoice", reference="INV-1")
    assert shop.balance == 107


def test_two_clients_may_have_one_reference_and_no_reference_may_repeat(db, shop: Shop):
    other = Shop.make(credits=1)
    for client in (shop.client, other.client):
        ledger.grant(client_id=client.pk, credits=5, reason="r", reference="INV-1")
        ledger.grant(client_id=client.pk, credits=5, reason="r")
        ledger.grant(client_id=client.pk, credits=5, reason="r")
    assert (shop.balance, other.balance) == (115, 16)


def test_ten_threads_with_one_reference_grant_once(own_database, shop: Shop):
    entries = together(
        *[lambda: ledger.grant(client_id=shop.client.pk, credits=7, reason="invoice", reference="INV-1")] * 10
    )
    assert len({entry.pk for entry in entries}) == 1
    assert shop.balance == 107
    assert LedgerEntry.objects.filter(client=shop.client, reference="INV-1").count() == 1
    books_are_right(shop.client)


def test_threads_with_one_reference_and_different_amounts_grant_one_of_them(own_database, shop: Shop):
    results = together(
        *[
            lambda n=n: ledger.grant(client_id=shop.client.pk, credits=n, reason="invoice", reference="INV-1")
            for n in range(1, 9)
        ]
    )
    granted = [result for result in results if isinstance(result, LedgerEntry)]
    assert len(granted) == 1
    assert sum(isinstance(result, ReferenceTaken) for result in results) == 7
    assert shop.balance == 100 + granted[0].amount


@pytest.mark.parametrize("credits", [0, -1, -MAX_AMOUNT, MAX_AMOUNT + 1, 2**63, 10**30])
def test_amounts_that_cannot_be_granted_are_refused(db, shop: Shop, credits: int):
    with pytest.raises(BadAmount):
        ledger.grant(client_id=shop.client.pk, credits=credits, reason="r")
    assert (shop.balance, len(chain(shop.client))) == (100, 1)


def test_the_largest_amount_is_granted(db, shop: Shop):
    ledger.grant(client_id=shop.client.pk, credits=MAX_AMOUNT, reason="r")
    assert shop.balance == 100 + MAX_AMOUNT


@pytest.mark.parametrize("client_id", [0, -1, 10**9, 10**18, 10**30])
def test_an_unknown_client_is_granted_nothing(db, client_id: int):
    with pytest.raises(UnknownClient):
        ledger.grant(client_id=client_id, credits=1, reason="r")
    assert not LedgerEntry.objects.filter(reason="r").exists()


@pytest.mark.parametrize(("reason", "error"), [("", ReasonRequired), (" \n", ReasonRequired), ("x" * 501, BadText)])
def test_a_grant_needs_a_reason_that_fits(db, shop: Shop, reason: str, error: type[BillingError]):
    with pytest.raises(error):
        ledger.grant(client_id=shop.client.pk, credits=1, reason=reason)
    assert shop.balance == 100


def test_texts_as_long_as_their_columns_are_kept_whole(db, shop: Shop):
    entry = ledger.grant(client_id=shop.client.pk, credits=1, reason="ä" * 500, reference="ö" * 200, actor="ü" * 150)
    assert (entry.reason, entry.reference, entry.actor) == ("ä" * 500, "ö" * 200, "ü" * 150)


@pytest.mark.parametrize(
    "texts",
    [
        {"reference": "x" * 201},
        {"actor": "x" * 151},
        {"reason": "a\x00b"},
        {"reference": "a\x00b"},
        {"actor": "a\x00b"},
        {"reason": "\ud800"},
    ],
    ids=["long reference", "long actor", "NUL in reason", "NUL in reference", "NUL in actor", "lone surrogate"],
)
def test_texts_that_no_entry_can_hold_are_refused_in_words(db, shop: Shop, texts: dict[str, str]):
    with pytest.raises(BillingError) as caught:
        ledger.grant(**{"client_id": shop.client.pk, "credits": 1, "reason": "r", **texts})
    assert caught.value.code != "error"
    assert shop.balance == 100
    assert len(chain(shop.client)) == 1


@pytest.mark.parametrize("credits", [7, -7, -100])
def test_an_adjustment_moves_the_balance_either_way_and_says_who_why_and_what_for(db, shop: Shop, credits: int):
    entry = ledger.adjust(client_id=shop.client.pk, credits=credits, reason="twice", reference="T-1", actor="ann")
    assert (entry.kind, entry.amount, entry.balance_after, entry.seq) == ("ADJUSTMENT", credits, 100 + credits, 2)
    assert (entry.reason, entry.reference, entry.actor) == ("twice", "T-1", "ann")
    assert shop.balance == 100 + credits
    books_are_right(shop.client)


def test_an_adjustment_never_takes_more_than_there_is(db, shop: Shop):
    with pytest.raises(BalanceTooLow, match="101 credits cannot be taken off a balance of 100"):
        ledger.adjust(client_id=shop.client.pk, credits=-101, reason="r")
    assert (shop.balance, len(chain(shop.client))) == (100, 1)


@pytest.mark.parametrize("credits", [0, MAX_AMOUNT + 1, -MAX_AMOUNT - 1, 10**30, -(10**30)])
def test_amounts_that_no_balance_is_adjusted_by_are_refused(db, shop: Shop, credits: int):
    with pytest.raises(BadAdjustment):
        ledger.adjust(client_id=shop.client.pk, credits=credits, reason="r")
    assert (shop.balance, len(chain(shop.client))) == (100, 1)


@pytest.mark.parametrize("credits", [1, -1])
def test_an_adjustment_needs_a_client_and_a_reason(db, shop: Shop, credits: int):
    with pytest.raises(UnknownClient):
        ledger.adjust(client_id=10**9, credits=credits, reason="r", reference="T-1")
    with pytest.raises(ReasonRequired):
        ledger.adjust(client_id=shop.client.pk, credits=credits, reason=" ")
    assert (shop.balance, LedgerEntry.objects.count()) == (100, 1)


def test_the_same_reference_adjusts_once_even_where_no_second_time_would_fit(db, shop: Shop):
    first = ledger.adjust(client_id=shop.client.pk, credits=-60, reason="counted twice", reference="T-1")
    again = ledger.adjust(client_id=shop.client.pk, credits=-60, reason="told twice", reference="T-1")
    assert again == first
    for credits in (-61, -30, 60):
        with pytest.raises(ReferenceTaken, match="T-1 already stands for an adjustment of -60 credits"):
            ledger.adjust(client_id=shop.client.pk, credits=credits, reason="r", reference="T-1")
    assert (shop.balance, len(chain(shop.client))) == (40, 2)


def test_a_grant_and_an_adjustment_may_have_one_reference(db, shop: Shop):
    ledger.grant(client_id=shop.client.pk, credits=5, reason="r", reference="T-1")
    ledger.adjust(client_id=shop.client.pk, credits=5, reason="r", reference="T-1")
    assert shop.balance == 110


@pytest.mark.parametrize("credits", [-60, 60])
def test_eight_threads_with_one_reference_adjust_once(own_database, shop: Shop, credits: int):
    entries = together(
        *[lambda: ledger.adjust(client_id=shop.client.pk, credits=credits, reason="r", reference="T-1")] * 8
    )
    assert {type(entry) for entry in entries} == {LedgerEntry}, entries
    assert len({entry.pk for entry in entries}) == 1
    assert shop.balance == 100 + credits
    books_are_right(shop.client)


def test_of_adjustments_at_once_only_those_that_the_balance_bears_are_made(own_database, shop: Shop):
    results = together(*[lambda: ledger.adjust(client_id=shop.client.pk, credits=-60, reason="r")] * 6)
    kinds = Counter(type(result) for result in results)
    assert kinds == {LedgerEntry: 1, BalanceTooLow: 5}
    assert {str(result) for result in results if isinstance(result, BalanceTooLow)} == {
        "60 credits cannot be taken off a balance of 40: it never goes below zero."
    }
    assert shop.balance == 40
    books_are_right(shop.client)


def test_a_charge_takes_credits_and_counts_the_job_as_open(db, shop: Shop):
    assert charge(shop.client, 30, "job-1") == 70
    shop.client.refresh_from_db()
    assert (shop.client.balance, shop.client.open_jobs, shop.client.ledger_seq) == (70, 1, 2)
    entry = shop.client.ledger_entries.get(kind="CHARGE")
    assert (entry.amount, entry.balance_after, entry.reference) == (-30, 70, "job-1")


def test_what_is_free_is_charged_with_an_entry_of_zero(db, shop: Shop):
    charge(shop.client, 0)
    assert chain(shop.client)[-1] == (2, "CHARGE", 0, 100)


def test_the_whole_balance_can_be_spent_and_not_one_credit_more(db, shop: Shop):
    charge(shop.client, 100)
    with pytest.raises(InsufficientCredits, match="costs 1 credits and the balance is 0"):
        charge(shop.client, 1)
    charge(shop.client, 0)
    assert chain(shop.client)[1:] == [(2, "CHARGE", -100, 0), (3, "CHARGE", 0, 0)]


def test_a_refused_charge_moves_nothing(db, shop: Shop):
    Client.objects.filter(pk=shop.client.pk).update(max_open_jobs=1)
    charge(shop.client, 1)
    before = Client.objects.filter(pk=shop.client.pk).values().get()
    with pytest.raises(TooManyOpenJobs):
        charge(shop.client, 1)
    with pytest.raises(InsufficientCredits):
        charge(shop.client, 1000)
    assert Client.objects.filter(pk=shop.client.pk).values().get() == before
    assert len(chain(shop.client)) == 2


def test_a_suspended_client_is_not_charged(db, shop: Shop):
    sql("UPDATE billing_client SET suspended_at = now() WHERE id = %s", shop.client.pk)
    with pytest.raises(ClientSuspended):
        charge(shop.client, 1)
    assert shop.balance == 100


def test_a_refund_gives_back_and_closes_the_job_only_where_asked(db, shop: Shop):
    for reference, closes_job, open_jobs in (("a", True, 0), ("b", False, 1)):
        charge(shop.client, 10, reference)
        ledger.refund(
            client_id=shop.client.pk,
            credits=10,
            entry_id=new_ulid(),
            reference=reference,
            reason="failed",
            closes_job=closes_job,
        )
        shop.client.refresh_from_db()
        assert (shop.client.balance, shop.client.open_jobs) == (100, open_jobs)
    assert [kind for _, kind, _, _ in chain(shop.client)] == ["GRANT", "CHARGE", "REFUND", "CHARGE", "REFUND"]


def test_a_suspended_client_still_gets_its_refund(db, shop: Shop):
    charge(shop.client, 10, "a")
    sql("UPDATE billing_client SET suspended_at = now(), max_open_jobs = 0 WHERE id = %s", shop.client.pk)
    ledger.refund(
        client_id=shop.client.pk, credits=10, entry_id=new_ulid(), reference="a", reason="failed", closes_job=True
    )
    assert shop.balance == 100


def test_twenty_threads_with_credit_for_ten_charge_exactly_ten(own_database):
    shop = Shop.make(credits=30)
    results = together(*[lambda: charge(shop.client, 3)] * 20)
    kinds = Counter(type(result) for result in results)
    assert kinds == {int: 10, InsufficientCredits: 10}
    assert sorted(result for result in results if isinstance(result, int)) == list(range(0, 30, 3))
    shop.client.refresh_from_db()
    assert (shop.client.balance, shop.client.open_jobs, shop.client.ledger_seq) == (0, 10, 11)
    assert chain(shop.client) == [(1, "GRANT", 30, 30)] + [(n + 1, "CHARGE", -3, 30 - 3 * n) for n in range(1, 11)]


def test_threads_share_the_last_places_for_open_jobs(own_database, shop: Shop):
    Client.objects.filter(pk=shop.client.pk).update(max_open_jobs=4)
    kinds = Counter(type(result) for result in together(*[lambda: charge(shop.client, 1)] * 12))
    assert kinds == {int: 4, TooManyOpenJobs: 8}
    assert shop.balance == 96


def test_grants_charges_and_refunds_at_once_leave_a_chain_without_a_gap(own_database):
    shop = Shop.make(credits=5)

    def spend(seed: int) -> int:
        random_ = random.Random(seed)
        spent = 0
        for _ in range(15):
            credits = random_.randint(0, 4)
            reference = new_ulid()
            try:
                charge(shop.client, credits, reference)
            except InsufficientCredits:
                ledger.grant(client_id=shop.client.pk, credits=2, reason="more")
                continue
            if random_.random() < 0.5:
                ledger.refund(
                    client_id=shop.client.pk,
                    credits=credits,
                    entry_id=new_ulid(),
                    reference=reference,
                    reason="failed",
                    closes_job=True,
                )
            spent += 1
        return spent

    results = together(*[lambda seed=seed: spend(seed) for seed in range(6)])
    assert all(isinstance(result, int) for result in results), results
    links = chain(shop.client)
    assert [seq for seq, *_ in links] == list(range(1, len(links) + 1))
    assert all(after == links[i - 1][3] + amount >= 0 for i, (_, _, amount, after) in enumerate(links) if i)
    shop.client.refresh_from_db()
    assert (shop.client.balance, shop.client.ledger_seq) == (links[-1][3], len(links))
    closed = sum(kind == "REFUND" for _, kind, _, _ in links)
    assert shop.client.open_jobs == sum(kind == "CHARGE" for _, kind, _, _ in links) - closed
