"""Making a client, by call and by command: a name, one key, perhaps credits to begin with, or nothing at all."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from billing.clients import create_client
from billing.errors import BadAmount, BadName
from billing.models import MAX_AMOUNT, ApiKey, Client, LedgerEntry
from tests.conftest import Shop
from tests.helpers import books_are_right, get


def run(*args: str) -> str:
    out = StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


def test_a_client_begins_with_one_key_and_the_credits_it_was_given(db):
    client, secret = create_client(name="  Café 🧥 ", credits=7, actor="ann")
    assert (client.name, client.balance, client.api_keys.count()) == ("Café 🧥", 7, 1)
    entry = client.ledger_entries.get()
    assert (entry.kind, entry.amount, entry.actor) == ("GRANT", 7, "ann")
    assert get(Shop(client, secret), "/v1/jobs/" + "0" * 26).status_code == 404
    books_are_right(client)


def test_a_client_without_credits_has_no_entry(db):
    client, _ = create_client(name="x" * 200)
    assert (client.balance, client.ledger_seq, client.ledger_entries.count()) == (0, 0, 0)


@pytest.mark.parametrize("name", ["", "  \n", "x" * 201, "a\x00b", "\udcff", "\ud800"], ids=ascii)
def test_a_name_that_cannot_be_kept_makes_no_client(db, name: str):
    with pytest.raises(BadName):
        create_client(name=name)
    assert not Client.objects.exists()


@pytest.mark.parametrize("credits", [-1, MAX_AMOUNT + 1])
def test_credits_that_cannot_be_granted_make_no_client_and_no_key(own_database, credits: int):
    with pytest.raises(BadAmount):
        create_client(name="x", credits=credits)
    assert not Client.objects.exists()
    assert not ApiKey.objects.exists()


def test_the_command_prints_one_object_whose_key_works(db):
    made = json.loads(run("create_client", "Shop", "--credits", "5", "--json"))
    assert set(made) == {"client_id", "name", "balance", "api_key"}
    client = Client.objects.get(pk=made["client_id"])
    assert (made["name"], made["balance"], client.balance) == ("Shop", 5, 5)
    assert get(Shop(client, made["api_key"]), "/v1/jobs/" + "0" * 26).status_code == 404


def test_the_command_grants_once_for_a_reference(db, shop: Shop):
    for _ in range(2):
        said = run("grant_credits", str(shop.client.pk), "5", "--reason", "invoice", "--reference", "INV-1")
        assert "+5 credits, balance 105" in said
    assert shop.balance == 105
    with pytest.raises(CommandError, match="INV-1 already stands for a grant of 5"):
        run("grant_credits", str(shop.client.pk), "6", "--reason", "invoice", "--reference", "INV-1")


@pytest.mark.parametrize(
    "options",
    [
        ["--reason", " "],
        ["--reason", "x" * 501],
        ["--reason", "r", "--reference", "x" * 201],
        ["--reason", "r", "--reference", "\udcff"],
    ],
    ids=lambda options: ascii(options)[:40],
)
def test_the_command_refuses_in_words_what_the_ledger_cannot_hold(db, shop: Shop, options: list[str]):
    with pytest.raises(CommandError, match=r"characters|required"):
        run("grant_credits", str(shop.client.pk), "5", *options)
    assert LedgerEntry.objects.count() == 1


@pytest.mark.parametrize("arguments", [["0", "5"], ["1", "0"], ["1", "-5"], ["1", "5.0"], ["x", "5"], ["1", "٥"]])
def test_the_command_takes_whole_numbers_from_one_on(db, shop: Shop, arguments: list[str]):
    with pytest.raises(CommandError):
        run("grant_credits", *arguments, "--reason", "r")
    assert LedgerEntry.objects.count() == 1


def test_the_command_knows_no_client_that_is_not_there(db):
    with pytest.raises(CommandError, match="no client 999"):
        run("grant_credits", "999", "5", "--reason", "r")
