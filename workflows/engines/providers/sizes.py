"""What sizes the providers' models make, and which one an order is cut from.

The web process imports this module, so it imports no image library and no provider's SDK.
"""

import math
from collections.abc import Sequence

from workflows.engines.base import EngineError
from workflows.engines.sizes import Size

# Sides of named resolutions are rounded, so their ratio is not quite the one that was asked for.
_SAME_RATIO = 1.03
# The Image API's documented limits of `size`, of gpt-image-2 and -2.5.
OPENAI_STEP, OPENAI_LONGEST_SIDE, OPENAI_LONGEST_RATIO = 16, 3840, 3
OPENAI_FEWEST_PIXELS, OPENAI_MOST_PIXELS = 655_360, 8_294_400


class SizeNotMade(EngineError):
    """The model {model} makes no image of {width} x {height} pixels. It makes {resolutions}, at ratios from {tallest}
    to {widest}{limits}. GET /v1/models lists its sizes; the built-in model makes others."""

    code = "size_not_made"


def check_size(
    size: Size, *, model: str, resolutions: Sequence[str], ratios: Sequence[str], fits: bool, limits: str
) -> None:
    """Raise SizeNotMade unless a model with these resolutions and ratios makes `size`, or what it can be cut from."""
    by_ratio = sorted(ratios, key=_value)
    ratio = size.width / size.height
    shaped = _value(by_ratio[0]) / _SAME_RATIO <= ratio <= _value(by_ratio[-1]) * _SAME_RATIO
    if not (fits and shaped and size.pixel_class in resolutions):
        raise SizeNotMade(
            model=model,
            width=size.width,
            height=size.height,
            resolutions=", ".join(resolutions),
            tallest=by_ratio[0],
            widest=by_ratio[-1],
            limits=limits and f", and {limits}",
        )


def nearest_ratio(size: Size, ratios: Sequence[str]) -> str:
    """Return which of `ratios` the size is cut from with the least loss."""
    return min(ratios, key=lambda ratio: abs(math.log(_value(ratio) * size.height / size.width)))


def openai_sides(size: Size) -> tuple[int, int] | None:
    """Return the sides to ask OpenAI for, which cover `size`; None: it makes nothing of the kind."""
    grown = math.sqrt(max(1.0, OPENAI_FEWEST_PIXELS / (size.width * size.height)))
    width, height = (math.ceil(side * grown / OPENAI_STEP) * OPENAI_STEP for side in (size.width, size.height))
    within = max(width, height) <= min(OPENAI_LONGEST_SIDE, OPENAI_LONGEST_RATIO * min(width, height))
    return (width, height) if within and width * height <= OPENAI_MOST_PIXELS else None


OPENAI_LIMITS = f"no side above {OPENAI_LONGEST_SIDE} and no more than {OPENAI_MOST_PIXELS} pixels"


def _value(ratio: str) -> float:
    width, _, height = ratio.partition(":")
    return int(width) / int(height)
