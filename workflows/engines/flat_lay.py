"""The demo's photo: a flat lay of garments on a pale surface, drawn and not photographed, so that it is ours to give.

Each garment is a relief (edge, folds, cloth) that light from the upper left falls on; the camera adds its noise.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from workflows.engines.garments import GARMENTS, Garment, Path, curved, mirrored, rounded
from workflows.engines.materials import Noise
from workflows.engines.materials.plain import plaster
from workflows.engines.palette import Bytes, Floats, linear, to_srgb

_WIDTH, _HEIGHT = 1600, 1200
_SURFACE = "#e6e1d8"
_LAMP = np.array([-0.5, -0.55, 0.67], np.float32)


def draw_flat_lay(*, seed: int = 7, width: int = 1600, height: int = 1200) -> bytes:
    """Return the photo as a JPEG; the same seed and size give the same bytes."""
    return draw_flat_lay_with_masks(seed=seed, width=width, height=height)[0]


def draw_flat_lay_with_masks(
    *, seed: int = 7, width: int = 1600, height: int = 1200
) -> tuple[bytes, dict[str, NDArray[np.bool_]]]:
    """Return the photo, and for each garment's name where it truly lies, shape (height, width)."""
    cv2.setNumThreads(1)
    drawing = _Drawing(width, height, _random(seed, 0))
    masks = {
        garment.name: drawing.lay(garment, _random(seed, number)) > 0.5 for number, garment in enumerate(GARMENTS, 1)
    }
    pixels = drawing.photograph()
    _, encoded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 93])
    return encoded.tobytes(), masks


def _random(seed: int, stream: int) -> np.random.Generator:
    """Return a random stream: each garment has one of its own, so that a change to one leaves the others."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(stream,))))


class _Drawing:
    """The surface and what has been laid on it so far, as linear light."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        self.width, self.height, self.rng = width, height, rng
        self.scale = min(width / _WIDTH, height / _HEIGHT)
        # Positions in the 1600 × 1200 that the garments are described in.
        self.x = (np.arange(width, dtype=np.float32)[None] + 0.5 - width / 2) / self.scale + _WIDTH / 2
        self.y = (np.arange(height, dtype=np.float32)[:, None] + 0.5 - height / 2) / self.scale + _HEIGHT / 2
        self.light = linear(_SURFACE) * plaster(Noise(rng)).at(self.x / 560, self.y / 560)

    def lay(self, garment: Garment, rng: np.random.Generator) -> Floats:
        """Draw the garment and the shadow that it casts; return how much of each pixel it covers, shape (h, w)."""
        piece = _Piece(self, garment, rng)
        self.light[piece.window] = piece.drawn_on(self.light[piece.window])
        cover = np.zeros((self.height, self.width), np.float32)
        cover[piece.window] = piece.cover
        return cover

    def photograph(self) -> Bytes:
        """Return what a camera sees, as sRGB bytes: uneven light, the lens's blur, the sensor's noise."""
        away = np.hypot((self.x - 620) / 1600, (self.y - 420) / 1600)
        light = cv2.GaussianBlur(self.light * (1.06 - 0.34 * away**1.5)[..., None], (0, 0), 0.6)
        # Photons arrive by chance (deviation as the root of light), and reading them out adds a little.
        sigma = np.sqrt(4e-5 * np.maximum(light, 0) + 1.5e-6)
        light = light + sigma * self.rng.standard_normal(light.shape, dtype=np.float32)
        return np.rint(to_srgb(np.clip(light, 0, 1).astype(np.float32)) * 255).astype(np.uint8)


class _Piece:
    """One garment where it lies: all arrays are of the `window` of the picture that it and its shadow need."""

    def __init__(self, drawing: _Drawing, garment: Garment, rng: np.random.Generator) -> None:
        self.garment, self.rng, self.scale = garment, rng, drawing.scale
        self.color = linear(garment.colors[int(rng.integers(len(garment.colors)))])
        turn = self.rng.uniform(-0.06, 0.06)
        self.spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]], np.float32)
        at = np.array(garment.at) + self.rng.uniform(-9, 9, 2) - [_WIDTH / 2, _HEIGHT / 2]
        self.middle = at * self.scale + [drawing.width / 2, drawing.height / 2]
        outline = rounded(mirrored(garment.outline) if garment.mirrored else garment.outline, garment.smooth)
        self.offset = np.zeros(2)
        left, top, wide, high = cv2.boundingRect(self._pixels(outline) // 16)
        margin = round(70 * self.scale) + 2
        left, top, right, bottom = left - margin, top - margin, left + wide + margin, top + high + margin
        self.window = (slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right)))
        self.offset = np.array([self.window[1].start, self.window[0].start])
        x, y = drawing.x[:, self.window[1]], drawing.y[self.window[0]]
        self.shape = (y.shape[0], x.shape[1])
        # The garment's own coordinates, so that cloth and folds turn with it.
        x = x - np.float32(at[0] + _WIDTH / 2)
        y = y - np.float32(at[1] + _HEIGHT / 2)
        self.x, self.y = self.spin[0, 0] * x + self.spin[1, 0] * y, self.spin[0, 1] * x + self.spin[1, 1] * y
        self.cover = self._filled(outline)
        for hole in garment.holes:
            self.cover = self.cover * (1 - self._filled(np.array(hole)))

    def drawn_on(self, surface: Floats) -> Floats:
        """Return the surface, shape (h, w, 3), with the shadow and the garment on it."""
        garment = self.garment
        inward = cv2.distanceTransform((self.cover > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / self.scale
        relief = garment.thickness * (1 - np.exp(-inward / (0.9 * garment.thickness))) + self._folds()
        tint, weave = _WEAVES[garment.cloth](self.x, self.y, self.rng)
        reflectance = self.color * tint[..., None]
        for path, factor in garment.shades:
            part = cv2.GaussianBlur(self._filled(np.array(path)), (0, 0), 1.2 * self.scale)
            reflectance = reflectance * (1 + (factor - 1) * part[..., None])
            relief -= 1.5 * part
        relief = cv2.GaussianBlur(relief.astype(np.float32), (0, 0), 1.6 * self.scale) + weave
        for seam in garment.seams:
            near = self._line(seam)
            relief -= 1.1 * near
            reflectance = reflectance * (1 - 0.22 * near[..., None])
        shown = np.clip(reflectance * self._lit(relief.astype(np.float32))[..., None], 0.002, 1)
        under = surface * self._shadow()[..., None]
        return np.asarray(under + (shown - under) * self.cover[..., None], np.float32)

    def _pixels(self, points: Floats) -> NDArray[np.int32]:
        """Return the window's pixels, in sixteenths, of points of the garment, shape (n, 2)."""
        return np.rint((points @ self.spin.T * self.scale + self.middle - self.offset) * 16).astype(np.int32)

    def _filled(self, points: Floats) -> Floats:
        mask = np.zeros(self.shape, np.uint8)
        cv2.fillPoly(mask, [self._pixels(points)], (255,), cv2.LINE_AA, 4)
        return mask.astype(np.float32) / 255

    def _line(self, path: Path) -> Floats:
        mask = np.zeros(self.shape, np.uint8)
        width = max(1, round(2 * self.scale))
        cv2.polylines(mask, [self._pixels(curved(path))], False, (255,), width, cv2.LINE_AA, 4)
        return cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 0.9 * self.scale)

    def _shadow(self) -> Floats:
        """Return the light that is left: a wide soft shadow away from the lamp, a narrow one where cloth touches."""
        light, thickness = np.ones(self.shape, np.float32), self.garment.thickness * self.scale
        for reach, blur, strength in ((1.1, 1.3, 0.34), (0.35, 0.4, 0.3)):
            move = np.array([[1, 0, reach * thickness], [0, 1, 1.1 * reach * thickness]], np.float32)
            moved = cv2.warpAffine(self.cover, move, self.shape[::-1])
            light *= 1 - strength * cv2.GaussianBlur(moved, (0, 0), max(0.8, blur * thickness))
        return light

    def _folds(self) -> Floats:
        relief = np.zeros(self.shape, np.float32)
        for fold_x, fold_y, degrees, length, width, height in self.garment.folds:
            turn = np.radians(degrees + self.rng.uniform(-12, 12))
            cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
            along = (self.x - fold_x) * cos + (self.y - fold_y) * sin
            across = (self.y - fold_y) * cos - (self.x - fold_x) * sin
            across = across + 14 * np.sin(along / 70 + np.float32(self.rng.uniform(0, 6)))
            relief += 1.25 * height * np.exp(-((across / width) ** 2) - (along / (0.5 * length)) ** 2)
        crumple = _tiled(Noise(self.rng)(slope=1.9, coarsest=2), self.x, self.y, 2.6)
        return relief + 2.6 * crumple

    def _lit(self, relief: Floats) -> Floats:
        slope_x = cv2.Sobel(relief, cv2.CV_32F, 1, 0, scale=self.scale / 8)
        slope_y = cv2.Sobel(relief, cv2.CV_32F, 0, 1, scale=self.scale / 8)
        facing = (_LAMP[2] - slope_x * _LAMP[0] - slope_y * _LAMP[1]) / np.sqrt(1 + slope_x**2 + slope_y**2)
        return np.asarray(0.32 + 0.68 * np.clip(facing, 0, None) / _LAMP[2], np.float32)


def _tiled(tile: Floats, x: Floats, y: Floats, pitch: float) -> Floats:
    n = tile.shape[0]
    return cv2.remap(tile, np.mod(x / pitch, n).astype(np.float32), np.mod(y / pitch, n).astype(np.float32),
                     cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)  # fmt: skip


def _jersey(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    fuzz = _tiled(Noise(rng)(slope=0.4, coarsest=30), x, y, 1.0)
    return 1 + 0.035 * fuzz, 0.10 * np.sin(x * 2.0) * np.sin(y * 1.4)


def _denim(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    twill = np.sin((x + 0.62 * y) * 1.55)
    slubs = _tiled(Noise(rng)(slope=0.5, stretch=0.06, coarsest=20), x, y, 1.0)
    worn = _tiled(Noise(rng)(slope=2.0), x, y, 1.2)
    return np.clip(1 + 0.10 * twill + 0.12 * slubs + 0.09 * worn, 0.4, None), 0.12 * twill


def _twill(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    twill = np.sin((x - 0.8 * y) * 1.7)
    return 1 + 0.05 * twill + 0.03 * _tiled(Noise(rng)(slope=0.4, coarsest=30), x, y, 1.0), 0.1 * twill


def _leather(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    grain = _tiled(Noise(rng)(slope=0.9, coarsest=40), x, y, 0.9)
    return 1 + 0.07 * _tiled(Noise(rng)(slope=1.7), x, y, 1.0), 0.28 * np.clip(grain, -1.5, 0.6)


def _knit(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    stitch = np.sin(x * 0.75) * 0.7 + 0.3 * np.sin(y * 1.1 + 2.2 * np.abs(np.sin(x * 0.375)))
    return 1 + 0.11 * stitch + 0.05 * _tiled(Noise(rng)(slope=0.6, coarsest=20), x, y, 1.0), 0.9 * stitch


_WEAVES = {"jersey": _jersey, "denim": _denim, "twill": _twill, "leather": _leather, "knit": _knit}
