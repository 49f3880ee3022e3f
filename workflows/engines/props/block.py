"""A block with right angles: a slab, a step, a shelf's board or a table's top."""

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
class Block:
    """A block that faces the camera: its front stands at the depth `z`, its underside at the height `base`.

    `far_blur` is how soft the far edge of its top is, in picture units: what is far behind the stage is out of focus.
    """

    slot: str
    color: Floats
    x: float
    z: float
    half_width: float
    depth: float
    height: float
    base: float = 0.0
    material: Material | None = None
    far_blur: float = 0.0

    @property
    def top(self) -> float:
        return self.base + self.height

    @property
    def back(self) -> float:
        """Return the depth at which it ends."""
        return self.z + self.depth

    def hull(self) -> Floats:
        """Return the points whose shadows bound its own, shape (n, 3)."""
        return np.array(
            [
                [x, y, z]
                for x in (self.x - self.half_width, self.x + self.half_width)
                for y in (self.base, self.top)
                for z in (self.z, self.z + self.depth)
            ],
            np.float32,
        )

    def layers(self, camera: Camera, small: Camera, rig: Rig, others: Sequence[Floats]) -> list[Layer]:
        """Return its top, its front and the side that is seen, lit by `rig` past the hulls of `others`."""
        layers = [self._top(camera, small, rig, others), self._front(camera, small, rig, others)]
        for at, normal in ((self.x - self.half_width, -1.0), (self.x + self.half_width, 1.0)):
            if at * normal < 0:
                layers.append(self._side(camera, small, rig, at, normal))
        return layers

    def _top(self, camera: Camera, small: Camera, rig: Rig, others: Sequence[Floats]) -> Layer:
        box = camera.box(self.hull()[[2, 3, 6, 7]])

        def points(view: View) -> Points:
            z = small.depth(view.y, self.top)
            return Points(view.x * z / FOCAL, self.top, z, normal_y=1.0, normal_z=0.0)

        def cover(view: View) -> Floats:
            z = camera.depth(view.y, self.top)
            wide = edge(self.half_width - np.abs(view.x * z / FOCAL - self.x), view.pixel * z / FOCAL)
            far = edge(view.y - box[1], max(view.pixel, self.far_blur))
            return wide * far * edge(box[3] - view.y, view.pixel)

        def albedo(view: View) -> Floats:
            assert self.material is not None
            z = camera.depth(view.y, self.top)
            return self.material.at(view.x * z / FOCAL, z, footprint=camera.footprint(view, z))

        light = lit(
            small, rig, box, points,
            seen=unhidden(small, rig.key[::2], others, level=self.top),
            open_sky=lambda _, sky: sky,
            sky=unhidden(small, rig.dome_up[::3], others, level=self.top, smooth=3.5),
        )  # fmt: skip
        around = (box[0], box[1] - self.far_blur, box[2], box[3])
        return Layer(self.slot, self.color, light, cover, albedo if self.material else None, around)

    def _front(self, camera: Camera, small: Camera, rig: Rig, others: Sequence[Floats]) -> Layer:
        box = camera.box(self.hull()[[0, 2, 4, 6]])

        def points(view: View) -> Points:
            return Points(view.x * self.z / FOCAL, small.rise(view.y, self.z), self.z, normal_y=0.0, normal_z=-1.0)

        def cover(view: View) -> Floats:
            x, y = view.x * self.z / FOCAL - self.x, camera.rise(view.y, self.z)
            inside = np.minimum(self.half_width - np.abs(x), np.minimum(y - self.base, self.top - y))
            return edge(inside, view.pixel * self.z / FOCAL)

        def albedo(view: View) -> Floats:
            y = camera.rise(view.y, self.z)
            # Its upper edge is a little round and catches the light.
            rounded = (1 + 0.14 * np.exp(-(((self.top - y) / 0.007) ** 2)))[..., None]
            return rounded * self.material.at(view.x * self.z / FOCAL, y) if self.material else rounded

        light = lit(
            small, rig, box, points,
            seen=unhidden(small, rig.key[::2], others, wall=self.z),
            open_sky=self._open_upright,
            sky=np.ones((small.height, small.width), np.float32),
        )  # fmt: skip
        return Layer(self.slot, self.color, light, cover, albedo, box)

    def _side(self, camera: Camera, small: Camera, rig: Rig, at: float, normal: float) -> Layer:
        hull = self.hull()
        box = camera.box(hull[np.abs(hull[:, 0] - at) < 1e-4])

        def hit(view: View) -> Floats:
            return np.clip(at * FOCAL / np.where(np.abs(view.x) < 1e-4, 1e-4, view.x), 0.1, 50)

        def points(view: View) -> Points:
            z = hit(view)
            return Points(
                np.full((1, 1), at, np.float32), small.rise(view.y, z), z, normal_x=normal, normal_y=0.0, normal_z=0.0
            )

        def cover(view: View) -> Floats:
            z = hit(view)
            y = camera.rise(view.y, z)
            first, last = at * FOCAL / self.z, at * FOCAL / (self.z + self.depth)
            across = edge(np.minimum(np.abs(first) - np.abs(view.x), np.abs(view.x) - np.abs(last)), view.pixel)
            same_side = np.sign(view.x) == np.sign(at)
            return across * same_side * edge(np.minimum(y - self.base, self.top - y), view.pixel * z / FOCAL)

        def albedo(view: View) -> Floats:
            assert self.material is not None
            z = hit(view)
            return self.material.at(z, camera.rise(view.y, z))

        ones = np.ones((small.height, small.width), np.float32)
        light = lit(small, rig, box, points, seen=ones, open_sky=self._open_upright, sky=ones)
        return Layer(self.slot, self.color, light, cover, albedo if self.material else None, box)

    def _open_upright(self, at: Points, _: Floats) -> Floats:
        near = np.maximum(np.asarray(at.y) - self.base, 0)
        return (0.74 + 0.26 * np.minimum(near / 0.4, 1)) * (1 - 0.42 * np.exp(-near / 0.035))
