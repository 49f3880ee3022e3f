"""What can be measured of an outline: the figures that garments, shoes and bags are told apart by."""

from dataclasses import dataclass

import cv2
import numpy as np

from workflows.engines.palette import Bytes, Floats

_SIDE = 160  # the longer side that a shape is measured at
_MOST_TURN = 16  # degrees that a photo may have been taken askew, or a garment laid


@dataclass(frozen=True, kw_only=True)
class Shape:
    """An outline, upright. Heights are shares of its height, from the top; widths shares of its largest, where no
    other is named."""

    aspect: float  # height to width
    elongation: float  # the longer side to the shorter, of the smallest rectangle around it however it lies
    symmetry: float  # overlap of the outline and its mirror image (intersection over union)
    solidity: float  # area to that of its convex hull
    extent: float  # area to that of its box
    hole: float  # the largest hole to the area with it
    hole_at: float  # its height
    holes: int
    legs: float  # height over which it is parted in the middle, from the bottom up
    straps: float  # the same from the top down
    arms: float  # height over which something hangs free on both sides of the middle
    wing: float  # the largest width of the upper part to that of the trunk
    slimness: float  # height to the width of the trunk
    waist: float  # the narrowest of the middle to the narrower of what is wider above and below
    flare: float  # width at the bottom to the narrowest of the middle
    top_flat: float  # width at the very top to that a little below
    top_width: float
    base: float  # width at the bottom
    crown: float  # width of the upper half
    widest_at: float  # height
    reach: float  # the lowest height at which it is clearly wider than its trunk: where sleeves end
    peak_at: float  # how far its highest part is from the nearer end, as a share of its width
    flat: float  # share of its width that it stands on
    neck: float  # height of the middle to that of the lower end: below 1 between two lenses


def shape_of(mask: Bytes) -> Shape:
    """Measure a boolean mask, shape (h, w), in which there is something."""
    mask = _upright(_small(mask))
    high, wide = mask.shape
    area = int(mask.sum())
    contours, tree = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    outer = np.concatenate([line for line, (*_, parent) in zip(contours, tree[0], strict=True) if parent < 0])
    sides = sorted(cv2.minAreaRect(outer)[1])
    gaps = [line for line, (*_, parent) in zip(contours, tree[0], strict=True) if parent >= 0]
    sizes = [cv2.contourArea(line) for line in gaps] or [0.0]
    largest = gaps[int(np.argmax(sizes))] if gaps else None
    widths, trunk, split, free = _rows(mask)
    full = max(1.0, float(widths.max()))
    body = max(1.0, float(np.median(trunk[round(0.5 * high) : round(0.85 * high)])))
    first = round(0.2 * high)
    middle = _smooth(trunk)[first : max(first + 1, round(0.6 * high))]
    narrow, at = max(1.0, float(middle.min())), first + int(middle.argmin())
    above, below = float(trunk[: at + 1].max()), float(trunk[at:].max())
    columns = mask.sum(axis=0).astype(np.float32)
    third = max(1, wide // 3)
    ends_and_middle = (columns[:third], columns[-third:], columns[int(wide * 0.46) : int(wide * 0.54) + 1])
    peak = float(np.nonzero(mask[: max(1, round(0.1 * high))])[1].mean()) / wide
    left, right, inner = (float(np.percentile(part, 80)) for part in ends_and_middle)
    return Shape(
        aspect=high / wide,
        elongation=(sides[1] + 1) / (sides[0] + 1),
        symmetry=_mirrored(mask),
        solidity=area / max(1.0, cv2.contourArea(cv2.convexHull(outer))),
        extent=area / mask.size,
        hole=max(sizes) / (area + sum(sizes)),
        hole_at=float(largest[:, 0, 1].mean()) / high if largest is not None else 0.0,
        holes=sum(size > 0.02 * area for size in sizes),
        legs=_from_the_end(split[::-1]),
        straps=_from_the_end(split),
        arms=float(free.mean()),
        wing=float(widths[: round(0.6 * high)].max()) / body,
        slimness=high / body,
        waist=narrow / max(1.0, min(above, below)),
        flare=_around(trunk, 0.95) / narrow,
        top_flat=_around(widths, 0.02) / max(1.0, _around(widths, 0.13)),
        top_width=_around(widths, 0.05) / full,
        base=_around(widths, 0.95) / full,
        crown=float(np.median(widths[: max(1, high // 2)])) / full,
        widest_at=float(np.flatnonzero(widths >= 0.97 * widths.max()).mean()) / high,
        reach=float(np.flatnonzero(np.append(True, widths > 1.2 * body)).max()) / high,
        peak_at=min(peak, 1 - peak),
        flat=_standing(mask),
        neck=inner / max(1.0, min(left, right)),
    )


def _small(mask: Bytes) -> Bytes:
    left, top, wide, high = cv2.boundingRect(mask.astype(np.uint8))
    part = mask[top : top + high, left : left + wide].astype(np.uint8) * 255
    scale = _SIDE / max(wide, high)
    size = (max(2, round(wide * scale)), max(2, round(high * scale)))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    solid = small > min(127, small.max() // 2)  # what is thin is thinner than a pixel now
    return solid if solid.any() else np.ones_like(solid)


def _upright(mask: Bytes) -> Bytes:
    """Return the mask turned so that it is most like its mirror image; else, if it is like it at no angle, so that it
    stands on as much of its width as it can."""
    turned = [_turned(mask, angle) for angle in range(-_MOST_TURN, _MOST_TURN + 1, 2)]
    likeness = [_mirrored(one) for one in turned]
    if max(likeness) > 0.85:
        # A little better is not worth a turn: a circle is like itself at any angle.
        straight = likeness[len(likeness) // 2]
        return turned[int(np.argmax(likeness))] if max(likeness) > straight + 0.015 else _turned(mask, 0)
    return max(turned, key=_standing)


def _standing(mask: Bytes) -> float:
    """Return the share of the width below which the mask ends at its bottom, or nearly."""
    high = mask.shape[0]
    lowest = np.where(mask.any(axis=0), high - 1 - mask[::-1].argmax(axis=0), 0)
    return float((lowest >= 0.95 * (high - 1)).mean())


def _turned(mask: Bytes, angle: float) -> Bytes:
    high, wide = mask.shape
    side = int(np.hypot(high, wide)) + 4
    matrix = cv2.getRotationMatrix2D((wide / 2, high / 2), angle, 1.0)
    matrix[:, 2] += (side / 2 - wide / 2, side / 2 - high / 2)
    whole = cv2.warpAffine(mask.astype(np.uint8) * 255, matrix, (side, side), flags=cv2.INTER_LINEAR) > 127
    left, top, wide, high = cv2.boundingRect(whole.astype(np.uint8))
    return whole[top : top + high, left : left + wide] if wide and high else mask


def _mirrored(mask: Bytes) -> float:
    """Return how much the mask is like its mirror image, left and right, about the better of two middles."""
    wide = mask.shape[1]
    columns = np.flatnonzero(mask.any(axis=0))
    weight = mask.sum(axis=0)
    best = 0.0
    for middle in ((columns[0] + columns[-1]) / 2, float((weight * np.arange(wide)).sum() / weight.sum())):
        shift = round(2 * middle - (wide - 1))
        other = np.zeros_like(mask)
        flipped = mask[:, ::-1]
        if shift >= 0:
            other[:, shift:] = flipped[:, : wide - shift]
        else:
            other[:, :shift] = flipped[:, -shift:]
        best = max(best, float((mask & other).sum() / (mask | other).sum()))
    return best


def _rows(mask: Bytes) -> tuple[Floats, Floats, Bytes, Bytes]:
    """Return for each row: its width from end to end; that of its trunk, which is the run in the middle (else all of
    it); whether it is parted in the middle; and whether it has a run on each side of the one in the middle."""
    high, wide = mask.shape
    widths, trunk = np.zeros(high, np.float32), np.zeros(high, np.float32)
    split, free = np.zeros(high, bool), np.zeros(high, bool)
    center = float(np.flatnonzero(mask.any(axis=0)).mean())
    least = max(2, round(0.02 * wide))
    for y, row in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
        runs = [(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if stop - start >= least]
        if not runs:
            continue
        widths[y] = trunk[y] = runs[-1][1] - runs[0][0]
        middle = [index for index, (start, stop) in enumerate(runs) if start <= center < stop]
        if middle:
            start, stop = runs[middle[0]]
            trunk[y] = stop - start
            free[y] = 0 < middle[0] < len(runs) - 1
        elif len(runs) > 1:
            before = sum(stop - start for start, stop in runs if stop <= center)
            share = before / sum(stop - start for start, stop in runs)
            split[y] = 0.25 < share < 0.75
    return widths, trunk, split, free


def _from_the_end(split: Bytes) -> float:
    """Return over what share of the height it is parted, beginning near the end that comes first."""
    high, reach, missing = len(split), 0, 0
    for y, parted in enumerate(split):
        missing = 0 if parted else missing + 1
        if parted:
            reach = y + 1
        elif missing > 0.08 * high:
            break
    return reach / high


def _smooth(values: Floats) -> Floats:
    return cv2.blur(values[None], (max(3, len(values) // 20), 1), borderType=cv2.BORDER_REPLICATE)[0]


def _around(widths: Floats, height: float) -> float:
    high = len(widths)
    start = min(high - 1, max(0, round((height - 0.02) * high)))
    return float(widths[start : max(start + 1, round((height + 0.02) * high))].mean())
