"""Concrete, marble and other stones."""

import cv2
import numpy as np

from workflows.engines.materials.material import Material, gray, tinted
from workflows.engines.materials.noise import Noise, blurred, enlarged, warped
from workflows.engines.palette import Floats


def concrete(noise: Noise) -> Material:
    """Cast concrete: stains, fine grain, pores, and the joints and tie holes of its formwork."""
    side, size = noise.side, 2.6
    pores = np.clip((noise(slope=0.8, coarsest=30) - 2.6) * 1.6, 0, 1)
    pores = blurred(pores, max(0.5, side / 1100))
    tile = 1 + 0.06 * noise(slope=1.5) + 0.022 * noise(slope=0.2, coarsest=60) - 0.35 * pores
    tile += 0.03 * noise(slope=1.6, stretch=0.25)  # what ran down
    at = (np.arange(side, dtype=np.float32) + 0.5) / side
    joint = np.exp(-(((at - 0.5) * size / 0.006) ** 2)).astype(np.float32)
    lines = np.maximum(joint[:, None], joint[None, :])
    away = np.minimum(np.abs(at - 0.25), np.abs(at - 0.75)) * size
    holes = np.clip((0.022 - np.hypot(away[:, None], away[None, :])) / 0.006 + 0.5, 0, 1)
    tile = np.clip(tile, 0.3, None) * (1 - 0.3 * lines) * (1 - 0.5 * holes)
    return Material(gray(tile), size, "#b3b1ac", relief=-0.003 * lines - 0.008 * holes)


def marble(noise: Noise) -> Material:
    """Polished marble: clouds, bold veins along one slant that fade in and out, and a net of fine ones."""
    # All of it is smooth but where it crosses zero, so half as many pixels do.
    coarse = Noise(noise.rng, max(noise.side // 2, 256))
    bend_x, bend_y = coarse(slope=1.75), coarse(slope=1.75)

    def veins(turn: float, slope: float, stretch: float, bend: float) -> Floats:
        """Return the distance to lines: where a slanted noise, bent by others, crosses zero."""
        field = coarse(slope=slope, stretch=stretch, turn=turn)
        return np.abs(enlarged(warped(field, bend * bend_x, bend * bend_y), noise.side))

    where = np.clip(0.5 + 0.6 * noise(slope=2.0), 0.0, 1.0)
    bold = veins(38, 2.1, 2.2, 0.028)
    fine = veins(52, 1.75, 1.5, 0.02)
    hair = veins(-20, 1.6, 1.4, 0.015)
    dark = 0.42 * np.exp(-bold / (0.012 + 0.05 * where)) * (0.25 + 0.75 * where)
    dark += 0.15 * np.exp(-bold / 0.28) * where
    dark += 0.2 * np.exp(-fine / 0.028) * np.clip(1.2 * where - 0.1, 0, 1)
    dark += 0.1 * np.exp(-hair / 0.03) * (1 - where)
    tile = np.clip(1 + 0.022 * noise(slope=1.6) - dark, 0.2, None)
    color = tinted(tile, (1.0, 0.98, 0.93))
    return Material(color / np.percentile(color[::4, ::4], 60, axis=(0, 1)).astype(np.float32), 2.4, "#e9e7e4")


def stone(noise: Noise) -> Material:
    """Split slate or sandstone: thin layers that broke off, and grain."""
    layers = warped(noise(slope=1.6, stretch=1.8, turn=12), 0.02 * noise(slope=1.8), 0.02 * noise(slope=1.8))
    steps = np.round(layers * 2.2) * 0.6 + 0.4 * layers
    grain = noise(slope=0.5, coarsest=30)
    relief = 0.006 * blurred(steps.astype(np.float32), max(0.6, noise.side / 500)) + 0.0012 * grain
    return Material(gray(np.clip(1 + 0.05 * layers + 0.035 * grain, 0.4, None)), 1.8, "#7f7c78", relief=relief)


def travertine(noise: Noise) -> Material:
    """Travertine: even bands of lime, with pits along them."""
    bands = noise(slope=1.3, stretch=9, coarsest=2)
    cloud = noise(slope=1.7)
    pits = blurred(np.clip((noise(slope=0.7, stretch=4, coarsest=14) - 2.0) * 1.5, 0, 1), max(0.5, noise.side / 1100))
    tile = np.clip(1 + 0.05 * bands + 0.025 * cloud - 0.34 * pits, 0.3, None)
    color = tinted(tile, (0.9, 1.0, 1.2))
    return Material(color / color.mean(axis=(0, 1)), 1.6, "#d9cbb6", relief=-0.004 * pits)


def terrazzo(noise: Noise) -> Material:
    """Terrazzo: chips of light, dark and warm stone in cement, ground flat."""
    side, rng, size = noise.side, noise.rng, 1.3
    tile = np.ones((side, side, 3), np.float32)
    tones = np.array([[0.42, 0.43, 0.46], [0.7, 0.6, 0.5], [1.25, 1.25, 1.24], [0.85, 0.66, 0.52], [0.62, 0.66, 0.68],
                      [1.15, 1.05, 0.92]], np.float32)  # fmt: skip
    for _ in range(620):
        x, y, turn = rng.uniform(0, side), rng.uniform(0, side), rng.uniform(0, 2 * np.pi)
        radius = side / size * 0.011 * float(np.exp(rng.normal(0, 0.55)))
        corners = np.sort(rng.uniform(0, 2 * np.pi, 6)) + turn
        shape = np.stack([np.cos(corners), rng.uniform(0.5, 0.9) * np.sin(corners)], axis=1) * radius
        tone = tuple(float(one) for one in tones[rng.integers(len(tones))] * rng.uniform(0.9, 1.1))
        for left in {0, -side if x + radius > side else 0, side if x < radius else 0}:
            for up in {0, -side if y + radius > side else 0, side if y < radius else 0}:
                points = np.rint((shape + np.array([x + left, y + up])) * 16).astype(np.int32)
                cv2.fillConvexPoly(tile, points, tone, cv2.LINE_8, 4)
    tile = blurred(tile, max(0.5, side / 1600))
    tile *= (1 + 0.012 * noise(slope=0.2, coarsest=60))[..., None]
    return Material(tile, size, "#e3ded6")
