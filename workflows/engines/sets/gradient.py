"""Colours that melt into each other."""

import cv2
import numpy as np

from workflows.engines.materials import Noise
from workflows.engines.sets.shot import Shot
from workflows.engines.stage import FINISHED, Layer


def clouds(shot: Shot) -> list[Layer]:
    """Return clouds of the colours that melt into each other."""
    studio = shot.studio
    small = studio.camera.smaller(40_000)
    view, rng = small.view(), studio.random("gradient")
    colors = studio.colors if len(studio.colors) > 1 else [studio.colors[0], studio.colors[0] * 0.72 + 0.28]
    shot.rest()
    half_x, half_y = small.half_width, small.half_height
    turn = rng.uniform(0, 2 * np.pi) + np.arange(len(colors)) * 2 * np.pi / len(colors)
    at_x = half_x * 0.8 * np.cos(turn) + half_x * rng.uniform(-0.15, 0.15, len(colors))
    at_y = half_y * 0.8 * np.sin(turn) + half_y * rng.uniform(-0.15, 0.15, len(colors))
    noise = Noise(studio.random("bend"), 256)
    bend_x, bend_y = (cv2.resize(noise(slope=3.2), (small.width, small.height)) * 0.16 for _ in range(2))
    squared = [((view.x + bend_x - x) / half_x) ** 2 + ((view.y + bend_y - y) / half_y) ** 2
               for x, y in zip(at_x, at_y, strict=True)]  # fmt: skip
    # The nearer to each other they lie, the shorter is the way over, so that something is left of each.
    apart = (2 * 0.8 * np.sin(np.pi / len(colors))) ** 2
    weights = np.exp(-(np.stack(squared) - np.min(squared, axis=0)) * ((4.6 if len(colors) < 4 else 8) / apart))
    weights /= weights.sum(axis=0)
    # Mixed as cube roots of light, which the eye sees as even steps.
    mixed = sum(weight[..., None] * np.cbrt(color) for weight, color in zip(weights, colors, strict=True)) ** 3
    return [Layer(FINISHED, np.ones(3, np.float32), mixed.astype(np.float32))]
