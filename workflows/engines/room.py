"""The room that most sets are: a wall, a floor, what stands on it, and the light on all of it."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from workflows.engines.camera import FOCAL, WALL, Camera, View
from workflows.engines.light import Points, Rig, corner, unhidden
from workflows.engines.materials import Material
from workflows.engines.palette import Floats, linear
from workflows.engines.patterns import thrown
from workflows.engines.props import Prop
from workflows.engines.stage import Layer, light_camera
from workflows.engines.studio import Studio


@dataclass(frozen=True)
class _Shade:
    """The shares of the key light (`seen`) and of the surroundings (`open`) that reach the room's two planes."""

    wall_seen: Floats
    floor_seen: Floats
    wall_open: Floats
    floor_open: Floats

    @classmethod
    def of(cls, studio: Studio, small: Camera, rig: Rig, *, on_wall: list[Floats], on_floor: list[Floats]) -> Self:
        wall_seen = unhidden(small, rig.key, on_wall)
        floor_seen = unhidden(small, rig.key, on_floor, level=0.0)
        if studio.scene.shadow:
            wall_seen = wall_seen * thrown(studio, studio.scene.shadow, small, rig, on_wall=True)
            floor_seen = floor_seen * thrown(studio, studio.scene.shadow, small, rig, on_wall=False)
        return cls(
            wall_seen,
            floor_seen,
            unhidden(small, rig.dome_front, on_wall, smooth=3.5),
            unhidden(small, rig.dome_up, on_floor, level=0.0, smooth=3.5),
        )


@dataclass(frozen=True)
class _Surfaces:
    """What wall and floor are made of, and their colours."""

    camera: Camera
    wall: Material
    floor: Material
    wall_color: Floats
    floor_color: Floats

    @classmethod
    def of(cls, studio: Studio, *, one_color: bool) -> Self:
        material = studio.scene.material or "paint"
        floor = studio.material(material)
        floor_color = studio.color(0 if one_color else 1)
        if floor.color and not (studio.asked and len(studio.colors) > 1):
            floor_color = linear(floor.color)  # its own, unless the client asked for a second color to give it
        # Of some materials one makes tables and floors, but hardly walls.
        wall = floor if material in ("paint", "plaster", "concrete") else studio.material("paint")
        return cls(studio.camera, wall, floor, studio.color(0), floor_color)

    def wall_albedo(self, view: View) -> Floats:
        return self.wall.at(view.x * (WALL / FOCAL), self.camera.rise(view.y, WALL))

    def floor_albedo(self, view: View) -> Floats:
        z = np.minimum(self.camera.depth(view.y), WALL + 1)
        return self.floor.at(view.x * z / FOCAL, z)


def room(
    studio: Studio, *, bend: float = 0.0, props: list[Prop], one_color: bool = False, table: bool = False
) -> list[Layer]:
    """Return the layers of a room. `bend` is the radius of the curve between wall and floor, 0 for an edge.

    With `one_color` the floor is the wall's, with `table` it is a table top that the wall stands far behind.
    """
    camera, small = studio.camera, light_camera(studio.camera)
    turn = float(studio.random("light").uniform(-8, 8))
    rig = Rig.of(studio.mood, turn=turn, sunlit=studio.scene.shadow is not None)
    hulls = [prop.hull() for prop in props]
    # The wall behind a table is too far away for the shadows of what stands on it.
    shade = _Shade.of(studio, small, rig, on_wall=[] if table else hulls, on_floor=hulls)
    surfaces = _Surfaces.of(studio, one_color=one_color)
    # Only what walls are made of, too, can bend up into one.
    if bend and surfaces.wall is surfaces.floor:
        layers = _seamless(camera, small, rig, shade, surfaces, bend)
    else:
        layers = _edged(camera, small, rig, shade, surfaces, table)
    for prop in sorted(props, key=lambda one: -one.z):
        others = [other.hull() for other in props if other is not prop]
        layers += prop.layers(camera, small, rig, others)
    return layers


def _seamless(camera: Camera, small: Camera, rig: Rig, shade: _Shade, surfaces: _Surfaces, bend: float) -> list[Layer]:
    view = small.view()
    y, z, lean = _cove(view.y, small, bend)
    flat = lean**2
    light = rig.on(
        Points(view.x * z / FOCAL, y, z, normal_y=lean, normal_z=-np.sqrt(1 - flat)),
        seen=flat * shade.floor_seen + (1 - flat) * shade.wall_seen,
        open_sky=flat * shade.floor_open + (1 - flat) * shade.wall_open,
    )

    def floor_cover(view: View) -> Floats:
        _, _, lean = _cove(view.y, camera, bend)
        smooth = np.clip((lean - 0.5) / 0.5, 0, 1)
        return np.broadcast_to(smooth**2 * (3 - 2 * smooth), (len(view.y), view.x.shape[1]))

    layers = [Layer("wall", surfaces.wall_color, light, None, surfaces.wall_albedo)]
    if not np.array_equal(surfaces.floor_color, surfaces.wall_color):
        layers.append(Layer("floor", surfaces.floor_color, light, floor_cover, surfaces.floor_albedo))
    return layers


def _edged(camera: Camera, small: Camera, rig: Rig, shade: _Shade, surfaces: _Surfaces, table: bool) -> list[Layer]:
    view = small.view()
    rise, z = small.rise(view.y, WALL), small.depth(view.y)
    wall_points = Points(view.x * (WALL / FOCAL), rise, WALL, normal_y=0.0, normal_z=-1.0)
    floor_points = Points(view.x * z / FOCAL, 0.0, z, normal_y=1.0, normal_z=0.0)
    wall_open, floor_open = shade.wall_open, shade.floor_open
    if not table:
        wall_open = wall_open * (1 - 0.22 * np.exp(-np.maximum(rise, 0) / 0.12))
        floor_open = floor_open * corner(WALL - z, 0.7)
    edge = camera.seam

    def floor_cover(view: View) -> Floats:
        soft = max(view.pixel, 0.004 if table else 0.0015)
        return np.broadcast_to(np.clip((view.y - edge) / soft + 0.5, 0, 1), (len(view.y), view.x.shape[1]))

    wall_light = rig.on(wall_points, seen=shade.wall_seen, open_sky=wall_open)
    floor_light = rig.on(floor_points, seen=shade.floor_seen, open_sky=floor_open)
    below = (-1e3, edge - 0.02, 1e3, 1e3)
    return [
        Layer("wall", surfaces.wall_color, wall_light, None, surfaces.wall_albedo),
        Layer("floor", surfaces.floor_color, floor_light, floor_cover, surfaces.floor_albedo, below),
    ]


def _cove(y: Floats, camera: Camera, bend: float) -> tuple[Floats, Floats, Floats]:
    """Return the height and depth of the seamless backdrop for the rows `y`, and the y of its normal (1: floor)."""
    floor_z, wall_rise = camera.depth(y), camera.rise(y, WALL)
    slope = (y - camera.horizon) / FOCAL
    middle_z, eye = WALL - bend, camera.center()[1]
    # The farther meeting of the row's ray with the circle of radius `bend` around (middle_z, bend).
    a, b = 1 + slope**2, middle_z + slope * (eye - bend)
    z = (b + np.sqrt(np.maximum(b**2 - a * (middle_z**2 + (eye - bend) ** 2 - bend**2), 0))) / a
    height = eye - slope * z
    lean = np.clip((bend - height) / bend, 0, 1)
    on_floor = (floor_z <= middle_z) & (y > camera.horizon)
    on_wall = wall_rise >= bend
    return (
        np.where(on_floor, 0, np.where(on_wall, wall_rise, height)).astype(np.float32),
        np.where(on_floor, floor_z, np.where(on_wall, WALL, z)).astype(np.float32),
        np.where(on_floor, 1, np.where(on_wall, 0, lean)).astype(np.float32),
    )
