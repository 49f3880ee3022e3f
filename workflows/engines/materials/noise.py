"""Seamless noise, the stuff that materials are made of."""

from dataclasses import dataclass

import cv2
import numpy as np

from workflows.engines.palette import Floats

# What is smooth is drawn this coarse and enlarged: that is fast, and it is the same at every resolution.
_SMOOTH_SIDE = 256
_SMOOTH_SLOPE = 1.5
# And what is fine repeats after so many pixels: nobody finds one grain again.
_FINE_SIDE = 512
_WIDE_BLUR = 8.0


@dataclass(frozen=True)
class Noise:
    """A source of seamless noise, each field of shape (side, side), drawn from `rng`."""

    rng: np.random.Generator
    side: int = 512

    def __call__(self, *, slope: float, stretch: float = 1.0, coarsest: float = 1.0, turn: float = 0.0) -> Floats:
        """Return noise of mean 0 and deviation 1 whose amplitude falls as frequency^−slope.

        `stretch` draws it out along x, or along the line that `turn` degrees lie between; frequencies below
        `coarsest` waves a tile are left out. The phases and amplitudes are drawn as frequencies, which saves the
        transform there.
        """
        smooth = slope >= _SMOOTH_SLOPE and coarsest < _SMOOTH_SIDE / 8
        n = min(self.side, _SMOOTH_SIDE if smooth else _FINE_SIDE)
        times = 1 if smooth else self.side // n
        coarsest /= times
        fy = np.fft.fftfreq(n, 1 / n).astype(np.float32)[:, None]
        fx = np.arange(n // 2 + 1, dtype=np.float32)[None, :]
        cos, sin = np.float32(np.cos(np.radians(turn))), np.float32(np.sin(np.radians(turn)))
        along, across = fx * cos + fy * sin, fy * cos - fx * sin
        squared = (along * np.float32(stretch)) ** 2 + across**2
        squared[squared < coarsest**2] = np.inf
        waves = self.rng.standard_normal((n, n // 2 + 1, 2), dtype=np.float32).view(np.complex64)[..., 0]
        field = np.fft.irfft2(waves * squared ** np.float32(-slope / 2), s=(n, n)).astype(np.float32)
        field = (field - field.mean()) / field.std()
        return np.tile(field, (times, times)) if times > 1 else enlarged(field, self.side)


def enlarged(tile: Floats, side: int) -> Floats:
    """Return a tile with `side` pixels a side, still seamless."""
    if len(tile) == side:
        return tile
    factor, rim = side // len(tile), 4
    wide = cv2.copyMakeBorder(tile, rim, rim, rim, rim, cv2.BORDER_WRAP)
    wide = cv2.resize(wide, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(wide[rim * factor : rim * factor + side, rim * factor : rim * factor + side])


def blurred(tile: Floats, radius: float) -> Floats:
    """Return a tile blurred by `radius` pixels, still seamless."""
    if radius > _WIDE_BLUR and len(tile) % 4 == 0:
        small = cv2.resize(tile, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        return enlarged(blurred(small, radius / 4), len(tile))
    rim = min(len(tile), int(3 * radius) + 2)
    wide = cv2.copyMakeBorder(tile, rim, rim, rim, rim, cv2.BORDER_WRAP)
    return np.ascontiguousarray(cv2.GaussianBlur(wide, (0, 0), radius)[rim:-rim, rim:-rim])


def warped(tile: Floats, by_x: Floats, by_y: Floats) -> Floats:
    """Return a tile whose every pixel is taken from (by_x, by_y) tiles further on."""
    side = len(tile)
    rows, columns = np.arange(side, dtype=np.float32)[:, None], np.arange(side, dtype=np.float32)[None, :]
    return cv2.remap(
        tile,
        np.mod(columns + side * by_x, side),
        np.mod(rows + side * by_y, side),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
