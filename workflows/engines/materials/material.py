"""A tile of reflectance, and how it is laid on a surface."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

import cv2
import numpy as np

from workflows.engines.materials.noise import blurred
from workflows.engines.palette import Floats

_LEVELS = 5


class Lamp(NamedTuple):
    """A direction to the light, seen from a surface: along the tile's two axes, and away from the surface."""

    u: float
    v: float
    up: float
    contrast: float


@dataclass(frozen=True)
class Material:
    """A tile, shape (n, n, 3), of reflectance relative to the surface's colour, that covers `size` world units.

    `color` is what the material has by itself (#rrggbb); None for what is painted in any colour. `relief` is how
    high the surface stands there, shape (n, n), in world units.
    """

    tile: Floats
    size: float
    color: str | None = None
    relief: Floats | None = None

    def at(self, u: Floats, v: Floats, *, footprint: Floats | None = None) -> Floats:
        """Return the reflectance at world coordinates that broadcast to (h, w), shape (h, w, 3).

        `footprint`, shape (h, 1), is the world size of a pixel of each row where many texels fall into one: they are
        averaged then, by a pyramid of smaller tiles (Williams 1983).
        """
        u, v = np.broadcast_arrays(u, v)
        if footprint is None:
            return self._level(0, u, v)
        level = np.clip(np.log2(np.maximum(footprint[:, 0] * len(self.tile) / self.size, 1)), 0, _LEVELS - 1.001)
        whole = level.astype(int)
        out = np.empty((*u.shape, 3), np.float32)
        for one in np.unique(whole):
            rows = np.flatnonzero(whole == one)
            band = slice(rows[0], rows[-1] + 1)
            fine = self._level(int(one), u[band], v[band])
            share = (level[band] - one)[:, None, None].astype(np.float32)
            if share.max() > 0.05:
                fine = fine + (self._level(int(one) + 1, u[band], v[band]) - fine) * share
            out[band] = fine
        return out

    def lit(self, lamp: Lamp | None) -> Self:
        """Return the material shaded by a lamp: Lambert's cosine over that of the flat surface, hollows darker."""
        if lamp is None or self.relief is None:
            return self
        n = len(self.relief)
        per_unit = np.float32(n / self.size / 2)
        wide = cv2.copyMakeBorder(self.relief, 1, 1, 1, 1, cv2.BORDER_WRAP)
        slope_u = (wide[1:-1, 2:] - wide[1:-1, :-2]) * per_unit
        slope_v = (wide[2:, 1:-1] - wide[:-2, 1:-1]) * per_unit
        share = np.float32(0.35 + 0.5 * lamp.contrast)
        steep = slope_u * slope_u + slope_v * slope_v + np.float32(1)
        shade = np.float32(lamp.up) - slope_u * np.float32(lamp.u) - slope_v * np.float32(lamp.v)
        shade *= share / np.float32(max(lamp.up, 0.25)) / np.sqrt(steep)
        shade = np.maximum(shade, 0, out=shade) + (1 - share)
        hollow = (self.relief - blurred(self.relief, n / 60)) * np.float32(n / self.size / 12)
        shade *= np.clip(1 + hollow, 0.55, 1.12)
        shade /= shade.mean()
        return replace(self, tile=self.tile * shade[..., None], relief=None)

    def soft(self, radius: float) -> Self:
        """Return the material out of focus by `radius` world units."""
        return replace(self, tile=blurred(self.tile, max(radius * len(self.tile) / self.size, 0.3)))

    @cached_property
    def _levels(self) -> list[Floats]:
        levels = [self.tile]
        for _ in range(_LEVELS):
            levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
        return levels

    def _level(self, level: int, u: Floats, v: Floats) -> Floats:
        tile = self._levels[level]
        n = len(tile)
        scale = np.float32(n / self.size)
        # remap() cannot take far coordinates; the tile repeats, so the remainder is as good.
        return cv2.remap(
            tile,
            np.mod(u * scale - 0.5, n),
            np.mod(v * scale - 0.5, n),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )


def gray(tile: Floats) -> Floats:
    """Return a tile of one tone as one of three, of mean 1."""
    return np.repeat((tile / tile.mean())[..., None], 3, axis=2).astype(np.float32)


def tinted(tile: Floats, powers: tuple[float, float, float]) -> Floats:
    """Return a tile whose darker places are of another hue: each channel is the tone to a power of its own."""
    return np.stack([tile**power for power in powers], axis=2).astype(np.float32)
