"""Building the sets: each function turns colours, light and materials into the layers of one kind of scene."""

from collections.abc import Callable

import cv2
import numpy as np

from workflows.engines.camera import FOCAL, STAGE, WALL, View
from workflows.engines.light import Rig
from workflows.engines.materials import Noise
from workflows.engines.palette import Floats
from workflows.engines.props import Arch, Ball, Plinth, Prop
from workflows.engines.room import room
from workflows.engines.stage import FINISHED, Layer
from workflows.engines.studio import Studio


def build(studio: Studio) -> list[Layer]:
    """Return the layers of the studio's scene, from the back to the front."""
    return _SETS[studio.scene.set](studio)


def _sweep(studio: Studio) -> list[Layer]:
    return room(studio, bend=1.3, props=_balls(studio, studio.colors[2:]))


def _wall_and_floor(studio: Studio) -> list[Layer]:
    props: list[Prop] = []
    spare = studio.colors[2:]
    if studio.scene.arch:
        arch_color, spare = (spare[0], spare[1:]) if spare else (studio.color(1), [])
        props.append(_arch("arch", arch_color, studio))
    return room(studio, props=props + _balls(studio, spare))


def _podium(studio: Studio) -> list[Layer]:
    rng = studio.random("podium")
    side = rng.choice([-1.0, 1.0])
    colors = studio.colors
    second = colors[2] if len(colors) > 2 else studio.color(1)
    props: list[Prop] = [
        Plinth("plinth", studio.color(1), side * rng.uniform(0.0, 0.05), STAGE - 0.02, 0.34, rng.uniform(0.14, 0.2)),
        Plinth("second", second, side * -rng.uniform(0.36, 0.42), STAGE + 0.42, rng.uniform(0.15, 0.19),
               rng.uniform(0.34, 0.46)),
        Plinth("second", second, side * rng.uniform(0.45, 0.5), STAGE - 0.2, rng.uniform(0.09, 0.12),
               rng.uniform(0.07, 0.1)),
    ]  # fmt: skip
    if studio.scene.arch or len(colors) > 3:
        props.insert(0, _arch("arch", studio.color(3) if len(colors) > 3 else second, studio))
    return room(studio, bend=0.8, props=props + _balls(studio, colors[4:]), one_color=True)


def _tabletop(studio: Studio) -> list[Layer]:
    return room(studio, props=_balls(studio, studio.colors[2:]), table=True)


def _arch(slot: str, color: Floats, studio: Studio) -> Arch:
    x = float(studio.random("arch").uniform(-0.12, 0.12))
    half = float(np.clip(0.26 * studio.camera.width / studio.camera.scale, 0.3, 0.5))
    return Arch(slot, color, x, WALL - 0.16, half, 0.85 - half * 0.3)


def _balls(studio: Studio, colors: list[Floats]) -> list[Prop]:
    """Return a ball for each colour that no other part of the set shows, left and right of the product's place."""
    rng = studio.random("balls")
    reach = 0.36 * studio.camera.width / studio.camera.scale * STAGE / FOCAL
    balls: list[Prop] = []
    # Colours that the mood chose need not all be seen, and an empty set is the better default.
    for index, color in enumerate(colors if studio.asked else ()):
        side = -1 if index % 2 else 1
        z = STAGE + 0.45 - 0.42 * (index // 2)
        radius = float(rng.uniform(0.15, 0.18)) * 0.86 ** (index // 2)
        balls.append(
            Ball(f"ball {index}", color, side * (reach - 0.1 * (index // 2) + rng.uniform(-0.03, 0.03)), z, radius)
        )
    return balls


def _drapery(studio: Studio) -> list[Layer]:
    """Return hanging cloth; further colours are further lengths of it."""
    camera, mood = studio.camera, studio.mood
    rng = studio.random("drapery")
    small = camera.smaller(min(500_000, camera.width * camera.height))
    view = small.view()
    fields = [Noise(studio.random(f"folds {k}"), 256)(slope=2.4) for k in range(2)]

    def bent(field: Floats, across: float, down: float, shift: float) -> Floats:
        u, v = np.broadcast_arrays(view.x * across + shift, view.y * down)
        return cv2.remap(
            field,
            np.mod(u * 256, 256).astype(np.float32),
            np.mod(v * 256, 256).astype(np.float32),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_WRAP,
        )

    slant = rng.uniform(-0.25, 0.25)
    sway = cv2.GaussianBlur(bent(fields[0], 0.35, 0.22, 0.3), (0, 0), 4)
    swell = cv2.GaussianBlur(bent(fields[1], 0.8, 0.12, 0.7), (0, 0), 4)
    phase = 2 * np.pi * (2.6 * (view.x + slant * view.y) + 0.38 * sway) + rng.uniform(0, 6)
    depth = np.sin(phase) + 0.45 * np.sin(2.17 * phase + 1.9 * swell) * (0.6 + 0.4 * np.tanh(sway))
    depth += 0.16 * np.sin(4.9 * phase + 3 * sway) * np.clip(swell, 0, 1.2)
    depth = (depth * (1 + 0.3 * swell) * 0.036).astype(np.float32)
    slope_x, slope_y = np.gradient(depth, float(view.pixel))[::-1]
    # Seen from above and not only from the side, folds that run down would hardly show.
    azimuth, elevation = np.radians(mood.azimuth * 1.1), np.radians(mood.elevation * 0.75)
    lamp = np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])
    length = np.sqrt(1 + slope_x**2 + slope_y**2)
    facing = (lamp[2] - slope_x * lamp[0] + slope_y * lamp[1]) / length
    wrap = 0.25 + 0.35 * mood.softness
    key = np.maximum((facing + wrap) / (1 + wrap), 0) ** 1.2
    half = lamp + np.array([0, 0, 1])
    half /= np.linalg.norm(half)
    sheen = np.maximum((half[2] - slope_x * half[0] + slope_y * half[1]) / length, 0) ** 22
    hollow = depth - cv2.GaussianBlur(depth, (0, 0), 0.05 * small.scale)
    open_sky = np.clip(1 + 9 * hollow, 0.25, 1.25)
    rig = Rig.of(mood)
    contrast = 0.35 + 0.5 * mood.contrast
    light = (contrast * (key + 0.28 * sheen) * open_sky)[..., None] * rig.key_tint
    light = (light + ((1 - contrast) * open_sky)[..., None] * rig.fill_tint).astype(np.float32)
    cloth = studio.material(studio.scene.material if studio.scene.material == "linen" else "paint")
    layers = []
    colors = studio.colors if studio.asked else studio.colors[:1]
    width, count = camera.width / camera.scale, len(colors)
    for index, color in enumerate(colors):
        start = width * (index / count - 0.5)

        def cover(view: View, start: float = start) -> Floats:
            edge = start - slant * view.y
            return np.asarray(np.clip((view.x - edge) / max(view.pixel, 0.003) + 0.5, 0, 1), np.float32)

        layers.append(Layer(f"cloth {index}", color, light, cover if index else None,
                            lambda view: cloth.at(view.x, view.y)))  # fmt: skip
    return layers


def _gradient(studio: Studio) -> list[Layer]:
    """Return clouds of the colours that melt into each other."""
    small = studio.camera.smaller(40_000)
    view, rng = small.view(), studio.random("gradient")
    colors = studio.colors if len(studio.colors) > 1 else [studio.colors[0], studio.colors[0] * 0.72 + 0.28]
    half_x, half_y = (size / studio.camera.scale / 2 for size in (studio.camera.width, studio.camera.height))
    turn = rng.uniform(0, 2 * np.pi) + np.arange(len(colors)) * 2 * np.pi / len(colors)
    at_x = half_x * 0.78 * np.cos(turn) + rng.uniform(-0.1, 0.1, len(colors))
    at_y = half_y * 0.78 * np.sin(turn) + rng.uniform(-0.1, 0.1, len(colors))
    bend = cv2.resize(Noise(studio.random("bend"), 256)(slope=2.6), (small.width, small.height)) * 0.05
    squared = [((view.x + bend - x) / half_x) ** 2 + ((view.y + bend - y) / half_y) ** 2
               for x, y in zip(at_x, at_y, strict=True)]  # fmt: skip
    # The nearer to each other they lie, the shorter is the way over, so that something is left of each.
    apart = (2 * 0.78 * np.sin(np.pi / len(colors))) ** 2
    weights = np.exp(-(np.stack(squared) - np.min(squared, axis=0)) * (4.6 / apart))
    weights /= weights.sum(axis=0)
    # Mixed as cube roots of light, which the eye sees as even steps.
    mixed = sum(weight[..., None] * np.cbrt(color) for weight, color in zip(weights, colors, strict=True)) ** 3
    return [Layer(FINISHED, np.ones(3, np.float32), mixed.astype(np.float32))]


_SETS: dict[str, Callable[[Studio], list[Layer]]] = {
    "sweep": _sweep,
    "wall and floor": _wall_and_floor,
    "podium": _podium,
    "tabletop": _tabletop,
    "drapery": _drapery,
    "gradient": _gradient,
}
