"""Patterns that the key light throws on a set: through a window, or past leaves.

They are drawn where they would fall on the wall, blurred as a lamp of its size blurs what hangs before it, and found
again for any point of the set along its ray from the lamp. So one pattern lies over wall, floor and props alike.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from workflows.engines.camera import FOCAL, WALL, Camera
from workflows.engines.light import Points, Rig
from workflows.engines.palette import Floats
from workflows.engines.studio import Studio

_UNLIT = 0.12  # of the key light that finds its way into the shade of a pattern
_LOWEST = -3.4

Shapes = list[tuple[list[Floats], float]]  # polygons in units of the wall, and how far from it they hang


@dataclass(frozen=True)
class Pattern:
    """The share of the key light at each place of the wall, and beyond its foot and sides; `lamp` throws it."""

    share: Floats
    left: float
    bottom: float
    scale: float
    lamp: Floats

    def at(self, points: Points) -> Floats:
        """Return the share of the key light that reaches points of the set, shape (h, w)."""
        reach = (WALL - self.lamp[2]) / (points.z - self.lamp[2])
        x = self.lamp[0] + (points.x - self.lamp[0]) * reach
        y = self.lamp[1] + (points.y - self.lamp[1]) * reach
        x, y = np.broadcast_arrays((x - self.left) * self.scale, (y - self.bottom) * self.scale)
        return cv2.remap(
            self.share, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )


def thrown(studio: Studio, name: str, camera: Camera, rig: Rig) -> Pattern:
    """Return the pattern `name` as the rig's key light throws it."""
    half_width = 0.5 * camera.width / camera.scale * WALL / FOCAL
    top = camera.rise(-camera.half_height, WALL)
    left, bottom, scale = -half_width - 1.2, _LOWEST, camera.scale * FOCAL / WALL
    groups, are_open = _PATTERNS[name](studio.random(name), half_width, float(top))
    size = (int((top + 0.6 - bottom) * scale), int(2 * -left * scale))
    radius = float(np.linalg.norm(rig.key - rig.key.mean(axis=0), axis=1).max())
    away = float(np.linalg.norm(rig.key.mean(axis=0) - [0, 0.5, WALL]))
    share = np.full(size, 0 if are_open else 1, np.float32)
    for polygons, distance in groups:
        drawn = [np.rint((polygon - [left, bottom]) * scale * 16).astype(np.int32) for polygon in polygons]
        # A disc of this radius, as wide as a bell curve of half of it.
        blur = max(0.5 * scale * radius * distance / (away - distance), 0.6)
        rim, corners = int(3 * blur) + 2, np.concatenate(drawn) // 16
        x, y = np.clip(corners.min(axis=0) - rim, 0, None).tolist()
        part = share[y : max(0, corners[:, 1].max() + rim), x : max(0, corners[:, 0].max() + rim)]
        if not part.size:
            continue
        mask = np.zeros(part.shape, np.uint8)
        for polygon in drawn:
            cv2.fillPoly(mask, [polygon - np.array([x * 16, y * 16], np.int32)], (255,), cv2.LINE_AA, 4)
        soft = cv2.GaussianBlur(mask, (0, 0), blur).astype(np.float32) / 255
        part[:] = np.maximum(part, soft) if are_open else part * (1 - soft)
    return Pattern(_UNLIT + (1 - _UNLIT) * share, left, bottom, scale, rig.key.mean(axis=0))


def _window(rng: np.random.Generator, half_width: float, top: float) -> tuple[Shapes, bool]:
    """Return the panes of a window of two or three wings, or the gaps of the blind before it."""
    wing, wings = float(np.clip(0.42 * half_width, 0.5, 0.8)), 2 if half_width < 1.4 else 3
    gap = 0.075
    left = -half_width * float(rng.uniform(0.55, 0.75))
    # What would fall below the wall's foot falls on the floor before it.
    bottom, fall = float(rng.uniform(-0.62, -0.42)), float(rng.uniform(0.1, 0.28) * rng.choice([-1, 1]))
    openings: list[Floats] = []
    kind = rng.choice(["blind", "panes", "round"], p=[0.4, 0.35, 0.25])
    height = min(top - bottom - 0.25, 2.0)
    for number in range(wings):
        x = left + number * (wing + gap)
        if kind == "blind":
            pitch, opening = 0.128, 0.08
            for slat in range(int(height / pitch)):
                y = bottom + slat * pitch
                openings.append(_pane(x, y, wing, opening))
        else:
            rows = 3
            tall = height / rows
            for row in range(rows):
                for half in (0, 1):
                    openings.append(_pane(x + half * wing / 2, bottom + row * tall, wing / 2 - 0.035, tall - 0.04))
            if kind == "round":
                up = np.linspace(0, np.pi, 24)
                middle, radius = x + wing / 2 - 0.017, wing / 2 - 0.017
                arc = np.stack([middle + radius * np.cos(up), bottom + height + radius * np.sin(up)], axis=1)
                openings.append(arc.astype(np.float32))
    for pane in openings:
        pane[:, 1] += fall * (pane[:, 0] - left)
    return [(openings, 1.0)], True


def _pane(x: float, y: float, width: float, height: float) -> Floats:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


def _palm(rng: np.random.Generator, half_width: float, top: float) -> tuple[Shapes, bool]:
    """Return palm fronds that reach in from the sides, each leaflet drooping and of a length of its own."""
    groups: Shapes = []
    side = float(rng.choice([-1, 1]))
    for at, (where, height, heading, length) in enumerate(
        ((side, 0.72, 0.35, 1.5), (side, 0.1, -0.2, 1.25), (-side, 0.98, 0.75, 1.25), (side, -0.85, 0.15, 1.5))
    ):
        foot = np.array([where * (half_width + rng.uniform(0.1, 0.35)), height * top + rng.uniform(-0.12, 0.12)])
        angle = -heading + rng.uniform(-0.2, 0.2)
        groups.append((_frond(rng, foot, angle, length * rng.uniform(0.9, 1.1), -where), (0.9, 1.4, 2.0, 1.6)[at]))
    return groups, False


def _frond(rng: np.random.Generator, foot: Floats, angle: float, length: float, way: float) -> list[Floats]:
    """Return one frond from `foot` towards `way` (1: right), rising by `angle` and bending down under its weight."""
    steps, bend = 26, rng.uniform(0.5, 0.95)
    turns = angle + bend * 0.35 - bend * np.linspace(0, 1, steps) ** 1.3
    path = foot + np.cumsum(np.stack([way * np.cos(turns), np.sin(turns)], axis=1), axis=0) * length / steps
    shapes = [_ribbon(path, 0.011)]
    for step in range(3, steps):
        along = step / steps
        reach = length * 0.42 * np.sin(np.pi * (0.16 + 0.78 * along)) ** 0.8
        for side in (-1, 1):
            # Near the tip the leaflets point ahead, and all of them hang a little, the lower ones most.
            start = turns[step] + side * (1.15 - 0.75 * along) + rng.normal(0, 0.07)
            droop = (0.55 if side > 0 else 0.3) * rng.uniform(0.5, 1.3)
            bends = start - droop * np.linspace(0, 1, 7) ** 1.4
            leaf = path[step] + np.cumsum(np.stack([way * np.cos(bends), np.sin(bends)], axis=1), axis=0) * (
                reach * rng.uniform(0.78, 1.08) / 7
            )
            shapes.append(_ribbon(np.vstack([path[step], leaf]), 0.019 * rng.uniform(0.75, 1.1)))
    return shapes


def _branch(rng: np.random.Generator, half_width: float, top: float) -> tuple[Shapes, bool]:
    """Return leafy branches that reach in from the sides, their leaves turned this way and that."""
    groups: Shapes = []
    side = float(rng.choice([-1, 1]))
    for at, (where, height, heading) in enumerate(
        ((side, 0.85, -0.35), (side, 0.4, 0.1), (-side, 1.05, -0.6), (side, -0.4, -0.1), (side, -1.0, 0.2))
    ):
        shapes: list[Floats] = []
        foot = np.array([where * (half_width + rng.uniform(0.05, 0.25)), height * top + rng.uniform(-0.15, 0.15)])
        # Those that hang low do not reach over the product's place.
        reach = 1.2 if height > 0.7 else min(1.2, 0.62 * half_width + 0.25)
        for _ in range(2):
            angle = heading + rng.uniform(-0.35, 0.35)
            shapes += _twig(rng, foot, angle, reach * float(rng.uniform(0.8, 1.1)), -where)
        groups.append((shapes, (0.7, 1.2, 2.2, 1.3, 1.8)[at]))
    return groups, False


def _twig(rng: np.random.Generator, foot: Floats, angle: float, length: float, way: float) -> list[Floats]:
    steps = 11
    turns = angle + np.cumsum(rng.normal(-0.02, 0.09, steps))
    path = foot + np.cumsum(np.stack([way * np.cos(turns), np.sin(turns)], axis=1), axis=0) * length / steps
    shapes = [_ribbon(path, 0.008)]
    for step in range(2, steps):
        turn = turns[step] + (1 if step % 2 else -1) * rng.uniform(0.45, 1.0) - 0.15
        size = rng.uniform(0.2, 0.3) * (1.1 - 0.4 * step / steps)
        # A leaf seen from its edge is narrow.
        shapes.append(_leaf(path[step], way * np.cos(turn), np.sin(turn), size, size * rng.uniform(0.1, 0.27), rng))
    shapes.append(_leaf(path[-1], way * np.cos(turns[-1]), np.sin(turns[-1]), 0.2, 0.045, rng))
    return shapes


def _leaf(foot: Floats, x: float, y: float, length: float, half: float, rng: np.random.Generator) -> Floats:
    """Return a leaf: broad below its middle, its tip drawn out, its rib a little bent."""
    t = np.linspace(0, 1, 12)
    wide = half * np.sin(np.pi * t**0.8) * (1 - 0.25 * t)
    rib = rng.uniform(-0.18, 0.18) * length * t**2
    along, across = np.concatenate([t, t[::-1]]) * length, np.concatenate([rib + wide, (rib - wide)[::-1]])
    return (foot + np.stack([x * along - y * across, y * along + x * across], axis=1)).astype(np.float32)


def _ribbon(path: Floats, half: float) -> Floats:
    """Return a band along `path` that is `half` as wide at its widest and ends in a point."""
    way = np.gradient(path, axis=0)
    normal = np.stack([-way[:, 1], way[:, 0]], axis=1) / np.linalg.norm(way, axis=1)[:, None]
    t = np.linspace(0, 1, len(path))[:, None]
    wide = half * np.sin(np.pi * np.clip(0.12 + 0.88 * t, 0, 1)) ** 0.7 * normal
    return np.concatenate([path + wide, (path - wide)[::-1]]).astype(np.float32)


_PATTERNS: dict[str, Callable[[np.random.Generator, float, float], tuple[Shapes, bool]]] = {
    "window": _window,
    "palm": _palm,
    "foliage": _branch,
}
