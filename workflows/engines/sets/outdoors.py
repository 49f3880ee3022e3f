"""The open air: a sky with clouds, and sea, fields, mountains, dunes or snow below it."""

from collections.abc import Callable

import cv2
import numpy as np

from workflows.engines.camera import FOCAL, WALL, View
from workflows.engines.materials import Noise
from workflows.engines.palette import Floats, linear
from workflows.engines.sets.rooms import floor_light
from workflows.engines.sets.shot import Shot
from workflows.engines.stage import Layer

LANDS = {"sea": "#6f9fb4", "field": "#93a866", "mountains": "#7e90a6"}


def land_of(shot: Shot) -> str:
    """Return what lies below the sky: what was asked for, or one of them by chance."""
    asked = shot.studio.scene.land
    return asked or str(shot.studio.random("land").choice(["sea", "sea", "field", "mountains"]))


def horizon(shot: Shot) -> list[Layer]:
    """Return a sky, and land that ends at the horizon, all of it out of focus."""
    layers = [_sky(shot, clouds=0.8)]
    if shot.studio.scene.ground != "water":
        layers += _LANDS[land_of(shot)](shot)
    return layers


def dunes(shot: Shot) -> list[Layer]:
    """Return a clear sky above dunes, the farther the paler."""
    return [_sky(shot, clouds=0.25), *_ridges(shot, shot.ground.color, "dune", count=3, high=0.1, rough=0.0)]


def winter(shot: Shot) -> list[Layer]:
    """Return a pale sky above hills of snow, and flakes that fall."""
    sky = _sky(shot, clouds=0.5)
    layers = [sky, *_ridges(shot, shot.ground.color, "hill", count=2, high=0.075, rough=0.1)]
    shot.over = [_flakes(shot)]
    return layers


def ground(shot: Shot) -> list[Layer]:
    """Return sand or snow, which ends in a soft crest before what is behind it."""
    camera = shot.camera
    crest = _line(shot, "crest", 0.03, 0.0)

    def cover(view: View) -> Floats:
        return np.clip((view.y - camera.seam - crest(view.x)) / max(view.pixel, 0.01) + 0.5, 0, 1)

    def albedo(view: View) -> Floats:
        z = np.minimum(camera.depth(view.y), 2 * WALL)
        return shot.ground.material.at(view.x * z / FOCAL, z, footprint=camera.footprint(view, z))

    light = floor_light(shot, walled=False)
    return [Layer("ground", shot.ground.color, light, cover, albedo, (-1e3, camera.seam - 0.05, 1e3, 1e3))]


def _sky(shot: Shot, *, clouds: float) -> Layer:
    """Return a sky that pales towards the horizon, and clouds on a flat ceiling that ends there."""
    small, color = shot.small, shot.backdrop.color
    view = small.view()
    up = np.maximum(small.horizon - view.y, 0)
    pale = 0.5 * np.exp(-up / 0.16) + 0 * view.x
    noise = Noise(shot.studio.random("clouds"), 256)(slope=1.9, stretch=1.4)
    far = 1 / (up + 0.3)
    u, v = np.broadcast_arrays(view.x * far * 30 + 40, far * 105)
    field = cv2.remap(noise, np.mod(u, 256).astype(np.float32), np.mod(v, 256).astype(np.float32),
                      cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)  # fmt: skip
    field = cv2.GaussianBlur(field, (0, 0), 0.005 * small.scale)
    thick = np.clip((field + 0.35) / 1.3, 0, 1) ** 1.2 * np.clip(up / 0.06, 0.1, 1) * np.exp(-((up / 1.1) ** 2))
    white = _glow(shot, 2.4)
    share = (1 - (1 - pale) * (1 - clouds * thick))[..., None]
    # Thick clouds are a little darker below.
    light = 1 + share * (white * (1 - 0.12 * thick[..., None] ** 2) / color - 1)
    shade = (0.9 + 0.1 * np.exp(-up / 0.4))[..., None]
    return Layer("sky", color, np.asarray(light * shade, np.float32), box=shot.above)


def _glow(shot: Shot, bright: float) -> Floats:
    """Return the colour of clouds and of the air at the horizon, which a low sun gives its own."""
    white = np.minimum(0.1 + bright * shot.backdrop.color, 1.0) * shot.rig.key_tint
    if shot.studio.asked:
        return white
    warm = np.float32(0.85 * np.clip(shot.studio.mood.warmth - 0.2, 0, 1))
    return white * (1 - warm) + 1.15 * linear(shot.studio.mood.palette[0]) * warm


def _sea(shot: Shot) -> list[Layer]:
    """Return water up to the horizon: darker towards it, with waves that flatten into it and a path of light."""
    camera, small = shot.camera, shot.small
    land, view = shot.surfaces["land"], small.view()
    down = np.maximum(view.y - small.horizon, 1e-3)
    far = np.minimum(0.05 / down, 3.0)
    noise = Noise(shot.studio.random("waves"), 256)(slope=1.1, stretch=2.6, coarsest=3)
    u, v = np.broadcast_arrays(view.x * far * 150 + 90, far * 700)
    waves = cv2.remap(noise, np.mod(u, 256).astype(np.float32), np.mod(v, 256).astype(np.float32),
                      cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)  # fmt: skip
    waves = waves * np.clip(down / 0.05, 0.2, 1)
    x = shot.toward[0] * 0.8 * small.half_width
    path = np.exp(-(((view.x - x) / (0.14 + 0.7 * down)) ** 2))
    tone = 0.86 + 0.5 * down / 0.3 * 0.4 + 0.05 * waves + path * (0.1 + 0.16 * np.clip(waves, 0, 2))
    light = cv2.GaussianBlur(np.asarray(tone, np.float32), (0, 0), 0.004 * small.scale)[..., None] * shot.rig.key_tint
    # Flat water far away mirrors the air above it.
    air = (0.35 * np.exp(-down / 0.07) + 0.25 * path)[..., None]
    light = (light * (1 - air) + air * _glow(shot, 1.6) / np.maximum(land.color, 0.02)).astype(np.float32)
    return [Layer("land", land.color, light, _below(lambda x: camera.horizon + 0 * x, 0.009), None,
                  (-1e3, camera.horizon - 0.02, 1e3, shot.above[3]))]  # fmt: skip


def _field(shot: Shot) -> list[Layer]:
    """Return hills and a meadow before them."""
    land = shot.surfaces["land"]
    return _ridges(shot, land.color, "field", count=3, high=0.06, rough=0.02, grain=0.09)


def _mountains(shot: Shot) -> list[Layer]:
    """Return ranges of mountains, each paler than the one before it."""
    land = shot.surfaces["land"]
    return _ridges(shot, land.color, "mountain", count=4, high=0.2, rough=0.5)


_LANDS: dict[str, Callable[[Shot], list[Layer]]] = {"sea": _sea, "field": _field, "mountains": _mountains}


def _ridges(
    shot: Shot, color: Floats, name: str, *, count: int, high: float, rough: float, grain: float = 0.0
) -> list[Layer]:
    """Return ridges one behind the other. Air between pales the far ones towards the sky (Koschmieder 1924)."""
    camera, small = shot.camera, shot.small
    view, layers = small.view(), []
    sky = _glow(shot, 2.0)
    sun = shot.toward[0]
    for number in range(count):
        near = (number + 0.6) / count
        base = camera.horizon + (camera.seam - camera.horizon) * (near**1.4) * 0.9
        line = _line(shot, f"{name} {number}", high * (1.15 - 0.75 * near), rough)
        air = 0.75 * (1 - near) ** 1.2
        # A slope that faces the sun is lighter.
        below = np.maximum(view.y - base - line(view.x), 0)
        # Spurs run down aslant from what the line shows of them.
        along = view.x + 0.55 * below
        grid = np.linspace(-1.5 * small.half_width, 1.5 * small.half_width + 2, 1024, dtype=np.float32)
        slope = np.interp(along, grid, np.gradient(line(grid), float(grid[1] - grid[0]))).astype(np.float32)
        facing = 1 + 0.35 * np.clip(slope * sun, -0.5, 0.5) * np.exp(-below / 0.2)
        facing = cv2.GaussianBlur(facing.astype(np.float32), (0, 0), 0.006 * small.scale)
        tone = facing * (1.03 - 0.18 * np.exp(-below / 0.09) * (1 - rough)) + 0 * view.y
        if grain:
            noise = Noise(shot.studio.random(f"grain {number}"), 256)(slope=0.9, stretch=2, coarsest=4)
            size = (small.width, small.height)
            tone = tone * (1 + grain * cv2.GaussianBlur(cv2.resize(noise, size), (0, 0), 0.006 * small.scale))
        light = tone[..., None] * shot.rig.key_tint
        light = light * (1 - air) + air * sky / np.maximum(color, 0.02)
        cover = _below(lambda x, line=line, base=base: base + line(x), 0.009)  # type: ignore[misc]
        top = base - 1.3 * high - 0.02
        layers.append(Layer("land", color, light.astype(np.float32), cover, None, (-1e3, top, 1e3, shot.above[3])))
    return layers


def _line(shot: Shot, name: str, high: float, rough: float) -> Callable[[Floats], Floats]:
    """Return a ridge's line: its Y for each X, of waves of falling size, the steeper the `rough`er."""
    rng = shot.studio.random(name)
    phases, count = rng.uniform(0, 2 * np.pi, 12), 12 if rough else 3
    rates = np.cumprod(np.concatenate([[rng.uniform(1.3, 2.4)], rng.uniform(1.5, 1.9, 11)]))

    def line(x: Floats) -> Floats:
        total = np.zeros_like(x)
        for k in range(count):
            wave = np.sin(rates[k] * x + phases[k])
            size = (0.52 + 0.08 * min(rough, 1)) ** k
            # Peaks are sharper than valleys where rock is bare.
            total += size * (wave if rough < 0.3 else 1 - 2 * np.abs(wave) ** 0.9)
        return (-high * total * 0.5).astype(np.float32)

    return line


def _below(line: Callable[[Floats], Floats], soft: float) -> Callable[[View], Floats]:
    def cover(view: View) -> Floats:
        return np.clip((view.y - line(view.x)) / max(view.pixel, soft) + 0.5, 0, 1)

    return cover


def _flakes(shot: Shot) -> Layer:
    """Return falling snow beside the place, near flakes large and out of focus."""
    small, rng, place = shot.small, shot.studio.random("flakes"), shot.place
    mask = np.zeros((small.height, small.width), np.float32)
    for _ in range(int(150 * 4 * small.half_width * small.half_height)):
        x, y = rng.uniform(-small.half_width, small.half_width), rng.uniform(-small.half_height, small.seam + 0.1)
        near = float(rng.uniform(0, 1)) ** 3
        in_place = place.left < x < place.right and place.top < y < place.bottom
        radius = 0.0022 + (0 if in_place else 0.011 * near)
        spot = (int((x + small.half_width) * small.scale * 16), int((y + small.half_height) * small.scale * 16))
        strength = 0.3 if in_place else 0.8 - 0.45 * near
        cv2.circle(mask, spot, int(radius * small.scale * 16), (strength,), -1, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(mask, (0, 0), 0.9)
    light = np.ones((small.height, small.width, 3), np.float32)

    def cover(view: View) -> Floats:
        x = (view.x + small.half_width) * small.scale - 0.5 + 0 * view.y
        y = (view.y + small.half_height) * small.scale - 0.5 + 0 * view.x
        return np.clip(cv2.remap(soft, x, y, cv2.INTER_LINEAR), 0, 1)

    return Layer("ground", shot.ground.color, light, cover)
