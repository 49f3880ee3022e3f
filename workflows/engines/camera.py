"""The camera that looks at a set, and the windows of its picture.

World units: the floor is y = 0, x goes right, z away from the camera; the wall stands at z = WALL. Picture units:
X right and Y down from the centre, the short side is 1. The lens is shifted, not tilted, so verticals stay vertical.
"""

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from workflows.engines.palette import Floats

WALL = 4.0
FOCAL = 2.2
STAGE = 3.0  # where the product stands


@dataclass(frozen=True)
class View:
    """Some rows and columns of the picture: `x` (1, w) and `y` (h, 1) of the pixel centres, `pixel` their pitch."""

    x: Floats
    y: Floats
    pixel: float


@dataclass(frozen=True)
class Camera:
    """A pinhole at the height `eye`, its horizon placed so that the floor takes a good share of the picture.

    `floor` is that share, as long as it is not more than `floor_most` picture units.
    """

    width: int
    height: int
    eye: float = 0.92
    floor: float = 0.36
    floor_most: float = 0.62

    @property
    def scale(self) -> float:
        """Pixels in one picture unit."""
        return float(min(self.width, self.height))

    @property
    def half_width(self) -> float:
        """X of the picture's right edge."""
        return self.width / self.scale / 2

    @property
    def half_height(self) -> float:
        """Y of the picture's lower edge."""
        return self.height / self.scale / 2

    @property
    def seam(self) -> float:
        """Y of the line where floor and wall meet."""
        return self.half_height - min(self.floor * 2 * self.half_height, self.floor_most)

    @property
    def horizon(self) -> float:
        return self.seam - FOCAL * self.eye / WALL

    def smaller(self, pixels: int) -> Self:
        """Return a camera with the same picture in about `pixels` pixels."""
        shrink = math.sqrt(pixels / (self.width * self.height))
        return replace(self, width=max(8, round(self.width * shrink)), height=max(8, round(self.height * shrink)))

    def view(self, rows: slice | None = None, columns: slice | None = None) -> View:
        """Return the window of these rows and columns; all of them by default."""
        x = (np.arange(self.width, dtype=np.float32)[columns or slice(None)] + 0.5 - self.width / 2) / self.scale
        y = (np.arange(self.height, dtype=np.float32)[rows or slice(None)] + 0.5 - self.height / 2) / self.scale
        return View(x=x[None, :].astype(np.float32), y=y[:, None].astype(np.float32), pixel=1 / self.scale)

    def depth(self, y: Floats, level: float = 0.0) -> Floats:
        """Return z where the rows `y` meet the horizontal plane at the height `level`; very far above the horizon."""
        return FOCAL * (self.eye - level) / np.maximum(y - self.horizon, 1e-3)

    def rise(self, y: Floats | float, z: Floats | float) -> Floats:
        """Return the height at which the rows `y` pass the depth `z`."""
        return np.asarray(self.eye - (y - self.horizon) * z / FOCAL, np.float32)

    def at(self, height: float, z: float) -> float:
        """Return the Y at which a point of this height and depth is seen."""
        return self.horizon + FOCAL * (self.eye - height) / z

    def project(self, points: Floats) -> Floats:
        """Return the pixels, shape (…, 2), of world points, shape (…, 3)."""
        z = np.maximum(points[..., 2], 0.2)
        x = FOCAL * points[..., 0] / z
        y = self.horizon + FOCAL * (self.eye - points[..., 1]) / z
        return np.stack([x * self.scale + self.width / 2, y * self.scale + self.height / 2], axis=-1) - 0.5

    def footprint(self, view: View, z: Floats | float) -> Floats:
        """Return about how much of the floor a pixel of each row shows: the mean of its breadth and its depth."""
        return np.asarray(view.pixel * z / FOCAL * np.sqrt(z / self.eye), np.float32)

    def box(self, points: Floats) -> tuple[float, float, float, float]:
        """Return the bounds of world points in picture units: left, top, right, bottom."""
        corners = (self.project(points) + 0.5 - [self.width / 2, self.height / 2]) / self.scale
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        return float(left), float(top), float(right), float(bottom)
