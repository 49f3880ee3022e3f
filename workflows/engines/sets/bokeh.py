"""Lights far out of focus."""

import numpy as np

from workflows.engines.palette import Floats
from workflows.engines.sets.shot import Shot
from workflows.engines.stage import Layer


def lights(shot: Shot) -> list[Layer]:
    """Return a dim backdrop and the discs that points of light become behind it, where the lens is open wide."""
    small, studio = shot.small, shot.studio
    view, rng = small.view(), studio.random("bokeh")
    color = shot.backdrop.color
    base = 0.82 + 0.36 * np.exp(-((view.y - small.seam + 0.1) ** 2) / 0.18) + 0 * view.x
    light = np.repeat(base[..., None], 3, axis=2).astype(np.float32)
    # As bright as can be on the backdrop's colour, and tinted like the set's other colours.
    glow = [0.6 * other + 0.4 for other in studio.colors] + [np.array([1.0, 0.93, 0.8], np.float32)]
    count = int(26 * small.half_width * small.half_height * 4) + 14
    for number in range(count):
        far = number / count
        radius = float(rng.uniform(0.028, 0.06) * (0.7 + 0.9 * far)) * float(rng.choice([1, 1, 1.5]))
        x = float(rng.uniform(-small.half_width, small.half_width))
        # Most lights stand in a band above the table, as a street's or a tree's would.
        y = float(np.clip(rng.normal(small.seam - 0.28, 0.2), -small.half_height - 0.05, small.seam - 0.03))
        strength = float(rng.uniform(0.1, 0.5)) * (1.1 - 0.6 * far)
        tint = glow[int(rng.integers(len(glow)))]
        _disc(
            light,
            small.scale,
            x + small.half_width,
            y + small.half_height,
            radius,
            strength * tint / np.maximum(color, 0.08),
        )
    return [Layer("backdrop", color, light, box=shot.above)]


def _disc(light: Floats, scale: float, x: float, y: float, radius: float, glow: Floats) -> None:
    """Add a disc to `light`: even, with a rim a little brighter and an edge that is not sharp."""
    reach = radius * 1.15
    top, left = (max(0, int((at - reach) * scale)) for at in (y, x))
    part = light[top : int((y + reach) * scale) + 2, left : int((x + reach) * scale) + 2]
    rows = (np.arange(part.shape[0], dtype=np.float32)[:, None] + top + 0.5) / scale - y
    columns = (np.arange(part.shape[1], dtype=np.float32)[None, :] + left + 0.5) / scale - x
    away = np.hypot(rows, columns) / radius
    soft = 1 / (1 + np.exp(np.minimum((away - 1) / 0.035, 30)))
    part += (soft * (0.75 + 0.3 * np.clip(away, 0, 1) ** 6))[..., None] * glow.astype(np.float32)
