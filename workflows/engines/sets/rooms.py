"""Rooms: a wall and a floor that meet in an edge or in the curve of a studio sweep, and what is seen from above."""

from collections.abc import Callable

import cv2
import numpy as np

from workflows.engines.camera import FOCAL, WALL, Camera, View
from workflows.engines.light import Points, corner, unhidden
from workflows.engines.palette import Floats
from workflows.engines.props.drawing import lit
from workflows.engines.sets.shot import Shot
from workflows.engines.stage import Layer


def sweep(shot: Shot) -> list[Layer]:
    """Return a backdrop that bends down into the floor, as long as both are of what can be bent."""
    if not _is_bent(shot):
        return wall(shot)
    return bent(shot, 0.8 if shot.studio.scene.stand else float(shot.studio.random("sweep").uniform(0.9, 1.7)))


def bent(shot: Shot, bend: float) -> list[Layer]:
    """Return wall and floor with a curve of the radius `bend` between them, their colours melting into each other."""
    camera, small = shot.camera, shot.small
    hulls, rig = shot.hulls, shot.rig
    view = small.view()
    y, z, lean = cove(view.y, small, bend)
    # Where the curve begins and ends its light would have a kink, which shows as a line.
    lean = np.clip(cv2.GaussianBlur(lean, (0, 0), sigmaX=0.01, sigmaY=0.03 * small.scale), 0, 1)
    flat = lean**2
    mixed = [
        flat * unhidden(small, lamps, hulls, level=0.0, smooth=smooth)
        + (1 - flat) * unhidden(small, front, hulls, smooth=smooth)
        for lamps, front, smooth in ((rig.key, rig.key, 0.8), (rig.dome_up, rig.dome_front, 3.5))
    ]
    light = rig.on(
        Points(view.x * z / FOCAL, y, z, normal_y=lean, normal_z=-np.sqrt(1 - flat)), seen=mixed[0], open_sky=mixed[1]
    )

    def floor_cover(view: View) -> Floats:
        _, _, lean = cove(view.y, camera, bend)
        smooth = np.clip((lean - 0.3) / 0.5, 0, 1)
        return np.broadcast_to(smooth**2 * (3 - 2 * smooth), (len(view.y), view.x.shape[1]))

    layers = [Layer("wall", shot.backdrop.color, light, None, _wall_albedo(shot))]
    below_color = shot.ground.color
    if not shot.studio.asked:
        # A sweep is of one piece: a mood's second colour is no more than a tinge of its floor.
        below_color = 0.6 * shot.backdrop.color + 0.4 * below_color
    if not np.array_equal(below_color, shot.backdrop.color):
        below = (-1e3, camera.at(bend, WALL), 1e3, 1e3)
        layers.append(Layer("floor", below_color, light, floor_cover, floor_albedo(shot), below))
    return layers


def cove(y: Floats, camera: Camera, bend: float) -> tuple[Floats, Floats, Floats]:
    """Return the height and depth of a seamless backdrop for the rows `y`, and the y of its normal (1: floor)."""
    floor_z, wall_rise = camera.depth(y), camera.rise(y, WALL)
    slope = (y - camera.horizon) / FOCAL
    middle_z, eye = WALL - bend, camera.eye
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


def wall(shot: Shot) -> list[Layer]:
    """Return an upright wall. Behind a table it is far away, out of focus and out of reach of shadows."""
    far = shot.studio.scene.ground in ("table", "cloth")
    return [upright(shot, far=far, footed=shot.studio.scene.ground in ("floor", "water"))]


def upright(shot: Shot, *, far: bool = False, footed: bool = True) -> Layer:
    """Return a wall over the whole picture; with `footed`, darker where a floor meets it."""
    small, rig = shot.small, shot.rig
    hulls = [] if far else shot.hulls

    def points(view: View) -> Points:
        return Points(view.x * (WALL / FOCAL), small.rise(view.y, WALL), WALL, normal_y=0.0, normal_z=-1.0)

    def open_sky(at: Points, sky: Floats) -> Floats:
        return sky * (1 - 0.22 * np.exp(-np.maximum(np.asarray(at.y), 0) / 0.12)) if footed else sky

    sky = unhidden(small, rig.dome_front, hulls, smooth=3.5)
    light = lit(small, rig, shot.above, points, seen=unhidden(small, rig.key, hulls), open_sky=open_sky, sky=sky)
    shot.wall = Layer(
        "wall", shot.backdrop.color, light, None, _wall_albedo(shot, blur=0.014 if far else 0.0), shot.above
    )
    return shot.wall


def floor(shot: Shot) -> list[Layer]:
    """Return the floor below the wall; none where the backdrop has become it already."""
    if _is_bent(shot):
        return []
    camera = shot.camera

    def cover(view: View) -> Floats:
        edge = shot.edge(view) if shot.edge else camera.seam
        soft = max(view.pixel, 0.0015)
        return np.broadcast_to(np.clip((view.y - edge) / soft + 0.5, 0, 1), (len(view.y), view.x.shape[1]))

    below = (-1e3, camera.seam - 0.1, 1e3, 1e3)
    return [Layer("floor", shot.ground.color, floor_light(shot), cover, floor_albedo(shot), below)]


def floor_light(shot: Shot, *, walled: bool = True) -> Floats:
    """Return the light on the floor, past what stands on it and, with `walled`, before the wall."""
    small, rig = shot.small, shot.rig

    def points(view: View) -> Points:
        z = small.depth(view.y)
        return Points(view.x * z / FOCAL, 0.0, z, normal_y=1.0, normal_z=0.0)

    def open_sky(at: Points, sky: Floats) -> Floats:
        return sky * corner(WALL - at.z, 0.7) if walled else sky

    sky = unhidden(small, rig.dome_up, shot.hulls, level=0.0, smooth=3.5)
    seen = unhidden(small, rig.key, shot.hulls, level=0.0)
    below = (-1e3, min(small.horizon if not walled else small.seam - 0.1, small.half_height - 0.1), 1e3, 1e3)
    return lit(small, rig, below, points, seen=seen, open_sky=open_sky, sky=sky)


def floor_albedo(shot: Shot) -> Callable[[View], Floats]:
    """Return the reflectance of the ground's material on the floor."""

    def albedo(view: View) -> Floats:
        z = np.minimum(shot.camera.depth(view.y), WALL + 1)
        return shot.ground.material.at(view.x * z / FOCAL, z, footprint=shot.camera.footprint(view, z))

    return albedo


def _is_bent(shot: Shot) -> bool:
    scene = shot.studio.scene
    return (scene.backdrop, scene.ground) == ("sweep", "floor") and shot.ground.name == shot.backdrop.name


def _wall_albedo(shot: Shot, *, blur: float = 0.0) -> Callable[[View], Floats]:
    material = shot.backdrop.material.soft(blur) if blur else shot.backdrop.material

    def albedo(view: View) -> Floats:
        return material.at(view.x * (WALL / FOCAL), shot.camera.rise(view.y, WALL))

    return albedo
