"""Orders of providers' models, from the POST to the images, through real processes and a stand-in of the providers."""

import contextlib
import io
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psutil
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from billing.keys import create_key
from tests import databases, providers
from tests.conftest import Shop
from tests.gateway import Gateway
from tests.helpers import SPEC, books_are_right
from tests.providers import gemini, gemini_error, openai_error, picture
from tests.webhooks import Receiver
from workflows.models import ImageModel, Workflow

BACKGROUND, EXTRACT = "/v1/background-generator", "/v1/extract"
GEMINI, OPENAI = {**SPEC, "image_model": "gemini-3-pro-image"}, {**SPEC, "image_model": "gpt-image-2"}


@pytest.fixture(scope="module")
def running(
    django_db_setup: None, django_db_blocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, str, Receiver]]:
    with providers.provider() as provider:
        with django_db_blocker.unblock():
            name = databases.fresh()
            folder = tmp_path_factory.mktemp("gateway-with-providers")
            gateway = Gateway(databases.url(name), folder, extra_env=providers.env(provider))
            gateway.start("web", "worker")
        yield gateway, name, provider
        gateway.stop()
        with django_db_blocker.unblock():
            databases.drop(name)


@pytest.fixture
def gateway(running: tuple[Gateway, str, Receiver], django_db_blocker, settings) -> Iterator[Gateway]:
    gateway, name, provider = running
    provider.answer = providers.made
    provider.got.clear()
    with django_db_blocker.unblock(), databases.connected(name):
        storages = {k: dict(v) for k, v in settings.STORAGES.items()}
        storages["default"]["OPTIONS"] = {"location": gateway.data_dir / "storage", "base_url": f"{gateway.url}/files/"}
        settings.STORAGES = storages
        ImageModel.objects.update(shut_down_on=None, enabled=True)
        yield gateway


@pytest.fixture
def provider(running: tuple[Gateway, str, Receiver]) -> Receiver:
    return running[2]


def ordered(gateway: Gateway, shop: Shop, spec: dict[str, Any], path: str = BACKGROUND) -> dict[str, Any]:
    """Order, and return the job once it has ended."""
    accepted = gateway.call("POST", path, spec, key=shop.key)
    assert accepted.status == 202, accepted.body
    return gateway.finished(accepted.json["job_id"], key=shop.key)


def the_image(gateway: Gateway, job: dict[str, Any]) -> Image.Image:
    (output,) = job["outputs"]
    return Image.open(io.BytesIO(gateway.call("GET", output["url"]).body))


@pytest.mark.parametrize(("spec", "credits", "seed"), [(GEMINI, 15, 7), (OPENAI, 8, None)])
def test_a_background_is_made_by_the_model_that_was_ordered_and_charged_at_its_price(
    gateway: Gateway, shop: Shop, provider: Receiver, spec: dict[str, Any], credits: int, seed: int | None
):
    job = ordered(gateway, shop, {**spec, "seed": 7, "aspect_ratio": "16:9"})
    assert job["status"] == "SUCCESS", job
    assert (job["engine"], job["credits_charged"], job["attempts"]) == (spec["image_model"], credits, 1)
    assert (job["summary"]["model"], job["summary"]["seed"]) == (spec["image_model"], seed)
    assert the_image(gateway, job).size == (1368, 768)
    (sent,) = provider.got
    assert sent.headers.get("idempotency-key", job["job_id"]) == job["job_id"]
    assert shop.balance == 100 - credits
    books_are_right(shop.client)


@pytest.mark.parametrize(("spec", "credits"), [(GEMINI, 15), (OPENAI, 8)])
def test_an_image_that_is_judged_and_fails_is_delivered_with_its_scores_and_not_bought_again(
    gateway: Gateway, shop: Shop, provider: Receiver, spec: dict[str, Any], credits: int
):
    job = ordered(gateway, shop, {**spec, "dominant_colors": ["sage"], "eval_enabled": True})
    assert (job["status"], job["attempts"], len(provider.got)) == ("SUCCESS", 1, 1)
    said = job["summary"]["eval"]
    assert (said["passed"], said["tries"]) == (False, 1)
    assert said["scores"]["banding"]["passed"]
    palette = said["scores"]["palette"]  # of an image that is red and blue
    assert not palette["passed"] and "#a8b59a is met worst" in palette["reason"]
    assert the_image(gateway, job).size == (1024, 1024)
    assert shop.balance == 100 - credits


def test_the_items_on_a_photo_are_cut_out_by_the_masks_of_gemini(gateway: Gateway, shop: Shop, provider: Receiver):
    key = default_storage.save(f"clients/{shop.client.pk}/photo.png", ContentFile(picture(500, 400)))
    config = {"model": "gemini-2.5-flash", "output_format": "webp"}
    job = ordered(gateway, shop, {"trial_image": key, "runtime_config": config}, EXTRACT)
    assert job["status"] == "SUCCESS", job
    (output,) = job["outputs"]
    assert (output["details"]["label"], output["content_type"]) == ("red shirt", "image/webp")
    assert the_image(gateway, job).mode == "RGBA"
    assert (job["engine"], shop.balance) == ("gemini-2.5-flash", 95)
    assert provider.got[0].path == "/v1/models/gemini-2.5-flash:generateContent"


def test_a_refusal_ends_the_job_at_once_with_its_price_back(gateway: Gateway, shop: Shop, provider: Receiver):
    provider.answer = lambda sent: gemini({"finishReason": "IMAGE_SAFETY"})
    job = ordered(gateway, shop, {**GEMINI, "on_technical_failure": "fallback"})
    assert (job["status"], job["error"]["code"], job["error"]["retryable"]) == ("FAILURE", "moderation_refused", False)
    assert (job["attempts"], job["fell_back"], len(provider.got)) == (1, False, 1)
    assert shop.balance == 100
    books_are_right(shop.client)


def test_a_technical_failure_is_tried_again_with_the_same_idempotency_key(
    gateway: Gateway, shop: Shop, provider: Receiver
):
    down = openai_error(503, code=None, message="Overloaded", type="server_error")
    provider.answer = lambda sent: down if len(provider.got) == 1 else providers.made(sent)
    job = ordered(gateway, shop, OPENAI)
    assert (job["status"], job["attempts"]) == ("SUCCESS", 2)
    assert [event["event"] for event in job["timeline"]] == ["accepted", "started", "waiting", "started", "succeeded"]
    assert "provider_unavailable" in job["timeline"][2]["detail"]
    assert [sent.headers["idempotency-key"] for sent in provider.got] == [job["job_id"]] * 2
    assert provider.got[0].body == provider.got[1].body
    assert shop.balance == 92


def test_a_technical_failure_is_refunded_where_no_attempt_is_left(gateway: Gateway, shop: Shop, provider: Receiver):
    provider.answer = lambda sent: gemini_error(429, "RESOURCE_EXHAUSTED", "Quota exceeded.")
    job = ordered(gateway, shop, {**GEMINI, "on_technical_failure": "fail"})
    assert (job["status"], job["error"]["code"]) == ("FAILURE", "provider_rate_limited")
    assert job["error"]["retryable"] and len(provider.got) == 1
    assert shop.balance == 100
    books_are_right(shop.client)


def test_the_built_in_engine_takes_over_at_the_price_that_was_quoted(gateway: Gateway, shop: Shop, provider: Receiver):
    provider.answer = lambda sent: (200, {"Content-Type": "application/json"}, b"{")
    job = ordered(gateway, shop, {**GEMINI, "on_technical_failure": "fallback"})
    assert (job["status"], job["engine"], job["fell_back"], job["attempts"]) == ("SUCCESS", "built-in", True, 2)
    assert job["summary"]["engine"] == "built-in"
    assert len(provider.got) == 1
    assert shop.balance == 85


@pytest.mark.parametrize("spec", [GEMINI, OPENAI])
def test_a_provider_that_answers_byte_by_byte_is_cut_off_at_the_time_limit(
    gateway: Gateway, shop: Shop, provider: Receiver, spec: dict[str, Any]
):
    def drip() -> Iterator[bytes]:
        while not over.wait(0.2):
            yield b" "

    over = threading.Event()
    headers = {"Content-Type": "application/json", "Content-Length": "1000000"}
    provider.answer = lambda sent: (200, headers, drip())
    rows = Workflow.objects.filter(name="background-generator")
    before = rows.get().time_limit
    rows.update(time_limit=timedelta(seconds=7))
    try:
        job = ordered(gateway, shop, {**spec, "on_technical_failure": "fail"})
    finally:
        rows.update(time_limit=before)
        over.set()
    assert (job["status"], job["error"]["code"]) == ("FAILURE", "time_limit_exceeded")
    assert shop.balance == 100


def test_a_model_that_is_gone_fails_with_what_there_is(gateway: Gateway, shop: Shop, provider: Receiver):
    ImageModel.objects.filter(name="gemini-3-pro-image").update(shut_down_on="2026-01-31")
    job = ordered(gateway, shop, GEMINI)
    assert (job["status"], job["error"]["code"]) == ("FAILURE", "model_shut_down")
    assert "gpt-image-2" in job["error"]["message"]
    assert (shop.balance, provider.got) == (100, [])


def test_no_provider_is_asked_for_a_test(gateway: Gateway, shop: Shop, provider: Receiver):
    _, key = create_key(client=shop.client, test=True)
    job = ordered(gateway, Shop(shop.client, key), GEMINI)
    assert (job["status"], job["summary"]["engine"]) == ("SUCCESS", "built-in")
    assert job["summary"]["stands_in_for"] == "gemini-3-pro-image"
    assert provider.got == []
    size = {**GEMINI, "resolution": "512"}
    assert ordered(gateway, Shop(shop.client, key), size)["error"]["code"] == "size_not_made"


def test_what_asks_providers_is_loaded_by_workers_alone(gateway: Gateway, shop: Shop, provider: Receiver):
    """OpenCV, and the compiled part of what both SDKs import."""
    for spec in (GEMINI, OPENAI):
        gateway.call("POST", f"{BACKGROUND}?dry_run=true", spec, key=shop.key)
        ordered(gateway, shop, spec)
    gateway.call("GET", "/v1/models", key=shop.key)
    heavy = {"/cv2/", "/pydantic_core/"}
    assert loaded(gateway.processes["web"].pid, heavy) == set()
    assert loaded(gateway.processes["worker"].pid, heavy) == heavy


def loaded(pid: int, names: set[str]) -> set[str]:
    """Return which of `names` are in the path of a library that a process or one of its children has loaded."""
    main = psutil.Process(pid)
    paths: list[str] = []
    for process in (main, *main.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):  # or a zombie: it was replaced meanwhile
            paths += [each.path for each in process.memory_maps()]
    return {name for name in names if any(name in path for path in paths)}


def test_no_key_is_in_what_the_processes_logged(gateway: Gateway, provider: Receiver):
    logs = gateway.log("web") + gateway.log("worker")
    assert "HTTP Request: POST" in logs  # what the SDKs log is there
    assert not any(key in logs for key in providers.KEYS.values())
