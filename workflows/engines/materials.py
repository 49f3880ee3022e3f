"""What surfaces are made of: tiles of reflectance, made from noise, that repeat without a seam."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from workflows.engines.palette import Floats

_SMALLEST, _LARGEST = 128, 1024


@dataclass(frozen=True)
class Material:
    """A tile, shape (n, n, 3), of reflectance relative to the surface's colour, that covers `size` world units.

    `color` is what the material has by itself (#rrggbb); None for what is painted in any colour.
    """

    tile: Floats
    size: float
    color: str | None = None

    def at(self, u: Floats, v: Floats) -> Floats:
        """Return the reflectance at world coordinates that broadcast to (h, w), shape (h, w, 3)."""
        n = self.tile.shape[0]
        u, v = np.broadcast_arrays(u * np.float32(n / self.size), v * np.float32(n / self.size))
        # remap() cannot take far coordinates; the tile repeats, so the remainder is as good.
        return cv2.remap(self.tile, np.mod(u, n), np.mod(v, n), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


@dataclass(frozen=True)
class Noise:
    """A source of seamless noise, each field of shape (side, side), drawn from `rng`."""

    rng: np.random.Generator
    side: int = 512

    def __call__(self, *, slope: float, stretch: float = 1.0, coarsest: float = 1.0) -> Floats:
        """Return noise of mean 0 and deviation 1 whose amplitude falls as frequency^−slope.

        `stretch` draws it out along x; frequencies below `coarsest` waves a tile are left out. The phases and
        amplitudes are drawn as frequencies, which saves the transform there.
        """
        n = self.side
        fy = np.fft.fftfreq(n, 1 / n).astype(np.float32)[:, None]
        fx = np.arange(n // 2 + 1, dtype=np.float32)[None, :]
        squared = (fx * np.float32(stretch)) ** 2 + fy**2
        squared[squared < coarsest**2] = np.inf
        waves = self.rng.standard_normal((n, n // 2 + 1, 2), dtype=np.float32).view(np.complex64)[..., 0]
        field = np.fft.irfft2(waves * squared ** np.float32(-slope / 2), s=(n, n)).astype(np.float32)
        return (field - field.mean()) / field.std()


def _gray(tile: Floats) -> Floats:
    return np.repeat((tile / tile.mean())[..., None], 3, axis=2).astype(np.float32)


def paint(noise: Noise) -> Material:
    """Matt paint or seamless paper: all but even."""
    return Material(_gray(1 + 0.008 * noise(slope=0.3, coarsest=40) + 0.006 * noise(slope=1.6)), 1.3)


def plaster(noise: Noise) -> Material:
    """Hand-trowelled plaster: broad clouds with fine strokes."""
    return Material(_gray(1 + 0.035 * noise(slope=1.7, stretch=0.6) + 0.012 * noise(slope=0.6, coarsest=24)), 2.1)


def concrete(noise: Noise) -> Material:
    """Cast concrete: stains, fine grain and a few pores."""
    pores: Floats = np.clip((noise(slope=0.8, coarsest=30) - 2.7) * 1.6, 0, 1)
    pores = cv2.GaussianBlur(pores, (0, 0), max(0.4, noise.side / 1100))
    tile = 1 + 0.065 * noise(slope=1.5) + 0.025 * noise(slope=0.2, coarsest=60) - 0.35 * pores
    return Material(_gray(np.clip(tile, 0.3, None)), 2.2, "#b3b1ac")


def wood(noise: Noise) -> Material:
    """Boards of oiled wood, their grain along x."""
    boards, length, rng = 5, noise.side, noise.rng
    warp = noise(slope=2.1, stretch=7)
    fibre = noise(slope=0.7, stretch=45, coarsest=12)
    rows = np.arange(length)
    board = rows * boards // length
    # Each board is cut from elsewhere in the tree: its rings, tone and fibres are shifted.
    shift = rng.integers(0, length, boards)
    warp = np.stack([np.roll(warp[row], shift[board[row]]) for row in rows])
    rings = np.sin(
        (rows[:, None] / length * 22 + rng.uniform(0, 9, boards)[board][:, None] + warp * 1.5) * 2 * np.pi / 2
    )
    tone = rng.normal(0, 0.11, boards)[board][:, None]
    grain = 0.11 * rings + 0.07 * fibre + tone
    inside = (rows * boards / length) % 1
    gap = np.clip(1 - np.minimum(inside, 1 - inside) / 0.0125, 0, 1)[:, None]
    light = np.clip(1 + grain, 0.4, 1.5) * (1 - 0.65 * gap)
    # Darker grain is redder: blue is lost first.
    tile = np.stack([light**0.8, light, light**1.25], axis=2)
    return Material((tile / tile.mean(axis=(0, 1))).astype(np.float32), 1.7, "#b98b5e")


def marble(noise: Noise) -> Material:
    """Polished marble: clouds, and veins where a bent noise crosses zero."""
    bend_x, bend_y = noise(slope=1.9), noise(slope=1.9)
    side = noise.side
    grid_y, grid_x = np.mgrid[0:side, 0:side].astype(np.float32)

    def bent(field: Floats, by: float) -> Floats:
        return cv2.remap(
            field,
            np.mod(grid_x + by * bend_x, side),
            np.mod(grid_y + by * bend_y, side),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )

    bold = bent(noise(slope=1.7, stretch=0.55), 0.045 * side)
    fine = bent(noise(slope=1.35), 0.03 * side)
    where = np.clip(0.55 + 0.5 * noise(slope=1.8), 0.05, 1)
    veins = 0.5 * np.exp(-np.abs(bold) / 0.045) * where + 0.22 * np.exp(-np.abs(fine) / 0.05) * where
    veins += 0.16 * np.exp(-np.abs(bold) / 0.3)
    tile = 1 + 0.025 * noise(slope=1.6) - veins
    tinted = np.stack([np.clip(tile, 0.2, None) ** power for power in (1.0, 0.98, 0.93)], axis=2)
    return Material((tinted / np.percentile(tinted, 60, axis=(0, 1))).astype(np.float32), 2.4, "#e9e7e4")


def linen(noise: Noise) -> Material:
    """Woven linen: threads across threads, some thicker."""
    across = noise(slope=0.15, stretch=60, coarsest=90)
    along = noise(slope=0.15, stretch=60, coarsest=90).T
    return Material(_gray(1 + 0.05 * across + 0.05 * along + 0.02 * noise(slope=1.4)), 1.1, "#ddd2bf")


MATERIALS: dict[str, Callable[[Noise], Material]] = {
    "paint": paint,
    "plaster": plaster,
    "concrete": concrete,
    "wood": wood,
    "marble": marble,
    "linen": linen,
}


def make(name: str, rng: np.random.Generator, *, pixels: float) -> Material:
    """Return a material to be drawn with `pixels` to a world unit, as fine as they show; finer would sparkle."""
    if name == "paint":
        pixels /= 2  # which has nothing that fine
    side = _SMALLEST
    while side < min(_LARGEST, pixels * 1.2):
        side *= 2
    return MATERIALS[name](Noise(rng, side))
