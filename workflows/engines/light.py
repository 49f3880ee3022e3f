"""Light on a set: a softbox and its surroundings, soft shadows, and patterns cast through a window or leaves.

Light is computed on a small picture and enlarged, for it is soft; what is sharp is the shapes, and these are not.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from workflows.engines.camera import STAGE, WALL, Camera
from workflows.engines.moods import Mood
from workflows.engines.palette import Floats

_DISTANCE = 5.0
_BEAM = 0.7  # the breadth of a spot's beam (standard deviation) in world units
_KEY_SAMPLES, _DOME_SAMPLES = 56, 72
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


@dataclass(frozen=True)
class Points:
    """A surface as the camera sees it: its places in the world and its normals there, of shapes that make (h, w)."""

    x: Floats
    y: Floats | float
    z: Floats | float
    normal_y: Floats | float
    normal_z: Floats | float
    normal_x: Floats | float = 0.0


@dataclass(frozen=True)
class Rig:
    """The lamps of a set. `key` and `dome` are points in the world, shape (n, 3); tints are linear RGB around 1."""

    key: Floats
    dome_up: Floats
    dome_front: Floats
    key_tint: Floats
    fill_tint: Floats
    contrast: float
    softness: float
    spot: float
    # The share of the key light that what hangs before the lamp leaves to points of the set, shape (h, w).
    pattern: Callable[[Points], Floats] | None = None

    @classmethod
    def of(cls, mood: Mood, *, turn: float = 0.0, sunlit: bool = False) -> Self:
        """Return the rig that the mood asks for, the key light turned by `turn` degrees; `sunlit` keeps it small."""
        azimuth, elevation = math.radians(mood.azimuth + turn), math.radians(mood.elevation)
        toward = np.array(
            [math.sin(azimuth) * math.cos(elevation), math.sin(elevation), -math.cos(azimuth) * math.cos(elevation)]
        )
        center = np.array([0.0, 0.2, STAGE]) + _DISTANCE * toward
        side = np.cross(toward, [0.0, 1.0, 0.0])
        side /= np.linalg.norm(side)
        above = np.cross(side, toward)
        radius = 0.04 + 0.08 * mood.softness if sunlit else 0.1 + 1.5 * mood.softness**1.5
        # A sunflower's pattern covers a disc evenly with any number of points (Vogel 1979).
        turn_of = np.arange(_KEY_SAMPLES) * _GOLDEN_ANGLE
        out = radius * np.sqrt((np.arange(_KEY_SAMPLES) + 0.5) / _KEY_SAMPLES)
        key = center + np.outer(out * np.cos(turn_of), side) + np.outer(out * np.sin(turn_of), above)
        warmth = mood.warmth
        return cls(
            key=key.astype(np.float32),
            dome_up=_dome(up=True),
            dome_front=_dome(up=False),
            key_tint=np.array([1 + 0.14 * warmth, 1.0, 1 - 0.24 * warmth], np.float32),
            fill_tint=np.array([1 - 0.07 * warmth, 1.0, 1 + 0.12 * warmth], np.float32),
            contrast=max(mood.contrast, 0.6) if sunlit else mood.contrast,
            softness=mood.softness,
            spot=mood.spot,
        )

    def on(self, points: Points, *, seen: Floats | float = 1.0, open_sky: Floats | float = 1.0) -> Floats:
        """Return the light on a surface, shape (h, w, 3).

        `seen` is the share of the key light that no object hides, `open_sky` that of the surroundings. Lambert's
        cosine law, falling off with the square of the distance.
        """
        if self.pattern:
            seen = seen * self.pattern(points)
        # What is small lights like a point.
        lamps = self.key[:: len(self.key) // (2 if self.softness < 0.2 else 7)]
        light = sum(_lambert(points, lamp) for lamp in lamps) * np.float32(1.4 * _DISTANCE**2 / len(lamps))
        key = np.asarray(light * np.float32(self.contrast) * self._beam(points) * seen, np.float32)
        fill = np.broadcast_to(np.asarray((1 - self.contrast) * open_sky, np.float32), key.shape)
        tints = np.stack([self.key_tint, self.fill_tint], axis=1)
        return cv2.transform(cv2.merge([key, np.ascontiguousarray(fill)]), tints)

    def _beam(self, points: Points) -> Floats | float:
        """Return how much of its light the lamp sends towards each point: a spot's beam is bright in the middle."""
        if not self.spot:
            return 1.0
        lamp = self.key.mean(axis=0)
        # Between the product and the wall, so that both have a bright place.
        aim = np.array([0.0, 0.35, (STAGE + WALL) / 2], np.float32) - lamp
        aim /= np.linalg.norm(aim)
        to_x, to_y, to_z = points.x - lamp[0], points.y - lamp[1], points.z - lamp[2]
        along = to_x * aim[0] + to_y * aim[1] + to_z * aim[2]
        aside = to_x**2 + to_y**2 + to_z**2 - along**2
        return np.asarray(np.exp(aside * np.float32(-0.5 / _BEAM**2)) * self.spot + (1 - self.spot), np.float32)


def _lambert(points: Points, lamp: Floats) -> Floats:
    to_x, to_y, to_z = lamp[0] - points.x, lamp[1] - points.y, lamp[2] - points.z
    squared = to_x * to_x + (to_y * to_y + to_z * to_z)
    # Most surfaces face along an axis, and a product that is not made is the fastest.
    pairs = ((to_x, points.normal_x), (to_y, points.normal_y), (to_z, points.normal_z))
    facing = sum(to * normal for to, normal in pairs if not (np.isscalar(normal) and normal == 0))
    return np.maximum(facing, 0) / (squared * np.sqrt(squared))


def _dome(*, up: bool) -> Floats:
    """Return far lamps spread over the half sphere above the floor, or before the wall, denser at its pole (cosine)."""
    share = (np.arange(_DOME_SAMPLES) + 0.5) / _DOME_SAMPLES
    turn = np.arange(_DOME_SAMPLES) * _GOLDEN_ANGLE
    a, b, pole = np.sqrt(share) * np.cos(turn), np.sqrt(share) * np.sin(turn), np.sqrt(1 - share)
    directions = np.stack([a, pole, b] if up else [a, b, -pole], axis=1)
    return (directions * 40 + [0.0, 0.0, STAGE]).astype(np.float32)


def unhidden(
    camera: Camera,
    lamps: Floats,
    objects: Sequence[Floats],
    *,
    level: float | None = None,
    wall: float = WALL,
    smooth: float = 0.8,
) -> Floats:
    """Return which share of `lamps` reaches each pixel of a plane past convex `objects`, shape (h, w), 0 to 1.

    The plane is horizontal at the height `level`, or else upright at the depth `wall`. An object is the points of
    its hull, shape (n, 3): its shadow from one lamp is the hull of its points' shadows. A blur by `smooth` pixels
    hides the steps between the shadows of single lamps.
    """
    share = np.ones((camera.height, camera.width), np.float32)
    axis, plane, sign = (1, level, 1) if level is not None else (2, wall, -1)
    shadows = [_shadows(camera, lamps, points, axis, plane, sign) for points in objects]
    shadows = [(pixels, falls) for pixels, falls in shadows if falls.any()]
    if not shadows:
        return share
    fallen = np.concatenate([pixels[falls].reshape(-1, 2) for pixels, falls in shadows]) // 16
    rim = int(4 * smooth) + 2
    left, top = np.clip(fallen.min(axis=0) - rim, 0, [camera.width, camera.height]).tolist()
    right, bottom = np.clip(fallen.max(axis=0) + rim, 0, [camera.width, camera.height]).tolist()
    if left >= right or top >= bottom:
        return share
    total = np.zeros((bottom - top, right - left), np.float32)
    mask = np.empty(total.shape, np.uint8)
    for lamp in range(len(lamps)):
        mask.fill(255)
        for pixels, falls in shadows:
            if falls[lamp]:
                hull = cv2.convexHull(pixels[lamp] - np.array([left * 16, top * 16], np.int32))
                cv2.fillConvexPoly(mask, hull, (0,), cv2.LINE_AA, 4)
        cv2.accumulate(mask, total)
    share[top:bottom, left:right] = cv2.GaussianBlur(total / (255 * len(lamps)), (0, 0), smooth)
    return share


def _shadows(
    camera: Camera, lamps: Floats, points: Floats, axis: int, plane: float, sign: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return where each lamp throws each point, in sixteenths of pixels, shape (lamps, n, 2), and whether it does."""
    above = (points[:, axis] - plane) * sign
    falls = ((lamps[:, axis, None] - points[None, :, axis]) * sign).min(axis=1) >= 0.05
    # What of an object is beyond the plane casts nothing on it: props are upright, so it is drawn up to it.
    points = points.copy()
    points[:, axis] = plane + np.maximum(above, 0) * sign
    height = lamps[:, axis, None]
    reach = (height - plane) / np.where(falls[:, None], height - points[None, :, axis], 1)
    thrown = lamps[:, None] + (points[None] - lamps[:, None]) * reach[..., None]
    return _sixteenths(camera.project(thrown)), falls & (above.max() >= 0.002)


def _sixteenths(pixels: Floats) -> NDArray[np.int32]:
    """Return pixels as OpenCV's polygons take them with a shift of 4; what is far outside is drawn nearer."""
    return np.rint(np.clip(pixels, -2e4, 2e4) * 16).astype(np.int32)


def corner(distance: Floats | float, height: float) -> Floats:
    """Return the sky that a long wall of `height` leaves to a floor point `distance` away, 0.5 to 1.

    The view factor of a perpendicular plane: (1 − d / √(d² + h²)) / 2 of the sky is hidden.
    """
    away = np.maximum(distance, 0)
    return np.asarray(1 - 0.5 * (1 - away / np.sqrt(away**2 + height**2)), np.float32)
