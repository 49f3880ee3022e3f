"""Requests that the document allows, and ones that it forbids, by the hundred: Schemathesis on a live server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from billing.models import Client
from requestlog.models import RequestLog
from studio_gateway.api.documentation import CODES
from tests import databases
from tests.conftest import Shop
from tests.gateway import ROOT, Gateway
from tests.helpers import books_are_right
from tests.webhooks import endpoint as webhook


@pytest.fixture
def web(own_database: str, tmp_path: Path) -> Iterator[Gateway]:
    """A web process alone: no worker renders what is ordered here."""
    gateway = Gateway(databases.url(own_database), tmp_path / "gateway")
    gateway.start("web")
    yield gateway
    gateway.stop()


def rich(name: str) -> Shop:
    """A client who can afford, and may have open, whatever is ordered here."""
    shop = Shop.make(credits=1_000_000, name=name)
    Client.objects.filter(pk=shop.client.pk).update(max_open_jobs=100_000)
    return shop


@pytest.mark.slow
def test_it_finds_nothing(web: Gateway, tmp_path: Path):
    shops = {name: rich(name) for name in ("one", "other")}
    keys = {name: {"name": "Authorization", "value": f"Bearer {shop.key}"} for name, shop in shops.items()}
    clients = tmp_path / "clients.json"
    clients.write_text(json.dumps({"auth": [{"name": name, "fixedHeaders": [key]} for name, key in keys.items()]}))
    config = ROOT / "tests" / "contract" / "schemathesis.toml"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", config, "run", f"{web.url}/openapi.json"]
    endpoint, _ = webhook(web, shops["one"], "https://hooks.example")
    sent = web.call("POST", f"/v1/webhook-endpoints/{endpoint.pk}/test", {}, key=shops["one"].key).json["delivery_id"]
    env = {**os.environ, "CLIENTS": str(clients), "DELIVERY": sent, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    # It came through to where orders are made, and was answered in every way that it can provoke.
    for path in ("/v1/background-generator", "/v1/extract"):
        statuses = set(RequestLog.objects.filter(path=path).values_list("status", flat=True))
        assert statuses == {200, 202, 401, 405, 415, 422}
    refusals = RequestLog.objects.exclude(code="").exclude(status=422)
    assert set(refusals.values_list("code", flat=True)) <= CODES.keys()
    for shop in shops.values():
        books_are_right(shop.client)
