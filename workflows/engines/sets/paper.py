"""Paper: sheets that hang from the wall and roll out on the floor, and sheets cut in waves."""

from collections.abc import Callable

import cv2
import numpy as np

from workflows.engines.camera import FOCAL, WALL, Camera, View
from workflows.engines.light import Points, unhidden
from workflows.engines.palette import Floats
from workflows.engines.props.drawing import edge
from workflows.engines.sets.rooms import cove, upright
from workflows.engines.sets.shot import Shot
from workflows.engines.stage import FINISHED, Layer

_BEND, _FRONT = 0.6, 2.12
_TUBE = 0.075


def rolls(shot: Shot) -> list[Layer]:
    """Return the wall; the sheet that hangs before it lies over the floor and is drawn after that."""
    wall = upright(shot)
    half = _half(shot)
    shot.over = [*_sheet(shot, half), _tube(shot, half)]
    color = shot.surfaces["room"].color
    return [Layer("room", color, wall.light * _shade(shot, half)[..., None], None, wall.albedo, shot.above)]


def _half(shot: Shot) -> float:
    """Return half the width of the sheet on the wall, in picture units: wider than the place, within the picture."""
    return min(max(1.45 * shot.place.half_width, 0.3), shot.camera.half_width - 0.12)


def _hung(shot: Shot) -> float:
    """Return the height in the world at which the roll hangs."""
    return float(shot.camera.rise(0.075 - shot.camera.half_height, WALL))


def _sheet(shot: Shot, half: float) -> list[Layer]:
    """Return a sheet that is `half` picture units wide to each side on the wall, and as wide on the floor."""
    camera, small, rig = shot.camera, shot.small, shot.rig
    view = small.view()
    wide = half * WALL / FOCAL
    y, z, lean = cove(view.y, small, _BEND)
    lean = np.clip(cv2.GaussianBlur(lean, (0, 0), sigmaX=0.01, sigmaY=0.03 * small.scale), 0, 1)
    flat = lean**2
    seen = flat * unhidden(small, rig.key, shot.hulls, level=0.0) + (1 - flat) * unhidden(small, rig.key, shot.hulls)
    sky = flat * unhidden(small, rig.dome_up, shot.hulls, level=0.0, smooth=3.5) + (1 - flat) * unhidden(
        small, rig.dome_front, shot.hulls, smooth=3.5)  # fmt: skip
    x = view.x * z / FOCAL
    # The paper was rolled: its sides still lift a little, and its front edge most.
    curl = np.clip((np.abs(x) / wide - 0.75) / 0.25, 0, 1) ** 2 * np.sign(x) * 0.3
    lift = np.clip((2.5 - z) / 0.4, 0, 1) ** 2
    # Below its roll the sheet is in the roll's shade.
    hung = np.clip((_hung(shot) - y) / 0.22, 0, 1)
    points = Points(x, y, z, normal_x=-curl, normal_y=lean - 0.3 * lift, normal_z=-np.sqrt(1 - flat) - 0.35 * lift)
    light = rig.on(points, seen=seen * (0.6 + 0.4 * hung), open_sky=sky * (0.8 + 0.2 * hung))

    def cover(view: View) -> Floats:
        _, z, _ = cove(view.y, camera, _BEND)
        inside = edge(wide - np.abs(view.x * z / FOCAL), view.pixel * z / FOCAL)
        hangs = edge(view.y - camera.at(_hung(shot), WALL), view.pixel)
        return inside * hangs * edge(camera.at(0.0, _FRONT) - view.y, view.pixel)

    def grain(view: View) -> Floats:
        _, z, _ = cove(view.y, camera, _BEND)
        return shot.backdrop.material.at(view.x * z / FOCAL, 3 * view.y)

    return [_under(shot, wide), Layer("paper", shot.backdrop.color, light, cover, grain)]


def _under(shot: Shot, wide: float) -> Layer:
    """Return the shade on the floor around the sheet, widest before its front edge, which does not lie flat."""
    camera, small = shot.camera, shot.small
    soft = 0.02 + 0.02 * shot.studio.mood.softness

    def cover(view: View) -> Floats:
        z = camera.depth(view.y)
        x = view.x * z / FOCAL + 0.02 * shot.toward[0]
        aside = np.clip(1 - (np.abs(x) - wide) / soft, 0, 1)
        before = np.clip(1 - (_FRONT - z) / (1.6 * soft), 0, 1)
        return 0.4 * np.minimum(aside, before) ** 2 * np.clip((view.y - camera.seam) / 0.02, 0, 1)

    dark = np.zeros((small.height, small.width, 3), np.float32)
    return Layer(FINISHED, np.ones(3, np.float32), dark, cover)


def _tube(shot: Shot, half: float) -> Layer:
    """Return the roll that the sheet comes from."""
    camera, small = shot.camera, shot.small
    at, z, view = _hung(shot), WALL - _TUBE, small.view()
    wide = (half + 0.012) * z / FOCAL

    def turned(view: View) -> Floats:
        return (camera.rise(view.y, z) - at) / _TUBE

    up = np.clip(turned(view), -0.98, 0.98)
    points = Points(view.x * z / FOCAL, at, z, normal_y=up, normal_z=-np.sqrt(1 - up**2))

    def cover(view: View) -> Floats:
        pixel = view.pixel * z / FOCAL
        return edge(_TUBE * (1 - np.abs(turned(view))), pixel) * edge(wide - np.abs(view.x * z / FOCAL), pixel)

    light = shot.rig.on(points, open_sky=0.75 + 0.25 * up)
    return Layer("paper", shot.backdrop.color, light, cover)


def _shade(shot: Shot, half: float) -> Floats:
    """Return the shade that sheet and roll throw on the wall behind them, shape (h, w)."""
    view, toward = shot.small.view(), shot.toward
    aside = np.abs(view.x + 0.03 * toward[0] / max(-toward[2], 0.3)) - half
    above = -shot.camera.half_height + 0.075 - 0.05 - view.y
    away = np.maximum(aside, above)
    soft = 0.01 + 0.015 * shot.studio.mood.softness
    return (1 - 0.5 / (1 + np.exp(np.clip(away / soft, -30, 30)))).astype(np.float32)


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
    # The lowest sheet is seen in the middle; the others leave ever more of it free.
    outlines = _outlines(camera, count, rng)
    shades = [np.ones((small.height, small.width), np.float32) for _ in range(count + 1)]
    for number, outline in enumerate(outlines):
        mask = _free(small, outline)
        high = 0.022
        shift = np.array(
            [[1, 0, -toward[0] * high * small.scale * 1.3], [0, 1, toward[1] * high * small.scale]], np.float32
        )
        thrown = cv2.warpAffine(mask, shift, (small.width, small.height), borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        soft = cv2.GaussianBlur(thrown, (0, 0), (0.006 + 0.014 * studio.mood.softness) * small.scale)
        contact = cv2.GaussianBlur(mask, (0, 0), 0.012 * small.scale)
        for below in range(number + 1):
            shades[below] = np.minimum(shades[below], (0.5 + 0.5 * soft) * (0.85 + 0.15 * contact))
    made[0] = Layer("sheet 0", colors[0], even * shades[0][..., None], None, lambda view: _fibre(shot, view))
    for number, outline in enumerate(outlines):
        color = colors[(number + 1) % len(colors)]
        made.append(Layer(f"sheet {(number + 1) % len(colors)}", color, even * shades[number + 1][..., None],
                          _around(camera.scale, outline), lambda view: _fibre(shot, view)))  # fmt: skip
    return made


def _outlines(camera: Camera, count: int, rng: np.random.Generator) -> list[Floats]:
    """Return wavy closed lines around the middle, each of shape (n, 2), the inner ones first; none cross."""
    turn = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    # Between an ellipse and the picture's rectangle.
    box = 1 / (np.abs(np.cos(turn)) ** 4 + np.abs(np.sin(turn)) ** 4) ** 0.25

    def wave(sizes: tuple[float, ...]) -> Floats:
        return np.asarray(sum(size * np.sin(k * turn + rng.uniform(0, 2 * np.pi)) for k, size in enumerate(sizes, 2)))

    shared = wave((0.05, 0.05, 0.04, 0.03, 0.012))
    gap = 0.42 / count
    outlines = []
    for number in range(count):
        reach = box * (
            0.61 + gap * (number + 0.5) + shared * (1 - 0.35 * number / count) + 0.3 * gap * wave((0.7, 0.7, 0.6))
        )
        points = np.stack([camera.half_width * np.cos(turn), camera.half_height * np.sin(turn)], axis=1)
        outlines.append((reach[:, None] * points).astype(np.float32))
    return outlines


def _free(small: Camera, outline: Floats) -> Floats:
    """Return the inside of an outline as a picture, 0 to 1."""
    mask = np.zeros((small.height, small.width), np.uint8)
    at = (outline + np.array([small.half_width, small.half_height])) * small.scale
    cv2.fillPoly(mask, [np.rint(at * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def _around(scale: float, outline: Floats) -> Callable[[View], Floats]:
    def cover(view: View) -> Floats:
        mask = np.full((len(view.y), view.x.shape[1]), 255, np.uint8)
        at = (outline - [float(view.x[0, 0]), float(view.y[0, 0])]) * scale
        cv2.fillPoly(mask, [np.rint(at * 16).astype(np.int32)], (0,), cv2.LINE_AA, 4)
        return mask.astype(np.float32) / 255

    return cover


def _fibre(shot: Shot, view: View) -> Floats:
    return shot.backdrop.material.at(view.x, view.y)
