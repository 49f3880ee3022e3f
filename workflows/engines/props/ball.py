"""A ball that lies on the floor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workflows.engines.camera import FOCAL, Camera, View
from workflows.engines.light import Points, Rig, unhidden
from workflows.engines.palette import Floats
from workflows.engines.props.drawing import edge, lit
from workflows.engines.stage import Layer

_TURN = np.linspace(0, 2 * np.pi, 24, endpoint=False)


@dataclass(frozen=True)
class Ball:
    """A ball that lies on the floor."""

    slot: str
    color: Floats
    x: float
    z: float
    radius: float

    @property
    def back(self) -> float:
        """Return the depth at which it ends."""
        return self.z + self.radius

    def hull(self) -> Floats:
        """Return the points whose shadows bound its own, shape (n, 3)."""
        up = np.linspace(-np.pi / 2, np.pi / 2, 7)[:, None]
        x = self.x + self.radius * np.cos(up) * np.cos(_TURN)
        y = self.radius * (1 + np.sin(up)) + 0 * _TURN
        z = self.z + self.radius * np.cos(up) * np.sin(_TURN)
        return np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float32)

    def layers(self, camera: Camera, small: Camera, rig: Rig, others: Sequence[Floats]) -> list[Layer]:
        """Return the ball, lit by `rig` past the hulls of `others`."""
        box = camera.box(self.hull())

        def points(view: View) -> Points:
            _, along = self._ray(view, small)
            x, y, z = view.x * along / FOCAL, small.rise(view.y, along), along
            normal_x, normal_y = (x - self.x) / self.radius, (y - self.radius) / self.radius
            return Points(x, y, z, normal_x=normal_x, normal_y=normal_y, normal_z=(z - self.z) / self.radius)

        def open_sky(at: Points, sky: Floats) -> Floats:
            near = np.maximum(np.asarray(at.y), 0) / (0.2 * self.radius)
            return sky * np.clip(0.72 + 0.28 * at.normal_y, 0.2, 1) * (1 - 0.4 * np.exp(-near))

        def cover(view: View) -> Floats:
            distance, _ = self._ray(view, camera)
            return edge(self.radius - distance, view.pixel * self.z / FOCAL)

        seen = unhidden(small, rig.key[::2], others, wall=self.z - 0.7 * self.radius)
        light = lit(small, rig, box, points, seen=seen, open_sky=open_sky, sky=np.ones_like(seen))
        return [Layer(self.slot, self.color, light, cover, None, box)]

    def _ray(self, view: View, camera: Camera) -> tuple[Floats, Floats]:
        """Return how far each pixel's ray passes from the middle, and the depth at which it meets the ball."""
        go_x, go_y = view.x / FOCAL, -(view.y - camera.horizon) / FOCAL
        to_y = self.radius - camera.eye
        a = go_x**2 + go_y**2 + 1
        b = go_x * self.x + go_y * to_y + self.z
        reach = self.x**2 + to_y**2 + self.z**2
        distance = np.sqrt(np.maximum(reach - b**2 / a, 0))
        return distance, (b - np.sqrt(np.maximum(b**2 - a * (reach - self.radius**2), 0))) / a
