"""Two shoes that belong together: a shop sells them as one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from workflows.engines.cutouts import Item
from workflows.engines.wishes import share_of_colors

_LEAST_SIZE = 0.5  # of the smaller to the larger: one of them may be farther away, or turned
_LEAST_ALIKE = 0.6
_MOST_APART = 1.2  # between their middles, in the longer sides of both boxes together


def paired(items: Sequence[Item]) -> list[Item]:
    """Return the items, of which two shoes that are alike and near each other are one; the nearest first."""
    left = list(items)
    for one, other in sorted(_pairs(items), key=lambda pair: _apart(*pair)):
        if one in left and other in left:
            left[left.index(one)] = _together(one, other)
            left.remove(other)
    return left


def _pairs(items: Sequence[Item]) -> Iterator[tuple[Item, Item]]:
    shoes = [item for item in items if item.details["category"] == "footwear" and item.within is None]
    for one, other in combinations(shoes, 2):
        sizes = sorted((one.area, other.area))
        if sizes[0] >= _LEAST_SIZE * sizes[1] and _apart(one, other) <= _MOST_APART and _alike(one, other):
            yield one, other


def _apart(one: Item, other: Item) -> float:
    first, second = one.box, other.box
    middles = [np.array([x + wide / 2, y + high / 2]) for x, y, wide, high in (first, second)]
    return float(np.linalg.norm(middles[0] - middles[1])) / (max(first[2:]) + max(second[2:]))


def _alike(one: Item, other: Item) -> bool:
    colors = [[(each["color"], each["share"]) for each in item.details["colors"]] for item in (one, other)]
    shares = [
        share_of_colors([color for color, _ in wanted], have) for wanted, have in (colors, reversed(colors))
    ]  # fmt: skip
    return min(shares) >= _LEAST_ALIKE


def _together(one: Item, other: Item) -> Item:
    rows, columns = (
        slice(min(first.start, second.start), max(first.stop, second.stop))
        for first, second in ((one.rows, other.rows), (one.columns, other.columns))
    )
    alpha = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    for item in (one, other):
        top, left = item.rows.start - rows.start, item.columns.start - columns.start
        part = alpha[top : top + item.alpha.shape[0], left : left + item.alpha.shape[1]]
        np.maximum(part, item.alpha, out=part)
    score = max(one.details["score"], other.details["score"])
    larger = max(one, other, key=lambda item: item.area)
    return replace(one, rows=rows, columns=columns, alpha=alpha, details={**larger.details, "score": score})
