"""Arches: niches with round tops in a wall, or panels of that shape before it."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from workflows.engines.camera import FOCAL, WALL, View
from workflows.engines.light import Points, unhidden
from workflows.engines.palette import Floats
from workflows.engines.props import Panel
from workflows.engines.props.drawing import edge
from workflows.engines.sets.rooms import upright
from workflows.engines.sets.shot import Shot
from workflows.engines.stage import Layer

_DEEP = 0.5
_SOME_LAMPS = 28


@dataclass(frozen=True)
class _Arch:
    """The outline of an opening in the wall; `height` is that of its straight part."""

    x: float
    half: float
    height: float

    def inside(self, x: Floats, y: Floats) -> Floats:
        """Return how far points of the wall lie inside the outline; negative outside."""
        return self.half - np.where(y > self.height, np.hypot(x - self.x, y - self.height), np.abs(x - self.x))


def prepare(shot: Shot) -> None:
    """Put arched panels before the wall where the arches are to be these."""
    rng = shot.studio.random("arches")
    # Paper arches are no niches.
    if rng.random() < 0.4 or "paper" in shot.studio.scene.understood:
        color = shot.surfaces["niche"].color
        side = float(rng.choice([-1, 1]))
        half = _half(shot)
        tall = _straight(shot, half)
        shot.props.append(Panel("niche", color, 0.0, WALL - 0.2, half, tall))
        shot.props.append(
            Panel(
                "niche",
                color,
                side * _aside(shot, half),
                WALL - 0.1,
                half * 0.66,
                tall * float(rng.uniform(0.62, 0.75)),
            )
        )


def arches(shot: Shot) -> list[Layer]:
    """Return the wall, with niches in it unless there are panels before it."""
    if any(isinstance(prop, Panel) for prop in shot.props):
        return [upright(shot)]
    openings = _openings(shot)
    small, rig, camera = shot.small, shot.rig, shot.camera
    view, back = small.view(), WALL + _DEEP
    x, y = np.broadcast_arrays(view.x * back / FOCAL, small.rise(view.y, back))
    lit = np.zeros(x.shape, np.float32)
    lamps = rig.key[:: len(rig.key) // _SOME_LAMPS]
    for lamp in lamps:
        # Where the ray from the lamp passes the plane of the wall.
        share = (WALL - lamp[2]) / (back - lamp[2])
        through = _nearest(openings, lamp[0] + (x - lamp[0]) * share, lamp[1] + (y - lamp[1]) * share)
        lit += np.clip(through / 0.02 + 0.5, 0, 1)
    seen = cv2.GaussianBlur(lit / len(lamps), (0, 0), 0.006 * small.scale)
    seen = seen * unhidden(small, rig.key, shot.hulls, wall=back)
    hollow = 0.42 + 0.3 * np.clip(_nearest(openings, x, y) / 0.35, 0, 1)
    points = Points(x, y, back, normal_y=0.0, normal_z=-1.0)
    niche = shot.surfaces["niche"]
    inner = rig.on(
        points, seen=seen, open_sky=hollow * unhidden(small, rig.dome_front, shot.hulls, wall=back, smooth=3.5)
    )

    front = upright(shot)

    def around(view: View) -> Floats:
        x, y = view.x * WALL / FOCAL, camera.rise(view.y, WALL)
        outside = edge(-_nearest(openings, x, y), view.pixel * WALL / FOCAL)
        return outside * edge(camera.seam - view.y, view.pixel)

    shot.edge = lambda view: np.full((1, 1), camera.at(0.0, back), np.float32)
    shot.over = [
        *(_reveal(shot, opening) for opening in openings),
        Layer(front.slot, front.color, front.light, around, front.albedo, (-1e3, -1e3, 1e3, camera.seam + 0.01)),
    ]
    ends = max(abs(opening.x) + opening.half for opening in openings) * FOCAL / WALL + 0.01
    return [Layer("niche", niche.color, inner, None, None, (-ends, -1e3, ends, camera.seam + 0.02))]


def _reveal(shot: Shot, opening: _Arch) -> Layer:
    """Return the thickness of the wall that is seen inside an opening."""
    camera, small = shot.camera, shot.small
    out = _leaving(opening, camera.horizon, camera.eye)
    z, normal_x, normal_y = out(small.view())
    view = small.view()
    x, y = view.x * z / FOCAL, small.rise(view.y, z)
    inwards = np.clip((z - WALL) / _DEEP, 0, 1)
    points = Points(x, y, z, normal_x=normal_x, normal_y=normal_y, normal_z=0.0)
    light = shot.rig.on(points, seen=1 - 0.25 * inwards, open_sky=0.85 - 0.35 * inwards)

    def cover(view: View) -> Floats:
        near = opening.inside(view.x * WALL / FOCAL, camera.rise(view.y, WALL))
        z, _, _ = out(view)
        far = opening.inside(view.x * (WALL + _DEEP) / FOCAL, camera.rise(view.y, WALL + _DEEP))
        pixel = view.pixel * WALL / FOCAL
        return edge(near, pixel) * edge(-far, pixel) * (camera.depth(view.y) > z)

    return Layer("wall", shot.backdrop.color, light, cover, None, camera.box(
        np.array([[opening.x + side * opening.half, y, WALL] for side in (-1, 1)
                  for y in (0.0, opening.height + opening.half)], np.float32)))  # fmt: skip


def _leaving(opening: _Arch, horizon: float, eye: float) -> Callable[[View], tuple[Floats, Floats, Floats]]:
    """Return a function to where each pixel's ray leaves an opening: the depth, and the normal there, inwards."""

    def out(view: View) -> tuple[Floats, Floats, Floats]:
        slope_x, slope_y = view.x / FOCAL, -(view.y - horizon) / FOCAL
        slope_x, slope_y = np.broadcast_arrays(slope_x, slope_y)
        jamb = opening.x + np.sign(slope_x * WALL - opening.x + 1e-9) * opening.half
        jamb = np.where(slope_x * (jamb - opening.x) > 0, jamb, 2 * opening.x - jamb)
        straight = jamb / np.where(np.abs(slope_x) < 1e-4, 1e-4, slope_x)
        straight = np.where(straight < WALL * 0.9, 1e3, straight)
        up = eye - opening.height
        a, b = slope_x**2 + slope_y**2 + 1e-9, -slope_x * opening.x + slope_y * up
        inside = np.maximum(b**2 - a * (opening.x**2 + up**2 - opening.half**2), 0)
        curved = (-b + np.sqrt(inside)) / a
        is_round = eye + slope_y * np.clip(np.minimum(straight, curved), 0, 50) > opening.height
        z = np.clip(np.where(is_round, curved, straight), WALL * 0.9, WALL + 2 * _DEEP).astype(np.float32)
        x, y = slope_x * z - opening.x, np.maximum(eye + slope_y * z - opening.height, 0)
        length = np.hypot(x, y) + 1e-6
        return z, (-x / length).astype(np.float32), (-y / length).astype(np.float32)

    return out


def _openings(shot: Shot) -> list[_Arch]:
    rng = shot.studio.random("niches")
    half = _half(shot) * float(rng.uniform(0.92, 1.15))
    tall = _straight(shot, half) * float(rng.uniform(0.72, 1.0))
    away = 2 * half + float(rng.uniform(0.2, 0.4))
    wide = shot.camera.half_width * WALL / FOCAL
    # Only as many as are seen whole, or one beside the place alone where they would crowd it.
    count = int((wide - half - 0.05) / away)
    return [_Arch(number * away, half, tall) for number in range(-count, count + 1)]


def _half(shot: Shot) -> float:
    """Return half the width of an arch: around the place, and not as wide as the picture."""
    wide = shot.camera.half_width * WALL / FOCAL
    return float(min(max(1.28 * shot.place.half_width * WALL / FOCAL, 0.42), 0.78 * wide, 1.1))


def _aside(shot: Shot, half: float) -> float:
    """Return how far a second panel stands aside without being cut by the picture's edge."""
    return min(1.25 * half, shot.camera.half_width * (WALL - 0.1) / FOCAL - 0.66 * half - 0.06)


def _straight(shot: Shot, half: float) -> float:
    """Return the height of an arch's straight part, so that its top is seen below the picture's edge."""
    top = float(shot.camera.rise(-shot.camera.half_height, WALL))
    return float(np.clip(0.86 * top - half, 0.12, 2.4 * half + 0.9))


def _nearest(openings: list[_Arch], x: Floats, y: Floats) -> Floats:
    return np.maximum.reduce([opening.inside(x, y) for opening in openings])
