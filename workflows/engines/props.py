"""Things that stand on a set: plinths, balls and arched panels. Each draws itself and has a hull to cast shadows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workflows.engines.camera import FOCAL, Camera, View
from workflows.engines.light import Points, Rig, unhidden
from workflows.engines.palette import Floats
from workflows.engines.stage import Layer

_TURN = np.linspace(0, 2 * np.pi, 40, endpoint=False)


def _edge(inside: Floats, footprint: Floats | float) -> Floats:
    """Return how much of a pixel is covered, from the distance to the edge in its surface's units."""
    return np.asarray(np.clip(inside / footprint + 0.5, 0, 1), np.float32)


@dataclass(frozen=True)
class Plinth:
    """An upright cylinder on the floor."""

    slot: str
    color: Floats
    x: float
    z: float
    radius: float
    height: float

    def hull(self) -> Floats:
        ring = np.stack([self.x + self.radius * np.cos(_TURN), 0 * _TURN, self.z + self.radius * np.sin(_TURN)], axis=1)
        return np.concatenate([ring, ring + np.array([0, self.height, 0])]).astype(np.float32)

    def layers(self, camera: Camera, small: Camera, rig: Rig, others: Sequence[Floats]) -> list[Layer]:
        """Return its side and its top, lit by `rig` past the hulls of `others`."""
        view = small.view()
        side, up = self._side(view, small), self._top(view, small)
        near = np.maximum(np.asarray(side.y), 0)
        seen_side = unhidden(small, rig.key, others, wall=self.z - 0.7 * self.radius)
        open_side = (0.72 + 0.28 * np.minimum(near / 0.4, 1)) * (1 - 0.45 * np.exp(-near / 0.035))
        seen_up = unhidden(small, rig.key, others, level=self.height)
        open_up = unhidden(small, rig.dome_up, others, level=self.height, smooth=3.5)
        corners = camera.project(self.hull()) + 0.5 - [camera.width / 2, camera.height / 2]
        left, top = corners.min(axis=0) / camera.scale
        right, bottom = corners.max(axis=0) / camera.scale
        box = (float(left), float(top), float(right), float(bottom))

        def side_cover(view: View) -> Floats:
            slope = view.x / FOCAL
            from_axis = np.abs(slope * self.z - self.x) / np.sqrt(1 + slope**2)
            wide = _edge(self.radius - from_axis, view.pixel * self.z / FOCAL)
            y, z = self._side_hit(view, camera)
            return wide * _edge(np.minimum(y, self.height - y), view.pixel * z / FOCAL)

        def top_inside(view: View) -> tuple[Floats, Floats]:
            z = camera.depth(view.y, self.height)
            x = view.x * z / FOCAL
            away = np.hypot(x - self.x, z - self.z) + 1e-6
            along_x, along_z = (x - self.x) / away, (z - self.z) / away
            deeper = z**2 / (FOCAL * (camera.center()[1] - self.height))
            footprint = view.pixel * np.hypot(along_x * z / FOCAL, (along_x * view.x / FOCAL + along_z) * deeper)
            return np.where(view.y > camera.horizon + 0.01, self.radius - away, -1), footprint

        def rounded(view: View) -> Floats:
            # The rim of a real plinth is a little round and catches the light.
            y, _ = self._side_hit(view, camera)
            return (1 + 0.16 * np.exp(-(((self.height - y) / 0.006) ** 2)))[..., None]

        return [
            Layer(self.slot, self.color, rig.on(side, seen=seen_side, open_sky=open_side), side_cover, rounded, box),
            Layer(self.slot, self.color, rig.on(up, seen=seen_up, open_sky=open_up),
                  lambda view: _edge(*top_inside(view)), None, box),
        ]  # fmt: skip

    def _side_hit(self, view: View, camera: Camera) -> tuple[Floats, Floats]:
        slope = view.x / FOCAL
        a, b = slope**2 + 1, slope * self.x + self.z
        inside = np.maximum(b**2 - a * (self.x**2 + self.z**2 - self.radius**2), 0)
        z = (b - np.sqrt(inside)) / a
        return camera.rise(view.y, z), z

    def _side(self, view: View, camera: Camera) -> Points:
        y, z = self._side_hit(view, camera)
        x = view.x * z / FOCAL
        return Points(x, y, z, normal_x=(x - self.x) / self.radius, normal_y=0.0, normal_z=(z - self.z) / self.radius)

    def _top(self, view: View, camera: Camera) -> Points:
        z = camera.depth(view.y, self.height)
        return Points(view.x * z / FOCAL, self.height, z, normal_y=1.0, normal_z=0.0)


@dataclass(frozen=True)
class Ball:
    """A ball that lies on the floor."""

    slot: str
    color: Floats
    x: float
    z: float
    radius: float

    def hull(self) -> Floats:
        rings = [(np.cos(up), np.sin(up)) for up in np.linspace(-np.pi / 2, np.pi / 2, 9)]
        return np.concatenate(
            [
                np.stack(
                    [
                        self.x + self.radius * flat * np.cos(_TURN),
                        np.full(len(_TURN), self.radius * (1 + up)),
                        self.z + self.radius * flat * np.sin(_TURN),
                    ],
                    axis=1,
                )
                for flat, up in rings
            ]
        ).astype(np.float32)

    def layers(self, camera: Camera, small: Camera, rig: Rig, others: Sequence[Floats]) -> list[Layer]:
        """Return the ball, lit by `rig`."""
        view = small.view()
        _, along = self._ray(view, small)
        x, y, z = view.x * along / FOCAL, small.rise(view.y, along), along
        normal_x, normal_y = (x - self.x) / self.radius, (y - self.radius) / self.radius
        points = Points(x, y, z, normal_x=normal_x, normal_y=normal_y, normal_z=(z - self.z) / self.radius)
        seen = unhidden(small, rig.key, others, wall=self.z - 0.7 * self.radius)
        open_sky = np.clip(0.72 + 0.28 * normal_y, 0.2, 1) * (1 - 0.4 * np.exp(-np.maximum(y, 0) / (0.2 * self.radius)))
        corners = camera.project(self.hull()) + 0.5 - [camera.width / 2, camera.height / 2]
        (left, top), (right, bottom) = corners.min(axis=0) / camera.scale, corners.max(axis=0) / camera.scale

        def cover(view: View) -> Floats:
            distance, _ = self._ray(view, camera)
            return _edge(self.radius - distance, view.pixel * self.z / FOCAL)

        box = (float(left), float(top), float(right), float(bottom))
        return [Layer(self.slot, self.color, rig.on(points, seen=seen, open_sky=open_sky), cover, None, box)]

    def _ray(self, view: View, camera: Camera) -> tuple[Floats, Floats]:
        """Return how far each pixel's ray passes from the middle, and the depth at which it meets the ball."""
        go_x, go_y = view.x / FOCAL, -(view.y - camera.horizon) / FOCAL
        to_y = self.radius - camera.center()[1]
        a = go_x**2 + go_y**2 + 1
        b = go_x * self.x + go_y * to_y + self.z
        reach = self.x**2 + to_y**2 + self.z**2
        distance = np.sqrt(np.maximum(reach - b**2 / a, 0))
        return distance, (b - np.sqrt(np.maximum(b**2 - a * (reach - self.radius**2), 0))) / a


@dataclass(frozen=True)
class Arch:
    """An upright panel with a round top, like a door."""

    slot: str
    color: Floats
    x: float
    z: float
    half_width: float
    height: float  # of its straight part

    def hull(self) -> Floats:
        up = np.linspace(0, np.pi, 30)
        x = np.concatenate([[self.half_width], self.half_width * np.cos(up), [-self.half_width]])
        y = np.concatenate([[0], self.height + self.half_width * np.sin(up), [0]])
        return np.stack([self.x + x, y, np.full(len(x), self.z)], axis=1).astype(np.float32)

    def layers(self, camera: Camera, small: Camera, rig: Rig, others: Sequence[Floats]) -> list[Layer]:
        """Return the panel, lit by `rig` past the hulls of `others`."""
        view = small.view()
        y = small.rise(view.y, self.z)
        points = Points(view.x * self.z / FOCAL, y, self.z, normal_y=0.0, normal_z=-1.0)
        seen = unhidden(small, rig.key, others, wall=self.z)
        open_sky = unhidden(small, rig.dome_front, others, wall=self.z, smooth=3.5) * (
            1 - 0.3 * np.exp(-np.maximum(y, 0) / 0.08)
        )

        def cover(view: View) -> Floats:
            x, y = view.x * self.z / FOCAL - self.x, camera.rise(view.y, self.z)
            inside = self.half_width - np.where(y > self.height, np.hypot(x, y - self.height), np.abs(x))
            return _edge(np.minimum(inside, y), view.pixel * self.z / FOCAL)

        return [Layer(self.slot, self.color, rig.on(points, seen=seen, open_sky=open_sky), cover)]


Prop = Plinth | Ball | Arch
