"""An upright cylinder on the floor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workflows.engines.camera import FOCAL, Camera, View
from workflows.engines.light import Points, Rig, unhidden
from workflows.engines.materials import Material
from workflows.engines.palette import Floats
from workflows.engines.props.drawing import edge, lit
from workflows.engines.stage import Layer

_TURN = np.linspace(0, 2 * np.pi, 32, endpoint=False)


@dataclass(frozen=True)
class Plinth:
    """An upright cylinder that stands at the height `base`, its upper rim a little round."""

    slot: str
    color: Floats
    x: float
    z: float
    radius: float
    height: float
    base: float = 0.0
    material: Material | None = None

    @property
    def top(self) -> float:
        return self.base + self.height

    @property
    def back(self) -> float:
        """Return the depth at which it ends."""
        return self.z + self.radius

    def hull(self) -> Floats:
        """Return the points whose shadows bound its own, shape (n, 3)."""
        x, z = self.x + self.radius * np.cos(_TURN), self.z + self.radius * np.sin(_TURN)
        return np.concatenate(
            [np.stack([x, np.full(len(x), y), z], axis=1) for y in (self.base, self.top)]
        ).astype(np.float32)  # fmt: skip

    def layers(self, camera: Camera, small: Camera, rig: Rig, others: Sequence[Floats]) -> list[Layer]:
        """Return its side and its top, lit by `rig` past the hulls of `others`."""
        box = camera.box(self.hull())
        side = lit(
            small, rig, box, lambda view: self._side(view, small),
            seen=unhidden(small, rig.key[::2], others, wall=self.z - 0.7 * self.radius),
            open_sky=self._open_side,
            sky=np.ones((small.height, small.width), np.float32),
        )  # fmt: skip
        up = lit(
            small, rig, box, lambda view: self._top(view, small),
            seen=unhidden(small, rig.key[::2], others, level=self.top),
            open_sky=lambda _, sky: sky,
            sky=unhidden(small, rig.dome_up[::3], others, level=self.top, smooth=3.5),
        )  # fmt: skip

        def side_cover(view: View) -> Floats:
            slope = view.x / FOCAL
            from_axis = np.abs(slope * self.z - self.x) / np.sqrt(1 + slope**2)
            wide = edge(self.radius - from_axis, view.pixel * self.z / FOCAL)
            y, z = self._side_hit(view, camera)
            return wide * edge(np.minimum(y - self.base, self.top - y), view.pixel * z / FOCAL)

        def top_cover(view: View) -> Floats:
            z = camera.depth(view.y, self.top)
            x = view.x * z / FOCAL
            away = np.hypot(x - self.x, z - self.z) + 1e-6
            along_x, along_z = (x - self.x) / away, (z - self.z) / away
            deeper = z**2 / (FOCAL * (camera.eye - self.top))
            footprint = view.pixel * np.hypot(along_x * z / FOCAL, (along_x * view.x / FOCAL + along_z) * deeper)
            return edge(np.where(view.y > camera.horizon + 0.01, self.radius - away, -1), footprint)

        def side_albedo(view: View) -> Floats:
            y, z = self._side_hit(view, camera)
            # The rim of a real plinth is a little round and catches the light.
            rounded = (1 + 0.16 * np.exp(-(((self.top - y) / 0.006) ** 2)))[..., None]
            if self.material is None:
                return rounded
            across = np.clip((view.x * z / FOCAL - self.x) / self.radius, -1, 1)
            return rounded * self.material.at(self.radius * np.arcsin(across), y)

        def top_albedo(view: View) -> Floats:
            assert self.material is not None
            z = camera.depth(view.y, self.top)
            return self.material.at(view.x * z / FOCAL, z, footprint=camera.footprint(view, z))

        return [
            Layer(self.slot, self.color, side, side_cover, side_albedo, box),
            Layer(self.slot, self.color, up, top_cover, top_albedo if self.material else None, box),
        ]

    def _open_side(self, at: Points, _: Floats) -> Floats:
        near = np.maximum(np.asarray(at.y) - self.base, 0)
        return (0.72 + 0.28 * np.minimum(near / 0.4, 1)) * (1 - 0.45 * np.exp(-near / 0.035))

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
        z = camera.depth(view.y, self.top)
        return Points(view.x * z / FOCAL, self.top, z, normal_y=1.0, normal_z=0.0)
