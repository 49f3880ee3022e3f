"""What a client says of the item that it wants: the colours, garments and materials in its words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import ImageColor

from workflows.engines import palette, words
from workflows.engines.colors import SHOP_COLORS, parse_color
from workflows.engines.cutouts import Item
from workflows.engines.palette import Bytes, Floats
from workflows.engines.shop_words import GARMENTS, MATERIALS, NO_GARMENTS

# Categories that a shop might take for one another.
_NEAR: Mapping[str, frozenset[str]] = {
    "top": frozenset({"outerwear", "dress"}),
    "outerwear": frozenset({"top", "dress"}),
    "dress": frozenset({"top", "outerwear"}),
    "accessory": frozenset({"headwear"}),
    "headwear": frozenset({"accessory"}),
}
# "Linen" is a cloth before it is a colour; "denim" is both.
_COLORS = {name: () for name in (*SHOP_COLORS, *ImageColor.colormap) if name == "denim" or name not in MATERIALS}
_CATEGORY_OF = {word: category for category, known in GARMENTS.items() for word in (category, *known)}
# Denim, indigo and washed; black leather, cognac, brown and camel.
_USUAL = {
    "denim": ("#4a6485", "#33416e", "#b0c4de"),
    "leather": ("#000000", "#8f4a2b", "#8b4513", "#c19a6b"),
}
_SAME = 20.0
_CLOTH = 128  # the longer side that a cloth is looked at with


@dataclass(frozen=True)
class Wishes:
    """What was understood: names of colours, garments' words with their categories, names of materials."""

    colors: tuple[str, ...]
    garments: Mapping[str, str]
    materials: tuple[str, ...]

    def summary(self) -> dict[str, list[str]]:
        return {
            "color_words": list(self.colors),
            "garment_words": list(self.garments),
            "material_words": list(self.materials),
        }


def wishes(context: Mapping[str, Any]) -> Wishes:
    """Return what an extraction context says of the item.

    What the name says counts; the description is asked for what it does not say, for that may speak of other things
    ("pairs well with white sneakers").
    """
    texts = (context.get("product_name"), context.get("product_description"))

    def first(vocabulary: Mapping[str, Iterable[str]]) -> list[str]:
        return next((found for text in texts if (found := words.find(text, vocabulary))), [])

    garments = {
        word: _CATEGORY_OF[word]
        for word in first(dict.fromkeys((*_CATEGORY_OF, *NO_GARMENTS), ()))
        if word in _CATEGORY_OF
    }
    return Wishes(
        colors=tuple(first(_COLORS)),
        garments={word: _CATEGORY_OF[word] for word in garments if word in _CATEGORY_OF},
        materials=tuple(first(MATERIALS)),
    )


def category_in(label: str) -> str | None:
    """Return the category of the last garment that a label names, if it names one: "denim shirt dress" is a dress."""
    found = list(wishes({"product_name": label}).garments.values())
    return found[-1] if found else None


def agreement(wishes: Wishes, photo: Bytes, item: Item) -> float:
    """Return how much an item is what was wished for: 0 where nothing was, or nothing agrees.

    In steps, which shades of one colour do not change, so that of two alike the larger one comes first.
    """
    colors = [(one["color"], one["share"]) for one in item.details["colors"]]
    total = 0.0
    if wishes.colors:
        total += share_of_colors([parse_color(name) for name in wishes.colors], colors)
    if wishes.garments:
        category, wanted = item.details["category"], set(wishes.garments.values())
        near = _NEAR.get(category, frozenset()) & wanted
        total += 1.2 if category in wanted else 0.5 if near else 0
    if wishes.materials:
        cloth = _cloth(photo, item)
        total += 0.4 * max(_of_material(material, cloth, colors) for material in wishes.materials)
    return round(total, 1)


def share_of_colors(wanted: Iterable[str], colors: list[tuple[str, float]]) -> float:
    """Return how much of an item, whose main colours these are, is of the wanted ones (#rrggbb), 0 to 1."""
    have, ask = _lab([color for color, _ in colors]), _lab(wanted)
    agree = np.exp(-((_apart(have[:, None], ask[None]) / _SAME) ** 2)).max(axis=1)
    return float((agree * [share for _, share in colors]).sum())


def _apart(one: Floats, other: Floats) -> Floats:
    """Return how far colours in L*a*b* are from being called the same, shape (..., 3) to (...).

    Hue tells them apart; lightness and vividness less, because "red" is said of brick and of folds in the dark. Of what
    has next to no hue, its vividness says that.
    """
    chroma, other_chroma = np.hypot(one[..., 1], one[..., 2]), np.hypot(other[..., 1], other[..., 2])
    turn = np.arctan2(one[..., 2], one[..., 1]) - np.arctan2(other[..., 2], other[..., 1])
    least = np.minimum(chroma, other_chroma)
    vivid = (0.3 + 0.7 * np.exp(-((least / 12) ** 2))) * (chroma - other_chroma)
    return np.sqrt((0.5 * (one[..., 0] - other[..., 0])) ** 2 + vivid**2 + (2 * least * np.sin(turn / 2)) ** 2)


def _of_material(material: str, cloth: tuple[float, float, float], colors: list[tuple[str, float]]) -> float:
    """Return how much an item looks like a material, 0 to 1; 0.5 for what a photo does not show.

    Patterns are measured; denim and leather have colours that they mostly come in. Of other cloths nothing is claimed.
    """
    busy, one_way, two_ways = cloth
    if material == "plain":
        return 1 - busy
    if material == "striped":
        return busy * one_way
    if material == "checked":
        return busy * two_ways
    if material == "printed":
        return busy * (1 - max(one_way, two_ways))
    return share_of_colors(_USUAL[material], colors) if material in _USUAL else 0.5


def _cloth(photo: Bytes, item: Item) -> tuple[float, float, float]:
    """Return how busy an item's pattern is, how much it runs one way (stripes), and how much two (checks): 0 to 1.

    From the directions of the gradients of lightness inside of it, weighed by their strength (the structure tensor, and
    the same of doubled angles, for which two directions at right angles are one).
    """
    x, y, wide, high = item.box
    step = max(1, max(wide, high) // _CLOTH)
    rows, columns = slice(y, y + high, step), slice(x, x + wide, step)
    at = (slice(y - item.rows.start, y - item.rows.start + high, step),
          slice(x - item.columns.start, x - item.columns.start + wide, step))  # fmt: skip
    light = cv2.GaussianBlur(palette.lab(np.ascontiguousarray(photo[rows, columns]))[..., 0], (0, 0), 1.5)
    inside = cv2.erode((item.alpha[at] > 230).astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    if inside.sum() < 100:
        return 0.0, 0.0, 0.0
    slope_x, slope_y = (cv2.Scharr(light, cv2.CV_32F, *way, scale=1 / 32)[inside] for way in ((1, 0), (0, 1)))
    strength = np.hypot(slope_x, slope_y)
    angle = np.arctan2(slope_y, slope_x)
    weight = strength**2 / max(1e-6, float((strength**2).sum()))
    one_way = abs(complex((weight * np.exp(2j * angle)).sum()))
    two_ways = abs(complex((weight * np.exp(4j * angle)).sum()))
    busy = float(np.clip((strength.mean() - 0.6) / 1.6, 0, 1))
    return busy, float(np.clip((one_way - 0.35) / 0.4, 0, 1)), float(
        np.clip((two_ways - 0.25) / 0.4, 0, 1) * np.clip((0.6 - one_way) / 0.3, 0, 1)
    )  # fmt: skip


def _lab(colors: Iterable[str]) -> Floats:
    return palette.lab(np.array([[ImageColor.getrgb(color) for color in colors]], np.uint8))[0]
