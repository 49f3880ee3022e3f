"""What is done with the image of a provider before it is a picture of ours."""

import math
import time
from typing import Any

import cv2
import numpy as np

from workflows.engines.base import EngineError
from workflows.engines.images import read_photo
from workflows.engines.palette import Bytes
from workflows.engines.providers.failures import ProviderUnavailable, ProviderWrongAnswer
from workflows.engines.sizes import Size

# Of an attempt's time: what is left for decoding, storing and telling once a provider has answered.
_MARGIN_SECONDS = 5.0
_LEAST_SECONDS = 1.0
_LONGEST_SECONDS = 900.0
# A provider's image is enlarged by no more than this: 4K was paid for, and is not made of 1K.
_MOST_ENLARGED = 1.25


def seconds_left(ends_at: float, *, provider: str) -> float:
    """Return how long a request may take, for the attempt to end by itself. Raises ProviderUnavailable."""
    left = min(ends_at - time.monotonic() - _MARGIN_SECONDS, _LONGEST_SECONDS)
    if left < _LEAST_SECONDS:
        raise ProviderUnavailable(provider=provider, why="too little of the attempt's time was left to ask it")
    return left


def storable(text: object) -> str:
    """Return what a provider says of itself, or of an image, as short text that rows can hold."""
    return "".join(character for character in str(text)[:100] if character.isprintable())


def decoded(data: bytes, *, provider: str) -> Bytes:
    """Return the sRGB pixels of a provider's image, shape (h, w, 3), read with the bounds of a stranger's photo."""
    try:
        pixels, _ = read_photo(data)
    except EngineError as error:
        raise ProviderWrongAnswer(provider=provider, what=f"an image that is none ({error.code})") from error
    return pixels


def fitted(pixels: Bytes, size: Size, *, provider: str) -> tuple[Bytes, dict[str, Any]]:
    """Return the middle of an image, scaled to the size that was paid for, and what of it the summary says.

    Raises ProviderWrongAnswer for an image that would have to be enlarged by more than a quarter.
    """
    height, width = pixels.shape[:2]
    scale = max(size.width / width, size.height / height)
    said = {"width": size.width, "height": size.height, "made": {"width": width, "height": height}}
    if (width, height) == (size.width, size.height):
        return pixels, {**said, "fitted": "as it was made"}
    if scale > _MOST_ENLARGED:
        what = f"an image of {width} x {height} pixels, too small for {size.width} x {size.height}"
        raise ProviderWrongAnswer(provider=provider, what=what)
    # Cut first: the part whose ratio is asked for, in whole pixels.
    wide, high = min(width, math.ceil(size.width / scale)), min(height, math.ceil(size.height / scale))
    left, top = (width - wide) // 2, (height - high) // 2
    part = pixels[top : top + high, left : left + wide]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(part, (size.width, size.height), interpolation=way)
    return np.ascontiguousarray(scaled), {**said, "fitted": "cut and scaled"}
