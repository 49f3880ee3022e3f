"""People on a photo: their faces, where a face says that the body is, and what of it is skin and hair."""

from functools import cache
from typing import Any

import cv2
import numpy as np

from workflows.engines.graph_cut import colors_of, cut, likelihood
from workflows.engines.palette import Bytes, Floats, lab

Box = tuple[int, int, int, int]  # x, y, width, height

_LONG_SIDE = 480  # of the photo that faces are looked for on
_SURE = 100.0


@cache
def _cascade() -> Any:
    # Takes 0.4 s and 30 MB; no process but a worker that extracts needs it.
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    return Cascade(lbp_frontal_face_cascade_filename())


def find_faces(small: Bytes) -> tuple[Box, ...]:
    """Return the faces that look at the camera, the largest first, at most 4.

    Local binary patterns (Liao et al. 2007), as scikit-image carries them; a face must have the colours of skin too.
    """
    height, width = small.shape[:2]
    shrink = min(1.0, _LONG_SIDE / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    gray = cv2.cvtColor(cv2.resize(small, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    if min(gray.shape) < 32:
        return ()
    found = _cascade().detect_multi_scale(
        gray, scale_factor=1.15, step_ratio=1.4, min_size=(24, 24), max_size=(min(gray.shape),) * 2,
        min_neighbor_number=4,
    )  # fmt: skip
    boxes = [
        (
            round(one["c"] / shrink),
            round(one["r"] / shrink),
            round(one["width"] / shrink),
            round(one["height"] / shrink),
        )
        for one in found
    ]
    faces = [box for box in boxes if _has_skin(small, box)]
    return tuple(sorted(faces, key=lambda box: (-box[2], box))[:4])


def _core(box: Box) -> tuple[slice, slice]:
    x, y, width, height = box
    return slice(y + round(0.3 * height), y + round(0.85 * height)), slice(
        x + round(0.22 * width), x + round(0.78 * width)
    )


def _has_skin(small: Bytes, box: Box) -> bool:
    """Return whether the middle of the face is of a colour that skin can have: between red and yellow, not vivid."""
    core = lab(small[_core(box)]).reshape(-1, 3)
    _, a, b = np.median(core, axis=0)
    return bool(2 < a < 40 and 2 < b < 45 and -20 < b - a < 25 and core[:, 0].std() > 3)


def _places(shape: tuple[int, ...], box: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Return how far right of the face's middle and below its chin each pixel is, in widths of the face."""
    x, y, width, height = box
    across = (np.arange(shape[1], dtype=np.float32)[None] - (x + width / 2)) / width
    below = (np.arange(shape[0], dtype=np.float32)[:, None] - (y + 1.1 * height)) / width
    across, below = np.broadcast_arrays(across, below)
    return across, below


def body_of(small: Bytes, box: Box) -> Bytes:
    """Return 1 where the person with this face is, with what is worn and held, else 0; whatever lies behind.

    A body hangs from its face: that says where it surely is and where not; the colours of both sides, learned three
    times over, twice at half the size, and the edges say the rest.
    """
    x, y, width, height = box
    half = cv2.resize(small, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    coarse = _parted(half, (x / 2, y / 2, width / 2, height / 2), None, rounds=2)
    inside = cv2.resize(coarse.astype(np.float32), small.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return without_holes(_parted(small, box, inside, rounds=1), 0.09 * width)


def _parted(small: Bytes, box: tuple[float, ...], found: Floats | None, *, rounds: int) -> Bytes:
    """Return 1 where the body is and else 0, after so many rounds of learning colours from what was found before."""
    across, below = _places(small.shape, box)
    away = np.abs(across)
    head = (across / 0.72) ** 2 + ((below + 0.72) / 0.98) ** 2  # 1 on the outline of head and hair
    # The shoulders slope from the neck to about three faces' width; below them arms, skirts and what hands hold.
    reach = np.clip(0.5 + 1.1 * (below + 0.15), 0, 1.5) + 0.55 * np.clip(below - 1, 0, 1.8)
    reach -= 0.3 * np.clip(below - 3.6, 0, 4)
    prior: Floats = np.where(below > -0.15, np.clip(reach - away, -5, 0.8), -5.0)
    prior = np.maximum(prior, np.clip(6 * (1 - head), -5, 3))
    sure = (
        (head < 0.45)
        | ((away < 0.75) & (below > 0.75) & (below < 2.6))
        | ((away < 0.22) & (below > -0.5) & (below < 1))
    )
    never = (away > 4.5) | ((below < 0.1) & (head > 3.2)) | ((away > 2.2) & (below < 1.7))
    bins = colors_of(small)
    inside: Floats = 1 / (1 + np.exp(-prior)) if found is None else _softened(found)
    windows = _windows(small.shape)
    for _ in range(rounds):
        mine = np.where(sure, 1.0, np.where(never, 0, inside)).astype(np.float32)
        evidence = 0.6 * prior
        for window in windows:
            ratio = (likelihood(bins, window * mine) + 1e-5) / (likelihood(bins, window * (1 - mine)) + 1e-5)
            evidence += window * np.clip(np.log(ratio), -4, 4)[bins]
        evidence = np.where(sure, _SURE, np.where(never, -_SURE, evidence))
        mask = cut(small, evidence)
        inside = _softened(mask)
    return mask


def _softened(mask: Floats) -> Floats:
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2) * 0.9 + 0.05


def _windows(shape: tuple[int, ...]) -> list[Floats]:
    """Return soft parts of the photo, shape (h, w), that add up to 1: a colour means one thing here, another there."""
    height, width = shape[:2]
    x, y = np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32)
    parts = [
        np.exp(-0.5 * ((y[:, None] - middle_y) ** 2 + (x[None] - middle_x) ** 2) / 0.2**2)
        for middle_y in (0.15, 0.5, 0.85)
        for middle_x in (0.15, 0.5, 0.85)
    ]
    return [part / np.sum(parts, axis=0) for part in parts]


def without_holes(mask: Bytes, radius: float) -> Bytes:
    """Return the mask with the holes filled that no disc of this radius fits in; the photo's lower edge closes some."""
    closed = cv2.copyMakeBorder(mask, 0, 1, 0, 0, cv2.BORDER_CONSTANT, value=0)
    last = np.flatnonzero(mask[-1])
    if len(last):
        closed[-1, last[0] : last[-1] + 1] = 1
    count, labels = cv2.connectedComponents(1 - closed, connectivity=4)
    depth = cv2.distanceTransform(1 - closed, cv2.DIST_L2, 3)
    deepest = np.zeros(count, np.float32)
    np.maximum.at(deepest, labels.astype(np.intp).ravel(), depth.ravel())
    deepest[0] = np.inf  # what is no hole
    filled: Bytes = mask | (deepest <= radius)[labels[:-1]].astype(np.uint8)
    return filled


def worn_by(small: Bytes, body: Bytes, box: Box) -> Bytes:
    """Return the part of the body's mask that is neither skin nor hair.

    The face says what this person's skin looks like in any light, and what crowns it what the hair does. Elsewhere a
    colour is skin's only where it is nearer to the face's than to what the chest is covered with.
    """
    across, below = _places(small.shape, box)
    away = np.abs(across)
    oval = (across / 0.5) ** 2 + ((below + 0.6) / 0.66) ** 2
    head = (across / 0.8) ** 2 + ((below + 0.72) / 1.05) ** 2
    core = small[_core(box)].reshape(-1, 3)
    hue, core_hue = _shade_free(small), _shade_free(core[None])[0]
    middle = np.median(core_hue, axis=0)
    near = core_hue[
        np.linalg.norm(core_hue - middle, axis=1) < 2 * np.median(np.linalg.norm(core_hue - middle, axis=1))
    ]
    spread = np.cov(near.T) * 2.5 + np.eye(2) * 0.03**2
    unlike = np.einsum("hwi,ij,hwj->hw", hue - middle, np.linalg.inv(spread), hue - middle)
    light, face_light = lab(small)[..., 0], float(np.median(lab(core[None])[..., 0]))
    like_skin = (unlike < 7) & (light > 0.3 * face_light) & (light < face_light + 25) & (body == 1)
    bins = colors_of(small)
    chest = (away < 0.9) & (below > 0.5) & (below < 2.6) & (body == 1)
    bare = like_skin[chest].mean() if chest.any() else 0.0
    cloth = likelihood(bins, (chest & ~(like_skin & (bare < 0.5))).astype(np.float32))
    skin = likelihood(bins, ((oval < 0.7) & like_skin).astype(np.float32))
    evidence = (0.5 if bare < 0.5 else 1.0) * np.clip(np.log((skin + 1e-5) / (cloth + 1e-5)), -4, 4)[bins] + np.clip(
        2 - 0.5 * unlike, -4, 2
    )
    evidence += np.where((away < 0.55) & (below < 0.3), 2.0, -0.5 if bare < 0.5 else -1.5)
    evidence[(light < 0.25 * face_light) | (light > face_light + 30)] -= 4
    crown = (head > 0.5) & (head < 1) & (below < -0.8) & ~like_skin & (body == 1)
    tones = lab(small)[crown]
    if len(tones) > 0.02 * box[2] ** 2 and _is_hair(np.median(tones, axis=0)):
        hair = likelihood(bins, crown.astype(np.float32))
        zone = np.clip(5 * (1.15 - head), -5, 2) + np.where(below > 0.3, -1.5, 0)
        hair_says = np.clip(np.log((hair + 1e-5) / (cloth + 1e-5)), -4, 4)[bins] + zone
        evidence = np.maximum(evidence, np.where(head < 2.5, hair_says, -4))
    evidence = np.where(oval < 0.8, _SURE, np.where(body == 1, evidence, -0.2))
    bare_parts: Bytes = cut(small, evidence) & body
    count, labels = cv2.connectedComponents(bare_parts, connectivity=8)
    faces = set(np.unique(labels[(oval < 0.8) & (bare_parts == 1)]))
    outside = cv2.dilate(1 - body, np.ones((5, 5), np.uint8)) == 1
    for part in range(1, count):
        inside = labels == part
        # Hands, arms and legs end at the body's outline; what lies within cloth and is only about their colour is not.
        limit = 3.0 if (inside & outside).any() else 1.2
        if part not in faces and (np.median(unlike[inside]) > limit or inside.sum() < 0.02 * box[2] ** 2):
            bare_parts[inside] = 0
    left: Bytes = without_holes(body & (1 - bare_parts), 0.06 * box[2])
    # Along a bare arm its outline stays behind, mixed as it is with the background.
    kernel = np.ones((5, 5), np.uint8)
    threads = left & (1 - cv2.morphologyEx(left, cv2.MORPH_OPEN, kernel))
    return left & (1 - (threads & cv2.dilate(bare_parts, kernel)))


def _shade_free(pixels: Bytes) -> Floats:
    """Return two numbers of each pixel's colour, shape (h, w, 2), that change little with the light on it."""
    logs = np.log(cv2.GaussianBlur(pixels, (3, 3), 0).astype(np.float32) + 12)
    return np.stack([logs[..., 0] - logs[..., 1], logs[..., 1] - logs[..., 2]], axis=-1)


def _is_hair(tone: Floats) -> bool:
    """Return whether L*a*b* is a colour of hair, and not of a hat: gray to black, or from blond to red."""
    chroma, turn = float(np.hypot(tone[1], tone[2])), float(np.degrees(np.arctan2(tone[2], tone[1])))
    return chroma < 9 or (chroma < 48 and 25 < turn < 100)
