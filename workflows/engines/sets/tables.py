"""Tables, and shelves: a top with a front edge that the camera sees, before a wall out of focus."""

from collections.abc import Callable

import numpy as np

from workflows.engines.camera import FOCAL, WALL, View
from workflows.engines.light import Points
from workflows.engines.palette import Floats
from workflows.engines.props import Block
from workflows.engines.sets.curtain import Folds
from workflows.engines.sets.shot import Shot
from workflows.engines.sets.stands import SHELF
from workflows.engines.stage import Layer

_FRONT, _BACK, _THICK = 2.06, 3.72, 0.075
_WIDE = 40.0
SHELF_FRONT = 3.55


def table(shot: Shot) -> list[Layer]:
    """Return a table: its top, which ends softly at the back, its edge, and its front in the shade below."""
    slab = Block("table", shot.ground.color, 0.0, _FRONT, _WIDE, _BACK - _FRONT, _THICK, -_THICK,
                 shot.ground.material, far_blur=0.007)  # fmt: skip
    return [_below(shot, _FRONT + 0.16, -_THICK), *slab.layers(shot.camera, shot.small, shot.rig, shot.hulls)]


def _below(shot: Shot, z: float, top: float) -> Layer:
    """Return what the table stands on: a front set back from its edge, darkest right below it."""
    small, view = shot.small, shot.small.view()
    y = small.rise(view.y, z)
    down = np.maximum(top - y, 0)
    points = Points(view.x * z / FOCAL, y, z, normal_y=0.0, normal_z=-1.0)
    light = shot.rig.on(
        points, seen=0.25 + 0.75 * (1 - np.exp(-((down / 0.3) ** 2))), open_sky=0.5 + 0.5 * (1 - np.exp(-down / 0.4))
    )
    edge = shot.camera.at(top, _FRONT) - 0.005
    return Layer("table", shot.ground.color, 0.8 * light, _below_line(edge), None, (-1e3, edge - 0.02, 1e3, 1e3))


def cloth(shot: Shot) -> list[Layer]:
    """Return a table under a cloth that falls in folds from its front edge."""
    camera, small, rig = shot.camera, shot.small, shot.rig
    front, view = 2.12, small.view()
    slab = Block("table", shot.ground.color, 0.0, front, _WIDE, _BACK - front, 0.01, -0.01,
                 shot.ground.material, far_blur=0.007)  # fmt: skip
    top = slab.layers(camera, small, rig, shot.hulls)[0]
    folds = Folds(shot.studio.random("folds"), pitch=0.17)
    x, y = np.broadcast_arrays(view.x * front / FOCAL, small.rise(view.y, front))
    down = np.maximum(-y, 0)
    # Flat where it bends over the edge, and the fuller the farther it falls.
    depth = folds.depth(x, y) * np.clip(down / 0.22, 0, 1) ** 0.8
    pitch = float(small.footprint(view, front) * np.sqrt(camera.eye / front))
    slope_y, slope_x = np.gradient(depth, pitch)
    over = np.exp(-((down / 0.035) ** 2))
    normal = np.stack([-slope_x, slope_y + 1.2 * over, np.ones_like(x)])
    normal /= np.linalg.norm(normal, axis=0)
    points = Points(x, y, front, normal_x=normal[0], normal_y=normal[1], normal_z=-normal[2])
    light = rig.on(points, seen=folds.seen(depth), open_sky=folds.open(depth) * (0.72 + 0.28 * over))
    edge = camera.at(0.0, front)

    def weave(view: View) -> Floats:
        return shot.ground.material.at(view.x * front / FOCAL, camera.rise(view.y, front))

    return [top, Layer("table", shot.ground.color, light, _below_line(edge), weave, (-1e3, edge - 0.02, 1e3, 1e3))]


def hang_shelf(shot: Shot) -> None:
    """Put a board on the wall, as wide as the picture where that is narrow."""
    half = max(0.88 * shot.camera.half_width, 1.3 * shot.place.half_width) * SHELF_FRONT / FOCAL
    shot.props.append(Block("shelf", shot.ground.color, 0.0, SHELF_FRONT, half, WALL - SHELF_FRONT, 0.07, SHELF - 0.07,
                            shot.ground.material))  # fmt: skip


def _below_line(edge: float) -> Callable[[View], Floats]:
    def cover(view: View) -> Floats:
        return np.broadcast_to(np.clip((view.y - edge) / view.pixel + 0.5, 0, 1), (len(view.y), view.x.shape[1]))

    return cover
