"""Parting an outfit: a top, a bottom and shoes that touch, told apart by their colours.

It is done where it can be defended, and nowhere else. From head to foot, one mixture of colours gives way to a clearly
different one at some height; the upper one reaches the top of the outfit and the lower one its bottom. So stripes and
checks (the same mixture above and below), prints and patches (enclosed by their garment) and light that falls off (no
sudden change) tear nothing apart; two-coloured garments that are no longer than wide neither.
"""

import cv2
import numpy as np
from PIL import ImageColor

from workflows.engines import palette
from workflows.engines.palette import Bytes, Floats

_LEAST_ASPECT = 1.3  # height to width: a garment with a block of colour is hardly longer than it is wide
_STRIP_ASPECT, _STRIP_FILL = 3.2, 0.85  # a scarf may have ends of another colour
_LEAST_SHARE = 0.05
_COLORS = 8
_LIGHTNESS_WEIGHT = 0.5  # a fold is darker, and of the same cloth
_ALIKE = 12.0  # distance in L*a*b* at which colours begin to count as two
_NEAR = 0.12  # of the height: what is compared above and below a line
_MOST_NEAR_OVERLAP, _MOST_OVERLAP = 0.5, 0.25
_FAR = 6.0
_CRUMB = 0.02


def parts(photo: Bytes, mask: Bytes) -> list[Bytes]:
    """Return the parts of an outfit, from the top down, each a mask like `mask`: that alone if it is one garment.

    `photo` is sRGB, shape (h, w, 3), and small; `mask` is boolean, shape (h, w), and one connected region.
    """
    left, top, wide, high = cv2.boundingRect(mask.astype(np.uint8))
    inside = mask[top : top + high, left : left + wide]
    strip = high > _STRIP_ASPECT * wide and inside.mean() > _STRIP_FILL
    if high < _LEAST_ASPECT * wide or min(wide, high) < 24 or strip:
        return [mask]
    upper = _upper(photo[top : top + high, left : left + wide], inside)
    if upper is None:
        return [mask]
    whole = np.zeros_like(mask)
    whole[top : top + high, left : left + wide] = upper
    return [*parts(photo, whole), *parts(photo, mask & ~whole)]


def _upper(photo: Bytes, mask: Bytes) -> Bytes | None:
    """Return the upper of the two garments that an outfit is of; None where it is one."""
    kinds, alike = _kinds(cv2.GaussianBlur(photo, (0, 0), 1.0), mask)
    if len(alike) < 2:
        return None
    counts = np.stack([(kinds == kind).sum(axis=1) for kind in range(len(alike))], axis=1)
    line = _line(counts, alike)
    if line is None:
        return None
    high = len(mask)
    near = max(2, round(1.6 * _NEAR * high))
    odds = np.log((_shares(counts[max(0, line - near) : line]) + 0.02) / (_shares(counts[line : line + near]) + 0.02))
    # A sleeve may hang beside the thigh, but the farther away the less a colour says of what belongs together.
    below = (line - np.arange(high, dtype=np.float32)[:, None]) / high
    side = np.sign(below) * (0.5 + _FAR * np.abs(below))
    score = np.where(mask, odds[kinds] + side, 0).astype(np.float32)
    sigma = max(1.0, 0.004 * high)
    upper = (cv2.GaussianBlur(score, (0, 0), sigma) > 0) & mask
    upper = _without_crumbs(upper, mask)
    lower = mask & ~upper
    if min(upper.sum(), lower.sum()) < _LEAST_SHARE * mask.sum():
        return None
    of_upper, of_lower = (np.bincount(kinds[part], minlength=len(alike)) for part in (upper, lower))
    if _overlap(of_upper, of_lower, alike) > _MOST_OVERLAP:
        return None
    rows = mask.sum(axis=1).cumsum() / mask.sum()
    head, foot = mask & (rows < 0.04)[:, None], mask & (rows > 0.96)[:, None]
    if (upper & head).sum() < 0.8 * head.sum() or (lower & foot).sum() < 0.8 * foot.sum():
        return None
    return upper


def _kinds(photo: Bytes, mask: Bytes) -> tuple[Bytes, Floats]:
    """Return which of a few colours each pixel is nearest to, shape (h, w), and how alike those are, shape (k, k)."""
    colors = [ImageColor.getrgb(color) for color, _ in palette.main_colors(photo[mask], count=_COLORS)]
    weights = np.array([_LIGHTNESS_WEIGHT, 1, 1], np.float32)
    centers = palette.lab(np.array([colors], np.uint8))[0] * weights
    points = palette.lab(photo) * weights
    kinds = np.argmin([((points - center) ** 2).sum(axis=2) for center in centers], axis=0)
    apart = np.linalg.norm(centers[:, None] - centers[None], axis=2)
    return kinds, np.exp(-((apart / _ALIKE) ** 2))


def _line(counts: Floats, alike: Floats) -> int | None:
    """Return the row at which the colours change most, None where they do not. `counts` has a row for each row."""
    high = len(counts)
    near, total = max(2, round(_NEAR * high)), np.vstack([np.zeros_like(counts[:1]), counts]).cumsum(axis=0)
    rows = range(round(0.08 * high), round(0.97 * high))
    overlaps = [
        _overlap(total[row] - total[max(0, row - near)], total[min(high, row + near)] - total[row], alike)
        for row in rows
    ]
    best = int(np.argmin(overlaps))
    return rows[best] if overlaps[best] < _MOST_NEAR_OVERLAP else None


def _overlap(one: Floats, other: Floats, alike: Floats) -> float:
    """Return how much two mixtures of colours have in common, 0 to 1; colours that are alike count as one."""
    first, second = _shares(one) @ alike, _shares(other) @ alike
    return float(np.minimum(first, second).sum() / max(1e-6, np.maximum(first, second).sum()))


def _shares(counts: Floats) -> Floats:
    counts = counts if counts.ndim == 1 else counts.sum(axis=0)
    return counts / max(1, counts.sum())


def _without_crumbs(upper: Bytes, mask: Bytes) -> Bytes:
    """Return the upper part without islands of either part, which belong to what they lie in."""
    least = _CRUMB * mask.sum()
    for of_upper in (True, False):
        part = upper if of_upper else mask & ~upper
        count, labels, stats, _ = cv2.connectedComponentsWithStats(part.astype(np.uint8), connectivity=8)
        small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < least)
        if count > 1 and len(small := small[small > 0]):
            crumbs = np.isin(labels, small)
            upper = upper & ~crumbs if of_upper else upper | crumbs
    return upper
