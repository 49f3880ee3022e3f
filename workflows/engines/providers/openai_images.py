"""OpenAI's Image API through its SDK. Format: https://platform.openai.com/docs/api-reference/images/create"""

import base64
import re
from typing import TYPE_CHECKING, Any, Final

import httpx2
import openai
from django.conf import settings

from workflows.engines import judging, prompt
from workflows.engines.base import EngineError, Picture, Result
from workflows.engines.colors import asked_colors
from workflows.engines.providers.answers import decoded, fitted, seconds_left, storable
from workflows.engines.providers.failures import ProviderUnavailable, ProviderWrongAnswer, answered, lost, refused
from workflows.engines.providers.sizes import openai_sides
from workflows.engines.sizes import parse_size

if TYPE_CHECKING:
    from workflows.catalogue import Order

OPENAI = "OpenAI"
# `high` takes up to two minutes, which is all that an attempt has.
_QUALITY: Final = "medium"
_MODERATION = ("moderation_blocked", "content_policy_violation")
_OUT_OF_MONEY = ("billing_hard_limit_reached", "insufficient_quota")
_VIOLATIONS = re.compile(r"safety_violations=\[([^\]]*)\]")


def background(order: "Order") -> Result:
    """Have one backdrop made.

    Raises ModerationRefused, ProviderRejected, ProviderRateLimited, ProviderUnavailable or ProviderWrongAnswer, and
    what `parse_size` and `parse_color` raise.
    """
    assert order.model is not None
    size = parse_size(resolution=order.spec.get("resolution"), aspect_ratio=order.spec.get("aspect_ratio"))
    sides = openai_sides(size)
    assert sides is not None  # looked at before the engine is called
    used, left_out = asked_colors(order.spec.get("dominant_colors") or ())
    answer = _asked(order, size="{}x{}".format(*sides), words=prompt.background(order.spec, colors=used))
    order.checkpoint()
    pixels, made = fitted(decoded(_image(answer), provider=OPENAI), size, provider=OPENAI)
    summary = {
        "engine": order.model.engine,
        "model": order.model.name,
        # Its answers do not say which version made them.
        "model_version": None,
        "quality": answer.quality and storable(answer.quality),
        # The API takes none, and tells none.
        "seed": None,
        **made,
        "colors": used,
        "colors_left_out": left_out,
    }
    return judging.best(order.spec, [Result(pictures=(Picture("background", pixels),), summary=summary)])


def _asked(order: "Order", *, size: str, words: str) -> openai.types.ImagesResponse:
    assert order.model is not None
    order.checkpoint()
    seconds = seconds_left(order.ends_at, provider=OPENAI)
    # A client of our own: it follows no redirect.
    with httpx2.Client(timeout=seconds, follow_redirects=False) as http:
        client = openai.OpenAI(
            api_key=settings.OPENAI_API_KEY,
            base_url=settings.OPENAI_BASE_URL,
            timeout=seconds,
            max_retries=0,
            http_client=http,
        )
        try:
            answer = client.images.generate(
                model=order.model.vendor_id,
                prompt=words,
                size=size,
                quality=_QUALITY,
                n=1,
                output_format="png",
                extra_headers={"Idempotency-Key": order.idempotency_key},
            )
        except openai.APIStatusError as error:
            raise _failure(error) from error
        except openai.APIConnectionError as error:
            raise lost(OPENAI, error, timed_out=isinstance(error, openai.APITimeoutError)) from error
        except (openai.APIError, ValueError) as error:
            raise ProviderWrongAnswer(provider=OPENAI, what="what its API does not say") from error
    return answer


def _failure(error: openai.APIStatusError) -> EngineError:
    body: dict[str, Any] = error.body if isinstance(error.body, dict) else {}
    if error.code in _MODERATION:
        found = _VIOLATIONS.search(error.message)
        details = body.get("moderation_details")
        named = details.get("categories") if isinstance(details, dict) else None
        listed = named if isinstance(named, list) else (found[1].split(",") if found else [])
        return refused(OPENAI, [str(reason).strip() for reason in listed])
    if error.code in _OUT_OF_MONEY:
        return ProviderUnavailable(provider=OPENAI, why="this gateway's account there is used up")
    return answered(
        OPENAI,
        status=error.status_code,
        code=str(error.code),
        said=error.message,
        is_about_key=error.status_code == 401,
    )


def _image(answer: openai.types.ImagesResponse) -> bytes:
    # The SDK does not check what it parsed.
    images = answer.data if isinstance(answer, openai.types.ImagesResponse) else None
    encoded = images[0].b64_json if isinstance(images, list) and images else None
    if not isinstance(encoded, str) or not encoded:
        raise ProviderWrongAnswer(provider=OPENAI, what="no image")
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise ProviderWrongAnswer(provider=OPENAI, what="an image that is none (base64)") from error
