"""Outlines of what shops sell, drawn in many proportions: each function draws one with the randomness it is given.

Coordinates are about a hand's breadth each, y down, x from the middle of the thing; `both` adds the mirrored half.
"""

from collections.abc import Callable

import cv2
import numpy as np

Points = list[tuple[float, float]]
Rng = np.random.Generator


class Drawing:
    """What has been drawn so far, as filled and cut out polygons."""

    def __init__(self) -> None:
        self.steps: list[tuple[np.ndarray, bool]] = []

    def fill(self, points: Points) -> "Drawing":
        self.steps.append((np.array(points, float), True))
        return self

    def cut(self, points: Points) -> "Drawing":
        self.steps.append((np.array(points, float), False))
        return self

    def mask(self, *, size: int, degrees: float, mirrored: bool) -> np.ndarray:
        """Return it as a boolean mask, about `size` pixels large, turned."""
        turn = np.radians(degrees)
        spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        flip = np.array([-1 if mirrored else 1, 1])
        steps = [((points * flip) @ spin.T, filled) for points, filled in self.steps]
        every = np.concatenate([points for points, _ in steps])
        low, scale = every.min(axis=0), size / (every.max(axis=0) - every.min(axis=0)).max()
        wide, high = np.ceil((every.max(axis=0) - low) * scale).astype(int) + 20
        canvas = np.zeros((high, wide), np.uint8)
        for points, filled in steps:
            pixels = np.rint(((points - low) * scale + 10) * 16).astype(np.int32)
            cv2.fillPoly(canvas, [pixels], (255 if filled else 0,), cv2.LINE_AA, 4)
        return canvas > 127


def both(half: Points) -> Points:
    return half + [(-x, y) for x, y in reversed(half) if x]


def ellipse(x: float, y: float, wide: float, high: float, start: float = 0, stop: float = 360) -> Points:
    turn = np.radians(np.linspace(start, stop, 40))
    return [(float(x + wide * np.cos(t)), float(y + high * np.sin(t))) for t in turn]


def t_shirt(rng: Rng) -> Drawing:
    body, length, sleeve = rng.uniform(2.3, 2.9), rng.uniform(5.8, 7.2), rng.uniform(1.2, 2.2)
    drop, neck = rng.uniform(0.8, 2.0), rng.uniform(0.8, 1.1)
    shoulder = body * rng.uniform(0.82, 0.95)
    half = [(0, 0.25), (neck, 0), (shoulder, 0.45), (shoulder + sleeve, 0.5 + drop),
            (shoulder + sleeve - 0.75, 0.5 + drop + rng.uniform(1.0, 1.5)), (body, 2.2),
            (body * rng.uniform(0.95, 1.05), length)]  # fmt: skip
    return Drawing().fill(both([*half, (0, length + 0.1)]))


def long_sleeve(rng: Rng) -> Drawing:
    body, length, out = rng.uniform(2.3, 2.8), rng.uniform(5.8, 7.0), rng.uniform(0.9, 4.0)
    down = (36 - out * out) ** 0.5
    shoulder, wrist = body * 0.9, rng.uniform(0.9, 1.2)
    half = [(0, 0.25), (0.9, 0), (shoulder, 0.4), (shoulder + out + 0.5, 0.4 + down),
            (shoulder + out + 0.5 - wrist, 0.6 + down),
            (body, 2.3), (body, length), (0, length)]  # fmt: skip
    return Drawing().fill(both(half))


def tank(rng: Rng) -> Drawing:
    body, length, strap = rng.uniform(2.1, 2.6), rng.uniform(5.4, 6.6), rng.uniform(0.4, 0.8)
    inner = rng.uniform(0.8, 1.2)
    half = [(0, rng.uniform(1.3, 2.0)), (inner, 0), (inner + strap, 0), (inner + strap + 0.2, 1.5), (body, 2.3),
            (body * rng.uniform(0.95, 1.08), length), (0, length)]  # fmt: skip
    return Drawing().fill(both(half))


def trousers(rng: Rng) -> Drawing:
    waist, length, hip = rng.uniform(1.7, 2.0), rng.uniform(9.5, 11), rng.uniform(2.2, 2.6)
    crotch, hem, gap = rng.uniform(2.6, 3.2), rng.uniform(0.9, 1.7), rng.uniform(0.15, 0.7)
    return Drawing().fill(
        both([(0, 0), (waist, 0), (hip, crotch - 0.4), (gap + hem, length), (gap, length), (0, crotch)])
    )


def shorts(rng: Rng) -> Drawing:
    waist, length, hip = rng.uniform(1.8, 2.2), rng.uniform(3.8, 5.4), rng.uniform(2.4, 2.9)
    crotch, gap = rng.uniform(2.5, 2.9), rng.uniform(0.15, 0.5)
    return Drawing().fill(
        both([(0, 0), (waist, 0), (hip, crotch - 0.3), (hip + 0.2, length), (gap, length), (0, crotch)])
    )


def skirt(rng: Rng) -> Drawing:
    waist, length, hem = rng.uniform(1.6, 2.0), rng.uniform(3.8, 6.8), rng.uniform(2.5, 4.2)
    bow = rng.uniform(0.05, 0.3)
    return Drawing().fill(
        both([(0, 0), (waist, 0), (waist + (hem - waist) * 0.55, length * 0.4), (hem, length - bow), (0, length)])
    )


def dress(rng: Rng) -> Drawing:
    waist, bust, length = rng.uniform(1.6, 1.9), rng.uniform(2.1, 2.4), rng.uniform(8.5, 12)
    hem = rng.uniform(2.8, 4.5)
    sleeve = rng.choice([0.0, 0.0, 1.0, 1.4])
    arm = [(2.0 + sleeve, 1.4), (1.7 + sleeve, 2.3)] if sleeve else [(1.6, 1.2)]
    half = [
        (0, rng.uniform(0.4, 1.2)),
        (0.9, 0),
        (1.6, 0.15),
        *arm,
        (bust, 2.2),
        (waist, 4.0),
        (hem, length),
        (0, length + 0.1),
    ]
    return Drawing().fill(both(half))


def coat(rng: Rng) -> Drawing:
    body, length, out = rng.uniform(2.5, 2.9), rng.uniform(9.0, 11.5), rng.uniform(0.5, 2.0)
    down = (36 - out * out) ** 0.5
    half = [(0, 0.2), (1.0, 0), (body * 0.92, 0.5), (body * 0.92 + out + 0.7, 0.5 + down),
            (body * 0.92 + out - 0.5, 0.7 + down),
            (body, 2.6), (body * rng.uniform(1.0, 1.12), length), (0, length)]  # fmt: skip
    return Drawing().fill(both(half))


def _shoe(rng: Rng) -> Points:
    high, long = rng.uniform(1.2, 1.7), rng.uniform(3.4, 4.0)
    return [(0, 0.1), (0.5, 0.15 + rng.uniform(0, 0.15)), (1.2, 0), (1.5, 0.35), (2.4, 0.75),
            (long - 0.3, high * 0.62), (long, high * 0.8),
            (long - 0.05, high), (0.05, high), (-0.1, high * 0.6)]  # fmt: skip


def shoe(rng: Rng) -> Drawing:
    return Drawing().fill(_shoe(rng))


def shoe_pair(rng: Rng) -> Drawing:
    """A pair from above, touching, or from the side, one behind the other."""
    if rng.random() < 0.5:
        long, gap = rng.uniform(2.7, 3.4), rng.uniform(0.5, 0.62)
        return (
            Drawing().fill(ellipse(-gap, 0, 0.62, long / 2)).fill(ellipse(gap, rng.uniform(-0.1, 0.1), 0.62, long / 2))
        )
    other = _shoe(rng)
    return Drawing().fill(other).fill([(x + 0.7, y - 0.35) for x, y in other])


def boot(rng: Rng) -> Drawing:
    high, shaft, long = rng.uniform(3.0, 6.0), rng.uniform(1.5, 1.9), rng.uniform(3.0, 3.6)
    half = [(0, 0), (shaft, rng.uniform(-0.1, 0.1)), (shaft * 1.02, high - 1.6), (long - 0.5, high - 1.0),
            (long, high - 0.5), (long - 0.05, high),
            (1.3, high), (1.2, high - 0.25), (1.0, high - 0.25), (1.0, high), (-0.05, high),
            (-0.1, high - 0.8)]  # fmt: skip
    return Drawing().fill(half)


def cap(rng: Rng) -> Drawing:
    wide, high, peak = rng.uniform(1.9, 2.2), rng.uniform(1.9, 2.5), rng.uniform(1.1, 1.7)
    dome = ellipse(0, 0, wide, high, 180, 360)
    return Drawing().fill(
        [
            *dome,
            (wide + peak * 0.7, 0.25),
            (wide + peak, 0.6),
            (wide + peak * 0.8, 0.8),
            (wide * 0.5, 0.55),
            (-wide, rng.uniform(0.3, 0.6)),
        ]
    )


def beanie(rng: Rng) -> Drawing:
    wide, high, cuff = rng.uniform(1.8, 2.1), rng.uniform(2.0, 2.7), rng.uniform(0.7, 1.0)
    return Drawing().fill(
        [
            *ellipse(0, 0, wide, high, 180, 360),
            (wide * 1.05, 0.05),
            (wide * 1.05, cuff),
            (-wide * 1.05, cuff),
            (-wide * 1.05, 0.05),
        ]
    )


def hat(rng: Rng) -> Drawing:
    crown, high, brim = rng.uniform(1.5, 1.8), rng.uniform(1.7, 2.3), rng.uniform(2.8, 3.6)
    return (
        Drawing()
        .fill(both([(0, 0.15), (crown * 0.6, 0), (crown * 0.92, 0.3), (crown, high), (0, high)]))
        .fill(ellipse(0, high, brim, rng.uniform(0.35, 0.6)))
    )


def bag(rng: Rng) -> Drawing:
    """A body with a handle that one sees through."""
    wide, high, strap = rng.uniform(1.8, 2.4), rng.uniform(2.2, 3.4), rng.uniform(0.2, 0.35)
    arch, up = rng.uniform(0.9, 1.4), rng.uniform(1.2, 2.2)
    return (
        Drawing()
        .fill(both([(0, 0), (wide * 0.9, 0), (wide, high * 0.9), (wide * 0.95, high), (0, high)]))
        .fill([*ellipse(0, 0.1, arch, up, 180, 360), *reversed(ellipse(0, 0.1, arch - strap, up - strap, 180, 360))])
    )


def belt(rng: Rng) -> Drawing:
    long, high = rng.uniform(8, 12), rng.uniform(0.4, 0.7)
    return Drawing().fill([(0, 0), (long - 0.4, 0), (long, high / 2), (long - 0.4, high), (0, high)])


def coiled_belt(rng: Rng) -> Drawing:
    outer, band = rng.uniform(1.6, 2.2), rng.uniform(0.2, 0.35)
    flat = rng.uniform(0.7, 1.0)
    return Drawing().fill(ellipse(0, 0, outer, outer * flat)).cut(ellipse(0, 0, outer - band, outer * flat - band))


def scarf(rng: Rng) -> Drawing:
    wide, long = rng.uniform(0.8, 1.2), rng.uniform(7, 10)
    return Drawing().fill(both([(0, 0), (wide, 0), (wide * rng.uniform(0.9, 1.1), long), (0, long)]))


def sunglasses(rng: Rng) -> Drawing:
    lens, high, bridge = rng.uniform(1.2, 1.5), rng.uniform(0.9, 1.2), rng.uniform(0.25, 0.45)
    drawing = Drawing()
    for side in (-1, 1):
        drawing.fill(ellipse(side * (lens + bridge), 0, lens, high))
    return drawing.fill(
        [
            (-bridge - 0.3, -high * 0.5),
            (bridge + 0.3, -high * 0.5),
            (bridge + 0.3, -high * 0.2),
            (-bridge - 0.3, -high * 0.2),
        ]
    )


SILHOUETTES: dict[str, tuple[Callable[[Rng], Drawing], str]] = {
    "t-shirt": (t_shirt, "top"),
    "long sleeves": (long_sleeve, "top"),
    "tank top": (tank, "top"),
    "trousers": (trousers, "bottom"),
    "shorts": (shorts, "bottom"),
    "skirt": (skirt, "bottom"),
    "dress": (dress, "dress"),
    "coat": (coat, "outerwear"),
    "shoe": (shoe, "footwear"),
    "pair of shoes": (shoe_pair, "footwear"),
    "boot": (boot, "footwear"),
    "cap": (cap, "headwear"),
    "beanie": (beanie, "headwear"),
    "hat": (hat, "headwear"),
    "bag": (bag, "bag"),
    "belt": (belt, "accessory"),
    "coiled belt": (coiled_belt, "accessory"),
    "scarf": (scarf, "accessory"),
    "sunglasses": (sunglasses, "accessory"),
}


def silhouette(name: str, seed: int) -> np.ndarray:
    """Return one as a boolean mask: of its own proportions and size, up to 10° askew, facing either way."""
    rng = np.random.default_rng([seed, *name.encode()])
    drawing = SILHOUETTES[name][0](rng)
    return drawing.mask(size=int(rng.integers(60, 400)), degrees=rng.uniform(-10, 10), mirrored=rng.random() < 0.5)
