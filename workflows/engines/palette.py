"""Colours as numbers: their spaces, and the main ones of an image."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from workflows.engines.colors import SHOP_COLORS, parse_color

# float32 and uint8; not said to the type checker, which takes a sum of float32 arrays for float64 too often.
Floats = NDArray[Any]
Bytes = NDArray[Any]


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


def color_name(color: str) -> str:
    """Return what a shop would call #rrggbb: the nearest name in L*a*b*."""
    names, labs = _named()
    return names[int(np.linalg.norm(labs - lab(np.array([[ImageColor.getrgb(color)]], np.uint8))[0], axis=1).argmin())]


@cache
def _named() -> tuple[list[str], Floats]:
    plain = ("black", "white", "gray", "silver", "red", "navy", "blue", "green", "olive", "yellow", "orange", "purple",
             "pink", "brown", "tan", "beige", "teal", "skyblue", "khaki", "ivory")  # fmt: skip
    names = [*SHOP_COLORS, *plain]
    rgb = [ImageColor.getrgb(parse_color(name)) for name in names]
    return names, lab(np.array([rgb], np.uint8))[0]
