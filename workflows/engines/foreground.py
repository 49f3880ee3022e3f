"""Telling what is worn or shown on a photo from all else, without any learned weights but those that find a face.

A model of the border's colours says where the background surely is; GrabCut (Rother, Kolmogorov, Blake 2004) draws
the line at reduced size. Before a busy background a person's face says where to look. Skin and hair are no item.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from workflows.engines.matting import refined
from workflows.engines.palette import Bytes, Floats, lab, to_linear
from workflows.engines.people import Box, body_of, find_faces, without_holes, worn_by

_LONG_SIDE = 512
_SHADOW_WEIGHT = 0.45  # of lightness against hue: a shadow changes the first alone


@dataclass(frozen=True)
class Foreground:
    """What is worn or shown: alpha, uint8 of shape (h, w), and the faces seen, as boxes in the photo's pixels."""

    alpha: Bytes
    faces: tuple[Box, ...]


def look(photo: Bytes, given: Bytes | None = None) -> Foreground:
    """Tell what is worn or shown on a photo from all else; alpha is 0 everywhere where nothing stands out.

    `photo` is sRGB, shape (h, w, 3); `given` its own alpha, which is believed if it cuts something out, people's
    skin and hair apart.
    """
    height, width = photo.shape[:2]
    shrink = min(1.0, _LONG_SIDE / max(height, width))
    small_size = (max(16, round(width * shrink)), max(16, round(height * shrink)))
    small = cv2.resize(photo, small_size, interpolation=cv2.INTER_AREA)
    scale = max(height, width) / max(small_size)
    faces = find_faces(small)
    # An alpha that is all opaque says nothing; one that is all clear says that there is nothing.
    cut_out = given is not None and given.min() < 128
    if given is not None and cut_out:
        mask = (cv2.resize(given, small_size, interpolation=cv2.INTER_AREA) > 127).astype(np.uint8)
        if not faces:
            return Foreground(given, ())
    else:
        mask = _segment(small, faces)
    for face in faces:
        mask = worn_by(small, mask, face)
    alpha = refined(photo, mask)
    if given is not None and cut_out:
        alpha = np.minimum(alpha, given)
    return Foreground(
        alpha, tuple((round(x * scale), round(y * scale), round(w * scale), round(h * scale)) for x, y, w, h in faces)
    )


def _segment(small: Bytes, faces: tuple[Box, ...]) -> Bytes:
    """Return the foreground of a small photo as 0 and 1, shape (h, w); 0 where all is like the border."""
    distance, is_plain = _unlike_border(small)
    if faces and not is_plain:
        return np.maximum.reduce([body_of(small, face) for face in faces])
    nothing = np.zeros(small.shape[:2], np.uint8)
    threshold = _otsu(distance)
    if threshold is None:
        return nothing
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
        return nothing
    cv2.setRNGSeed(7)  # GrabCut starts with a random k-means
    try:
        cv2.grabCut(cv2.GaussianBlur(small, (3, 3), 0)[..., ::-1].copy(), labels, (0, 0, 0, 0), np.zeros((1, 65)),
                    np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)  # fmt: skip
    except cv2.error:  # too few pixels of one kind for its colour models
        return foreground.astype(np.uint8)
    mask: Bytes = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    size = max(1, round(0.004 * max(mask.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * size + 1, 2 * size + 1))
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)
    if is_plain:
        mask = _without_shadows(small, mask)
    return without_holes(mask, 0.012 * max(mask.shape))  # prints and glints that look like the background


def _without_shadows(small: Bytes, mask: Bytes) -> Bytes:
    """Return the mask without the shadows that what is in it casts on a plain background.

    A shadow is the background, only darker: of its hue and as smooth. It lies beside what casts it, and on no side
    but the background's; what is gray and smooth itself, a garment perhaps, has nothing beside it that could cast it.
    """
    if not mask.any():
        return mask
    light = cv2.GaussianBlur(to_linear(small.astype(np.float32) / 255), (0, 0), 1.0)
    y, x = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]].astype(np.float32) / max(mask.shape) - 0.5
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    shown = cv2.dilate(mask, np.ones((9, 9), np.uint8)) == 0
    for _ in range(2):  # the second time without what lies in a faint shadow, too faint for the mask
        planes, *_ = np.linalg.lstsq(terms[shown], light[shown], rcond=None)
        full = terms @ planes
        shown &= light.mean(axis=2) > 0.93 * full.mean(axis=2)
        if shown.sum() < 500:
            return mask
    ratio = np.maximum(light + 0.004, 0.001) / np.maximum(full + 0.004, 0.004)
    left = ratio.mean(axis=2)
    hue = np.abs(ratio / left[..., None] - 1).max(axis=2)
    grain = np.abs(left - cv2.GaussianBlur(left, (0, 0), 1.0)) / np.maximum(left, 0.05)
    usual = float(np.median(grain[mask == 0]))
    like = (left > 0.15) & (left < 0.97) & (hue < 0.1)
    smooth = cv2.GaussianBlur(grain, (0, 0), 1.5) < 2.5 * usual + 0.012
    kept = mask
    # A narrow shadow is not smooth at its own edges; a wide one runs into what has its hue by chance, save that it is.
    for candidates, least in ((like, 12), (like & smooth, 0.01 * mask.size)):
        opened = cv2.morphologyEx(candidates.astype(np.uint8) & kept, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        kept = _without_cast(kept, opened, grain, most_grain=2.5 * usual + 0.005, least_area=least)
    size = max(1, round(0.006 * max(mask.shape)))
    return cv2.morphologyEx(
        kept, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * size + 1, 2 * size + 1))
    )


def _without_cast(mask: Bytes, like: Bytes, grain: Floats, *, most_grain: float, least_area: float) -> Bytes:
    """Return the mask without those parts of `like` that lie between what casts them and the background."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(like, connectivity=4)
    kept = mask.copy()
    for part in range(1, count):
        x, y, width, height, area = stats[part]
        window = slice(max(0, y - 3), y + height + 3), slice(max(0, x - 3), x + width + 3)
        wide = slice(max(0, y - height // 2), y + 3 * height // 2), slice(max(0, x - width // 2), x + 3 * width // 2)
        shadow = (labels[window] == part).astype(np.uint8)
        rim = cv2.dilate(shadow, np.ones((5, 5), np.uint8)) - shadow
        casts = (rim * mask[window] * (1 - like[window])).sum() / rim.sum()
        lies = (rim * (1 - mask[window])).sum() / rim.sum()
        is_smooth = np.median(grain[window][shadow == 1]) < most_grain
        is_less = area < (mask[wide] * (1 - like[wide])).sum()
        if area > least_area and is_smooth and is_less and lies > 0.25 and casts > 0.2:
            kept[window][shadow == 1] = 0
    return kept


def _unlike_border(small: Bytes) -> tuple[Floats, bool]:
    """Return how far each pixel's colour is from the border's, in deviations of the nearest, and if that is plain."""
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
        return smooth.astype(np.float32), bool(np.median(left) < 5)
    # A busy border is several colours: the nearest of a few is what a pixel is compared with.
    cv2.setRNGSeed(7)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    labels = np.empty(0, np.int32)
    _, _, centers = cv2.kmeans(border[::2].copy(), 6, labels, criteria, 1, cv2.KMEANS_PP_CENTERS)
    nearest = np.min([np.linalg.norm(pixels - center, axis=-1) for center in centers], axis=0)
    return np.asarray(nearest / 6.0, np.float32), False


def _otsu(distance: Floats) -> float | None:
    """Return the distance that best parts two groups (Otsu 1979), or None where there is but one."""
    scaled = np.log1p(distance)
    top = float(scaled.max())
    if top < np.log1p(2.0):  # nothing is clearly unlike the border
        return None
    threshold, _ = cv2.threshold((scaled * (255 / top)).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    return float(np.clip(np.expm1(threshold * top / 255), 1.8, 12.0))
