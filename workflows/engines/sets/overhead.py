"""A surface seen from straight above, for flat lays."""

from collections.abc import Callable

import cv2
import numpy as np

from workflows.engines.camera import FOCAL, STAGE, View
from workflows.engines.light import Points
from workflows.engines.palette import Floats
from workflows.engines.sets.shot import Shot
from workflows.engines.stage import Layer

_THICK = 0.012


def surface(shot: Shot) -> list[Layer]:
    """Return the surface, and over its corners a sheet of paper for each further colour, with its shadow."""
    small, material = shot.small, shot.backdrop.material
    view = small.view()
    points = Points(view.x * (STAGE / FOCAL), 0.4 - view.y * (STAGE / FOCAL), STAGE, normal_y=0.0, normal_z=-1.0)
    light = shot.rig.on(points)
    paper = shot.stuff("paint", upright=True)
    sheets = [(color, _corner(shot, number)) for number, color in enumerate(shot.rest())]
    soft = (0.004 + 0.012 * shot.studio.mood.softness) * small.scale
    lit = [light]
    for _, inside in sheets:
        moved = View(view.x + shot.toward[0] * _THICK, view.y - shot.toward[1] * _THICK, view.pixel)
        shade = 1 - 0.5 * cv2.GaussianBlur(_covered(inside(moved), view.pixel), (0, 0), soft)
        lit = [*(one * shade[..., None] for one in lit), light]

    def on(stuff_at: Callable[[Floats, Floats], Floats]) -> Callable[[View], Floats]:
        return lambda view: stuff_at(view.x * (STAGE / FOCAL), -view.y * (STAGE / FOCAL))

    layers = [Layer("surface", shot.backdrop.color, lit[0], None, on(material.at))]
    for number, (color, inside) in enumerate(sheets):

        def cover(view: View, inside: Callable[[View], Floats] = inside) -> Floats:
            return _covered(inside(view), view.pixel)

        layers.append(Layer(f"sheet {number}", color, lit[number + 1], cover, on(paper.at)))
    return layers


def _corner(shot: Shot, number: int) -> Callable[[View], Floats]:
    """Return how far each pixel lies inside a sheet that covers one corner and leaves the place free."""
    place, rng = shot.place, shot.studio.random(f"sheet {number}")
    first = int(shot.studio.random("sheets").integers(4))
    x, y = ((1, -1), (-1, 1), (1, 1), (-1, -1))[(first + number) % 4]
    turn = float(rng.uniform(0.35, 0.95))
    # The fifth lies over the first, nearer to the corner.
    away = 0.03 + 0.16 * (number // 4)
    across = x * np.cos(turn) / shot.camera.half_width, y * np.sin(turn) / shot.camera.half_height
    length = float(np.hypot(*across))
    least = (abs(across[0]) * place.right + abs(across[1]) * place.bottom) / length + away
    return lambda view: (view.x * across[0] + view.y * across[1]) / length - least


def _covered(inside: Floats, pixel: float) -> Floats:
    return np.clip(inside / pixel + 0.5, 0, 1).astype(np.float32)
