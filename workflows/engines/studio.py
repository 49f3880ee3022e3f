"""What every set is built from."""

from dataclasses import dataclass

import numpy as np

from workflows.engines.camera import FOCAL, STAGE, Camera
from workflows.engines.materials import Material, make
from workflows.engines.moods import Mood
from workflows.engines.palette import Floats
from workflows.engines.scenes import Scene


@dataclass(frozen=True)
class Studio:
    """An order as the sets see it. `colors` are linear RGB, the most wanted first; `asked`: the client named them."""

    camera: Camera
    mood: Mood
    scene: Scene
    colors: list[Floats]
    asked: bool
    seed: int

    def random(self, purpose: str) -> np.random.Generator:
        """Return a random stream for one purpose alone, so that a change to one leaves the others as they were."""
        key = [int(byte) for byte in purpose.encode()]
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key)))

    def material(self, name: str) -> Material:
        return make(name, self.random(name), pixels=self.camera.scale * FOCAL / STAGE)

    def color(self, index: int) -> Floats:
        return self.colors[index % len(self.colors)]
