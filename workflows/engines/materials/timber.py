"""Wood, as boards are sawn from a tree."""

import numpy as np

from workflows.engines.materials.material import Material, tinted
from workflows.engines.materials.noise import Noise


def wood(noise: Noise) -> Material:
    """Boards of oiled wood, their grain along x.

    The rings are cylinders around a pith that the saw passes at some depth, and not quite along it: the cut shows
    straight lines at its sides and, where the depth changes, the nested arches of flat-sawn timber.
    """
    boards, side, rng, size = 5, noise.side, noise.rng, 1.7
    at = np.arange(side, dtype=np.float32) / side
    board = np.minimum((at * boards).astype(int), boards - 1)
    inside = (at * boards) % 1
    wander = noise(slope=2.6, stretch=4)
    ripple = noise(slope=2.2, stretch=7, coarsest=3)
    light = np.empty((side, side), np.float32)
    for one in range(boards):
        rows = board == one
        along = 2 * np.pi * (at[None, :] + rng.uniform())
        depth = rng.uniform(0.25, 0.6) + rng.uniform(0.08, 0.22) * np.sin(along)
        middle = rng.uniform(0.15, 0.85) + 0.12 * np.sin(along + rng.uniform(0, 6))
        from_pith = np.hypot(inside[rows][:, None] - middle + 0.05 * wander[rows], depth + 0.02 * ripple[rows])
        rings = from_pith * rng.uniform(9, 13) + 0.2 * ripple[rows]
        # A year's ring darkens slowly towards autumn and begins light again.
        phase = rings % 1
        late = phase**2.5 * np.clip((1 - phase) / 0.14, 0, 1)
        light[rows] = 1 + rng.uniform(-0.11, 0.11) - 0.3 * late * (0.7 + 0.3 * np.tanh(wander[rows]))
    fibre = noise(slope=0.6, stretch=42, coarsest=12)
    pores = np.clip(noise(slope=0.3, stretch=34, coarsest=40) - 1.3, 0, 2)
    light += 0.035 * fibre - 0.055 * pores + 0.03 * noise(slope=1.8, stretch=3)
    to_edge = np.minimum(inside, 1 - inside)[:, None] * size / boards
    groove = np.clip(1 - to_edge / 0.0035, 0, 1)
    face = np.clip(light, 0.35, 1.5) * (1 - 0.6 * groove)
    # Darker grain is redder: blue is lost first.
    tile = tinted(face, (0.8, 1.0, 1.28))
    relief = 0.004 * np.clip(to_edge / 0.006, 0, 1) - 0.0006 * pores
    return Material(tile / tile.mean(axis=(0, 1)), size, "#b98b5e", relief=np.broadcast_to(relief, (side, side)))
