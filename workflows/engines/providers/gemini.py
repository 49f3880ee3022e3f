"""Google's Gemini API through its SDK: the client that all of its engines ask, and the one of background-generator.

Formats: https://ai.google.dev/api/generate-content and /gemini-api/docs/image-generation.
"""

import hashlib
import json
from typing import TYPE_CHECKING, Any

import httpx2
from django.conf import settings
from google import genai
from google.genai import errors, types

from workflows.engines import judging, prompt
from workflows.engines.base import Picture, Result
from workflows.engines.colors import asked_colors
from workflows.engines.providers.answers import decoded, fitted, seconds_left, storable
from workflows.engines.providers.failures import ProviderWrongAnswer, answered, lost, refused
from workflows.engines.providers.sizes import nearest_ratio
from workflows.engines.sizes import parse_size

if TYPE_CHECKING:
    from workflows.catalogue import Order

GEMINI = "Gemini"
# The API's `seed` is an int32.
_SEEDS = 2**31
_REFUSALS = {
    "SAFETY", "IMAGE_SAFETY", "PROHIBITED_CONTENT", "IMAGE_PROHIBITED_CONTENT", "BLOCKLIST", "RECITATION",
    "IMAGE_RECITATION", "SPII", "JAILBREAK",
}  # fmt: skip


def background(order: "Order") -> Result:
    """Have one backdrop made. Raises what `ask`, `parse_size` and `parse_color` raise, and ProviderWrongAnswer."""
    assert order.model is not None
    size = parse_size(resolution=order.spec.get("resolution"), aspect_ratio=order.spec.get("aspect_ratio"))
    used, left_out = asked_colors(order.spec.get("dominant_colors") or ())
    seed = _seed(order.seed if order.spec.get("seed") is None else order.spec["seed"])
    config = types.GenerateContentConfig(
        response_modalities=["IMAGE"],
        image_config=types.ImageConfig(
            aspect_ratio=nearest_ratio(size, order.model.ratios), image_size=size.pixel_class
        ),
        seed=seed,
        candidate_count=1,
    )
    answer = ask(order, contents=[prompt.background(order.spec, colors=used)], config=config)
    order.checkpoint()
    images = [part.inline_data.data for part in _parts(answer) if part.inline_data and not part.thought]
    if not images or not images[0]:
        raise ProviderWrongAnswer(provider=GEMINI, what="no image")
    pixels, made = fitted(decoded(images[0], provider=GEMINI), size, provider=GEMINI)
    summary = {**about(order, answer), "seed": seed, **made, "colors": used, "colors_left_out": left_out}
    return judging.best(order.spec, [Result(pictures=(Picture("background", pixels),), summary=summary)])


def ask(order: "Order", *, contents: list[Any], config: types.GenerateContentConfig) -> types.GenerateContentResponse:
    """Send one request, once. Return an answer that is no refusal.

    Raises ModerationRefused, ProviderRejected, ProviderRateLimited, ProviderUnavailable or ProviderWrongAnswer. The API
    takes no idempotency key: an attempt after a lost answer is made, and billed, once more.
    """
    assert order.model is not None
    order.checkpoint()
    seconds = seconds_left(order.ends_at, provider=GEMINI)
    # A client of our own: it follows no redirect, which would take the key along.
    with httpx2.Client(timeout=seconds, follow_redirects=False) as http:
        options = types.HttpOptions(
            base_url=settings.GEMINI_BASE_URL, api_version="v1", timeout=int(seconds * 1000), httpx_client=http
        )
        client = genai.Client(vertexai=False, api_key=settings.GEMINI_API_KEY, http_options=options)
        try:
            answer = client.models.generate_content(model=order.model.vendor_id, contents=contents, config=config)
        except errors.APIError as error:
            raise answered(
                GEMINI,
                status=error.code,
                code=str(error.status),
                said=str(error.message),
                is_about_key="API_KEY" in json.dumps(error.details, default=str),
            ) from error
        except httpx2.RequestError as error:
            raise lost(GEMINI, error, timed_out=isinstance(error, httpx2.TimeoutException)) from error
        except ValueError as error:  # no JSON, or not of its shape
            raise ProviderWrongAnswer(provider=GEMINI, what="what its API does not say") from error
    _check_not_refused(answer)
    return answer


def about(order: "Order", answer: types.GenerateContentResponse) -> dict[str, Any]:
    """Return what the summary says of who made it."""
    assert order.model is not None
    version = answer.model_version and storable(answer.model_version)
    return {"engine": order.model.engine, "model": order.model.name, "model_version": version}


def text_of(answer: types.GenerateContentResponse) -> str:
    return "".join(part.text or "" for part in _parts(answer) if not part.thought)


def _candidate(answer: types.GenerateContentResponse) -> types.Candidate | None:
    return answer.candidates[0] if answer.candidates else None


def _parts(answer: types.GenerateContentResponse) -> list[types.Part]:
    candidate = _candidate(answer)
    return (candidate and candidate.content and candidate.content.parts) or []


def _check_not_refused(answer: types.GenerateContentResponse) -> None:
    feedback, candidate = answer.prompt_feedback, _candidate(answer)
    reasons, ratings = [], []
    if feedback and feedback.block_reason:
        reasons.append(feedback.block_reason.value)
        ratings += feedback.safety_ratings or []
    if candidate and candidate.finish_reason and candidate.finish_reason.value in _REFUSALS:
        reasons.append(candidate.finish_reason.value)
        ratings += candidate.safety_ratings or []
    if reasons:
        found = [
            each.category.value.removeprefix("HARM_CATEGORY_") for each in ratings if each.blocked and each.category
        ]
        raise refused(GEMINI, found or reasons)


def _seed(value: int) -> int:
    """Return the seed that any integer stands for: itself where the API takes it, else of a digest of it."""
    if 0 <= value < _SEEDS:
        return value
    return int.from_bytes(hashlib.sha256(hex(value).encode()).digest()[:4]) % _SEEDS
