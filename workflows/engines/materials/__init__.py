"""What surfaces are made of: tiles of reflectance, made from noise, that repeat without a seam."""

from collections.abc import Callable

import numpy as np

from workflows.engines.materials import masonry, plain, stone, timber
from workflows.engines.materials.material import Lamp, Material
from workflows.engines.materials.noise import Noise

__all__ = ["MATERIALS", "Lamp", "Material", "Noise", "make"]

_SMALLEST, _LARGEST = 256, 1024

MATERIALS: dict[str, Callable[[Noise], Material]] = {
    "paint": plain.paint,
    "plaster": plain.plaster,
    "linen": plain.linen,
    "sand": plain.sand,
    "snow": plain.snow,
    "concrete": stone.concrete,
    "marble": stone.marble,
    "stone": stone.stone,
    "travertine": stone.travertine,
    "terrazzo": stone.terrazzo,
    "brick": masonry.brick,
    "tiles": masonry.tiles,
    "panelling": masonry.panelling,
    "wood": timber.wood,
}


def make(name: str, rng: np.random.Generator, *, pixels: float) -> Material:
    """Return a material to be drawn with `pixels` to a world unit, as fine as they show; finer would sparkle."""
    if name == "paint":
        pixels /= 2  # which has nothing that fine
    side = _SMALLEST
    while side < min(_LARGEST, pixels * 1.2):
        side *= 2
    return MATERIALS[name](Noise(rng, side))
