"""Paint, plaster, cloth, sand and snow."""

import numpy as np

from workflows.engines.materials.material import Material, gray
from workflows.engines.materials.noise import Noise, blurred


def paint(noise: Noise) -> Material:
    """Matt paint or seamless paper: all but even."""
    return Material(gray(1 + 0.008 * noise(slope=0.3, coarsest=40) + 0.006 * noise(slope=1.6)), 1.3)


def plaster(noise: Noise) -> Material:
    """Hand-trowelled limewash: broad clouds with brush strokes this way and that."""
    strokes = sum(noise(slope=1.0, stretch=5, coarsest=6, turn=turn) for turn in (28, -36))
    tile = 1 + 0.05 * noise(slope=1.7) + 0.016 * strokes + 0.01 * noise(slope=0.5, coarsest=24)
    relief = 0.004 * noise(slope=2.4, stretch=2.5, coarsest=3, turn=24)
    return Material(gray(tile), 2.1, relief=relief)


def linen(noise: Noise) -> Material:
    """Woven linen: threads across threads, some thicker."""
    across = noise(slope=0.15, stretch=60, coarsest=90)
    along = noise(slope=0.15, stretch=60, coarsest=90).T
    return Material(gray(1 + 0.05 * across + 0.05 * along + 0.02 * noise(slope=1.4)), 1.1, "#ddd2bf")


def sand(noise: Noise) -> Material:
    """Sand that the wind has rippled: waves steeper on the lee side, which fork where their phase is bent."""
    side, waves = noise.side, 15
    across = np.arange(side, dtype=np.float32)[:, None] / side
    phase = (
        2
        * np.pi
        * (waves * across + 0.36 * noise(slope=2.7, coarsest=2, stretch=1.3) + 0.03 * noise(slope=2.0, coarsest=6))
    )
    high = 0.75 + 0.25 * np.tanh(noise(slope=2.6))
    ripple = (np.sin(phase) + 0.28 * np.sin(2 * phase + 1.2)) * high
    grain = noise(slope=0.0, coarsest=60)
    relief = 0.0075 * ripple + 0.02 * noise(slope=3.2) + 0.0004 * grain
    return Material(gray(np.clip(1 + 0.05 * grain + 0.02 * ripple, 0.5, None)), 1.5, "#d8bd94", relief=relief)


def snow(noise: Noise) -> Material:
    """Fresh snow: soft mounds, and here and there a crystal that sparkles."""
    sparkle = np.clip(noise(slope=0.0, coarsest=40) - 3.1, 0, 0.6)
    tile = 1 + 0.012 * noise(slope=0.2, coarsest=30) + blurred(sparkle, max(0.5, noise.side / 1400))
    relief = 0.007 * noise(slope=3.4, coarsest=2) + 0.0003 * noise(slope=1.2, coarsest=16)
    return Material(gray(tile), 2.0, "#f1f4f8", relief=relief)
