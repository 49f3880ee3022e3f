"""A Shopify app as it is to the gateway: its signatures are made by openssl, and by no code of ours."""

import json
import shutil
import subprocess
from functools import cache
from typing import Any

import pytest

from billing import shopify
from tests.conftest import Shop
from tests.helpers import SPEC, post

BODY = json.dumps(SPEC).encode()
DOMAIN = "hats.myshopify.com"
SECRET = "shpss_0123456789abcdef0123456789abcdef"
NEWER = "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"

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl on this machine")


@cache
def signature(secret: str, body: bytes) -> str:
    mac = ["openssl", "dgst", "-sha256", "-hmac", secret, "-binary"]
    digest = subprocess.run(mac, input=body, capture_output=True, check=True).stdout
    return subprocess.run(["openssl", "base64", "-A"], input=digest, capture_output=True, check=True).stdout.decode()


def signed(body: bytes, *, secret: str = SECRET, domain: str = DOMAIN) -> dict[str, str]:
    """The headers that Shopify sends with `body`, as Django's test client takes them."""
    return {"HTTP_X_SHOPIFY_HMAC_SHA256": signature(secret, body), "HTTP_X_SHOPIFY_SHOP_DOMAIN": domain}


def order(
    body: bytes = BODY,
    *,
    secret: str = SECRET,
    domain: str = DOMAIN,
    path: str = "/v1/background-generator",
    **headers: str,
) -> Any:
    """POST an order by signature alone."""
    return post(None, path, body, **signed(body, secret=secret, domain=domain), **headers)


def install(shop: Shop, *domains: str, secret: str = SECRET) -> None:
    """Give a client an app, and the shops that have it installed."""
    shopify.set_secret(client_id=shop.client.pk, secret=secret)
    for domain in domains or (DOMAIN,):
        shopify.add_shop(client_id=shop.client.pk, domain=domain)
