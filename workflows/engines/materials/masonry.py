"""Walls that are built of pieces: bricks, glazed tiles, and panels framed by mouldings."""

import numpy as np

from workflows.engines.materials.material import Material, gray
from workflows.engines.materials.noise import Noise, blurred
from workflows.engines.palette import Floats


def _pieces(noise: Noise, columns: int, rows: int, *, shifted: bool) -> tuple[Floats, Floats, Floats, Floats]:
    """Return where in its piece each pixel lies, from −0.5 to 0.5 along u and v, and two random numbers of it."""
    side = noise.side
    at = (np.arange(side, dtype=np.float32) + 0.5) / side
    v = at * rows
    row = v.astype(int)
    u = at[None, :] * columns + (0.5 * (row % 2) if shifted else 0 * row)[:, None].astype(np.float32)
    column = u.astype(int) % columns
    drawn = noise.rng.uniform(-1, 1, (2, rows, columns)).astype(np.float32)
    one, other = (numbers[row[:, None], column] for numbers in drawn)
    inside_v = np.broadcast_to((v % 1 - 0.5)[:, None], (side, side))
    return u % 1 - 0.5, inside_v, one, other


def brick(noise: Noise) -> Material:
    """Bricks in running bond, each fired a little differently, with pale mortar between them."""
    columns, rows, size = 5, 14, 1.2
    u, v, tone, warm = _pieces(noise, columns, rows, shifted=True)
    rough = noise(slope=1.0, coarsest=8)
    to_edge = np.minimum((0.5 - np.abs(u)) * size / columns, (0.5 - np.abs(v)) * size / rows) + 0.0012 * rough
    body = np.clip((to_edge - 0.0045) / 0.003, 0, 1)
    grain = noise(slope=0.4, coarsest=40)
    face = 1 + 0.13 * tone + 0.05 * rough + 0.04 * grain
    color = np.stack([face * (1 + 0.05 * warm), face, face * (1 - 0.06 * warm)], axis=2)
    mortar = (1.0 + 0.05 * grain)[..., None] * np.array([1.25, 1.4, 1.45], np.float32)
    tile = mortar + (color - mortar) * body[..., None]
    relief = 0.006 * np.clip((to_edge - 0.003) / 0.008, 0, 1) + 0.0009 * rough
    return Material(tile.astype(np.float32), size, "#a8654b", relief=relief.astype(np.float32))


def tiles(noise: Noise) -> Material:
    """Square tiles glazed by hand: no two of one tone or quite flat, in pale grout."""
    count, size = 8, 1.44
    u, v, tone, tilt = _pieces(noise, count, count, shifted=False)
    to_edge = (0.5 - np.maximum(np.abs(u), np.abs(v))) * size / count
    body = np.clip((to_edge - 0.0025) / 0.002, 0, 1)
    glaze = noise(slope=2.6, coarsest=5)
    face = 1 + 0.06 * tone + 0.025 * glaze
    grout = 0.9 + 0.03 * noise(slope=0.3, coarsest=40)
    tile = grout + (face - grout) * body
    bulge = 0.004 * np.clip(to_edge / 0.012, 0, 1) ** 0.6 + 0.0055 * (tilt * u + np.roll(tilt, 3, axis=0) * v)
    relief = np.where(to_edge > 0.0025, bulge + 0.0011 * glaze, 0.0)
    return Material(gray(tile), size, "#e6e8e6", relief=blurred(relief.astype(np.float32), noise.side / 900))


def panelling(noise: Noise) -> Material:
    """A painted wall of panels, each framed by a moulding."""
    side, size = noise.side, 1.9
    at = (np.arange(side, dtype=np.float32) + 0.5) / side * size
    to_edge = np.minimum((np.minimum(at, size - at) - 0.13)[None, :], (np.minimum(at, size - at) - 0.13)[:, None])
    # A bead, a hollow and a step, as a plane cuts them.
    bead = 0.022 * np.exp(-(((to_edge - 0.012) / 0.011) ** 2)) + 0.012 * np.exp(-(((to_edge - 0.045) / 0.009) ** 2))
    relief = bead - 0.012 / (1 + np.exp(-(to_edge - 0.05) / 0.004))
    return Material(gray(1 + 0.006 * noise(slope=0.4, coarsest=40)), size, relief=relief.astype(np.float32))
