"""Shallow water: light that ripples gather on its ground, and what is mirrored in it."""

import cv2
import numpy as np

from workflows.engines.camera import FOCAL, WALL, View
from workflows.engines.materials import Material, Noise
from workflows.engines.materials.material import gray
from workflows.engines.materials.noise import blurred
from workflows.engines.palette import Floats
from workflows.engines.sets.rooms import floor_light, upright
from workflows.engines.sets.shot import Shot
from workflows.engines.stage import Layer

_SIZE = 1.6


def pool(shot: Shot) -> list[Layer]:
    """Return water up to the wall, or up to the horizon where there is no wall."""
    camera, open_air = shot.camera, shot.studio.scene.backdrop == "horizon"
    slopes, caustics = _ripples(shot)
    rings = [(prop.x, prop.z) for prop in shot.props[:1]]
    edge = camera.horizon if open_air else camera.seam

    def where(view: View) -> tuple[Floats, Floats]:
        z = np.minimum(camera.depth(view.y), 4 * WALL)
        return view.x * z / FOCAL, z

    def slope(view: View) -> Floats:
        """Return how the surface leans at each pixel, along x and z."""
        x, z = where(view)
        found = slopes.at(x, z, footprint=camera.footprint(view, z))[..., :2]
        for ring_x, ring_z in rings:
            away = np.hypot(x - ring_x, z - ring_z)
            wave = 0.07 * np.sin(away * 2 * np.pi / 0.085) * np.exp(-away / 0.55)
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
        share = 0.02 + 0.7 * (1 - cosine) ** 5
        return np.clip(share, 0, 0.6) * cover(view)

    def cover(view: View) -> Floats:
        return np.broadcast_to(np.clip((view.y - edge) / max(view.pixel, 0.002) + 0.5, 0, 1),
                               (len(view.y), view.x.shape[1]))  # fmt: skip

    below = (-1e3, edge - 0.02, 1e3, 1e3)
    above = (shot.wall or upright(shot)).light
    light = floor_light(shot, walled=not open_air)
    return [
        Layer("water", shot.ground.color, light, cover, albedo, below),
        Layer("wall", shot.backdrop.color, above, mirror, None, below),
    ]


def _ripples(shot: Shot) -> tuple[Material, Material]:
    """Return how the surface leans, along x and z, and the light that its waves gather on the ground below.

    Each of many rays is bent by the slope where it enters, and counted where it ends (Wyman and Davis 2006).
    """
    side, fine = 512, 2
    height = Noise(shot.studio.random("ripples"), side)(slope=3.6, coarsest=4)
    leans = np.stack([np.roll(height, -1, axis) - np.roll(height, 1, axis) for axis in (1, 0)], axis=2)
    leans /= np.sqrt((leans**2).sum(axis=2).mean())
    bends = cv2.resize(leans, None, fx=fine, fy=fine, interpolation=cv2.INTER_LINEAR) * np.float32(side / 36)
    at = np.arange(side * fine, dtype=np.float32) / fine
    x = (at[None, :] - bends[..., 0]).astype(np.int32) % side
    z = (at[:, None] - bends[..., 1]).astype(np.int32) % side
    light = np.bincount((z * side + x).ravel(), minlength=side * side).reshape(side, side).astype(np.float32)
    light = blurred(light / light.mean(), 1.3)
    contrast = 0.2 + 0.45 * shot.studio.mood.contrast
    tile = 1 - contrast + contrast * np.minimum(light, 3.4)
    leaning = np.concatenate([leans, leans[..., :1]], axis=2)
    return Material(0.045 * leaning, _SIZE), Material(gray(tile), _SIZE)
