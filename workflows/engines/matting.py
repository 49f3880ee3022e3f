"""The edges of a cut-out: how much of each pixel along them is foreground, and what colour that part of it has.

All of it is made in tiles, and only where an edge is, so that a large photo costs what its edges do.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from workflows.engines.palette import Bytes, Floats

_TILE = 512
_MOST_PIXELS = 6_000_000  # that alpha is drawn at; a larger photo is not sharper in each of its own
_FAINT_CONTRAST = 0.004  # squared distance of two sRGB colours of 0 to 1 that noise may bridge
_FAR, _NEAR = 24, 3  # pixels from which a mixed pixel's two colours are taken, first and then


def refined(photo: Bytes, mask: Bytes) -> Bytes:
    """Return a small mask of 0 and 1 as alpha of the photo's size, 0 to 255, its edge drawn to the photo's own.

    In a narrow band around the mask's line a pixel is taken to be a mixture of the colours that surely are
    foreground and background nearby; alpha is where it lies between the two.
    """
    height, width = photo.shape[:2]
    shrink = (_MOST_PIXELS / (height * width)) ** 0.5
    if shrink < 1:
        size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        alpha = refined(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), mask)
        return cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR)
    scale = max(1.0, max(height, width) / max(mask.shape))
    rough = cv2.resize(mask * np.uint8(255), (width, height), interpolation=cv2.INTER_LINEAR)
    radius = max(2, round(1.5 * scale))
    halo = 5 * radius + 2
    alpha = np.where(rough > 127, np.uint8(255), np.uint8(0))
    for inner, outer, within in _edges(rough, 2 * radius, halo):
        alpha[inner] = _mixed(photo[outer], rough[outer], scale, radius)[within]
    return alpha


def _mixed(photo: Bytes, rough: Bytes, scale: float, radius: int) -> Bytes:
    guide = photo.astype(np.float32) / 255
    soft = cv2.GaussianBlur(rough, (0, 0), 0.5 * scale).astype(np.float32) / 255
    inside = (soft > 0.5).astype(np.uint8)
    reach = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    sure, never = cv2.erode(inside, reach), 1 - cv2.dilate(inside, reach)
    fore, fore_near = _color_nearby(guide, sure, 3 * radius)
    back, back_near = _color_nearby(guide, never, 3 * radius)
    across = fore - back
    contrast = (across**2).sum(axis=2)
    mixture = ((guide - back) * across).sum(axis=2) / (contrast + 1e-6)
    # Where the two colours are alike, or one of them is not near, the mask's own line has to do.
    trust = contrast / (contrast + _FAINT_CONTRAST) * (fore_near * back_near)
    alpha = trust * np.clip((mixture - 0.12) / 0.76, 0, 1) + (1 - trust) * np.clip((soft - 0.3) / 0.4, 0, 1)
    alpha = np.where(sure == 1, 1, np.where(never == 1, 0, alpha))
    return np.rint(alpha * 255).astype(np.uint8)


def _color_nearby(guide: Floats, where: Bytes, radius: int) -> tuple[Floats, Bytes]:
    """Return the mean colour of the pixels `where` within `radius`, and whether there are any."""
    side = (2 * radius + 1, 2 * radius + 1)
    share = cv2.blur(where.astype(np.float32), side)
    total = cv2.blur(guide * where[..., None], side)
    return total / np.maximum(share, 1e-4)[..., None], share > 1e-3


def decontaminate(pixels: Bytes, alpha: Bytes) -> Bytes:
    """Return the pixels, shape (h, w, 3), with the foreground's own colour wherever alpha, 0 to 255, is partial.

    A mixed pixel shows the background too, which would be a halo on any other. Its foreground is estimated by blur
    fusion (Forte and Pitié, "Approximate Fast Foreground Colour Estimation", 2021), from far and then from near.
    """
    clean = pixels.copy()
    mixed = cv2.morphologyEx(alpha, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    mixed[(alpha > 0) & (alpha < 255)] = 128
    for inner, outer, within in _edges(mixed, 0, 2 * (_FAR + _NEAR)):
        image, share = pixels[outer].astype(np.float32), alpha[outer].astype(np.float32)[..., None] / 255
        fore, back = image, image
        for radius in (_FAR, _NEAR):
            fore, back = _fused(image, share, fore, back, radius)
        partial = (alpha[inner] > 0) & (alpha[inner] < 255)
        clean[inner][partial] = np.rint(np.clip(fore[within][partial], 0, 255)).astype(np.uint8)
    return clean


def _fused(image: Floats, share: Floats, fore: Floats, back: Floats, radius: int) -> tuple[Floats, Floats]:
    side = (2 * radius + 1, 2 * radius + 1)
    blurred = cv2.blur(share, side)[..., None]
    fore = cv2.blur(fore * share, side) / (blurred + 1e-5)
    back = cv2.blur(back * (1 - share), side) / (1 - blurred + 1e-5)
    return fore + share * (image - share * fore - (1 - share) * back), back


Window = tuple[slice, slice]


def _edges(field: Bytes, reach: int, halo: int) -> Iterator[tuple[Window, Window, Window]]:
    """Yield the tiles of a field that are not uniform up to `reach`: tile, tile with halo, and the one in the other."""
    height, width = field.shape
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            tile = slice(top, min(height, top + _TILE)), slice(left, min(width, left + _TILE))
            seen = field[_grown(tile, field.shape, reach)]
            if seen.min() != seen.max():
                rows, columns = outer = _grown(tile, field.shape, halo)
                yield tile, outer, (_moved(tile[0], -rows.start), _moved(tile[1], -columns.start))


def _grown(tile: Window, shape: tuple[int, ...], by: int) -> Window:
    rows, columns = tile
    return (
        slice(max(0, rows.start - by), min(shape[0], rows.stop + by)),
        slice(max(0, columns.start - by), min(shape[1], columns.stop + by)),
    )


def _moved(one: slice, by: int) -> slice:
    return slice(one.start + by, one.stop + by)
