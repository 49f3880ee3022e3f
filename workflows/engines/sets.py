"""Building the sets: each function turns colours, light and materials into the layers of one kind of scene."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from workflows.engines.camera import FOCAL, STAGE, WALL, Camera, View
from workflows.engines.light import Points, Rig, corner, pattern, unhidden
from workflows.engines.materials import Material, Noise, make
from workflows.engines.moods import Mood
from workflows.engines.palette import Floats, linear
from workflows.engines.props import Arch, Ball, Plinth, Prop
from workflows.engines.scenes import Scene
from workflows.engines.stage import FINISHED, Layer, light_camera


@dataclass(frozen=True)
class Studio:
    """What every set is built from. `colors` are linear RGB, the most wanted first; `asked`: the client named them."""

    camera: Camera
    mood: Mood
    scene: Scene
    colors: list[Floats]
    asked: bool
    seed: int

    def random(self, purpose: str) -> np.random.Generator:
        """Return a random stream for one purpose alone, so that a change to one leaves the others as they were."""
        key = [int(byte) for byte in purpose.encode()]
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key)))

    def material(self, name: str) -> Material:
        return make(name, self.random(name), pixels=self.camera.scale * FOCAL / STAGE)

    def color(self, index: int) -> Floats:
        return self.colors[index % len(self.colors)]


def build(studio: Studio) -> list[Layer]:
    """Return the layers of the studio's scene, from the back to the front."""
    return _SETS[studio.scene.set](studio)


def _sweep(studio: Studio) -> list[Layer]:
    return _room(studio, bend=1.3, props=_balls(studio, studio.colors[2:]))


def _wall_and_floor(studio: Studio) -> list[Layer]:
    props: list[Prop] = []
    spare = studio.colors[2:]
    if studio.scene.arch:
        arch_color, spare = (spare[0], spare[1:]) if spare else (studio.color(1), [])
        props.append(_arch("arch", arch_color, studio))
    return _room(studio, bend=0.0, props=props + _balls(studio, spare))


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
    return _room(studio, bend=0.8, props=props + _balls(studio, colors[4:]), one_color=True)


def _tabletop(studio: Studio) -> list[Layer]:
    return _room(studio, bend=0.0, props=_balls(studio, studio.colors[2:]), table=True)


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


def _room(
    studio: Studio, *, bend: float, props: list[Prop], one_color: bool = False, table: bool = False
) -> list[Layer]:
    """Return a wall, a floor and what stands on it. `bend` is the radius of the curve between them, 0 for an edge.

    With `one_color` the floor is the wall's, with `table` it is a table top that the wall stands far behind.
    """
    camera, small = studio.camera, light_camera(studio.camera)
    turn = float(studio.random("light").uniform(-8, 8))
    rig = Rig.of(studio.mood, turn=turn, sunlit=studio.scene.shadow is not None)
    hulls = [prop.hull() for prop in props]
    view = small.view()
    wall_seen = unhidden(small, rig.key, hulls) if not table else np.float32(1)
    floor_seen = unhidden(small, rig.key, hulls, level=0.0)
    if studio.scene.shadow:
        openings, distance, are_open = _SHADOWS[studio.scene.shadow](studio)
        for seen, on_wall in ((wall_seen, True), (floor_seen, False)):
            cast = pattern(small, rig, openings, distance=distance, on_wall=on_wall)
            np.multiply(seen, 0.12 + 0.88 * (cast if are_open else 1 - cast), out=seen) if np.ndim(seen) else None
    wall_open = unhidden(small, rig.dome_front, hulls)
    floor_open = unhidden(small, rig.dome_up, hulls, level=0.0)

    wall_material, floor_material = studio.scene.material, studio.scene.material
    if studio.scene.material in ("wood", "marble", "linen"):
        wall_material = "paint"
    wall = studio.material(wall_material or "paint")
    floor = wall if floor_material == wall_material else studio.material(floor_material or "paint")
    floor_color = studio.color(0 if one_color else 1)
    if floor.color and not (studio.asked and len(studio.colors) > 1):
        floor_color = linear(floor.color)

    def wall_albedo(view: View) -> Floats:
        return wall.at(view.x * (WALL / FOCAL), camera.rise(view.y, WALL))

    def floor_albedo(view: View) -> Floats:
        z = np.minimum(camera.depth(view.y), WALL + 1)
        return floor.at(view.x * z / FOCAL, z)

    if bend:
        y, z, lean = _cove(view.y, small, bend)
        points = Points(view.x * z / FOCAL, y, z, normal_y=lean, normal_z=-np.sqrt(1 - lean**2))
        flat = lean**2
        light = rig.on(
            points,
            seen=flat * floor_seen + (1 - flat) * wall_seen,
            open_sky=flat * floor_open + (1 - flat) * wall_open,
        )

        def floor_cover(view: View) -> Floats:
            _, _, lean = _cove(view.y, camera, bend)
            smooth = np.clip((lean - 0.5) / 0.5, 0, 1)
            return np.broadcast_to(smooth**2 * (3 - 2 * smooth), (len(view.y), view.x.shape[1])).astype(np.float32)

        backdrop = [Layer("wall", studio.color(0), light, None, wall_albedo)]
        same = one_color or len(studio.colors) == 1
        if not same or floor_material:
            backdrop.append(Layer("floor", floor_color, light, floor_cover, floor_albedo))
    else:
        rise = small.rise(view.y, WALL)
        z = small.depth(view.y)
        wall_points = Points(view.x * (WALL / FOCAL), rise, WALL, normal_y=0.0, normal_z=-1.0)
        floor_points = Points(view.x * z / FOCAL, 0.0, z, normal_y=1.0, normal_z=0.0)
        if not table:
            floor_open = floor_open * corner(WALL - z, 0.7)
            wall_open = wall_open * (1 - 0.22 * np.exp(-np.maximum(rise, 0) / 0.12))
        edge = camera.seam

        def floor_cover(view: View) -> Floats:
            soft = max(view.pixel, 0.004 if table else 0.0015)
            cover = np.clip((view.y - edge) / soft + 0.5, 0, 1)
            return np.broadcast_to(cover, (len(view.y), view.x.shape[1]))

        backdrop = [
            Layer("wall", studio.color(0), rig.on(wall_points, seen=wall_seen, open_sky=wall_open), None, wall_albedo),
            Layer("floor", floor_color, rig.on(floor_points, seen=floor_seen, open_sky=floor_open), floor_cover,
                  floor_albedo, (-1e3, edge - 0.02, 1e3, 1e3)),
        ]  # fmt: skip
    standing: list[Layer] = []
    for prop in sorted(props, key=lambda one: -one.z):
        others = [other.hull() for other in props if other is not prop]
        standing += prop.layers(camera, small, rig, others)
    return backdrop + standing


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


def _window(studio: Studio) -> tuple[list[Floats], float, bool]:
    """Return the lit gaps between the slats of a blind before a window of two wings."""
    rng = studio.random("window")
    half_width = 0.5 * studio.camera.width / studio.camera.scale * WALL / FOCAL
    left, wing = -half_width * rng.uniform(0.45, 0.7), max(0.62, 0.42 * half_width)
    # What would fall below the wall's foot falls on the floor before it.
    bottom, fall = rng.uniform(-0.5, -0.35), rng.uniform(0.12, 0.3) * rng.choice([-1, 1])
    gaps = []
    for x in (left, left + wing + 0.1):
        for slat in range(15):
            y = bottom + slat * 0.135
            low, high = y + fall * (x - left), y + fall * (x + wing - left)
            gaps.append(np.array([[x, low], [x + wing, high], [x + wing, high + 0.088], [x, low + 0.088]], np.float32))
    return gaps, 0.8, True


def _foliage(studio: Studio) -> tuple[list[Floats], float, bool]:
    """Return the leaflets of a few palm fronds that hang into the picture."""
    rng = studio.random("foliage")
    half_width = 0.5 * studio.camera.width / studio.camera.scale * WALL / FOCAL
    leaflets = []
    steps, main = 17, rng.choice([-1, 1])
    for side, low, high in ((main, 1.1, 1.5), (main, 0.55, 0.8), (-main, 1.35, 1.7)):
        stem = np.array([side * half_width * rng.uniform(1.05, 1.25), rng.uniform(low, high)])
        heading, curl = (np.pi if side > 0 else 0) - side * rng.uniform(0.1, 0.5), side * rng.uniform(0.4, 0.9)
        for step in range(steps):
            along = heading + curl * step / steps
            stem = stem + 0.085 * np.array([np.cos(along), np.sin(along)])
            length = 0.48 * np.sin(np.pi * (step + 5) / (steps + 6)) * rng.uniform(0.85, 1.1)
            for turn in (-0.8, 0.8):
                way = np.array([np.cos(along + turn), np.sin(along + turn) - 0.3])
                wide = 0.0125 * np.array([-way[1], way[0]])
                middle = stem + 0.4 * length * way
                leaflets.append(np.array([stem, middle + wide, stem + length * way, middle - wide], np.float32))
    return leaflets, 0.5, False


_SHADOWS: dict[str, Callable[[Studio], tuple[list[Floats], float, bool]]] = {"window": _window, "foliage": _foliage}


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
    width, count = camera.width / camera.scale, len(studio.colors)
    for index, color in enumerate(studio.colors):
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
    weights = np.exp(-(np.stack(squared) - np.min(squared, axis=0)) * 2.6)
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
