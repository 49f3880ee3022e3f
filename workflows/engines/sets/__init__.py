"""Building the sets: what a scene names becomes the layers of a picture, and a place for the product."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from operator import mul
from typing import Any

from workflows.engines.camera import STAGE, Camera
from workflows.engines.light import Points, Rig
from workflows.engines.palette import Floats
from workflows.engines.patterns import thrown
from workflows.engines.scenes import Scene
from workflows.engines.sets import (
    bokeh,
    curtain,
    gradient,
    niches,
    outdoors,
    overhead,
    paper,
    rooms,
    stands,
    tables,
    water,
)
from workflows.engines.sets.place import Place, central, standing
from workflows.engines.sets.shot import Shot, Surface
from workflows.engines.stage import Layer, light_camera
from workflows.engines.studio import Studio

__all__ = ["Build", "Place", "build"]

_Part = Callable[[Shot], list[Layer]]
_BACKDROPS: dict[str, _Part] = {
    "sweep": rooms.sweep,
    "wall": rooms.wall,
    "drapery": curtain.hanging,
    "arches": niches.arches,
    "paper": paper.rolls,
    "cut paper": paper.layers,
    "gradient": gradient.clouds,
    "bokeh": bokeh.lights,
    "horizon": outdoors.horizon,
    "dunes": outdoors.dunes,
    "winter": outdoors.winter,
    "flat lay": overhead.surface,
}
_GROUNDS: dict[str, _Part] = {
    "floor": rooms.floor,
    "table": tables.table,
    "cloth": tables.cloth,
    "shelf": lambda shot: [],  # it hangs on the wall, as what stands on it stands on it
    "water": water.pool,
    "sand": outdoors.ground,
    "snow": outdoors.ground,
}
_STANDS: dict[str, Callable[[Shot], None]] = {"podium": stands.podium, "steps": stands.steps}

# From where each ground is seen: tables from lower than floors, a shelf from far below its room's ceiling.
_CAMERAS: dict[str, dict[str, Any]] = {
    "table": {"eye": 0.55, "floor": 0.41, "floor_most": 0.5},
    "cloth": {"eye": 0.62, "floor": 0.53, "floor_most": 0.75},
    "shelf": {"eye": 1.9, "floor": -0.3, "floor_most": 0.3},
    "water": {"eye": 0.95, "floor": 0.48, "floor_most": 0.8},
    "sand": {"eye": 0.62, "floor": 0.4, "floor_most": 0.7},
    "snow": {"eye": 0.62, "floor": 0.4, "floor_most": 0.7},
}
_OWN = {"horizon": "#a9cbe6", "dunes": "#bcd3e2", "winter": "#cddbe9", "water": "#a8d2d8"}
# Of what a table is, where the text does not say.
_TABLES = {"horizon": "travertine", "bokeh": "wood"}
# What one makes floors of where the walls are of it, and bends up into walls.
_ALL_OF_ONE = ("paint", "plaster", "concrete")


@dataclass(frozen=True)
class Build:
    """A set that is built: its layers, from the back to the front, and where the product may stand."""

    layers: list[Layer]
    place: Place


def build(studio: Studio) -> Build:
    """Return the studio's scene as layers, and its place for the product."""
    scene = studio.scene
    camera = _placed_camera(studio)
    small = light_camera(camera)
    rig = Rig.of(studio.mood, turn=float(studio.random("light").uniform(-8, 8)), sunlit=bool(scene.shadows))
    if scene.shadows:
        patterns = [thrown(studio, name, small, rig) for name in scene.shadows]
        rig = replace(rig, pattern=lambda points: _product(points, patterns))
    level = stands.SHELF if scene.ground == "shelf" else 0.0
    at = tables.SHELF_FRONT + 0.12 if scene.ground == "shelf" else STAGE - 0.12
    place = standing(camera, camera.at(level, at)) if scene.ground else central(camera)
    shot = Shot(studio, camera, small, rig, place)
    shot.surfaces["backdrop"] = _surface(shot, "backdrop", scene.backdrop, 0)
    if scene.stand:
        _STANDS[scene.stand](shot)
    if scene.ground:
        one_color = scene.backdrop == "sweep" and scene.stand and scene.ground == "floor"
        shot.surfaces["ground"] = (
            shot.backdrop
            if one_color and "ground" not in scene.materials
            else _surface(shot, "ground", scene.ground, 1)
        )
        _prepare(shot, scene)
        stands.accents(shot)
    layers = _BACKDROPS[scene.backdrop](shot)
    if scene.ground:
        layers += _GROUNDS[scene.ground](shot) + shot.over
    for prop in sorted(shot.props, key=lambda one: -one.back):
        # What is there to show a colour shows it best without leaves' shadows on it.
        light = replace(rig, pattern=None) if prop.slot.startswith(stands.ACCENT) else rig
        layers += prop.layers(camera, small, light, [other.hull() for other in shot.props if other is not prop])
    return Build(layers, shot.place)


def _placed_camera(studio: Studio) -> Camera:
    """Return the camera as high as suits the ground, a little higher or lower each time."""
    scene, rng = studio.scene, studio.random("camera")
    camera = replace(studio.camera, **_CAMERAS.get(scene.ground or "", {}))
    if scene.backdrop == "horizon" and scene.ground == "water":
        camera = replace(camera, eye=0.6)
    if scene.ground == "shelf":
        return camera
    return replace(
        camera, eye=camera.eye * float(rng.uniform(0.92, 1.1)), floor=camera.floor * float(rng.uniform(0.9, 1.08))
    )


def _prepare(shot: Shot, scene: Scene) -> None:
    """Give colours to what backdrops have besides themselves, and put up what casts shadows on them."""
    plain = shot.stuff("paint", upright=True)
    if scene.backdrop == "horizon" and scene.ground != "water":
        shot.surfaces["land"] = Surface("land", plain, shot.color(1, outdoors.LANDS[outdoors.land_of(shot)], mood=0.2))
    elif scene.backdrop == "paper":
        shot.surfaces["room"] = Surface("room", plain, shot.color(1))
    elif scene.backdrop == "arches":
        shot.surfaces["niche"] = Surface("niche", plain, shot.color(2))
        niches.prepare(shot)
    if scene.ground == "shelf":
        tables.hang_shelf(shot)


def _surface(shot: Shot, part: str, kind: str, index: int) -> Surface:
    scene = shot.studio.scene
    walls = scene.materials.get("backdrop", "paint")
    name = scene.materials.get(part, walls if walls in _ALL_OF_ONE else "paint")
    if kind == "table" and name == "paint":
        name = _TABLES.get(scene.backdrop, "paint")
    elif kind == "cloth" and name == "paint":
        name = "linen"
    if kind in ("sand", "snow"):
        name = kind
    material = shot.stuff(name, upright=part == "backdrop")
    return Surface(
        name, material, shot.color(index, _OWN.get(kind, material.color), mood=0.15 if kind in _OWN else 0.08)
    )


def _product(points: Points, patterns: list[Any]) -> Floats:
    return reduce(mul, (pattern.at(points) for pattern in patterns))
