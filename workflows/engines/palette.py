"""Colours: their names, their spaces, and the main ones of an image."""

import re
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from workflows.engines.base import EngineError, quoted

# float32 and uint8; not said to the type checker, which takes a sum of float32 arrays for float64 too often.
Floats = NDArray[Any]
Bytes = NDArray[Any]

# What shops call colours and CSS does not; a name that both have (olive, tan) is CSS's.
SHOP_COLORS = {
    "amber": "#d8912f", "apricot": "#f2bd93", "blush": "#eac7c1", "bone": "#e6dfd0", "bordeaux": "#5c1a2b",
    "bottle green": "#18453b", "brick": "#a4513c", "bronze": "#9c7340", "burgundy": "#6b1f33", "camel": "#c19a6b",
    "caramel": "#b7733f", "celadon": "#b4ccb4", "champagne": "#ecdcc3", "charcoal": "#3a3d40", "clay": "#b5775a",
    "cobalt": "#1f4aa0", "cognac": "#8f4a2b", "copper": "#b5704a", "cream": "#f4ecd8", "denim": "#4a6485",
    "duck egg": "#c3d8d2", "dusty pink": "#d5a6a5", "dusty rose": "#c48c8c", "ecru": "#dfd5bd",
    "eggshell": "#efe8d8", "emerald": "#1f7a56", "forest": "#28472f", "forest green": "#28472f",
    "graphite": "#474a4f", "greige": "#c0b6a6", "ice blue": "#d3e4ec", "indigo blue": "#33416e", "ink": "#1f2a3a",
    "jade": "#4f9f80", "lilac": "#c5b0d5", "mauve": "#a98a9f", "merlot": "#5e2030", "midnight": "#1b2340",
    "mint": "#bfe3d0", "mocha": "#8a6a54", "mushroom": "#b8a99a", "mustard": "#cf9f35", "nude": "#dfbfa8",
    "oat": "#ddd0b8", "oatmeal": "#d8ccb6", "ochre": "#c48a3a", "off-white": "#f5f2ea", "off white": "#f5f2ea",
    "oxblood": "#561c20", "peach": "#f5c6a5", "pearl": "#eeeae2", "petrol": "#1f5460", "pistachio": "#b9cf9a",
    "powder blue": "#b5cbdc", "rose": "#d9979b", "rose gold": "#d3a08f",
    "royal": "#2a4db0", "rust": "#a9502b", "sage": "#a8b59a", "sage green": "#a8b59a", "sand": "#d9c6a5",
    "sapphire": "#1f4a8c", "slate": "#5d6a75", "stone": "#bdb4a5", "taupe": "#a3917f", "terracotta": "#c4704f",
    "terra cotta": "#c4704f", "warm white": "#f8f1e4", "wine": "#64202f",
}  # fmt: skip

_HEX = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{6})")


class UnknownColor(EngineError):
    """There is no colour {asked}. Send it as #rgb or #rrggbb, by its CSS name, such as lightblue, or by a name
    that shops use, such as sage, terracotta, off-white, camel or navy."""

    code = "unknown_color"


def parse_color(text: str) -> str:
    """Return the colour that `text` names as #rrggbb. Raises UnknownColor."""
    wanted = " ".join(text.lower().split()) if len(text) <= 40 else ""
    if digits := _HEX.fullmatch(wanted):
        return "#" + (digits[1] if len(digits[1]) == 6 else "".join(2 * digit for digit in digits[1]))
    for name in (wanted, wanted.replace("_", " ").replace("-", " ")):
        if found := SHOP_COLORS.get(name) or ImageColor.colormap.get(name.replace(" ", "").replace("grey", "gray")):
            return found if isinstance(found, str) else "#{:02x}{:02x}{:02x}".format(*found)
    raise UnknownColor(asked=quoted(text))


def linear(color: str) -> Floats:
    """Return #rrggbb as linear light, shape (3,), 0 to 1."""
    return to_linear(np.array(ImageColor.getrgb(color), np.float32) / 255)


def to_linear(srgb: Floats) -> Floats:
    """Decode sRGB values of 0 to 1 to linear light (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_srgb(light: Floats) -> Floats:
    """Encode linear light of 0 to 1 as sRGB values of 0 to 1 (IEC 61966-2-1)."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


def lab(rgb: Bytes) -> Floats:
    """Return CIE L*a*b* (D65) of sRGB pixels, shape (h, w, 3): L 0 to 100, a and b about ±128."""
    # Explicitly from floats: for bytes OpenCV packs L, a and b into bytes of another scale.
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)


def hex_of(rgb: Sequence[float] | NDArray[np.generic]) -> str:
    """Return an sRGB triple of 0 to 255 as #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*(min(255, max(0, round(float(value)))) for value in rgb))


def main_colors(pixels: Bytes, *, count: int = 6) -> list[tuple[str, float]]:
    """Return the main colours of sRGB pixels, shape (n, 3), as (#rrggbb, share), the largest share first.

    k-means in L*a*b* on at most 10,000 pixels, begun at the colours that lie farthest apart, so nothing is drawn
    at random; colours of less than 1 % are left out.
    """
    chosen = np.ascontiguousarray(pixels[:: max(1, len(pixels) // 10_000)])
    points = lab(chosen[None])[0]
    centers = np.median(points, axis=0)[None]
    distance = np.linalg.norm(points - centers[0], axis=1)
    while len(centers) < count and distance.max() > 4:
        centers = np.vstack([centers, points[distance.argmax()]])
        distance = np.minimum(distance, np.linalg.norm(points - centers[-1], axis=1))
    for _ in range(8):
        nearest = ((points[:, None] - centers[None]) ** 2).sum(axis=2).argmin(axis=1)
        centers = np.array([points[nearest == k].mean(axis=0) for k in range(len(centers)) if (nearest == k).any()])
    nearest = ((points[:, None] - centers[None]) ** 2).sum(axis=2).argmin(axis=1)
    shares = [
        (hex_of(chosen[nearest == k].mean(axis=0)), float((nearest == k).mean()))
        for k in range(len(centers))
        if (nearest == k).any()
    ]
    return [(color, round(share, 3)) for color, share in sorted(shares, key=lambda one: -one[1]) if share >= 0.01]
