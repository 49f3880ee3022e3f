"""Shallow water: light that ripples gather on its ground, and what is mirrored in it."""

import numpy as np

from workflows.engines.camera import FOCAL, WALL, View
from workflows.engines.materials import Material, Noise
from workflows.engines.materials.material import gray
from workflows.engines.materials.noise import blurred
from workflows.engines.palette import Floats
from workflows.engines.sets.rooms import floor_light, upright
from workflows.engines.sets.shot import Shot
from workflows.engines.stage import Layer

_SIZE = 1.5


def pool(shot: Shot) -> list[Layer]:
    """Return water up to the wall, or up to the horizon where there is no wall."""
    camera, open_air = shot.camera, shot.studio.scene.backdrop == "horizon"
    height, caustics = _ripples(shot)
    rings = [(prop.x, prop.z) for prop in shot.props[:1]]
    edge = camera.horizon if open_air else camera.seam
    side = len(height)
    slope_x, slope_z = (np.roll(height, -1, axis) - np.roll(height, 1, axis) for axis in (1, 0))
    slopes = Material(np.stack([slope_x, slope_z, slope_x], axis=2) * np.float32(side / _SIZE / 2), _SIZE)

    def where(view: View) -> tuple[Floats, Floats]:
        z = np.minimum(camera.depth(view.y), 4 * WALL)
        return view.x * z / FOCAL, z

    def slope(view: View) -> Floats:
        """Return how the surface leans at each pixel, along x and z."""
        x, z = where(view)
        found = slopes.at(x, z, footprint=camera.footprint(view, z))[..., :2]
        for ring_x, ring_z in rings:
            away = np.hypot(x - ring_x, z - ring_z)
            wave = 0.11 * np.sin(away * 2 * np.pi / 0.085) * np.exp(-away / 0.55)
            found = found + np.stack([wave * (x - ring_x), wave * (z - ring_z)], axis=2) / (away + 0.05)[..., None]
        return found

    def albedo(view: View) -> Floats:
        x, z = where(view)
        return caustics.at(x, z, footprint=camera.footprint(view, z))

    def mirror(view: View) -> Floats:
        """Return the share of light that the surface mirrors (Schlick 1994; water's index is 1.33)."""
        x, z = where(view)
        length = np.sqrt(camera.eye**2 + z**2 + x**2)
        cosine = np.clip((camera.eye + z * slope(view)[..., 1]) / length, 0.02, 1)
        share = 0.02 + 0.98 * (1 - cosine) ** 5
        return np.clip(share, 0, 0.8) * cover(view)

    def cover(view: View) -> Floats:
        return np.broadcast_to(np.clip((view.y - edge) / max(view.pixel, 0.002) + 0.5, 0, 1),
                               (len(view.y), view.x.shape[1]))  # fmt: skip

    below = (-1e3, edge - 0.02, 1e3, 1e3)
    above = upright(shot).light
    light = floor_light(shot, walled=not open_air)
    return [
        Layer("water", shot.ground.color, light, cover, albedo, below),
        Layer("wall", shot.backdrop.color, above, mirror, None, below),
    ]


def _ripples(shot: Shot) -> tuple[Floats, Material]:
    """Return the height of the waves on a tile, and the light that they throw on the ground below.

    Each of many rays is bent by the slope where it enters, and counted where it ends (Wyman and Davis 2006).
    """
    side = 512
    noise = Noise(shot.studio.random("ripples"), side)
    height = noise(slope=2.6, coarsest=3) + 0.25 * noise(slope=2.2, coarsest=9)
    height = blurred(height, side / 128)
    slope_x, slope_z = (np.roll(height, -1, axis) - np.roll(height, 1, axis) for axis in (1, 0))
    fine = 2
    at = np.arange(side * fine, dtype=np.float32) / fine
    bend = np.float32(4.2 * side / 512 * side / 512)
    import cv2

    big_x, big_z = (cv2.resize(one, None, fx=fine, fy=fine, interpolation=cv2.INTER_LINEAR) for one in (slope_x, slope_z))
    x = (at[None, :] - bend * big_x).astype(np.int32) % side
    z = (at[:, None] - bend * big_z).astype(np.int32) % side
    light = np.bincount((z * side + x).ravel(), minlength=side * side).reshape(side, side).astype(np.float32)
    light = blurred(light / light.mean(), 1.1)
    contrast = 0.35 + 0.5 * shot.studio.mood.contrast
    tile = 1 - contrast + contrast * np.minimum(light, 3.2)
    return height * np.float32(0.012), Material(gray(tile), _SIZE)
