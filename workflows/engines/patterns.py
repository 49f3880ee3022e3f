"""Patterns that the key light throws on a wall and a floor: through a blind, or past leaves.

They are polygons given where they fall on the wall; `light.pattern` throws them.
"""

from collections.abc import Callable

import numpy as np

from workflows.engines.camera import FOCAL, WALL, Camera
from workflows.engines.light import Rig, pattern
from workflows.engines.palette import Floats
from workflows.engines.studio import Studio

_UNLIT = 0.12  # of the key light that finds its way into the shade of a pattern


def thrown(studio: Studio, name: str, small: Camera, rig: Rig, *, on_wall: bool) -> Floats:
    """Return the share of the key light that the pattern leaves on the wall or the floor, shape (h, w)."""
    polygons, distance, are_open = _PATTERNS[name](studio)
    through = pattern(small, rig, polygons, distance=distance, on_wall=on_wall)
    return _UNLIT + (1 - _UNLIT) * (through if are_open else 1 - through)


def _window(studio: Studio) -> tuple[Floats, float, bool]:
    """Return the lit gaps between the slats of a blind before a window of two wings."""
    rng = studio.random("window")
    half_width = 0.5 * studio.camera.width / studio.camera.scale * WALL / FOCAL
    left, wing = -half_width * rng.uniform(0.45, 0.7), max(0.62, 0.42 * half_width)
    # What would fall below the wall's foot falls on the floor before it.
    bottom, fall = rng.uniform(-0.5, -0.35), rng.uniform(0.12, 0.3) * rng.choice([-1, 1])
    gaps = []
    for x in (left, left + wing + 0.1):
        for slat in range(15):
            y = bottom + slat * 0.135
            low, high = y + fall * (x - left), y + fall * (x + wing - left)
            gaps.append(np.array([[x, low], [x + wing, high], [x + wing, high + 0.088], [x, low + 0.088]], np.float32))
    return np.array(gaps), 0.8, True


def _foliage(studio: Studio) -> tuple[Floats, float, bool]:
    """Return the leaflets of a few palm fronds that hang into the picture."""
    rng = studio.random("foliage")
    half_width = 0.5 * studio.camera.width / studio.camera.scale * WALL / FOCAL
    leaflets = []
    steps, main = 17, rng.choice([-1, 1])
    for side, low, high in ((main, 1.1, 1.5), (main, 0.55, 0.8), (-main, 1.35, 1.7)):
        stem = np.array([side * half_width * rng.uniform(1.05, 1.25), rng.uniform(low, high)])
        heading, curl = (np.pi if side > 0 else 0) - side * rng.uniform(0.1, 0.5), side * rng.uniform(0.4, 0.9)
        for step in range(steps):
            along = heading + curl * step / steps
            stem = stem + 0.085 * np.array([np.cos(along), np.sin(along)])
            length = 0.48 * np.sin(np.pi * (step + 5) / (steps + 6)) * rng.uniform(0.85, 1.1)
            for turn in (-0.8, 0.8):
                way = np.array([np.cos(along + turn), np.sin(along + turn) - 0.3])
                wide = 0.0125 * np.array([-way[1], way[0]])
                middle = stem + 0.4 * length * way
                leaflets.append(np.array([stem, middle + wide, stem + length * way, middle - wide], np.float32))
    return np.array(leaflets), 0.5, False


_PATTERNS: dict[str, Callable[[Studio], tuple[Floats, float, bool]]] = {"window": _window, "foliage": _foliage}
