"""What follows when an engine, its provider or its worker fails for technical reasons, by real workers."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.conftest import Shop
from tests.faults.cluster import PlantJob
from tests.gateway import Gateway


class Provider(ThreadingHTTPServer):
    """Answers with the statuses it is given, in turn, and keeps the idempotency keys that it saw."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.statuses, self.keys = list(statuses), []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Answers(BaseHTTPRequestHandler):
    server: Provider

    def do_POST(self) -> None:
        self.server.keys.append(self.headers["Idempotency-Key"])
        self.send_response(self.server.statuses.pop(0))
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider(503, 200)
    threading.Thread(target=server.serve_forever).start()
    yield server
    server.shutdown()
    server.server_close()


def failing(plant: Gateway, shop: Shop, engine: str, policy: str, **metadata: object) -> PlantJob:
    return PlantJob(plant, shop, engine, spec={"on_technical_failure": policy, "resolution": "64x64"}, **metadata)


def test_a_provider_is_asked_again_with_the_same_idempotency_key(plant: Gateway, shop: Shop, provider: Provider):
    job = failing(plant, shop, "provider", "retry", url=provider.url)
    job.succeeded(attempt=2)
    assert provider.keys == [job.id, job.id]
    assert job.kinds == ["started", "waiting", "started", "succeeded"]
    assert "503" in job.row.events.get(kind="waiting").detail


def test_fail_asks_a_provider_once(plant: Gateway, shop: Shop, provider: Provider):
    job = failing(plant, shop, "provider", "fail", url=provider.url)
    job.failed("provider_failed")
    assert provider.keys == [job.id]


@pytest.mark.parametrize("engine", ["technical", "kills"])
def test_fallback_has_the_built_in_engine_make_the_images(plant: Gateway, shop: Shop, engine: str):
    job = failing(plant, shop, engine, "fallback")
    job.succeeded(attempt=2)
    assert len(job.pids) == 1
    seen = plant.call("GET", f"/v1/jobs/{job.id}", key=shop.key).json
    assert (seen["engine"], seen["fell_back"], seen["summary"]["engine"]) == ("built-in", True, "built-in")
    assert seen["outputs"][0]["width"] == 64
    assert seen["credits_charged"] == seen["credits_cost"] == 100 - shop.balance
