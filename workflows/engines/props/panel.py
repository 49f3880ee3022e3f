"""An upright panel with a round top, like a door."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workflows.engines.camera import FOCAL, Camera, View
from workflows.engines.light import Points, Rig, unhidden
from workflows.engines.materials import Material
from workflows.engines.palette import Floats
from workflows.engines.props.drawing import edge, lit
from workflows.engines.stage import Layer


@dataclass(frozen=True)
class Panel:
    """An upright panel with a round top, like a door; `height` is that of its straight part."""

    slot: str
    color: Floats
    x: float
    z: float
    half_width: float
    height: float
    material: Material | None = None

    @property
    def back(self) -> float:
        """Return the depth at which it ends."""
        return self.z

    def hull(self) -> Floats:
        """Return the points whose shadows bound its own, shape (n, 3)."""
        up = np.linspace(0, np.pi, 30)
        x = np.concatenate([[self.half_width], self.half_width * np.cos(up), [-self.half_width]])
        y = np.concatenate([[0], self.height + self.half_width * np.sin(up), [0]])
        return np.stack([self.x + x, y, np.full(len(x), self.z)], axis=1).astype(np.float32)

    def layers(self, camera: Camera, small: Camera, rig: Rig, others: Sequence[Floats]) -> list[Layer]:
        """Return the panel, lit by `rig` past the hulls of `others`."""
        box = camera.box(self.hull())

        def points(view: View) -> Points:
            return Points(view.x * self.z / FOCAL, small.rise(view.y, self.z), self.z, normal_y=0.0, normal_z=-1.0)

        def cover(view: View) -> Floats:
            x, y = view.x * self.z / FOCAL - self.x, camera.rise(view.y, self.z)
            inside = self.half_width - np.where(y > self.height, np.hypot(x, y - self.height), np.abs(x))
            return edge(np.minimum(inside, y), view.pixel * self.z / FOCAL)

        def albedo(view: View) -> Floats:
            assert self.material is not None
            return self.material.at(view.x * self.z / FOCAL, camera.rise(view.y, self.z))

        light = lit(
            small, rig, box, points,
            seen=unhidden(small, rig.key[::2], others, wall=self.z),
            open_sky=lambda at, sky: sky * (1 - 0.3 * np.exp(-np.maximum(np.asarray(at.y), 0) / 0.08)),
            sky=unhidden(small, rig.dome_front[::3], others, wall=self.z, smooth=3.5),
        )  # fmt: skip
        return [Layer(self.slot, self.color, light, cover, albedo if self.material else None, box)]
