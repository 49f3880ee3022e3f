"""Telling the foreground of a photo from its background, without any learned weights.

A model of the border's colours says where the background surely is; GrabCut (Rother, Kolmogorov, Blake 2004) draws
the line at reduced size; the colours on its two sides say how much of each pixel along it is foreground.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from workflows.engines.palette import Bytes, Floats, lab

_LONG_SIDE = 512
_SHADOW_WEIGHT = 0.45  # of lightness against hue: a shadow changes the first alone
_REFINE_PIXELS = 6_000_000
_FAINT_CONTRAST = 0.004  # squared distance of two sRGB colours of 0 to 1 that noise may bridge


def alpha_of(photo: Bytes, given: Bytes | None = None) -> Floats:
    """Return how much of each pixel is foreground, shape (h, w), 0 to 1; all 0 where nothing stands out.

    `photo` is sRGB, shape (h, w, 3); `given` its own alpha, which is believed if it cuts something out.
    """
    # An alpha that is all opaque says nothing; one that is all clear says that there is nothing.
    if given is not None and given.min() < 128:
        return given.astype(np.float32) / 255
    height, width = photo.shape[:2]
    shrink = min(1.0, _LONG_SIDE / max(height, width))
    small_size = (max(16, round(width * shrink)), max(16, round(height * shrink)))
    small = cv2.resize(photo, small_size, interpolation=cv2.INTER_AREA)
    mask = _segment(small)
    if mask is None:
        return np.zeros((height, width), np.float32)
    return _refine(photo, small, mask)


def _segment(small: Bytes) -> Bytes | None:
    """Return the foreground of a small photo as 0 and 1, shape (h, w); None where all is like the border."""
    distance = _unlike_border(small)
    threshold = _otsu(distance)
    if threshold is None:
        return None
    labels = np.full(small.shape[:2], cv2.GC_PR_BGD, np.uint8)
    labels[distance > threshold] = cv2.GC_PR_FGD
    labels[distance > 2.2 * threshold] = cv2.GC_FGD
    labels[distance < 0.4 * threshold] = cv2.GC_BGD
    frame = max(1, round(0.008 * max(labels.shape)))
    edge = np.ones_like(labels, bool)
    edge[frame:-frame, frame:-frame] = False
    # What the photo cuts off reaches the border, so a border pixel is background only where it looks like it.
    labels[edge & (distance < threshold)] = cv2.GC_BGD
    foreground = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if not 0.001 < foreground.mean() < 0.98 or not np.isin(labels, (cv2.GC_BGD, cv2.GC_PR_BGD)).any():
        return None
    cv2.setRNGSeed(7)  # GrabCut starts with a random k-means
    try:
        cv2.grabCut(cv2.GaussianBlur(small, (3, 3), 0)[..., ::-1].copy(), labels, (0, 0, 0, 0), np.zeros((1, 65)),
                    np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)  # fmt: skip
    except cv2.error:  # too few pixels of one kind for its colour models
        return foreground.astype(np.uint8)
    mask = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    size = max(1, round(0.004 * max(mask.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * size + 1, 2 * size + 1))
    return cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)


def _unlike_border(small: Bytes) -> Floats:
    """Return how far each pixel's colour is from those of the border, in deviations of the nearest of them."""
    pixels = cv2.GaussianBlur(lab(small), (0, 0), 1.0)
    pixels = pixels * np.array([_SHADOW_WEIGHT, 1, 1], np.float32)
    height, width = pixels.shape[:2]
    band = max(2, round(0.03 * min(height, width)))
    border = np.concatenate(
        [
            pixels[:band].reshape(-1, 3),
            pixels[-band:].reshape(-1, 3),
            pixels[:, :band].reshape(-1, 3),
            pixels[:, -band:].reshape(-1, 3),
        ]
    )
    # Light falls off over a photo: a plane through the border's colours follows it, fitted twice, the second time
    # without what stood out, for a garment may touch the border.
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    terms = np.stack([np.ones_like(x), x / width - 0.5, y / height - 0.5], axis=-1)
    edge = np.zeros((height, width), bool)
    edge[:band] = edge[-band:] = True
    edge[:, :band] = edge[:, -band:] = True
    design, values = terms[edge], pixels[edge]
    kept = np.linalg.norm(values - np.median(border, axis=0), axis=1)
    kept = kept <= np.percentile(kept, 75)
    for _ in range(2):
        plane, *_ = np.linalg.lstsq(design[kept], values[kept], rcond=None)
        left = np.linalg.norm(values - design @ plane, axis=1)
        kept = left <= max(3 * float(np.median(left)), 1.5)
    smooth = np.linalg.norm(pixels - terms @ plane, axis=-1) / max(1.5, 1.5 * float(np.median(left)))
    if kept.mean() > 0.7:
        return smooth.astype(np.float32)
    # A busy border is several colours: the nearest of a few is what a pixel is compared with.
    cv2.setRNGSeed(7)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    labels = np.empty(0, np.int32)
    _, _, centers = cv2.kmeans(border[::2].copy(), 6, labels, criteria, 1, cv2.KMEANS_PP_CENTERS)
    nearest = np.min([np.linalg.norm(pixels - center, axis=-1) for center in centers], axis=0)
    return np.asarray(nearest / 6.0, np.float32)


def _otsu(distance: Floats) -> float | None:
    """Return the distance that best parts two groups (Otsu 1979), or None where there is but one."""
    scaled = np.log1p(distance)
    top = float(scaled.max())
    if top < np.log1p(2.0):  # nothing is clearly unlike the border
        return None
    threshold, _ = cv2.threshold((scaled * (255 / top)).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    return float(np.clip(np.expm1(threshold * top / 255), 1.8, 12.0))


def _refine(photo: Bytes, small: Bytes, mask: Bytes) -> Floats:
    """Return the small mask as alpha of the photo's size, its edge drawn to the photo's own.

    In a narrow band around the mask's line a pixel is taken to be a mixture of the colours that surely are
    foreground and background nearby; alpha is where it lies between the two. Made at up to 6 megapixels.
    """
    height, width = photo.shape[:2]
    shrink = min(1.0, (_REFINE_PIXELS / (height * width)) ** 0.5)
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    guide = photo if size == (width, height) else cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    guide = guide.astype(np.float32) / 255
    scale = max(1.0, max(size) / max(small.shape[:2]))
    rough = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    rough = cv2.GaussianBlur(np.clip(rough, 0, 1), (0, 0), 0.5 * scale)
    inside = (rough > 0.5).astype(np.uint8)
    radius = max(2, round(1.5 * scale))
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    sure, never = cv2.erode(inside, reach), 1 - cv2.dilate(inside, reach)
    fore, fore_near = _color_nearby(guide, sure, 3 * radius)
    back, back_near = _color_nearby(guide, never, 3 * radius)
    across = fore - back
    contrast = (across**2).sum(axis=2)
    mixture = ((guide - back) * across).sum(axis=2) / (contrast + 1e-6)
    # Where the two colours are alike, or one of them is not near, the mask's own line has to do.
    trust = contrast / (contrast + _FAINT_CONTRAST) * (fore_near * back_near)
    alpha = trust * np.clip((mixture - 0.12) / 0.76, 0, 1) + (1 - trust) * np.clip((rough - 0.3) / 0.4, 0, 1)
    alpha = np.where(sure == 1, 1, np.where(never == 1, 0, alpha)).astype(np.float32)
    return alpha if size == (width, height) else cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR)


def _color_nearby(guide: Floats, where: Bytes, radius: int) -> tuple[Floats, Bytes]:
    """Return the mean colour of the pixels `where` within `radius`, and whether there are any."""
    side = (2 * radius + 1, 2 * radius + 1)
    share = cv2.blur(where.astype(np.float32), side)
    total = cv2.blur(guide * where[..., None], side)
    return total / np.maximum(share, 1e-4)[..., None], share > 1e-3


@dataclass(frozen=True, eq=False)
class Foreground:
    """What of a photo is items: `alpha`, 0 to 255, shape (h, w); and the faces of who wears them, (x, y, w, h)."""

    alpha: Bytes
    faces: tuple[tuple[int, int, int, int], ...] = ()


def look(photo: Bytes, given: Bytes | None = None) -> Foreground:
    return Foreground(np.rint(alpha_of(photo, given) * 255).astype(np.uint8))
