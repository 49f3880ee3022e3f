"""A set as layers, from the back to the front, and how they become a picture.

Shapes and materials are drawn at full size, in bands of rows so that memory stays small; light is enlarged from a
small picture of each layer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from workflows.engines.camera import Camera, View
from workflows.engines.palette import Bytes, Floats, to_srgb

_BAND_PIXELS = 300_000
_LIGHT_PIXELS = 150_000
_SHOULDER = 0.72  # linear light above this is compressed instead of clipped
_LIGHTEST = 4.0
FINISHED = "finished"  # the slot of what is not lit: its light is its colour


@dataclass(frozen=True)
class Layer:
    """One surface. Layers with the same `slot` are exposed together, so that their colour comes out as asked.

    `color` is linear RGB, `light` that of `light_camera()`'s picture, shape (h, w, 3); `cover` says how much of each
    pixel is surface (None: all of all), `albedo` how much more or less than its colour it reflects there. `box` bounds
    the surface in picture units (left, top, right, bottom).
    """

    slot: str
    color: Floats
    light: Floats
    cover: Callable[[View], Floats] | None = None
    albedo: Callable[[View], Floats] | None = None
    box: tuple[float, float, float, float] | None = None


def light_camera(camera: Camera) -> Camera:
    """Return the camera of the small picture that light is computed on."""
    return camera.smaller(min(_LIGHT_PIXELS, camera.width * camera.height))


def paint(camera: Camera, layers: Sequence[Layer], *, vignette: float, rng: np.random.Generator) -> Bytes:
    """Return the picture of the layers as sRGB, shape (h, w, 3), exposed, toned and dithered."""
    gains = _gains(light_camera(camera), layers)
    placed = [(layer, gains[layer.slot] * layer.color, _Enlarged(layer, camera)) for layer in layers]
    curve, dither = _tone_curve(), _dither(rng)
    corner = np.float32(4 * camera.scale**2 / (camera.width**2 + camera.height**2))
    rows_at_once = max(16, _BAND_PIXELS // camera.width)
    picture = np.empty((camera.height, camera.width, 3), np.uint8)
    for top in range(0, camera.height, rows_at_once):
        band = slice(top, min(top + rows_at_once, camera.height))
        light = np.zeros((band.stop - band.start, camera.width, 3), np.float32)
        for layer, color, enlarged in placed:
            rows = slice(max(band.start, enlarged.rows.start), min(band.stop, enlarged.rows.stop))
            if rows.start >= rows.stop or enlarged.columns.start >= enlarged.columns.stop:
                continue
            view = camera.view(rows, enlarged.columns)
            shown = enlarged.on(rows) * color
            if layer.albedo:
                shown *= layer.albedo(view)
            under = light[rows.start - top : rows.stop - top, enlarged.columns]
            under += (shown - under) * layer.cover(view)[..., None] if layer.cover else shown - under
        view = camera.view(band)
        light *= (1 - vignette * ((view.x**2 + view.y**2) * corner) ** 1.3)[..., None]
        index = np.clip(light * (65535 / _LIGHTEST), 0, 65535).astype(np.uint16)
        picture[band] = curve[index] + _tiled(dither, top, *index.shape[:2])
    return picture


class _Enlarged:
    """The light of a layer, enlarged to its box: along x at once, along y for each band (Catmull–Rom)."""

    def __init__(self, layer: Layer, camera: Camera) -> None:
        left, top, right, bottom = layer.box or (-1e3, -1e3, 1e3, 1e3)
        self.columns = _pixels(left, right, camera.scale, camera.width)
        self.rows = _pixels(top, bottom, camera.scale, camera.height)
        self.shrink = layer.light.shape[0] / camera.height
        wide = cv2.resize(layer.light, (camera.width, layer.light.shape[0]), interpolation=cv2.INTER_CUBIC)
        self.light = np.ascontiguousarray(wide[:, self.columns])

    def on(self, rows: slice) -> Floats:
        at = (np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5) * self.shrink - 0.5
        first = np.floor(at)
        t = (at - first)[:, None, None].astype(np.float32)
        weights = (
            ((-0.5 * t + 1.0) * t - 0.5) * t,
            (1.5 * t - 2.5) * t * t + 1.0,
            ((-1.5 * t + 2.0) * t + 0.5) * t,
            (0.5 * t - 0.5) * t * t,
        )
        total = np.zeros((len(at), *self.light.shape[1:]), np.float32)
        for offset, weight in zip(range(-1, 3), weights, strict=True):
            total += weight * self.light[np.clip(first.astype(np.intp) + offset, 0, len(self.light) - 1)]
        return np.maximum(total, 0, out=total)


def _pixels(start: float, stop: float, scale: float, size: int) -> slice:
    return slice(
        int(np.clip(np.floor(start * scale + size / 2) - 2, 0, size)),
        int(np.clip(np.ceil(stop * scale + size / 2) + 2, 0, size)),
    )


def _gains(small: Camera, layers: Sequence[Layer]) -> dict[str, Floats]:
    """Return for each slot what its light is multiplied with, so that where it is seen its median is 1.

    The tint of the light is taken back only in part, as a camera's white balance would.
    """
    view = small.view()
    seen: dict[str, list[Floats]] = {}
    uncovered = np.ones((small.height, small.width), np.float32)
    for layer in reversed(layers):
        cover = layer.cover(view) if layer.cover else np.float32(1)
        visible = uncovered * cover > 0.5
        uncovered = uncovered * (1 - cover)
        seen.setdefault(layer.slot, []).append(cv2.resize(layer.light, (small.width, small.height))[visible])
    gains = {FINISHED: np.ones(3, np.float32)}
    for slot, lights in seen.items():
        if slot == FINISHED:
            continue
        light = np.concatenate(lights)
        median = np.maximum(np.median(light, axis=0), 1e-3) if len(light) else np.ones(3, np.float32)
        gray = median.mean()
        gains[slot] = (1 / (gray * (median / gray) ** 0.65)).astype(np.float32)
    return gains


def _tone_curve() -> Floats:
    """Return the sRGB value (0 to 255) of each of 65536 steps of linear light from 0 to `_LIGHTEST`."""
    light = np.linspace(0, _LIGHTEST, 65536, dtype=np.float32)
    room = 1 - _SHOULDER
    bright = _SHOULDER + room * (1 - np.exp(-(np.maximum(light, _SHOULDER) - _SHOULDER) / room))
    return to_srgb(np.where(light < _SHOULDER, light, bright)) * np.float32(253.5)


def _dither(rng: np.random.Generator) -> Floats:
    """Return a tile of film grain and triangular dither, around the half that rounding down needs."""
    uniform = rng.random((2, 256, 256, 3), dtype=np.float32)
    grain = 0.55 * rng.standard_normal((256, 256, 1), dtype=np.float32)
    return np.clip(uniform[0] - uniform[1] + grain, -1.9, 1.9) * np.float32(0.75) + np.float32(0.5)


def _tiled(tile: Floats, top: int, height: int, width: int) -> Floats:
    rows = tile[np.arange(top, top + height) % len(tile)]
    return np.tile(rows, (1, -(-width // tile.shape[1]), 1))[:, :width]
