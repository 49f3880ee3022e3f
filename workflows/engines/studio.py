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
    """An order as the sets see it. `colors` are linear RGB, the most wanted first; `asked`: the client named them.

    A seed has any number of arrangements, of which the first is the one that is wanted; those after it have larger
    things in the colours that no set shows otherwise.
    """

    camera: Camera
    mood: Mood
    scene: Scene
    colors: list[Floats]
    asked: bool
    seed: int
    arrangement: int = 0

    def random(self, purpose: str) -> np.random.Generator:
        """Return a random stream for one purpose alone, so that a change to one leaves the others as they were."""
        key = [*purpose.encode(), *([256 + self.arrangement] if self.arrangement else [])]
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key)))

    def material(self, name: str) -> Material:
        return make(name, self.random(name), pixels=self.camera.scale * FOCAL / STAGE)

    def color(self, index: int) -> Floats:
        return self.colors[index % len(self.colors)]
