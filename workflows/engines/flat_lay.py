"""The demo's photo: a flat lay of garments on a pale surface, drawn and not photographed, so that it is ours to give.

Each garment is a relief (edge, folds, cloth) that light from the upper left falls on; the camera adds its noise.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from workflows.engines.garments import GARMENTS, Garment, Path, mirrored, rounded
from workflows.engines.materials import noise, plaster
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
    rng = np.random.Generator(np.random.PCG64(seed))
    drawing = _Drawing(width, height, rng)
    masks = {garment.name: drawing.lay(garment) > 0.5 for garment in GARMENTS}
    pixels = drawing.photograph()
    _, encoded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 93])
    return encoded.tobytes(), masks


class _Drawing:
    """The surface and what has been laid on it so far, as linear light."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        self.width, self.height, self.rng = width, height, rng
        self.scale = min(width / _WIDTH, height / _HEIGHT)
        self.grid_y, self.grid_x = np.mgrid[0:height, 0:width].astype(np.float32)
        # Positions in the 1600 × 1200 that the garments are described in.
        self.x = (self.grid_x - width / 2) / self.scale + _WIDTH / 2
        self.y = (self.grid_y - height / 2) / self.scale + _HEIGHT / 2
        self.light = linear(_SURFACE) * plaster(rng).at(self.x / 560, self.y / 560)

    def lay(self, garment: Garment) -> Floats:
        """Draw the garment and the shadow that it casts; return how much of each pixel it covers."""
        turn = np.radians(self.rng.uniform(-3.5, 3.5))
        at = np.array(garment.at) + self.rng.uniform(-9, 9, 2)
        outline = mirrored(garment.outline) if garment.mirrored else garment.outline
        cover = self._filled(rounded(outline, garment.smooth), at, turn)
        for hole in garment.holes:
            cover = cover * (1 - self._filled(np.array(hole), at, turn))
        self._shadow(cover, garment.thickness)

        # The garment's own coordinates, so that cloth and folds turn with it.
        x, y = self.x - at[0], self.y - at[1]
        cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        x, y = (cos * x + sin * y).astype(np.float32), (cos * y - sin * x).astype(np.float32)
        solid = (cover > 0.5).astype(np.uint8)
        inward = cv2.distanceTransform(solid, cv2.DIST_L2, 5) / self.scale
        relief = garment.thickness * (1 - np.exp(-inward / (0.9 * garment.thickness)))
        relief += self._folds(garment, x, y)
        tint, weave = _WEAVES[garment.cloth](x, y, self.rng)
        reflectance = linear(garment.colors[int(self.rng.integers(len(garment.colors)))]) * tint[..., None]
        for path, factor in garment.shades:
            part = cv2.GaussianBlur(self._filled(np.array(path), at, turn), (0, 0), 1.2 * self.scale)
            reflectance = reflectance * (1 + (factor - 1) * part[..., None])
            relief -= 1.5 * part
        relief = cv2.GaussianBlur(relief.astype(np.float32), (0, 0), 1.6 * self.scale) + weave.astype(np.float32)
        for seam in garment.seams:
            near = self._line(seam, at, turn)
            relief -= 1.1 * near
            reflectance = reflectance * (1 - 0.22 * near[..., None])
        shown = reflectance * self._lit(relief.astype(np.float32))[..., None]
        self.light += (np.clip(shown, 0.002, 1) - self.light) * cover[..., None]
        return cover

    def photograph(self) -> Bytes:
        """Return what a camera sees, as sRGB bytes: uneven light, the lens's blur, the sensor's noise."""
        away = np.hypot((self.x - 620) / 1600, (self.y - 420) / 1600)
        light = cv2.GaussianBlur(self.light * (1.06 - 0.34 * away**1.5)[..., None], (0, 0), 0.6)
        # Photons arrive by chance (deviation as the root of light), and reading them out adds a little.
        sigma = np.sqrt(4e-5 * np.maximum(light, 0) + 1.5e-6)
        light = light + sigma * self.rng.standard_normal(light.shape, dtype=np.float32)
        return np.rint(to_srgb(np.clip(light, 0, 1).astype(np.float32)) * 255).astype(np.uint8)

    def _pixels(self, points: Floats, at: Floats, turn: float) -> NDArray[np.int32]:
        spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        placed = (points @ spin.T + at - [_WIDTH / 2, _HEIGHT / 2]) * self.scale + [self.width / 2, self.height / 2]
        return np.rint(placed * 16).astype(np.int32)

    def _filled(self, points: Floats, at: Floats, turn: float) -> Floats:
        mask = np.zeros((self.height, self.width), np.uint8)
        cv2.fillPoly(mask, [self._pixels(points, at, turn)], (255,), cv2.LINE_AA, 4)
        return mask.astype(np.float32) / 255

    def _line(self, path: Path, at: Floats, turn: float) -> Floats:
        mask = np.zeros((self.height, self.width), np.uint8)
        width = max(1, round(2 * self.scale))
        cv2.polylines(mask, [self._pixels(np.array(path), at, turn)], False, (255,), width, cv2.LINE_AA, 4)
        return cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 0.9 * self.scale)

    def _shadow(self, cover: Floats, thickness: float) -> None:
        """Darken the surface: a wide soft shadow away from the lamp, and a narrow one where cloth touches it."""
        for reach, blur, strength in ((1.1, 1.3, 0.34), (0.35, 0.4, 0.3)):
            move = np.float32([[1, 0, reach * thickness * self.scale], [0, 1, 1.1 * reach * thickness * self.scale]])
            moved = cv2.warpAffine(cover, move, (self.width, self.height))
            soft = cv2.GaussianBlur(moved, (0, 0), max(0.8, blur * thickness * self.scale))
            self.light *= (1 - strength * soft)[..., None]

    def _folds(self, garment: Garment, x: Floats, y: Floats) -> Floats:
        relief = np.zeros_like(x)
        for fold_x, fold_y, degrees, length, width, height in garment.folds:
            turn = np.radians(degrees + self.rng.uniform(-12, 12))
            along = (x - fold_x) * np.cos(turn) + (y - fold_y) * np.sin(turn)
            across = (y - fold_y) * np.cos(turn) - (x - fold_x) * np.sin(turn)
            across = across + 14 * np.sin(along / 70 + self.rng.uniform(0, 6))
            relief += height * np.exp(-((across / width) ** 2)) * np.exp(-((along / (0.5 * length)) ** 2))
        crumple = _tiled(noise(self.rng, slope=1.9, coarsest=2), x, y, 1.3)
        return relief + 2.2 * crumple

    def _lit(self, relief: Floats) -> Floats:
        slope_x = cv2.Sobel(relief, cv2.CV_32F, 1, 0, scale=self.scale / 8)
        slope_y = cv2.Sobel(relief, cv2.CV_32F, 0, 1, scale=self.scale / 8)
        facing = (_LAMP[2] - slope_x * _LAMP[0] - slope_y * _LAMP[1]) / np.sqrt(1 + slope_x**2 + slope_y**2)
        return 0.32 + 0.68 * np.clip(facing, 0, None) / _LAMP[2]


def _tiled(tile: Floats, x: Floats, y: Floats, pitch: float) -> Floats:
    n = tile.shape[0]
    return cv2.remap(tile, np.mod(x / pitch, n).astype(np.float32), np.mod(y / pitch, n).astype(np.float32),
                     cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)  # fmt: skip


def _jersey(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    fuzz = _tiled(noise(rng, slope=0.4, coarsest=30), x, y, 1.0)
    return 1 + 0.035 * fuzz, 0.10 * np.sin(x * 2.0) * np.sin(y * 1.4)


def _denim(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    twill = np.sin((x + 0.62 * y) * 1.55)
    slubs = _tiled(noise(rng, slope=0.5, stretch=0.06, coarsest=20), x, y, 1.0)
    worn = _tiled(noise(rng, slope=2.0), x, y, 1.2)
    return np.clip(1 + 0.10 * twill + 0.12 * slubs + 0.09 * worn, 0.4, None), 0.12 * twill


def _twill(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    twill = np.sin((x - 0.8 * y) * 1.7)
    return 1 + 0.05 * twill + 0.03 * _tiled(noise(rng, slope=0.4, coarsest=30), x, y, 1.0), 0.1 * twill


def _leather(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    grain = _tiled(noise(rng, slope=0.9, coarsest=40), x, y, 0.9)
    return 1 + 0.07 * _tiled(noise(rng, slope=1.7), x, y, 1.0), 0.28 * np.clip(grain, -1.5, 0.6)


def _knit(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    stitch = np.sin(x * 0.75) * 0.7 + 0.3 * np.sin(y * 1.1 + 2.2 * np.abs(np.sin(x * 0.375)))
    return 1 + 0.11 * stitch + 0.05 * _tiled(noise(rng, slope=0.6, coarsest=20), x, y, 1.0), 0.9 * stitch


_WEAVES = {"jersey": _jersey, "denim": _denim, "twill": _twill, "leather": _leather, "knit": _knit}
