"""Resolutions and aspect ratios: what a client may write, and the pixels that it means.

The web process imports this module to price an order, and the engines to make it, so that both always agree.
"""

import math
import re
from dataclasses import dataclass

from workflows.engines.base import EngineError, quoted

# A name means an area, whatever the ratio: 1K is 1024 × 1024 pixels, or as many of them at 16:9.
PIXEL_CLASSES = {"512": 512**2, "1K": 1024**2, "2K": 2048**2, "4K": 4096**2}
RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "1:4", "4:1", "1:8", "8:1")

_NAMES = {name.lower(): name for name in PIXEL_CLASSES} | {"1024": "1K", "2048": "2K", "4096": "4K"}
_STEP = 8
_LONGEST_RATIO = 8.0
_SMALLEST_SIDE, _LARGEST_SIDE = 64, 12288  # 4K at 8:1 is 11584 wide
# Sides rounded to multiples of 8 make up to 2.3 % more pixels than the name says (512 at 8:1).
_ROUNDING = 1.025
_SAME_RATIO = 0.02

# [0-9] and not \d: int() would take any Unicode digit. The counts bound what int() and float() are given.
_SIDES = re.compile(r"([0-9]{1,5})\s?[x×]\s?([0-9]{1,5})")
_RATIO = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,4})?)\s?[:/x]\s?([0-9]{1,5}(?:\.[0-9]{1,4})?)")


class UnknownResolution(EngineError):
    """There is no resolution {asked}. Send 512, 1K, 2K or 4K, or WIDTHxHEIGHT in pixels, such as 1200x1600:
    each side from 64 to 12288, no side longer than 8 times the other, no more pixels than 4K (4096 x 4096)."""

    code = "unknown_resolution"


class UnknownAspectRatio(EngineError):
    """There is no aspect ratio {asked}. Send one of {known}, or any other W:H from 1:8 to 8:1."""

    code = "unknown_aspect_ratio"


class ContradictorySize(EngineError):
    """The resolution {resolution} does not have the aspect ratio {aspect_ratio}. Send one of the two,
    or a named resolution (512, 1K, 2K, 4K) with the ratio."""

    code = "contradictory_size"


@dataclass(frozen=True)
class Size:
    """Pixels to make, and the class that their price hangs on: the smallest whose area holds them."""

    width: int
    height: int
    pixel_class: str


def parse_size(*, resolution: str | None, aspect_ratio: str | None) -> Size:
    """Return the size that the two free strings of a spec mean; 1K and 1:1 where one is missing or blank.

    Case and surrounding spaces do not matter; 1024, 2048 and 4096 are read as 1K, 2K and 4K. A named resolution
    gives sides that are multiples of 8, WIDTHxHEIGHT exactly these sides. Raises UnknownResolution,
    UnknownAspectRatio or ContradictorySize.
    """
    wanted = (resolution or "").strip().lower() or "1k"
    ratio = _parse_ratio(aspect_ratio)
    if name := _NAMES.get(wanted):
        width = math.sqrt(PIXEL_CLASSES[name] * (ratio or 1.0))
        height = math.sqrt(PIXEL_CLASSES[name] / (ratio or 1.0))
        return Size(width=_to_step(width), height=_to_step(height), pixel_class=name)
    sides = _SIDES.fullmatch(wanted)
    if sides is None:
        raise UnknownResolution(asked=quoted(resolution))
    width, height = int(sides[1]), int(sides[2])
    pixel_class = next((name for name, area in PIXEL_CLASSES.items() if width * height <= area * _ROUNDING), None)
    if (
        pixel_class is None
        or min(width, height) < _SMALLEST_SIDE
        or max(width, height) > _LARGEST_SIDE
        or max(width, height) > _LONGEST_RATIO * (min(width, height) + _STEP / 2)
    ):
        raise UnknownResolution(asked=quoted(resolution))
    if ratio is not None and abs(width / height / ratio - 1) > max(_SAME_RATIO, _STEP / min(width, height)):
        raise ContradictorySize(resolution=quoted(resolution), aspect_ratio=quoted(aspect_ratio))
    return Size(width=width, height=height, pixel_class=pixel_class)


def _parse_ratio(text: str | None) -> float | None:
    wanted = (text or "").strip().lower()
    if not wanted:
        return None
    sides = _RATIO.fullmatch(wanted)
    width, height = (float(sides[1]), float(sides[2])) if sides else (0.0, 0.0)
    if not (0 < width <= _LONGEST_RATIO * height and 0 < height <= _LONGEST_RATIO * width):
        raise UnknownAspectRatio(asked=quoted(text), known=", ".join(RATIOS))
    return width / height


def _to_step(side: float) -> int:
    return round(side / _STEP) * _STEP
