"""What stands on the ground: podiums, steps, and small things in the colours that nothing else has."""

import numpy as np

from workflows.engines.camera import FOCAL, STAGE
from workflows.engines.materials import Material
from workflows.engines.palette import Floats
from workflows.engines.props import Ball, Block, Plinth, Prop
from workflows.engines.sets.place import standing
from workflows.engines.sets.shot import Shot

SHELF, SHELF_MIDDLE = 1.1, 3.76  # the height of a shelf's board and the depth of its middle
ACCENT = "accent"  # how the slots of small things begin
_SLAB = 0.62  # what is wider is no cylinder any more


def podium(shot: Shot) -> None:
    """Put a podium under the place, and smaller ones behind and before it."""
    rng = shot.studio.random("podium")
    # Before a wall the tall one stands where its shadow falls away from the place.
    walled = shot.studio.scene.backdrop != "sweep"
    side = float(np.sign(shot.toward[0]) if walled else rng.choice([-1, 1]))
    material = _material(shot)
    color = shot.color(1, material.color if material else None)
    height = float(rng.uniform(0.12, 0.19))
    _over(shot, height)
    radius = max(0.34, 1.12 * shot.place.half_width * STAGE / FOCAL)
    kind = rng.choice(["round", "square", "tiered"], p=[0.5, 0.22, 0.28])
    if radius > _SLAB or kind == "square":
        depth = min(2 * radius, 0.62)
        shot.props.append(Block("stand", color, 0.0, STAGE - depth / 2, radius, depth, height, material=material))
    elif kind == "tiered":
        low = height * 0.42
        shot.props.append(Plinth("stand", color, 0.0, STAGE, radius * 1.25, low, material=material))
        shot.props.append(Plinth("stand", color, 0.0, STAGE, radius, height - low, low, material=material))
    else:
        shot.props.append(Plinth("stand", color, 0.0, STAGE, radius, height, material=material))
    second = shot.color(2)
    behind, before = STAGE + 0.44, STAGE - 0.16
    x, half = _beside(shot, behind, float(rng.uniform(0.1, 0.125)))
    tall = float(rng.uniform(0.34, 0.5))
    if rng.random() < 0.7:
        shot.props.append(Plinth("second", second, -side * x, behind, half, tall))
    else:
        shot.props.append(Block("second", second, -side * x, behind - half, half, 2 * half, tall))
    x, half = _beside(shot, before, float(rng.uniform(0.06, 0.08)), gap=0.06)
    if rng.random() < 0.6:
        shot.props.append(Plinth("second", second, side * x, before, half, float(rng.uniform(0.07, 0.12))))
    else:
        shot.props.append(Ball("second", second, side * x, before, half))


def steps(shot: Shot) -> None:
    """Put three steps under the place, which is on the uppermost."""
    rng = shot.studio.random("steps")
    material = _material(shot)
    color = shot.color(1, material.color if material else None)
    height, depth = float(rng.uniform(0.08, 0.11)), 0.24
    back = STAGE + 0.3
    shot.place = standing(shot.camera, shot.camera.at(3 * height, back - 0.06))
    half = max(0.33, 1.1 * shot.place.half_width * back / FOCAL)
    lean = float(rng.choice([-1, 0, 1]))  # flush at one side, or narrowing on both
    for step in range(3):
        front = back - depth * (2 - step) - 0.16
        free = (shot.camera.half_width - 0.04) * front / FOCAL - half
        wider = min(0.13 * (2 - step), free / (1 + abs(lean)))
        shot.props.append(
            Block("stand", color, lean * wider, front, half + wider, depth if step < 2 else 0.5, height * (step + 1),
                  material=material)
        )  # fmt: skip


def accents(shot: Shot) -> None:
    """Put a small thing beside the place for each asked colour that no other part of the set shows."""
    rng = shot.studio.random("accents")
    side = float(rng.choice([-1, 1]))
    on_shelf = shot.studio.scene.ground == "shelf"
    for index, color in enumerate(shot.rest()):
        before = index >= 2
        z = STAGE + (-0.3 if before else 0.34)
        if on_shelf:
            z = SHELF_MIDDLE + (-0.06 if before else 0.06)
        size = float(rng.uniform(0.05, 0.056) if on_shelf else rng.uniform(0.092, 0.104))
        size *= 1 + 0.1 * shot.studio.arrangement  # which is there because a color was missed
        x, half = _beside(shot, z, size, outer=before)
        x *= side if index % 2 else -side
        if on_shelf:
            tall = half * float(rng.uniform(3.2, 4.5))
            shot.props.append(Plinth(f"{ACCENT} {index}", color, x, z, half, tall, SHELF))
        else:
            shot.props.append(_accent(rng, f"{ACCENT} {index}", color, x, z, half))


def _accent(rng: np.random.Generator, slot: str, color: Floats, x: float, z: float, half: float) -> Prop:
    kind = rng.choice(["ball", "plinth", "block"], p=[0.5, 0.3, 0.2])
    if kind == "ball":
        return Ball(slot, color, x, z, half)
    if kind == "plinth":
        return Plinth(slot, color, x, z, half, half * float(rng.uniform(1.3, 2.0)))
    return Block(slot, color, x, z - half, half, 2 * half, half * float(rng.uniform(1.3, 2.0)))


def _beside(shot: Shot, z: float, half: float, *, gap: float = 0.02, outer: bool = False) -> tuple[float, float]:
    """Return the x and half width in the world of a thing beside the place, `half` wide in the picture if it fits."""
    ends = shot.camera.half_width * (0.88 if shot.studio.scene.ground == "shelf" else 1) - 0.03
    room = ends - shot.place.half_width - gap
    half = min(half, room / 2)
    x = shot.place.half_width + gap + half
    if outer:
        x = min(x + 2.1 * half, ends - half)
    elif room > 6 * half:
        x += half  # a wide picture leaves it some air
    return x * z / FOCAL, half * z / FOCAL


def _over(shot: Shot, height: float) -> None:
    """Move the place up onto what is `height` high."""
    shot.place = standing(shot.camera, shot.camera.at(height, STAGE - 0.1))


def _material(shot: Shot) -> Material | None:
    name = shot.studio.scene.materials.get("stand")
    return shot.stuff(name) if name else None
