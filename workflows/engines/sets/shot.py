"""What the parts of one set share while it is built: camera, light, colours, and what stands where."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from workflows.engines.camera import STAGE, Camera, View
from workflows.engines.light import Rig
from workflows.engines.materials import Lamp, Material
from workflows.engines.palette import Floats, linear
from workflows.engines.props import Prop
from workflows.engines.props.drawing import Box
from workflows.engines.sets.place import Place
from workflows.engines.stage import Layer
from workflows.engines.studio import Studio


@dataclass(frozen=True)
class Surface:
    """What a part of a set is made of, and its colour."""

    name: str
    material: Material
    color: Floats


@dataclass
class Shot:
    """A set while it is built.

    `over` are a backdrop's layers that lie over the ground, `edge` says where that begins, `wall` is the wall behind
    the set, once there is one, `made` the materials that it needed, not yet shaded, and `taken` counts the asked
    colours that parts of the set have.
    """

    studio: Studio
    camera: Camera
    small: Camera
    rig: Rig
    place: Place
    props: list[Prop] = field(default_factory=list)
    surfaces: dict[str, Surface] = field(default_factory=dict)
    over: list[Layer] = field(default_factory=list)
    edge: Callable[[View], Floats] | None = None
    wall: Layer | None = None
    made: dict[str, Material] = field(default_factory=dict)
    taken: int = 0

    @property
    def hulls(self) -> list[Floats]:
        return [prop.hull() for prop in self.props]

    @property
    def backdrop(self) -> Surface:
        return self.surfaces["backdrop"]

    @property
    def ground(self) -> Surface:
        return self.surfaces["ground"]

    def color(self, index: int, own: str | None = None, *, mood: float = 0.08) -> Floats:
        """Return the colour for the next part of the set.

        That is the next one that the client asked for, as long as there is one; then the part's `own`, if it has
        one. Where the client asked for none it is its own, or the mood's colour `index`. An own colour is as dark as
        the mood, and has the share `mood` of its hue.
        """
        if self.studio.asked and self.taken < len(self.studio.colors):
            self.taken += 1
            return self.studio.colors[self.taken - 1]
        if own is None:
            return self.studio.color(index)
        tone = linear(self.studio.mood.palette[0])
        dim = np.clip(tone.mean() / 0.4, 0.05, 1) ** np.float32(0.45)
        return linear(own) * dim * (1 - np.float32(mood)) + tone * np.float32(mood)

    def rest(self) -> list[Floats]:
        """Return the asked colours that no part of the set has yet; from now on they are taken."""
        # Colours that the mood chose need not all be seen, and an empty set is the better default.
        rest = self.studio.colors[self.taken :] if self.studio.asked else []
        self.taken += len(rest)
        return rest

    def stuff(self, name: str, *, upright: bool = False) -> Material:
        """Return a material, shaded as what it is on lies or stands."""
        x, y, z = self.toward
        contrast = self.studio.mood.contrast
        if name not in self.made:
            self.made[name] = self.studio.material(name)
        return self.made[name].lit(Lamp(x, y, -z, contrast) if upright else Lamp(x, z, y, contrast))

    @property
    def above(self) -> Box:
        """Return the part of the picture above what the ground covers for certain."""
        return -1e3, -1e3, 1e3, self.camera.seam + 0.07

    @property
    def toward(self) -> tuple[float, float, float]:
        """Return the direction from the stage to the key light."""
        away = self.rig.key.mean(axis=0) - np.array([0.0, 0.2, STAGE])
        x, y, z = away / np.linalg.norm(away)
        return float(x), float(y), float(z)
