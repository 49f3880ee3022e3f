"""The engines that ask a provider, over HTTP: what is sent, what comes of the answer, and how each failure is told."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from billing.models import Client
from tests import providers
from tests.gateway import free_port
from tests.providers import gemini, gemini_error, gemini_image, gemini_text, openai_answer, openai_error, picture, reply
from tests.webhooks import Receiver, Reply
from workflows.catalogue import DEFINITIONS, Order
from workflows.engines.base import EngineError, Result, Stopped
from workflows.engines.sizes import PIXEL_CLASSES, RATIOS
from workflows.image_models import ImageModel

ENGINES = DEFINITIONS["background-generator"].engines
RATIOS_TO_21_9 = [ratio for ratio in RATIOS if ratio not in ("1:4", "4:1", "1:8", "8:1")]
MODELS = {
    name: ImageModel(
        name=f"our-{name}", engine=name, vendor_id=f"{name}-v1", ratios=RATIOS_TO_21_9, resolutions=[*PIXEL_CLASSES]
    )
    for name in ("gemini", "openai")
}
SPEC = {
    "scene_type": "marble podium",
    "mood": "calm",
    "dominant_colors": ["sage", "#fff"],
    "display_name": "Summer of Ms. Miller",
    "metadata": {"buyer": "miller@example.com"},
    "pilot_brand": "Secret Brand",
}
both = pytest.mark.parametrize("name", ["gemini", "openai"])


@pytest.fixture
def provider(settings) -> Iterator[Receiver]:
    with providers.provider() as server:
        for name, value in providers.env(server).items():
            setattr(settings, name, value)
        yield server


def make(name: str, *, seconds: float = 30, **spec: Any) -> Result:
    order = Order(
        client=Client(pk=1, name="Miller's Shop"),
        spec={**SPEC, **spec},
        seed=2**70,
        idempotency_key="01JOB",
        model=MODELS[name],
        ends_at=time.monotonic() + seconds,
    )
    return ENGINES[name].perform(order)


def failure(name: str, provider: Receiver, answer: Reply, **options: Any) -> EngineError:
    """Let the provider answer so; return what the engine raised. It asked once."""
    provider.answer = lambda sent: answer
    with pytest.raises(EngineError) as raised:
        make(name, **options)
    assert len(provider.got) == 1
    secrets = ("secret", "Miller", "podium", "made-up")
    assert not any(word in raised.value.message for word in secrets)
    return raised.value


# What is sent


def test_gemini_is_sent_the_picture_and_nothing_of_the_order_besides(provider: Receiver):
    make("gemini", aspect_ratio="16:9", resolution="2k", seed=5)
    (sent,) = provider.got
    assert sent.path == "/v1/models/gemini-v1:generateContent"
    assert sent.headers["x-goog-api-key"] == providers.KEYS["GEMINI_API_KEY"]
    body = json.loads(sent.body)
    (content,) = body.pop("contents")
    assert body == {
        "generationConfig": {
            "candidateCount": 1,
            "seed": 5,
            "responseModalities": ["IMAGE"],
            "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"},
        }
    }
    (part,) = content["parts"]
    assert '{"scene": "marble podium", "mood": "calm", "colors": ["#a8b59a", "#ffffff"]}' in part["text"]
    nothing_personal(sent.body)


def test_openai_is_sent_the_picture_and_nothing_of_the_order_besides(provider: Receiver):
    make("openai", aspect_ratio="16:9", resolution="2k", seed=5)
    (sent,) = provider.got
    assert sent.path == "/v1/images/generations"
    assert sent.headers["authorization"] == f"Bearer {providers.KEYS['OPENAI_API_KEY']}"
    assert sent.headers["idempotency-key"] == "01JOB"
    body = json.loads(sent.body)
    words = body.pop("prompt")
    assert body == {"model": "openai-v1", "size": "2736x1536", "quality": "medium", "n": 1, "output_format": "png"}
    assert '{"scene": "marble podium", "mood": "calm", "colors": ["#a8b59a", "#ffffff"]}' in words
    nothing_personal(sent.body)


def nothing_personal(body: bytes) -> None:
    assert not any(word in body for word in (b"Miller", b"miller", b"Secret Brand", b"Summer"))


def test_a_seed_is_the_orders_own_or_comes_of_its_job_and_is_always_one_that_gemini_takes(provider: Receiver):
    seeds = [make("gemini", seed=seed).summary["seed"] for seed in (0, 2**31 - 1, 2**31, -1, None, None)]
    assert seeds == [json.loads(sent.body)["generationConfig"]["seed"] for sent in provider.got]
    assert seeds[:2] == [0, 2**31 - 1] and seeds[4] == seeds[5]
    assert all(0 <= seed < 2**31 for seed in seeds) and len(set(seeds)) == 5


# What comes of it


def test_the_summary_says_what_gemini_made(provider: Receiver):
    result = make("gemini", aspect_ratio="16:9", seed=5)
    (image,) = result.pictures
    assert (image.width, image.height) == (1368, 768)
    assert result.summary == {
        "engine": "gemini",
        "model": "our-gemini",
        "model_version": "made-up-001",
        "seed": 5,
        "width": 1368,
        "height": 768,
        "made": {"width": 1376, "height": 768},
        "fitted": "cut and scaled",
        "colors": ["#a8b59a", "#ffffff"],
        "colors_left_out": [],
    }


def test_the_summary_says_that_openai_takes_no_seed(provider: Receiver):
    result = make("openai", resolution="1000x1200", seed=5)
    assert result.summary == {
        "engine": "openai",
        "model": "our-openai",
        "model_version": None,
        "quality": "medium",
        "seed": None,
        "width": 1000,
        "height": 1200,
        "made": {"width": 1008, "height": 1200},
        "fitted": "cut and scaled",
        "colors": ["#a8b59a", "#ffffff"],
        "colors_left_out": [],
    }


@both
@pytest.mark.parametrize("made", [(1024, 1024), (2048, 1100), (900, 1000), (4096, 4096)])
def test_the_middle_of_what_was_made_is_what_was_paid_for(provider: Receiver, name: str, made: tuple[int, int]):
    answers = {"gemini": gemini_image, "openai": openai_answer}
    provider.answer = lambda sent: answers[name](picture(*made))
    result = make(name)
    (image,) = result.pictures
    assert image.pixels.shape == (1024, 1024, 3) and image.pixels.dtype == np.uint8
    left, right = image.pixels[:, 8:500], image.pixels[:, 524:-8]
    assert (left[..., 0] > 190).all() and (left[..., 2] < 10).all()
    assert (right[..., 2] > 190).all() and (right[..., 0] < 10).all()
    assert result.summary["made"] == {"width": made[0], "height": made[1]}
    assert result.summary["fitted"] == ("as it was made" if made == (1024, 1024) else "cut and scaled")


@pytest.mark.parametrize("format", ["JPEG", "WebP"])
def test_gemini_may_answer_in_another_format(provider: Receiver, format: str):
    provider.answer = lambda sent: gemini_image(picture(1024, 1024, format=format), mime_type=f"image/{format.lower()}")
    assert make("gemini").summary["fitted"] == "as it was made"


def test_thoughts_of_gemini_are_no_image(provider: Receiver):
    drafts = [{"text": "Hm.", "thought": True}, json.loads(gemini_image(picture(64, 64))[2])["candidates"][0]]
    draft = {**drafts[1]["content"]["parts"][0], "thought": True}
    final = json.loads(gemini_image(picture(1024, 1024))[2])["candidates"][0]["content"]["parts"][0]
    provider.answer = lambda sent: gemini({"content": {"parts": [drafts[0], draft, final]}, "finishReason": "STOP"})
    assert make("gemini").summary["made"] == {"width": 1024, "height": 1024}


# Wrong images


@both
@pytest.mark.parametrize(
    "data",
    [
        lambda: b"",
        lambda: b"<html>no image</html>",
        lambda: picture(1024, 1024)[:2000],
        providers.bomb,
        lambda: picture(16, 16),
        lambda: picture(512, 512),
        lambda: picture(1024, 512),
    ],
    ids=["empty", "a page", "half", "a bomb", "a dot", "half as large", "another ratio"],
)
def test_a_wrong_image_is_a_technical_failure(provider: Receiver, name: str, data: Callable[[], bytes]):
    error = failure(name, provider, {"gemini": gemini_image, "openai": openai_answer}[name](data()))
    assert (error.code, error.technical) == ("provider_wrong_answer", True)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("gemini", gemini()),
        ("gemini", gemini({"finishReason": "NO_IMAGE"})),
        ("gemini", gemini({"finishReason": "IMAGE_OTHER", "content": {"role": "model"}})),
        ("gemini", gemini({"finishReason": "MAX_TOKENS", "content": {"parts": []}})),
        ("gemini", gemini_text("I would rather talk about it.")),
        ("gemini", reply([])),
        ("gemini", reply({"candidates": "none"})),
        ("gemini", (200, {"Content-Type": "application/json"}, b"{")),
        ("gemini", (200, {"Content-Type": "text/html"}, b"<html>")),
        ("gemini", (200, {"Content-Type": "application/json", "Content-Encoding": "gzip"}, b"{}")),
        ("openai", reply({"created": 1, "data": []})),
        ("openai", reply({"created": 1, "data": None})),
        ("openai", reply({"created": 1, "data": [{"b64_json": "?"}]})),
        ("openai", reply({"created": 1, "data": [{"b64_json": 7}]})),
        ("openai", reply({"created": 1, "data": [{"url": "https://example.com/x.png"}]})),
        ("openai", reply({"created": 1, "data": "none"})),
        ("openai", reply([])),
        ("openai", (200, {"Content-Type": "application/json"}, b"{")),
        ("openai", (200, {"Content-Type": "text/html"}, b"<html>")),
        ("openai", (200, {"Content-Type": "application/json", "Content-Encoding": "gzip"}, b"{}")),
    ],
)
def test_an_answer_without_an_image_is_a_technical_failure(provider: Receiver, name: str, answer: Reply):
    error = failure(name, provider, answer)
    assert error.technical
    assert error.code in ("provider_wrong_answer", "provider_unavailable")


# Refusals


RATINGS = [
    {"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"},
    {"category": "HARM_CATEGORY_SEXUALLY_EXPLICIT", "probability": "HIGH", "blocked": True},
]
BLOCKED = {"type": "image_generation_user_error", "code": "moderation_blocked"}


@pytest.mark.parametrize(
    ("name", "answer", "reason"),
    [
        ("gemini", gemini(promptFeedback={"blockReason": "PROHIBITED_CONTENT"}), "its rules forbid"),
        ("gemini", gemini(promptFeedback={"blockReason": "SAFETY", "safetyRatings": RATINGS}), "sexual content"),
        ("gemini", gemini(promptFeedback={"blockReason": "OF_TOMORROW"}), "its rules forbid"),
        ("gemini", gemini({"finishReason": "IMAGE_SAFETY"}), "something unsafe"),
        ("gemini", gemini({"finishReason": "SAFETY", "safetyRatings": RATINGS}), "sexual content"),
        ("gemini", gemini({"finishReason": "IMAGE_RECITATION"}), "existing work"),
        (
            "openai",
            openai_error(
                400,
                message="Your request was rejected by the safety system. request ID made-up."
                " safety_violations=[violence, self-harm].",
                **BLOCKED,
            ),
            "violence and self-harm",
        ),
        (
            "openai",
            openai_error(
                400,
                message="Rejected: made-up.",
                moderation_details={"moderation_stage": "output", "categories": ["sexual"]},
                **BLOCKED,
            ),
            "sexual content",
        ),
        ("openai", openai_error(400, message="Rejected.", **{**BLOCKED, "code": "content_policy_violation"}), "rules"),
        ("openai", openai_error(400, message="Rejected.", moderation_details="made-up", **BLOCKED), "its rules forbid"),
    ],
)
def test_a_refusal_by_moderation_is_final_and_says_why_in_our_words(
    provider: Receiver, name: str, answer: Reply, reason: str
):
    error = failure(name, provider, answer)
    assert (error.code, error.technical) == ("moderation_refused", False)
    assert reason in error.message


# Errors


KEY_INVALID = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
UNAVAILABLE, LIMITED, REJECTED = "provider_unavailable", "provider_rate_limited", "provider_rejected"


def openai_says(status: int, code: str | None = None) -> Reply:
    return openai_error(status, code=code, message="made-up secret", type="made-up")


@pytest.mark.parametrize(
    ("name", "answer", "code"),
    [
        ("gemini", gemini_error(429, "RESOURCE_EXHAUSTED", "made-up secret"), LIMITED),
        ("gemini", gemini_error(500, "INTERNAL", "made-up secret"), UNAVAILABLE),
        ("gemini", gemini_error(503, "UNAVAILABLE", "made-up secret"), UNAVAILABLE),
        ("gemini", gemini_error(504, "DEADLINE_EXCEEDED", "made-up secret"), UNAVAILABLE),
        ("gemini", (502, {"Content-Type": "text/html"}, b"<html>secret"), UNAVAILABLE),
        ("gemini", (503, {}, b""), UNAVAILABLE),
        ("gemini", gemini_error(403, "PERMISSION_DENIED", "made-up secret"), UNAVAILABLE),
        ("gemini", gemini_error(400, "INVALID_ARGUMENT", "made-up secret", **KEY_INVALID), UNAVAILABLE),
        ("gemini", gemini_error(400, "INVALID_ARGUMENT", "made-up secret"), REJECTED),
        ("gemini", gemini_error(404, "NOT_FOUND", "made-up secret"), REJECTED),
        ("gemini", (302, {"Location": "http://127.0.0.1:9/"}, b""), REJECTED),
        ("openai", openai_says(429, "rate_limit_exceeded"), LIMITED),
        ("openai", openai_says(429, "insufficient_quota"), UNAVAILABLE),
        ("openai", openai_says(400, "billing_hard_limit_reached"), UNAVAILABLE),
        ("openai", openai_says(500), UNAVAILABLE),
        ("openai", openai_says(503), UNAVAILABLE),
        ("openai", openai_says(408), UNAVAILABLE),
        ("openai", openai_says(409), UNAVAILABLE),
        ("openai", (502, {"Content-Type": "text/html"}, b"<html>secret"), UNAVAILABLE),
        ("openai", (520, {}, b""), UNAVAILABLE),
        ("openai", openai_says(401, "invalid_api_key"), UNAVAILABLE),
        ("openai", openai_says(403), UNAVAILABLE),
        ("openai", openai_says(400, "invalid_value"), REJECTED),
        ("openai", openai_says(404, "model_not_found"), REJECTED),
        ("openai", reply(["made-up"], status=400), REJECTED),
        ("openai", (302, {"Location": "http://127.0.0.1:9/"}, b""), REJECTED),
    ],
)
def test_an_error_is_technical_unless_it_is_about_the_request(
    provider: Receiver, caplog, name: str, answer: Reply, code: str
):
    error = failure(name, provider, answer)
    assert (error.code, error.technical) == (code, code != REJECTED)
    assert all(key not in caplog.text for key in providers.KEYS.values())


def test_what_a_provider_says_of_our_key_is_not_logged(provider: Receiver, caplog):
    failure("openai", provider, openai_says(401, "invalid_api_key"))
    failure_of_gemini = gemini_error(400, "INVALID_ARGUMENT", "made-up secret", **KEY_INVALID)
    provider.got.clear()
    failure("gemini", provider, failure_of_gemini)
    assert "answered 401" in caplog.text and "answered 400" in caplog.text
    assert "made-up" not in caplog.text


@both
def test_an_answer_cut_off_is_a_technical_failure(provider: Receiver, name: str):
    error = failure(name, provider, (200, {"Content-Type": "application/json", "Content-Length": "1000"}, b"{"))
    assert (error.code, error.technical) == ("provider_unavailable", True)
    assert "the connection failed" in error.message


@both
def test_a_provider_that_is_not_there_is_a_technical_failure(settings, name: str):
    for setting in ("GEMINI_BASE_URL", "OPENAI_BASE_URL"):
        setattr(settings, setting, f"http://127.0.0.1:{free_port()}")
    settings.GEMINI_API_KEY = settings.OPENAI_API_KEY = "k"
    with pytest.raises(EngineError) as raised:
        make(name)
    assert (raised.value.code, raised.value.technical) == ("provider_unavailable", True)


@both
def test_a_slow_provider_is_given_up_within_the_attempts_time(provider: Receiver, name: str):
    over = threading.Event()

    def answer(sent: object) -> int:
        over.wait(60)
        return 500

    provider.answer = answer
    began = time.monotonic()
    try:
        with pytest.raises(EngineError) as raised:
            make(name, seconds=7)
        assert time.monotonic() - began < 7
    finally:
        over.set()
    assert (raised.value.code, raised.value.technical) == ("provider_unavailable", True)
    assert "took too long" in raised.value.message


@both
def test_a_provider_is_not_asked_when_no_time_is_left_or_nobody_waits(provider: Receiver, name: str):
    with pytest.raises(EngineError) as raised:
        make(name, seconds=5)
    assert raised.value.code == "provider_unavailable"

    def over() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        ENGINES[name].perform(Order(client=Client(), spec=SPEC, seed=1, model=MODELS[name], checkpoint=over))
    assert provider.got == []


@both
def test_an_impossible_colour_is_found_before_a_provider_is_asked(provider: Receiver, name: str):
    with pytest.raises(EngineError) as raised:
        make(name, dominant_colors=["moonish"])
    assert raised.value.code == "unknown_color"
    assert provider.got == []
