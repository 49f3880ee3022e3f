"""Colours as numbers: their spaces, and the main ones of an image."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from workflows.engines.colors import SHOP_COLORS, parse_color

# float32 and uint8; not said to the type checker, which takes a sum of float32 arrays for float64 too often.
Floats = NDArray[Any]
Bytes = NDArray[Any]

# What shops call as CSS does; of the others CSS means another colour (plum, brown) or nobody knows them (gainsboro).
_CSS_NAMES = (
    "white", "ivory", "linen", "beige", "light gray", "silver", "gray", "black", "wheat", "tan", "maroon", "red",
    "crimson", "tomato", "coral", "salmon", "orange", "gold", "yellow", "olive", "lime green", "green", "forest green",
    "turquoise", "teal", "light blue", "sky blue", "royal blue", "blue", "navy", "indigo", "purple", "violet", "orchid",
    "magenta", "hot pink", "pink", "lavender",
)  # fmt: skip


_ALIKE = 8.0  # as far apart in L*a*b* are two main colours at least

# How much of the light that eyes see is red, green and blue (IEC 61966-2-1).
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


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
    """Return CIE L*a*b* (D65) of sRGB pixels, shape (..., 3): L 0 to 100, a and b about ±128."""
    return lab_of_light(_LINEAR[rgb])


def lab_of_light(light: Floats) -> Floats:
    """Return CIE L*a*b* (D65) of linear RGB, shape (..., 3)."""
    # Not by OpenCV, which takes a fifth of a second to make tables when it is first asked.
    xyz = light @ _TO_XYZ
    cubic = np.where(xyz > 216 / 24389, np.cbrt(xyz), xyz * np.float32(24389 / 27 / 116) + np.float32(16 / 116))
    x, y, z = cubic[..., 0], cubic[..., 1], cubic[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(one: Floats, other: Floats) -> Floats:
    """Return the CIEDE2000 difference of L*a*b* colours, shapes (..., 3) that broadcast.

    Source: Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula: implementation notes, supplementary test
    data, and mathematical observations", Color Research & Application 30 (2005), whose equations the names follow.
    """
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    mean_chroma = (np.hypot(one[..., 1], one[..., 2]) + np.hypot(other[..., 1], other[..., 2])) / 2
    grown = 1.5 - 0.5 * np.sqrt(_saturating(mean_chroma))
    lightness, chroma, hue = [], [], []
    for color in (one, other):
        a, b = color[..., 1] * grown, color[..., 2]
        lightness.append(color[..., 0])
        chroma.append(np.hypot(a, b))
        hue.append(np.degrees(np.arctan2(b, a)) % 360)
    gray = chroma[0] * chroma[1] == 0  # which has no hue
    turn = np.where(gray, 0, (hue[1] - hue[0] + 180) % 360 - 180)
    # Half a turn apart the formula goes up, not down: to the mean the shorter way.
    turn = np.where((turn == -180) & (hue[1] > hue[0]), 180, turn)
    mean_hue = np.where(gray, hue[0] + hue[1], hue[0] + turn / 2)
    mean_lightness, mean_chroma = (lightness[0] + lightness[1]) / 2, (chroma[0] + chroma[1]) / 2

    def wave(times: int, shift: float) -> Floats:
        return np.cos(np.radians(times * mean_hue + shift))

    t = 1 - 0.17 * wave(1, -30) + 0.24 * wave(2, 0) + 0.32 * wave(3, 6) - 0.20 * wave(4, -63)
    from_middle = (mean_lightness - 50) ** 2
    light = (lightness[1] - lightness[0]) / (1 + 0.015 * from_middle / np.sqrt(20 + from_middle))
    strong = (chroma[1] - chroma[0]) / (1 + 0.045 * mean_chroma)
    hued = 2 * np.sqrt(chroma[0] * chroma[1]) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * mean_chroma * t)
    around_blue = 60 * np.exp(-((((mean_hue % 360) - 275) / 25) ** 2))
    rotation = -2 * np.sqrt(_saturating(mean_chroma)) * np.sin(np.radians(around_blue))
    return np.sqrt(light**2 + strong**2 + hued**2 + rotation * strong * hued)


def _saturating(chroma: Floats) -> Floats:
    return chroma**7 / (chroma**7 + 25.0**7)


def hex_of(rgb: Sequence[float] | NDArray[np.generic]) -> str:
    """Return an sRGB triple of 0 to 255 as #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*(min(255, max(0, round(float(value)))) for value in rgb))


def color_name(color: str) -> str:
    """Return what a shop would call #rrggbb: of its names and the plain ones of CSS the nearest by CIEDE2000."""
    names, labs = _named()
    return names[int(ciede2000(lab_of([color]), labs).argmin())]


@cache
def _named() -> tuple[list[str], Floats]:
    colors = {parse_color(name): name for name in reversed((*_CSS_NAMES, *SHOP_COLORS))}  # of two names the first
    return list(colors.values()), lab_of(list(colors))


def lab_of(colors: Sequence[str]) -> Floats:
    """Return L*a*b* of each #rrggbb, shape (n, 3)."""
    return lab(np.array([[ImageColor.getrgb(color) for color in colors]], np.uint8))[0]


def main_colors(pixels: Bytes, *, count: int = 10) -> list[tuple[str, float]]:
    """Return the main colours of sRGB pixels, shape (n, 3), as (#rrggbb, share), the largest share first.

    k-means in L*a*b* on at most 5,000 pixels, begun at the many colours that lie farthest apart, so nothing is drawn
    at random. Then those two become one whose union adds the least variance (Ward 1963), until `count` at most are left
    and no two look much the same: so a small spot of its own colour stays, and the shades of a large surface do not
    crowd it out. Colours of less than 1 % are left out.
    """
    chosen = np.ascontiguousarray(pixels[:: max(1, len(pixels) // 5_000)])
    points = lab(chosen)
    centers = np.median(points, axis=0)[None]
    distance = _squared(points, centers[0])
    while len(centers) < 2.4 * count and distance.max() > 4**2:
        centers = np.vstack([centers, points[distance.argmax()]])
        distance = np.minimum(distance, _squared(points, centers[-1]))
    for _ in range(4):
        nearest = _nearest(points, centers)
        sizes = np.bincount(nearest, minlength=len(centers))
        sums = np.stack([np.bincount(nearest, points[:, axis], len(centers)) for axis in range(3)], axis=1)
        centers = (sums / np.maximum(sizes, 1)[:, None])[sizes > 0].astype(np.float32)
    nearest = _nearest(points, centers)
    groups = [group for k in range(len(centers)) if len(group := (nearest == k).nonzero()[0])]
    while pair := _pair([points[group].mean(axis=0) for group in groups], [len(group) for group in groups], count):
        groups[pair[0]] = np.concatenate([groups[pair[0]], groups.pop(pair[1])])
    shares = [(hex_of(np.median(chosen[group], axis=0)), round(len(group) / len(points), 3)) for group in groups]
    return [(color, share) for color, share in sorted(shares, key=lambda one: -one[1]) if share >= 0.01]


def _nearest(points: Floats, centers: Floats) -> NDArray[np.intp]:
    return np.argmin([_squared(points, center) for center in centers], axis=0)


def _pair(means: list[Floats], sizes: list[int], count: int) -> tuple[int, int] | None:
    """Return the two groups, the lower index first, to become one: of more than `count` any two, else two alike."""
    one, other = np.triu_indices(len(sizes), 1)
    mean, size = np.array(means), np.array(sizes)
    apart = _squared(mean[one], mean[other])
    added = apart * size[one] * size[other] / (size[one] + size[other])
    if len(sizes) <= count:
        added = np.where(apart < _ALIKE**2, added, np.inf)
    if not np.isfinite(added).any():
        return None
    least = int(added.argmin())
    return int(one[least]), int(other[least])


def _squared(points: Floats, center: Floats) -> Floats:
    away = points - center
    return away[:, 0] ** 2 + away[:, 1] ** 2 + away[:, 2] ** 2


_LINEAR = to_linear(np.arange(256, dtype=np.float32) / 255)
# Rows: R, G, B (IEC 61966-2-1), each column divided by the white point's X, Y, Z.
_TO_XYZ = (
    np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]]) / [0.9505, 1.0, 1.089]
).astype(np.float32)
