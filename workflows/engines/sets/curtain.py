"""Cloth that hangs in folds."""

import cv2
import numpy as np

from workflows.engines.camera import FOCAL, WALL, View
from workflows.engines.light import Points, unhidden
from workflows.engines.palette import Floats
from workflows.engines.sets.shot import Shot
from workflows.engines.stage import Layer


class Folds:
    """Folds that run down, each of a width and depth of its own, about `pitch` world units apart."""

    def __init__(self, rng: np.random.Generator, *, pitch: float) -> None:
        self.pitch = pitch
        self.waves = rng.uniform(0, 2 * np.pi, (5, 3)).astype(np.float32)
        self.rates = rng.uniform(0.7, 1.3, (5, 3)).astype(np.float32)

    def depth(self, x: Floats, y: Floats) -> Floats:
        """Return how far the cloth comes forward at world coordinates of shape (h, w)."""
        u = x / np.float32(self.pitch)
        # Cloth that is gathered at its top spreads as it falls: folds wander a little, and some fade out.
        wander = 0.2 * self._wave(0, u * 0.25) + 0.12 * self._wave(1, u * 0.12 + 0.1 * y)
        phase = 2 * np.pi * (u + wander)
        high = 0.75 + 0.25 * self._wave(3, u * 0.3 + 0.07 * y)
        round_tops = np.sin(phase) + 0.2 * np.sin(2 * phase + 0.8 + 0.8 * self._wave(4, 0.2 * u))
        small = (
            0.16
            * np.sin(2.4 * phase + 1.5 * self._wave(2, 0.1 * y + 0.15 * u))
            * (0.5 + 0.5 * self._wave(4, 0.2 * u + 0.1 * y))
        )
        return np.asarray(0.13 * self.pitch * (round_tops * high + small), np.float32)

    def open(self, depth: Floats) -> Floats:
        """Return the share of the surroundings that reaches into the folds: valleys see less of them."""
        return np.clip(0.72 + depth / np.float32(0.42 * self.pitch), 0.3, 1.1)

    def seen(self, depth: Floats) -> Floats:
        return np.clip(0.85 + depth / np.float32(0.45 * self.pitch), 0.35, 1.0)

    def _wave(self, index: int, at: Floats) -> Floats:
        """Return a smooth function of −1 to 1 that does not repeat soon."""
        phases, rates = self.waves[index], self.rates[index]
        total = sum(np.sin(2 * np.pi * rate * (1 + 0.618 * k) * at + phase)
                    for k, (phase, rate) in enumerate(zip(phases, rates, strict=True)))  # fmt: skip
        return np.asarray(total, np.float32) / 2


def hanging(shot: Shot) -> list[Layer]:
    """Return a curtain that hangs before the wall and ends just above the floor."""
    camera, small, rig = shot.camera, shot.small, shot.rig
    folds = Folds(shot.studio.random("folds"), pitch=0.25)
    view = small.view()
    at = WALL - 0.1
    x, y = np.broadcast_arrays(view.x * at / FOCAL, small.rise(view.y, at))
    depth = folds.depth(x, y)
    slope_y, slope_x = np.gradient(depth, view.pixel * at / FOCAL)
    normal = np.stack([-slope_x, slope_y, np.ones_like(x)])
    normal /= np.linalg.norm(normal, axis=0)
    points = Points(x, y, at, normal_x=normal[0], normal_y=normal[1], normal_z=-normal[2])
    seen = folds.seen(depth) * unhidden(small, rig.key, shot.hulls, wall=at)
    sky = folds.open(depth) * unhidden(small, rig.dome_front, shot.hulls, wall=at, smooth=3.5)
    sky = sky * (1 - 0.3 * np.exp(-np.maximum(y, 0) / 0.1))
    light = rig.on(points, seen=seen, open_sky=sky)

    def hem(view: View) -> Floats:
        """Return where the floor begins below the cloth: folds that come forward end lower."""
        across = view.x * at / FOCAL
        forward = at - folds.depth(across, np.zeros_like(across))
        return camera.horizon + FOCAL * (camera.eye - 0.012) / forward

    def weave(view: View) -> Floats:
        return shot.backdrop.material.at(view.x * at / FOCAL, camera.rise(view.y, at))

    shot.edge = hem
    return [Layer("cloth", shot.backdrop.color, cv2.GaussianBlur(light, (0, 0), 0.7), None, weave, shot.above)]
