"""What an item is, guessed from its outline, and from where it is worn. There are no learned weights in it.

Each rule says what an outline of its category looks like in the figures of `shapes`, and fits an item the better the
nearer all of them lie to their ranges: 1 within, and less the more slacks they are away. A photo that shows a face says
besides how far below it each category is worn; an outfit that was parted says where on it the part was. The score of a
guess grows with how well its rule fits and with the distance to the next category; `other` is what no rule fits.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workflows.engines.cutouts import Box
from workflows.engines.shapes import Shape

CATEGORIES = ("top", "bottom", "dress", "outerwear", "footwear", "headwear", "bag", "accessory", "other")
Range = tuple[float, float, float]  # the least and the most that fit, and the slack: one outside is much

_ANY = 99.0


@dataclass(frozen=True)
class Rule:
    """A kind of thing, its category, and the figures of `Shape` that it has."""

    kind: str
    category: str
    figures: Mapping[str, Range]


RULES = (
    # Sleeves stand out from the upper part of a trunk that is hardly longer than wide.
    Rule("short sleeves", "top", {"symmetry": (0.8, 1, 0.2), "wing": (1.2, 2.2, 0.15), "slimness": (0.8, 1.9, 0.3),
                                  "legs": (0, 0.08, 0.08), "aspect": (0.6, 1.35, 0.2), "flare": (0.7, 1.25, 0.3),
                                  "hole": (0, 0.03, 0.05), "reach": (0.12, 0.46, 0.1), "solidity": (0.6, 0.94, 0.05),
                                  "widest_at": (0.1, 0.42, 0.12)}),
    Rule("long sleeves", "top", {"symmetry": (0.75, 1, 0.2), "slimness": (0.9, 1.6, 0.15), "legs": (0, 0.08, 0.08),
                                 "wing": (1.2, 3.5, 0.2), "hole": (0, 0.03, 0.05), "reach": (0.5, 1, 0.15),
                                 "solidity": (0.6, 0.95, 0.05), "top_width": (0.1, 0.6, 0.15)}),
    Rule("sleeves held out", "top", {"symmetry": (0.75, 1, 0.2), "wing": (1.7, 3.5, 0.3), "slimness": (0.9, 1.7, 0.25),
                                     "legs": (0, 0.08, 0.08), "aspect": (0.4, 1.1, 0.15), "hole": (0, 0.03, 0.05)}),
    Rule("straps", "top", {"symmetry": (0.8, 1, 0.2), "straps": (0.1, 0.4, 0.04), "slimness": (1.05, 1.65, 0.2),
                           "legs": (0, 0.06, 0.06), "hole": (0, 0.03, 0.05), "base": (0.8, 1, 0.15),
                           "widest_at": (0.4, 1, 0.3), "wing": (0.8, 1.15, 0.15), "top_width": (0.45, 1, 0.15)}),
    # Two legs; shorts are hardly longer than wide, and have no sleeves.
    Rule("trousers", "bottom", {"legs": (0.25, 0.85, 0.12), "aspect": (1.5, 4, 0.4), "symmetry": (0.7, 1, 0.2),
                                "top_flat": (0.6, 1.1, 0.2), "arms": (0, 0.1, 0.1), "hole": (0, 0.03, 0.05)}),
    Rule("shorts", "bottom", {"legs": (0.15, 0.65, 0.08), "aspect": (0.55, 1.6, 0.2), "symmetry": (0.8, 1, 0.2),
                              "top_width": (0.55, 1, 0.1), "base": (0.75, 1, 0.3), "top_flat": (0.6, 1.1, 0.15),
                              "straps": (0, 0.06, 0.06), "hole": (0, 0.03, 0.05), "solidity": (0.86, 1, 0.1)}),
    Rule("briefs", "bottom", {"symmetry": (0.85, 1, 0.15), "aspect": (0.4, 0.85, 0.15), "base": (0.15, 0.6, 0.1),
                              "top_width": (0.88, 1, 0.1), "widest_at": (0, 0.35, 0.1), "neck": (1.1, 9, 0.2),
                              "hole": (0, 0.03, 0.05), "solidity": (0.85, 1, 0.08)}),
    # From a straight waistband to the widest part at the hem.
    Rule("skirt", "bottom", {"symmetry": (0.85, 1, 0.15), "solidity": (0.93, 1, 0.05), "aspect": (0.55, 1.9, 0.25),
                             "base": (0.8, 1, 0.15), "top_flat": (0.62, 1.1, 0.1), "top_width": (0.4, 0.85, 0.12),
                             "legs": (0, 0.05, 0.05), "straps": (0, 0.05, 0.05), "hole": (0, 0.02, 0.03),
                             "widest_at": (0.75, 1, 0.15), "flare": (1.05, 2.5, 0.1)}),
    # Long, with a waist, and wide below it.
    Rule("dress", "dress", {"symmetry": (0.75, 1, 0.2), "aspect": (1, 3, 0.2), "slimness": (1.3, 3.4, 0.25),
                            "waist": (0.3, 0.88, 0.08), "flare": (1.4, 6, 0.25), "legs": (0, 0.05, 0.08),
                            "top_width": (0.2, 0.75, 0.15), "hole": (0, 0.03, 0.05), "base": (0.6, 1, 0.25)}),
    Rule("straight dress", "dress", {"symmetry": (0.8, 1, 0.2), "slimness": (1.95, 3.4, 0.3), "legs": (0, 0.05, 0.08),
                                     "wing": (0.85, 1.25, 0.15), "top_width": (0.25, 0.95, 0.12),
                                     "waist": (0.5, 0.9, 0.05), "flare": (1.05, 1.8, 0.15), "hole": (0, 0.03, 0.05),
                                     "aspect": (1.5, 3, 0.3)}),
    # Long sleeves on a long, straight trunk.
    Rule("coat", "outerwear", {"symmetry": (0.75, 1, 0.2), "slimness": (1.7, 3.2, 0.12), "wing": (1.22, 2.4, 0.15),
                               "flare": (0.8, 1.25, 0.2), "legs": (0, 0.1, 0.1), "aspect": (0.95, 2.2, 0.2),
                               "hole": (0, 0.03, 0.05), "waist": (0.8, 1.05, 0.15), "reach": (0.5, 0.9, 0.1),
                               "top_width": (0.2, 0.7, 0.15)}),
    # Highest at the heel, low at the toe, flat below. A boot's shaft is straight; a heel stands on two ends.
    Rule("shoe", "footwear", {"symmetry": (0.3, 0.76, 0.1), "aspect": (0.25, 0.7, 0.15), "peak_at": (0, 0.33, 0.06),
                              "solidity": (0.7, 1, 0.1), "flat": (0.55, 1, 0.15), "hole": (0, 0.1, 0.08),
                              "neck": (0.9, 9, 0.2)}),
    Rule("boot", "footwear", {"symmetry": (0.2, 0.82, 0.1), "aspect": (0.7, 2.2, 0.2), "peak_at": (0, 0.36, 0.08),
                              "crown": (0.3, 0.75, 0.12), "flat": (0.4, 1, 0.15), "widest_at": (0.68, 1, 0.15),
                              "hole": (0, 0.08, 0.05), "top_flat": (0.4, 1.3, 0.25)}),
    Rule("heel", "footwear", {"symmetry": (0.05, 0.6, 0.15), "aspect": (0.4, 1.2, 0.2), "peak_at": (0, 0.36, 0.08),
                              "solidity": (0.55, 0.86, 0.08), "hole": (0, 0.2, 0.1), "top_flat": (0, 0.75, 0.2),
                              "flat": (0.15, 0.7, 0.15)}),
    Rule("pair from above", "footwear", {"symmetry": (0.85, 1, 0.15), "aspect": (0.9, 1.7, 0.25),
                                         "top_flat": (0, 0.72, 0.15), "hole": (0, 0.03, 0.05),
                                         "legs": (0.05, 0.5, 0.04), "straps": (0.05, 0.5, 0.04)}),
    Rule("sole", "footwear", {"symmetry": (0.7, 1, 0.15), "aspect": (1.9, 3.3, 0.3), "top_flat": (0, 0.68, 0.12),
                              "base": (0.2, 0.8, 0.15), "solidity": (0.87, 1, 0.06), "legs": (0, 0.05, 0.05)}),
    # A dome, with a peak to one side, a flat rim, or a brim all round.
    Rule("cap", "headwear", {"symmetry": (0.6, 0.88, 0.1), "aspect": (0.4, 0.9, 0.1), "top_flat": (0.15, 0.62, 0.15),
                             "solidity": (0.86, 1, 0.08), "crown": (0.45, 0.85, 0.08), "neck": (1.1, 5, 0.3),
                             "peak_at": (0.35, 0.5, 0.04), "widest_at": (0.6, 1, 0.15), "hole": (0, 0.03, 0.05)}),
    Rule("beanie", "headwear", {"symmetry": (0.88, 1, 0.1), "aspect": (0.6, 1.35, 0.15), "top_flat": (0.15, 0.58, 0.1),
                                "solidity": (0.95, 1, 0.04), "base": (0.85, 1, 0.12), "widest_at": (0.6, 1, 0.15),
                                "hole": (0, 0.02, 0.03), "legs": (0, 0.05, 0.05), "crown": (0.55, 1, 0.1)}),
    Rule("hat", "headwear", {"symmetry": (0.82, 1, 0.12), "aspect": (0.25, 0.9, 0.1), "crown": (0.3, 0.75, 0.08),
                             "widest_at": (0.65, 0.97, 0.12), "solidity": (0.65, 0.92, 0.06), "arms": (0, 0.08, 0.1),
                             "hole": (0, 0.03, 0.05), "legs": (0, 0.08, 0.1), "base": (0.3, 0.9, 0.15)}),
    # A handle that one sees through, above a body that stands; else a box without a neck or a waist.
    Rule("bag with a handle", "bag", {"symmetry": (0.7, 1, 0.2), "hole": (0.03, 0.5, 0.03), "holes": (1, 2, 1),
                                      "hole_at": (0.05, 0.46, 0.1), "base": (0.7, 1, 0.2), "aspect": (0.55, 2.2, 0.15),
                                      "top_width": (0.05, 0.75, 0.2), "widest_at": (0.5, 1, 0.2)}),
    Rule("clutch", "bag", {"symmetry": (0.88, 1, 0.12), "extent": (0.86, 1, 0.06), "aspect": (0.45, 1.1, 0.15),
                           "top_flat": (0.8, 1.1, 0.15), "base": (0.75, 1, 0.2), "flare": (0.85, 1.1, 0.12),
                           "hole": (0, 0.03, 0.05), "wing": (0.9, 1.1, 0.1), "legs": (0, 0.03, 0.05)}),
    # A band, straight or closed to a ring; two lenses, filled or clear, and the bridge between them.
    Rule("band", "accessory", {"elongation": (3.4, _ANY, 0.4), "legs": (0, 0.15, 0.15), "wing": (0.6, 1.2, 0.2),
                               "symmetry": (0.75, 1, 0.15)}),
    Rule("strip", "accessory", {"elongation": (5.5, _ANY, 1)}),
    Rule("ring", "accessory", {"hole": (0.35, 1, 0.1), "hole_at": (0.35, 0.7, 0.1), "holes": (1, 1, 0.5)}),
    Rule("glasses", "accessory", {"symmetry": (0.85, 1, 0.12), "aspect": (0.22, 0.55, 0.1), "neck": (0, 0.6, 0.15),
                                  "solidity": (0.6, 0.95, 0.08)}),
    Rule("spectacles", "accessory", {"symmetry": (0.85, 1, 0.12), "aspect": (0.22, 0.55, 0.1), "holes": (2, 2, 0.5),
                                     "hole": (0.1, 0.5, 0.1)}),
)  # fmt: skip

# Where each category is worn, as its upper and its lower end, in heights of the face below the face's upper end.
_BELOW_A_FACE: Mapping[str, tuple[Range, Range]] = {
    "headwear": ((-1.5, 0.2, 0.4), (-0.4, 0.9, 0.5)),
    "top": ((0.6, 2.6, 0.6), (2.0, 6.2, 1.0)),
    "outerwear": ((0.6, 2.4, 0.5), (3.5, 9.0, 0.8)),
    "dress": ((0.6, 2.6, 0.5), (5.5, 11.0, 1.0)),
    "bottom": ((2.6, 6.5, 0.8), (5.0, 11.5, 1.0)),
    "footwear": ((6.0, 12.0, 1.0), (7.5, 13.0, 1.0)),
    "bag": ((1.5, 7.0, 1.0), (3.0, 9.0, 1.0)),
    "accessory": ((0.2, 5.0, 0.5), (0.5, 5.5, 0.5)),
}
# The same in heights of the outfit that it was part of, which begins at the shoulders.
_IN_AN_OUTFIT: Mapping[str, tuple[Range, Range]] = {
    "top": ((0, 0.08, 0.1), (0.25, 0.62, 0.1)),
    "outerwear": ((0, 0.08, 0.1), (0.45, 0.85, 0.1)),
    "dress": ((0, 0.08, 0.1), (0.6, 1, 0.1)),
    "bottom": ((0.2, 0.6, 0.12), (0.6, 1, 0.1)),
    "footwear": ((0.75, 0.97, 0.12), (0.97, 1, 0.05)),
}
# What a worn garment's outline says is little: arms hide it, and hair. So its place counts even where its rule does not
# fit; the more so, the more common it is.
_WORN: Mapping[str, float] = {
    "top": 0.6, "bottom": 0.55, "dress": 0.3, "outerwear": 0.3, "footwear": 0.55, "headwear": 0.55, "accessory": 0.15,
}  # fmt: skip
_ON_THE_BODY = ("headwear", "top", "outerwear", "dress")  # straight below a face, or above it
_LEAST = 0.2  # a fit below it says nothing


@dataclass(frozen=True)
class Guess:
    """A category, and how sure it is, 0 to 1."""

    category: str
    score: float


def guess(shape: Shape, box: Box, *, faces: Sequence[Box] = (), within: tuple[float, float] | None = None) -> Guess:
    """Say what an item is.

    `box` is where it lies, `faces` where faces do, both in pixels of the photo; `within` where it began and ended on
    the outfit that it was part of.
    """
    fits = dict.fromkeys(CATEGORIES, 0.0)
    for rule in RULES:
        fits[rule.category] = max(fits[rule.category], _fit(shape, rule))
    if (face := _face(box, faces)) is not None:
        upper, lower = ((y - face[1]) / face[3] for y in (box[1], box[1] + box[3]))
        fits = _worn(fits, upper, lower, _BELOW_A_FACE)
        if not _in_line(box, face):
            fits |= dict.fromkeys(_ON_THE_BODY, 0.0)
    elif within is not None:
        fits = _worn(fits, *within, _IN_AN_OUTFIT)
    fits["other"] = _LEAST
    ranked = sorted(CATEGORIES, key=lambda category: -fits[category])
    best, second = fits[ranked[0]], fits[ranked[1]]
    return Guess(ranked[0], round(0.5 * best + 0.5 * (best - second), 2) if ranked[0] != "other" else _LEAST)


def _fit(shape: Shape, rule: Rule) -> float:
    away = sum(_outside(getattr(shape, figure), wanted) ** 2 for figure, wanted in rule.figures.items())
    return math.exp(-away)


def _outside(value: float, wanted: Range) -> float:
    """Return how far outside of a range a value lies, in slacks."""
    least, most, slack = wanted
    return float(max(least - value, value - most, 0)) / slack


def _face(box: Box, faces: Sequence[Box]) -> Box | None:
    """Return the face of who wears what is in the box: the nearest sideways, of those that are not too far away."""
    middle = box[0] + box[2] / 2
    away = {face: abs(face[0] + face[2] / 2 - middle) / face[3] for face in faces}
    nearest = min(away, key=lambda face: away[face], default=None)
    return nearest if nearest is not None and away[nearest] < 3.5 else None


def _in_line(box: Box, face: Box) -> bool:
    """Return whether some of a box lies between the shoulders of whose face it is."""
    reach = 0.6 * face[2]
    return box[0] < face[0] + face[2] + reach and box[0] + box[2] > face[0] - reach


def _worn(
    fits: Mapping[str, float], upper: float, lower: float, places: Mapping[str, tuple[Range, Range]]
) -> dict[str, float]:
    """Return how well categories fit, their places considered."""
    found = dict.fromkeys(CATEGORIES, 0.0)
    for category, (at_top, at_bottom) in places.items():
        there = math.exp(-(_outside(upper, at_top) ** 2) - _outside(lower, at_bottom) ** 2)
        found[category] = there * (0.4 * fits[category] + _WORN.get(category, 0))
    return found
