"""Telling the items of a foreground apart: what does not touch, and on an outfit what does."""

import math

import cv2
import numpy as np

from workflows.engines import outfits
from workflows.engines.cutouts import Item
from workflows.engines.palette import Bytes

MOST_ITEMS = 32
_SMALLEST_SHARE = 0.004  # of the photo, or an eighth of that beside a large item: crumbs and glints are smaller
_SMALL = 640  # long side of the small foreground that items are told apart on
_REACH = 5  # pixels of it that an item's soft edge may lie outside of its mask


def items(photo: Bytes, alpha: Bytes, *, min_area: float | None = None) -> list[Item]:
    """Return the items of a foreground, the largest first; none smaller than a `min_area` of the photo.

    Without one, those are left out that are crumbs beside the largest. `alpha` is 0 to 255, shape (h, w).
    """
    height, width = alpha.shape
    shrink = min(1.0, _SMALL / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    solid = (cv2.resize(alpha, size, interpolation=cv2.INTER_AREA) > 127).astype(np.uint8)
    # Opened, so that a thread or a shadow between two items does not make them one.
    opened = cv2.morphologyEx(solid, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if count == 1 or (min_area is None and areas.max() < _SMALLEST_SHARE * solid.size / 2):
        return []
    least = max(_SMALLEST_SHARE * solid.size / 8, 0.02 * areas.max()) if min_area is None else 0
    large = [1 + int(index) for index in np.argsort(-areas, kind="stable") if areas[index] >= least][:MOST_ITEMS]
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    labels = np.where(np.isin(labels, large), labels, np.where(labels > 0, -1, 0)).astype(np.int32)
    owners: dict[int, tuple[float, float] | None] = {}
    for index in large:
        pieces = outfits.parts(small, labels == index)
        for part, piece in enumerate(pieces):
            owner = index if part == 0 else count + len(owners)
            labels[piece] = owner
            owners[owner] = _within(piece, stats[index]) if len(pieces) > 1 else None
    _grow(labels)
    found = [item for owner, place in owners.items() if (item := _item(alpha, labels == owner, place)) is not None]
    found = [item for item in found if min_area is None or item.area >= min_area * alpha.size]
    return sorted(found, key=lambda item: -item.area)[:MOST_ITEMS]


def _within(piece: Bytes, stats: Bytes) -> tuple[float, float]:
    _, top, _, high = cv2.boundingRect(piece.astype(np.uint8))
    first, whole = stats[cv2.CC_STAT_TOP], stats[cv2.CC_STAT_HEIGHT]
    return float(top - first) / whole, float(top + high - first) / whole


def _grow(labels: Bytes) -> None:
    """Give what belongs to no item, in place, to the one within reach."""
    kernel = np.ones((3, 3), np.uint8)
    for _ in range(_REACH):
        grown = cv2.dilate(np.maximum(labels, 0).astype(np.float32), kernel).astype(np.int32)
        np.copyto(labels, grown, where=labels == 0)


def _item(alpha: Bytes, owned: Bytes, within: tuple[float, float] | None) -> Item | None:
    """Return the part of the foreground that lies where the small mask `owned` says."""
    height, width = alpha.shape
    # Only the part of the photo that the item is in: photos are large.
    left, top, wide, high = cv2.boundingRect(owned.astype(np.uint8))
    scale_x, scale_y = width / owned.shape[1], height / owned.shape[0]
    rows = slice(int(top * scale_y), min(height, math.ceil((top + high) * scale_y)))
    columns = slice(int(left * scale_x), min(width, math.ceil((left + wide) * scale_x)))
    size = (columns.stop - columns.start, rows.stop - rows.start)
    mine = cv2.resize(owned[top : top + high, left : left + wide].astype(np.uint8) * 255, size)
    # Enlarged smoothly, and then as sharp as it was: items that touch are parted by a line without stairs.
    steep = np.clip((np.arange(256) - 127.5) * max(1.0, scale_x) + 127.5, 0, 255).astype(np.uint8)
    own = cv2.multiply(alpha[rows, columns], cv2.LUT(mine, steep), scale=1 / 255)
    return Item(rows=rows, columns=columns, alpha=own, within=within) if (own > 127).any() else None
