"""A set as layers, from the back to the front, and how they become a picture.

Shapes and materials are drawn at full size, in bands of rows so that memory stays small; light is enlarged from a
small picture of each layer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from workflows.engines.camera import Camera, View
from workflows.engines.palette import Bytes, Floats, ciede2000, lab_of_light, to_srgb

_BAND_PIXELS = 100_000  # what is worked on at once stays in the processor's cache
_LIGHT_PIXELS = 150_000
_EXPOSURE_PIXELS = 20_000
_SHOULDER = 0.8  # linear light above this is compressed instead of clipped
_LIGHTEST = 4.0
_STEPS = 65535 / _LIGHTEST  # of the tone curve, to a unit of light
_FINE = 128  # dithering is done with so many steps to one of a byte
_TILE = 256
_NO_SIGN = 4  # what is added to dither, in steps of a byte, so that it has no sign
_BRIGHTEST = 1.6  # of what is lit on a surface, to the light that shows its colour
_FARTHEST = 5.0  # from its colour that a cast takes a surface (CIEDE2000)
_LEAST_SHARE = 0.025  # of the picture, which a surface's own colour is to be seen on
FINISHED = "finished"  # the slot of what is not lit: its light is its colour


@dataclass(frozen=True)
class Layer:
    """One surface. Layers with the same `slot` have one colour and are exposed together, so that it comes out as
    asked.

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


@dataclass(frozen=True)
class Exposure:
    """How a picture is exposed and toned.

    `key` is the share of a surface that is darker than its colour; `contrast` the film's, 1 for that of the set;
    `cast` is what becomes of white, linear RGB, after a white balance for each surface's light; `vignette` how much of
    their light the corners lose, 0 to 1.
    """

    key: float
    contrast: float
    cast: Floats
    vignette: float


def paint(camera: Camera, layers: Sequence[Layer], exposure: Exposure, *, rng: np.random.Generator) -> Bytes:
    """Return the picture of the layers as sRGB, shape (h, w, 3), exposed, toned and dithered."""
    references = _references(camera, layers, exposure)
    placed = [(layer, _Enlarged(layer, camera, references.get(layer.slot), exposure)) for layer in layers]
    curve, dither = _tone_curve(), _dither(rng, camera.width)
    # A power of two, so that a band never crosses the end of the dither's tile.
    rows_at_once = min(_TILE, 1 << max(4, (_BAND_PIXELS // camera.width).bit_length() - 1))
    picture = np.empty((camera.height, camera.width, 3), np.uint8)
    for top in range(0, camera.height, rows_at_once):
        band = slice(top, min(top + rows_at_once, camera.height))
        light = np.zeros((band.stop - band.start, camera.width, 3), np.float32)
        for layer, enlarged in placed:
            rows = slice(max(band.start, enlarged.rows.start), min(band.stop, enlarged.rows.stop))
            if rows.start >= rows.stop or enlarged.columns.start >= enlarged.columns.stop:
                continue
            view = camera.view(rows, enlarged.columns)
            cover = np.ascontiguousarray(layer.cover(view), np.float32) if layer.cover else None
            if cover is not None and not cover.any():
                continue
            shown = enlarged.on(rows)
            if layer.albedo:
                shown *= layer.albedo(view)
            under = light[rows.start - top : rows.stop - top, enlarged.columns]
            under[:] = shown if cover is None else cv2.blendLinear(shown, under, cover, 1 - cover)
        index = np.minimum(light, 65535, out=light).astype(np.uint16)
        at = top % _TILE
        fine = cv2.add(cv2.LUT(index, curve), dither[at : at + len(index)])
        picture[band] = np.maximum(fine // _FINE, _NO_SIGN) - _NO_SIGN
    return picture


class _Enlarged:
    """The exposed light of a layer, enlarged to its box: along x at once, along y for each band (Catmull–Rom)."""

    def __init__(self, layer: Layer, camera: Camera, reference: "_Reference | None", exposure: Exposure) -> None:
        left, top, right, bottom = layer.box or (-1e3, -1e3, 1e3, 1e3)
        self.columns = _pixels(left, right, camera.scale, camera.width)
        self.rows = _pixels(top, bottom, camera.scale, camera.height)
        small = replace(camera, width=layer.light.shape[1], height=layer.light.shape[0])
        self.shrink = small.height / camera.height
        self.start = max(0, int(self.rows.start * self.shrink) - 3)
        some = slice(self.start, int(self.rows.stop * self.shrink) + 4)
        light = _exposed(
            layer.light[some] * _vignette(small, small.view(some), exposure.vignette)[..., None],
            layer.color,
            reference,
        )
        wide = cv2.resize(light, (camera.width, len(light)), interpolation=cv2.INTER_CUBIC)
        self.light = np.ascontiguousarray(wide[:, self.columns])

    def on(self, rows: slice) -> Floats:
        at = (np.arange(rows.start, rows.stop) + 0.5) * self.shrink - 0.5
        first = np.floor(at)
        t = at - first
        weights = np.stack(
            [((-0.5 * t + 1) * t - 0.5) * t, (1.5 * t - 2.5) * t * t + 1, ((-1.5 * t + 2) * t + 0.5) * t,
             (0.5 * t - 0.5) * t * t], axis=1)  # fmt: skip
        near = np.clip(first.astype(int)[:, None] - self.start + np.arange(-1, 3), 0, len(self.light) - 1)
        lines = self.light.reshape(len(self.light), -1)
        out = np.empty((len(at), lines.shape[1]), np.float32)
        # Line by line, which the cache holds.
        for line, (one, two, three, four), (before, above, below, after) in zip(
            out, near.tolist(), weights.tolist(), strict=True
        ):
            mixed = cv2.addWeighted(lines[two], above, lines[three], below, 0)
            mixed = cv2.scaleAdd(lines[one], before, mixed)
            line[:] = cv2.scaleAdd(lines[four], after, mixed).ravel()
        return np.maximum(out, 0, out=out).reshape(len(at), *self.light.shape[1:])


def _pixels(start: float, stop: float, scale: float, size: int) -> slice:
    return slice(
        int(np.clip(np.floor(start * scale + size / 2) - 2, 0, size)),
        int(np.clip(np.ceil(stop * scale + size / 2) + 2, 0, size)),
    )


def _exposed(light: Floats, color: Floats, reference: "_Reference | None") -> Floats:
    """Return what a surface of a color sends to the camera in this light, in steps of the tone curve."""
    if reference is None:
        return _before_shoulder(light * color) * np.float32(_STEPS)
    if reference.steepness != 1:
        gray = np.maximum(light.mean(axis=2, keepdims=True), 1e-4)
        light = light * (gray / reference.gray) ** np.float32(reference.steepness - 1)
    return light * (_before_shoulder(color) * reference.gain * np.float32(_STEPS))


@dataclass(frozen=True)
class _Reference:
    """The light that shows a slot's colour: its mean, what makes it 1, and the power of the contrast around it."""

    gray: float
    gain: Floats
    steepness: float


def _references(camera: Camera, layers: Sequence[Layer], exposure: Exposure) -> dict[str, _Reference]:
    small = camera.smaller(min(_EXPOSURE_PIXELS, camera.width * camera.height))
    size, view = (small.width, small.height), small.view()
    vignette = _vignette(small, view, exposure.vignette)[..., None]
    seen: dict[str, list[Floats]] = {}
    uncovered = np.ones((small.height, small.width), np.float32)
    for layer in reversed(layers):
        cover = layer.cover(view) if layer.cover else np.float32(1)
        visible = uncovered * cover > 0.5
        uncovered = uncovered * (1 - cover)
        light = cv2.resize(layer.light, size, interpolation=cv2.INTER_AREA) * vignette
        seen.setdefault(layer.slot, []).append(light[visible])
    colors = {layer.slot: layer.color for layer in layers}
    return {
        slot: _reference(np.concatenate(lights), colors[slot], exposure, small.width * small.height)
        for slot, lights in seen.items()
        if slot != FINISHED
    }


def _reference(light: Floats, color: Floats, exposure: Exposure, pixels: int) -> _Reference:
    if not len(light):
        return _Reference(gray=1.0, gain=np.ones(3, np.float32), steepness=1.0)
    grays = np.maximum(light.mean(axis=1), 1e-3)
    # Exposed for the shade, what is lit must still not be burnt out.
    gray = max(float(np.quantile(grays, exposure.key)), float(np.quantile(grays, 0.95)) / _BRIGHTEST)
    tint = np.maximum(np.median(light, axis=0), 1e-3)
    tint /= tint.mean()
    # How far from its colour most of a small surface may be, and of a large one a part, in powers of e: about 8 steps
    # of L*, which grows as the cube root of light.
    asked = lab_of_light(color)
    near = 20 / (float(asked[0]) + 16)
    spread = float(np.quantile(np.abs(np.log(grays / gray)), min(0.8, _LEAST_SHARE * pixels / len(light))))
    away = float(ciede2000(lab_of_light(color * exposure.cast), asked))
    cast = exposure.cast ** min(1.0, _FARTHEST / max(away, 1e-6))
    return _Reference(
        gray=gray,
        gain=(cast / (gray * tint)).astype(np.float32),
        steepness=max(0.25, min(exposure.contrast, near / max(spread, 1e-6))),
    )


def _vignette(camera: Camera, view: View, amount: float) -> Floats:
    corner = 4 * camera.scale**2 / (camera.width**2 + camera.height**2)
    return (1 - amount * ((view.x**2 + view.y**2) * corner) ** 1.3).astype(np.float32)


def _before_shoulder(light: Floats) -> Floats:
    """Return what the shoulder turns into `light`, so that a light colour comes out as it was asked for."""
    room = 1 - _SHOULDER
    above = np.clip(light, _SHOULDER, 0.95) - _SHOULDER  # no light comes out as 1
    return np.where(light < _SHOULDER, light, _SHOULDER - room * np.log(1 - above / room)).astype(np.float32)


def _tone_curve() -> NDArray[np.uint16]:
    """Return the sRGB value (0 to 255, in `_FINE` steps) of each of 65536 steps of linear light to `_LIGHTEST`."""
    light = np.linspace(0, _LIGHTEST, 65536, dtype=np.float32)
    room = 1 - _SHOULDER
    bright = _SHOULDER + room * (1 - np.exp(-(np.maximum(light, _SHOULDER) - _SHOULDER) / room))
    return np.rint(to_srgb(np.where(light < _SHOULDER, light, bright)) * (253.5 * _FINE)).astype(np.uint16)


def _dither(rng: np.random.Generator, width: int) -> NDArray[np.uint16]:
    """Return rows of film grain and triangular dither in `_FINE` steps, around the half that rounding down needs."""
    uniform = rng.random((2, _TILE, _TILE, 3), dtype=np.float32)
    grain = 0.55 * rng.standard_normal((_TILE, _TILE, 1), dtype=np.float32)
    noise = np.clip(uniform[0] - uniform[1] + grain, -1.9, 1.9) * np.float32(0.75)
    tile = np.rint((noise + _NO_SIGN + 0.5) * _FINE).astype(np.uint16)
    return np.ascontiguousarray(np.tile(tile, (1, -(-width // _TILE), 1))[:, :width])
