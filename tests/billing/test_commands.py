"""The commands for clients, keys and Shopify secrets: what they print, what they exit with, what they leave."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.core.management import load_command_class

from billing.keys import create_key
from billing.models import ApiKey, Client, LedgerEntry, ShopDomain, ShopifySecret
from tests.conftest import Shop
from tests.gateway import Gateway
from tests.helpers import SPEC, books_are_right, get, post
from tests.shopify import BODY, DOMAIN, NEWER, SECRET, install, needs_openssl, order, signature

JOB = "/v1/jobs/" + "0" * 26


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        assert (self.code, self.err) == (0, "")
        return json.loads(self.out)


Manage = Callable[..., Ended]


@pytest.fixture
def manage(own_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Manage:
    """Run a command as `manage.py` does, but in this process; it closes the database's connections behind it."""

    def run(*args: str, stdin: str = "") -> Ended:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        try:
            load_command_class("billing", args[0]).run_from_argv(["manage.py", *args])
        except SystemExit as end:
            return Ended(int(end.code or 0), *capsys.readouterr())
        return Ended(0, *capsys.readouterr())

    return run


def rows() -> list[list[dict]]:
    """All that these commands may write."""
    models = (Client, ApiKey, ShopifySecret, ShopDomain, LedgerEntry)
    return [list(model.objects.order_by("pk").values()) for model in models]


def refused(ended: Ended, code: int, says: str = "") -> None:
    assert (ended.code, ended.out) == (code, "")
    assert says in ended.err
    assert "Traceback" not in ended.err
    assert SECRET not in ended.err


# create_client


def test_a_client_is_made_with_its_shops_and_a_secret_for_their_app(manage: Manage):
    made = manage("create_client", "Cap & Co", "--credits", "7", "--shop-domain", DOMAIN.upper(), "--shop-domain",
                  "second.myshopify.com", "--shop-domain", DOMAIN, "--json").json  # fmt: skip
    assert set(made) == {"client_id", "name", "balance", "api_key", "shopify_secret"}
    client = Client.objects.get()
    assert (made["client_id"], made["name"], made["balance"]) == (client.pk, "Cap & Co", 7)
    assert made["api_key"].startswith(client.api_keys.get().prefix)
    assert set(client.shop_domains.values_list("domain", flat=True)) == {DOMAIN, "second.myshopify.com"}
    assert len(made["shopify_secret"]) >= 32
    assert client.shopify_secrets.count() == 1
    books_are_right(client)


@needs_openssl
@pytest.mark.parametrize("stdin", [None, SECRET, f"  {SECRET}\n"])
def test_what_is_printed_is_what_the_app_signs_with(manage: Manage, stdin: str | None):
    options = [] if stdin is None else ["--shopify-secret-stdin"]
    ended = manage(
        "create_client", "x", "--credits", "5", "--shop-domain", DOMAIN, *options, "--json", stdin=stdin or ""
    )
    secret = ended.json["shopify_secret"]
    assert secret == (SECRET if stdin else secret)
    assert order(secret=secret).status_code == 202
    assert get(Shop(Client.objects.get(), ended.json["api_key"]), JOB).status_code == 404


def test_secrets_are_made_for_one_client_each(manage: Manage):
    secrets = [manage("create_client", "x", "--shop-domain", f"{n}.example", "--json").json for n in range(3)]
    assert len({made["shopify_secret"] for made in secrets}) == len({made["api_key"] for made in secrets}) == 3


def test_without_a_shop_there_is_no_secret_unless_one_is_given(manage: Manage):
    assert "shopify_secret" not in manage("create_client", "x", "--json").json
    assert not ShopifySecret.objects.exists()
    made = manage("create_client", "x", "--shopify-secret-stdin", "--json", stdin=SECRET).json
    assert made["shopify_secret"] == SECRET
    assert ShopifySecret.objects.get().client_id == made["client_id"]


def test_for_people_it_prints_a_line_each_and_that_secrets_are_not_shown_again(manage: Manage):
    ended = manage("create_client", "Cap & Co", "--shop-domain", DOMAIN)
    assert (ended.code, ended.err) == (0, "")
    lines = [line.split(maxsplit=1) for line in ended.out.splitlines()]
    assert [line[0] for line in lines[:-1]] == ["client_id", "name", "balance", "api_key", "shopify_secret"]
    assert lines[1][1] == "Cap & Co"
    assert "not shown again" in ended.out


def test_a_client_may_begin_with_nothing(manage: Manage):
    made = manage("create_client", "x", "--credits", "0", "--json").json
    assert made["balance"] == 0
    assert not LedgerEntry.objects.filter(client_id=made["client_id"]).exists()


def test_a_client_that_cannot_be_made_in_full_is_not_made_at_all(manage: Manage):
    shop = Shop.make()
    install(shop)
    before = rows()
    fresh = ["--shop-domain", "fresh.example"]
    for options, stdin, says in (
        (["x", *fresh, "--shop-domain", DOMAIN], "", DOMAIN),
        (["x", *fresh, "--shop-domain", "no domain"], "", "no domain"),
        (["x", *fresh, "--shopify-secret-stdin"], SECRET, "Another client"),
        (["x", *fresh, "--shopify-secret-stdin"], "", "from 1 to 200"),
        (["x", *fresh, "--shopify-secret-stdin"], "with spaces", "without spaces"),
        (["x", *fresh, "--credits", "1000000001"], "", "1000000001"),
        ([" ", *fresh], "", "name"),
        (["\udcff", *fresh], "", "name"),
    ):
        refused(manage("create_client", *options, "--json", stdin=stdin), 1, says)
    assert rows() == before


@pytest.mark.parametrize(
    "args",
    [
        ["create_client"],
        ["create_client", "x", "y"],
        ["create_client", "x", "--credits", "-1"],
        ["create_client", "x", "--credits", "1.5"],
        ["create_client", "x", "--credits", "9" * 5000],
        ["create_client", "x", "--credits"],
        ["create_client", "x", "--unheard-of"],
        ["create_api_key"],
        ["create_api_key", "x"],
        ["create_api_key", "0"],
        ["create_api_key", "1", "--unheard-of"],
        ["revoke_api_key"],
        ["set_shopify_secret"],
        ["set_shopify_secret", "-1"],
        ["set_shopify_secret", "1", SECRET],
        ["suspend_client"],
        ["suspend_client", "x"],
        ["suspend_client", "1" * 19],
    ],
    ids=lambda args: " ".join(args)[:40],
)
def test_bad_use_exits_2_before_anything_is_done(capsys: pytest.CaptureFixture[str], args: list[str]):
    # Without a database: nothing may ask for one.
    with pytest.raises(SystemExit) as end:
        load_command_class("billing", args[0]).run_from_argv(["manage.py", *args])
    assert end.value.code == 2
    said = capsys.readouterr()
    assert (said.out, said.err.partition(":")[0]) == ("", "usage")


# create_api_key


@pytest.mark.parametrize("options", [[], ["--test"]])
def test_a_key_is_made_and_works_beside_the_first(manage: Manage, options: list[str]):
    shop = Shop.make()
    made = manage("create_api_key", str(shop.client.pk), *options, "--json").json
    assert set(made) == {"client_id", "prefix", "api_key"}
    assert made["client_id"] == shop.client.pk
    assert made["api_key"].startswith("sk_test_") == bool(options)
    assert made["api_key"].startswith(made["prefix"])
    assert len(made["prefix"]) < 20 < len(made["api_key"])
    assert shop.client.api_keys.filter(prefix=made["prefix"]).exists()
    for key in (made["api_key"], shop.key):
        assert get(Shop(shop.client, key), JOB).status_code == 404
    ended = manage("create_api_key", str(shop.client.pk), *options)
    assert (ended.code, ended.err) == (0, "")
    assert get(Shop(shop.client, ended.out.split()[0]), JOB).status_code == 404
    assert "not shown again" in ended.out


def test_a_key_for_nobody_is_refused(manage: Manage):
    for nobody in ("999", "9" * 18):
        refused(manage("create_api_key", nobody), 1, "no client 999")
    assert not ApiKey.objects.exists()


# revoke_api_key


def is_good(shop: Shop, key: str) -> bool:
    return get(Shop(shop.client, key), JOB).status_code == 404


@pytest.mark.parametrize("test", [False, True])
@pytest.mark.parametrize("spelled", ["as shown", "as the admin shows it", "whole", "in part"])
def test_a_key_is_revoked_by_what_is_shown_of_it_or_by_more(manage: Manage, test: bool, spelled: str):
    shop = Shop.make()
    key, secret = create_key(client=shop.client, test=test)
    forms = {"as shown": key.prefix, "as the admin shows it": str(key), "whole": secret, "in part": secret[:30]}
    ended = manage("revoke_api_key", forms[spelled])
    assert (ended.code, ended.err) == (0, "")
    assert key.prefix in ended.out
    assert secret[:20] not in ended.out
    assert (is_good(shop, secret), is_good(shop, shop.key)) == (False, True)


def test_a_key_that_is_revoked_again_keeps_its_date(manage: Manage):
    shop = Shop.make()
    for _ in range(2):
        assert manage("revoke_api_key", shop.key[:11]).code == 0
        ApiKey.objects.update(revoked_at="2020-01-01T00:00Z")
    assert manage("revoke_api_key", shop.key[:11]).code == 0
    assert ApiKey.objects.get().revoked_at.year == 2020


def test_a_prefix_of_none_revokes_nothing_and_is_not_echoed_beyond_what_is_ever_shown(manage: Manage):
    shop = Shop.make()
    _, test_key = create_key(client=shop.client, test=True)
    for wrong in ("sk_", "sk_test_", shop.key[:10], shop.key[3:], test_key[:15], "sk_" + "x" * 40, "", "%", "\udcff",
                  shop.key.swapcase(), f"Bearer {shop.key}"):  # fmt: skip
        ended = manage("revoke_api_key", wrong)
        refused(ended, 1, "no API key")
        assert len(wrong) < 17 or wrong[:17] not in ended.err
        assert shop.key not in ended.err
    assert not ApiKey.objects.exclude(revoked_at=None).exists()


def test_of_two_keys_that_begin_alike_neither_is_revoked_until_one_is_given_whole(manage: Manage):
    shop = Shop.make()
    _, secret = create_key(client=shop.client)
    shared = shop.key[:11]
    ApiKey.objects.update(prefix=shared)
    refused(manage("revoke_api_key", shared), 1, "2 API keys begin with")
    assert is_good(shop, shop.key) and is_good(shop, secret)
    ended = manage("revoke_api_key", shop.key)
    assert (ended.code, shop.key in ended.out + ended.err) == (0, False)
    assert (is_good(shop, shop.key), is_good(shop, secret)) == (False, True)


# set_shopify_secret


@needs_openssl
def test_a_secret_is_rotated_and_the_one_before_it_retired(manage: Manage):
    shop = Shop.make()
    install(shop)
    made = manage("set_shopify_secret", str(shop.client.pk), "--json", stdin=f"{NEWER}\n").json
    assert made == {"client_id": shop.client.pk, "shopify_secret": NEWER}
    assert [order(secret=secret).status_code for secret in (SECRET, NEWER)] == [202, 202]
    assert manage("set_shopify_secret", str(shop.client.pk), "--retire-previous", stdin=NEWER).code == 0
    assert [order(secret=secret).status_code for secret in (SECRET, NEWER)] == [401, 202]


@needs_openssl
def test_a_secret_is_made_where_none_is_given_and_shops_are_added(manage: Manage):
    shop = Shop.make()
    ended = manage("set_shopify_secret", str(shop.client.pk), "--shop-domain", DOMAIN, "--shop-domain", "b.example")
    assert (ended.code, ended.err) == (0, "")
    assert "not shown again" in ended.out
    secret = ended.out.split()[1]
    assert [order(secret=secret, domain=domain).status_code for domain in (DOMAIN, "b.example")] == [202, 202]
    again = manage("set_shopify_secret", str(shop.client.pk), "--json").json["shopify_secret"]
    assert again != secret


def test_a_secret_that_cannot_be_set_with_all_its_shops_is_not_set(manage: Manage):
    install(Shop.make())
    shop = Shop.make()
    before = rows()
    for options, stdin, says in (
        (["--shop-domain", "fresh.example", "--shop-domain", DOMAIN], NEWER, DOMAIN),
        (["--shop-domain", "fresh.example", "--shop-domain", "x"], NEWER, "'x'"),
        ([], SECRET, "Another client"),
        ([], "x" * 201, "from 1 to 200"),
    ):
        refused(manage("set_shopify_secret", str(shop.client.pk), *options, stdin=stdin), 1, says)
    refused(manage("set_shopify_secret", "999", stdin=NEWER), 1, "no client 999")
    assert rows() == before


# suspend_client


def test_a_client_is_suspended_once_and_no_other(manage: Manage):
    shop, other = Shop.make(), Shop.make()
    ended = manage("suspend_client", str(shop.client.pk))
    assert (ended.code, ended.err) == (0, "")
    assert shop.client.name in ended.out
    assert post(shop, "/v1/background-generator", SPEC).status_code == 403
    assert post(other, "/v1/background-generator", SPEC).status_code == 202
    Client.objects.filter(pk=shop.client.pk).update(suspended_at="2020-01-01T00:00Z")
    assert manage("suspend_client", f"{shop.client.pk:018}").code == 0
    shop.client.refresh_from_db()
    assert shop.client.suspended_at.year == 2020
    refused(manage("suspend_client", "999"), 1, "no client 999")
    assert Client.objects.exclude(suspended_at=None).count() == 1


# As an operator runs them


@needs_openssl
def test_what_operators_do_holds_from_the_next_request_on(gateway: Gateway):
    ended = gateway.manage(
        "create_client", "Cap & Co", "--credits", "9", "--shop-domain", DOMAIN, "--shopify-secret-stdin", "--json",
        input=SECRET,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    made = json.loads(ended.stdout)
    headers = {"X-Shopify-Hmac-Sha256": signature(SECRET, BODY), "X-Shopify-Shop-Domain": DOMAIN}
    assert gateway.call("POST", "/v1/background-generator", BODY, headers=headers).status == 202
    assert gateway.call("GET", JOB, key=made["api_key"]).status == 404
    ended = gateway.manage("revoke_api_key", made["api_key"][:11])
    assert (ended.returncode, ended.stderr) == (0, "")
    assert gateway.call("GET", JOB, key=made["api_key"]).json["code"] == "invalid_api_key"
    ended = gateway.manage("suspend_client", str(made["client_id"]))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert gateway.call("POST", "/v1/background-generator", BODY, headers=headers).json["code"] == "client_suspended"
