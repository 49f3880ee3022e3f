"""Paper: sheets that hang from the wall and roll out on the floor, and sheets cut in waves."""

import cv2
import numpy as np

from workflows.engines.camera import FOCAL, WALL, View
from workflows.engines.light import Points, unhidden
from workflows.engines.palette import Floats
from workflows.engines.props.drawing import edge
from workflows.engines.sets.rooms import cove, upright
from workflows.engines.sets.shot import Shot
from workflows.engines.stage import Layer

_BEND, _FRONT = 0.75, 2.05


def rolls(shot: Shot) -> list[Layer]:
    """Return the wall; the sheet that hangs before it lies over the floor and is drawn after that."""
    wall = upright(shot)
    half = 1.3 * max(shot.place.half_width, 0.26)
    half = min(half, shot.camera.half_width - 0.09) if shot.camera.half_width < 1 else half + 0.1
    shot.over = _sheet(shot, half)
    color = shot.surfaces["room"].color
    shadow = _behind(shot, half)
    return [Layer("room", color, wall.light * shadow[..., None], None, wall.albedo)]


def _sheet(shot: Shot, half: float) -> list[Layer]:
    """Return a sheet that is `half` picture units wide to each side on the wall, and as wide on the floor."""
    camera, small, rig = shot.camera, shot.small, shot.rig
    view = small.view()
    wide = half * WALL / FOCAL
    y, z, lean = cove(view.y, small, _BEND)
    flat = lean**2
    seen = flat * unhidden(small, rig.key, shot.hulls, level=0.0) + (1 - flat) * unhidden(small, rig.key, shot.hulls)
    sky = flat * unhidden(small, rig.dome_up, shot.hulls, level=0.0, smooth=3.5) + (1 - flat) * unhidden(
        small, rig.dome_front, shot.hulls, smooth=3.5)  # fmt: skip
    x = view.x * z / FOCAL
    # The paper was rolled: its sides still lift a little.
    curl = np.clip((np.abs(x) / wide - 0.8) / 0.2, 0, 1) ** 2 * np.sign(x) * 0.22
    points = Points(x, y, z, normal_x=-curl, normal_y=lean, normal_z=-np.sqrt(1 - flat))
    light = rig.on(points, seen=seen, open_sky=sky)

    def cover(view: View) -> Floats:
        _, z, _ = cove(view.y, camera, _BEND)
        inside = edge(wide - np.abs(view.x * z / FOCAL), view.pixel * z / FOCAL)
        return inside * edge(camera.at(0.0, _FRONT) - view.y, view.pixel)

    return [Layer("paper", shot.backdrop.color, light, cover, lambda view: _grain(shot, view))]


def _grain(shot: Shot, view: View) -> Floats:
    _, z, _ = cove(view.y, shot.camera, _BEND)
    return shot.backdrop.material.at(view.x * z / FOCAL, 3 * view.y)


def _behind(shot: Shot, half: float) -> Floats:
    """Return the shade that the sheet throws on the wall behind it, shape (h, w)."""
    view, toward = shot.small.view(), shot.toward
    shift = -0.035 * toward[0] / max(-toward[2], 0.3)
    away = np.abs(view.x - shift) - half
    return (1 - 0.45 / (1 + np.exp(np.clip(away / 0.012, -30, 30))) + 0 * view.y).astype(np.float32)


def layers(shot: Shot) -> list[Layer]:
    """Return sheets cut in waves, one over the other around the middle, each with its shadow on the one below."""
    studio, small, camera = shot.studio, shot.small, shot.camera
    rng = studio.random("cut paper")
    colors = studio.colors if len(studio.colors) > 1 else [studio.colors[0] * tone for tone in (1.0, 0.86, 0.74)]
    shot.rest()
    count = max(4, len(colors) - 1)
    toward = shot.toward
    view = small.view()
    points = Points(view.x * WALL / FOCAL, -view.y * WALL / FOCAL + 0.5, WALL, normal_y=0.0, normal_z=-1.0)
    even = shot.rig.on(points)
    made = [Layer("sheet 0", colors[0], even, None, lambda view: _fibre(shot, view))]
    outlines = []
    for number in range(count):
        # The innermost sheet lies lowest; the others leave ever more of it free.
        out = (number + 0.6) / count
        outlines.append(_outline(camera.half_width, camera.half_height, out, rng))
    shades = [np.ones((small.height, small.width), np.float32) for _ in range(count + 1)]
    for number, outline in enumerate(outlines):
        mask = _free(small, outline)
        high = 0.022
        shift = np.float32([[1, 0, -toward[0] * high * small.scale * 1.3], [0, 1, toward[1] * high * small.scale]])
        thrown = cv2.warpAffine(mask, shift, (small.width, small.height), borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        soft = cv2.GaussianBlur(thrown, (0, 0), (0.006 + 0.014 * studio.mood.softness) * small.scale)
        contact = cv2.GaussianBlur(mask, (0, 0), 0.012 * small.scale)
        for below in range(number + 1):
            shades[below] = np.minimum(shades[below], (0.42 + 0.58 * soft) * (0.8 + 0.2 * contact))
    made[0] = Layer("sheet 0", colors[0], even * shades[0][..., None], None, lambda view: _fibre(shot, view))
    for number, outline in enumerate(outlines):
        color = colors[(number + 1) % len(colors)]
        made.append(Layer(f"sheet {(number + 1) % len(colors)}", color, even * shades[number + 1][..., None],
                          _around(camera.scale, outline), lambda view: _fibre(shot, view)))  # fmt: skip
    return made


def _outline(half_width: float, half_height: float, out: float, rng: np.random.Generator) -> Floats:
    """Return a wavy closed line around the middle, shape (n, 2), that reaches `out` of the way to the corners."""
    turn = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    # Between an ellipse and the picture's rectangle.
    box = 1 / (np.abs(np.cos(turn)) ** 4 + np.abs(np.sin(turn)) ** 4) ** 0.25
    wave = sum(rng.uniform(0.3, 1) / k**0.8 * np.sin(k * turn + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 4, 5))
    reach = box * (0.62 + 0.36 * out + 0.075 * wave)
    return np.stack([half_width * reach * np.cos(turn), half_height * reach * np.sin(turn)], axis=1).astype(np.float32)


def _free(small, outline: Floats) -> Floats:  # type: ignore[no-untyped-def]
    """Return the inside of an outline as a picture, 0 to 1."""
    mask = np.zeros((small.height, small.width), np.uint8)
    at = (outline + [small.half_width, small.half_height]) * small.scale
    cv2.fillPoly(mask, [np.rint(at * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def _around(scale: float, outline: Floats):  # type: ignore[no-untyped-def]
    def cover(view: View) -> Floats:
        mask = np.full((len(view.y), view.x.shape[1]), 255, np.uint8)
        at = (outline - [float(view.x[0, 0]), float(view.y[0, 0])]) * scale
        cv2.fillPoly(mask, [np.rint(at * 16).astype(np.int32)], (0,), cv2.LINE_AA, 4)
        return mask.astype(np.float32) / 255

    return cover


def _fibre(shot: Shot, view: View) -> Floats:
    return shot.backdrop.material.at(view.x, view.y)
