"""The secrets of Shopify apps: set, rotated, kept."""

import base64
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from billing import shopify
from billing.errors import BadShopDomain, BadShopifySecret, ShopifySecretTaken, ShopTaken, UnknownClient
from billing.models import ShopDomain, ShopifySecret
from requestlog.models import RequestLog
from tests.conftest import Shop
from tests.console import signed_in
from tests.helpers import SPEC, post, refused, sql
from tests.shopify import BODY, DOMAIN, NEWER, SECRET, install, needs_openssl, order, signed
from workflows.models import Job

pytestmark = needs_openssl

OLD_KEY, NEW_KEY = "an old key of thirty-two characters", "a new key of thirty-two characters"
Restart = Callable[..., None]


@pytest.fixture
def restart(settings: Any) -> Iterator[Restart]:
    """Go on under other encryption keys, as a process does that was started with them."""

    def under(*keys: str) -> None:
        settings.FIELD_ENCRYPTION_KEYS = list(keys)
        shopify._nobodys_secret.cache_clear()

    yield under
    shopify._nobodys_secret.cache_clear()


BACKGROUND, EXTRACT = "/v1/background-generator", "/v1/extract"

# Secrets and shops


def holds(secret: str, *, seed: int, domain: str = DOMAIN) -> bool:
    body = json.dumps({**SPEC, "seed": seed}).encode()
    return order(body, secret=secret, domain=domain).status_code == 202


def test_during_a_rotation_the_old_and_the_new_secret_hold_and_a_third_one_ends_the_first(db, shop: Shop):
    third = "shpss_third_third_third"
    install(shop)
    shopify.set_secret(client_id=shop.client.pk, secret=NEWER)
    assert [holds(secret, seed=1) for secret in (SECRET, NEWER, third)] == [True, True, False]
    shopify.set_secret(client_id=shop.client.pk, secret=third)
    assert [holds(secret, seed=2) for secret in (SECRET, NEWER, third)] == [False, True, True]
    assert shop.client.shopify_secrets.count() == 2


def test_the_old_secret_can_be_retired_at_once_and_later(db, shop: Shop):
    install(shop)
    shopify.set_secret(client_id=shop.client.pk, secret=NEWER, retire_previous=True)
    assert [holds(secret, seed=1) for secret in (SECRET, NEWER)] == [False, True]
    shopify.set_secret(client_id=shop.client.pk, secret=SECRET)
    assert [holds(secret, seed=2) for secret in (SECRET, NEWER)] == [True, True]
    shopify.set_secret(client_id=shop.client.pk, secret=SECRET, retire_previous=True)
    assert [holds(secret, seed=3) for secret in (SECRET, NEWER)] == [True, False]


def test_a_rotation_can_be_taken_back_and_a_secret_set_again(db, shop: Shop):
    install(shop)
    for secret in (NEWER, SECRET, SECRET):
        shopify.set_secret(client_id=shop.client.pk, secret=secret)
        assert [holds(s, seed=1) for s in (SECRET, NEWER)] == [True, True]
    assert shop.client.shopify_secrets.count() == 2


def test_a_secret_belongs_to_one_client(db, shop: Shop):
    install(shop)
    shopify.set_secret(client_id=shop.client.pk, secret=NEWER)
    other = Shop.make()
    install(other, "other.myshopify.com", secret="shpss_of_the_other_client")
    before = list(ShopifySecret.objects.order_by("pk").values())
    for secret in (SECRET, NEWER):
        with pytest.raises(ShopifySecretTaken):
            shopify.set_secret(client_id=other.client.pk, secret=secret)
    assert list(ShopifySecret.objects.order_by("pk").values()) == before
    assert holds("shpss_of_the_other_client", seed=1, domain="other.myshopify.com")


def test_a_shop_belongs_to_one_client(db, shop: Shop):
    install(shop)
    other = Shop.make()
    for domain in (DOMAIN, DOMAIN.upper()):
        with pytest.raises(ShopTaken):
            shopify.add_shop(client_id=other.client.pk, domain=domain)
    shopify.add_shop(client_id=shop.client.pk, domain=DOMAIN)
    assert ShopDomain.objects.get().client == shop.client


def test_what_is_no_secret_no_shop_or_no_client_is_refused(db, shop: Shop):
    for secret in ("", "x" * 201, "shpss with a space in it", "shpss_é_outside_ascii", "x" * 20 + "\n"):
        with pytest.raises(BadShopifySecret):
            shopify.set_secret(client_id=shop.client.pk, secret=secret)
    for domain in ("", "shop", "https://a.example", "a.example/", "a..example", "-a.example", "a b.example",
                   "à.example", "a.example\x00", f"{'a' * 64}.example", ".".join(["a" * 60] * 5)):  # fmt: skip
        with pytest.raises(BadShopDomain):
            shopify.add_shop(client_id=shop.client.pk, domain=domain)
    with pytest.raises(UnknownClient):
        shopify.set_secret(client_id=10**9, secret=SECRET)
    with pytest.raises(UnknownClient):
        shopify.add_shop(client_id=10**9, domain=DOMAIN)
    assert not ShopifySecret.objects.exists()
    assert not ShopDomain.objects.exists()


# At rest


def test_a_secret_is_nowhere_to_be_read(db, shop: Shop, restart: Restart, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    install(shop)
    shopify.set_secret(client_id=shop.client.pk, secret=NEWER)
    with pytest.raises(ShopifySecretTaken):
        install(Shop.make())
    sent = {header for secret in (SECRET, NEWER) for header in signed(BODY, secret=secret).values()} - {DOMAIN}
    assert order().status_code == 202
    assert order(secret=NEWER).status_code == 202
    assert order(b"{}").status_code == 422
    assert post(shop, "/v1/nowhere", SPEC, **signed(BODY)).status_code == 404
    restart(NEW_KEY)
    assert order().status_code == 401
    browser, told = signed_in(), caplog.text
    pages = [f"billing/client/{shop.client.pk}", f"workflows/job/{Job.objects.get().pk}"]
    pages += [f"requestlog/requestlog/{log.pk}" for log in RequestLog.objects.all()]
    for page in pages:
        answer = browser.get(f"/admin/{page}/change/")
        assert answer.status_code == 200, page
        told += answer.content.decode()
    for (table,) in sql("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"):
        # A row as text holds every column; bytea appears as hex.
        told += "".join(row for (row,) in sql(f"SELECT t::text FROM {table} t"))
    told += "".join(map(repr, [*ShopifySecret.objects.all(), shop.client]))
    for secret in (SECRET, NEWER):
        for form in (secret, base64.b64encode(secret.encode()).decode(), secret.encode().hex()):
            assert form not in told
    for header in sent:
        assert header not in told


# Encryption keys


def test_encryption_keys_are_rotated_without_a_client_noticing(
    db, shop: Shop, restart: Restart, caplog: pytest.LogCaptureFixture
):
    restart(OLD_KEY)
    install(shop)
    restart(NEW_KEY, OLD_KEY)
    assert holds(SECRET, seed=1)
    assert "FIELD_ENCRYPTION_KEYS" not in caplog.text
    restart(NEW_KEY)
    refused(order(), 401, "invalid_signature")
    assert "FIELD_ENCRYPTION_KEYS" in caplog.text


def test_a_secret_that_is_set_again_is_encrypted_under_the_newest_key(db, shop: Shop, restart: Restart):
    restart(OLD_KEY)
    install(shop)
    shopify.set_secret(client_id=shop.client.pk, secret=NEWER)
    restart(NEW_KEY)
    assert not holds(NEWER, seed=1)
    shopify.set_secret(client_id=shop.client.pk, secret=NEWER)
    assert [holds(secret, seed=1) for secret in (SECRET, NEWER)] == [False, True]
