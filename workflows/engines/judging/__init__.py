"""Judging a backdrop: how well it does what was asked for, and whether it is good as an image.

Every metric looks at a small copy, so that an image of 16 megapixels costs hardly more than one of one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from workflows.engines import moods
from workflows.engines.base import Result
from workflows.engines.colors import asked_colors
from workflows.engines.judging import metrics
from workflows.engines.judging.agreement import agreement
from workflows.engines.judging.scores import Evaluation, Score
from workflows.engines.moods import Mood
from workflows.engines.palette import Bytes, Floats

_CONTOUR_PIXELS, _EDGE_PIXELS = 1_000_000, 250_000


def judge(pixels: Bytes, *, colors: Sequence[str], free_box: Sequence[int] | None, mood: Mood | None) -> Evaluation:
    """Judge sRGB pixels, shape (h, w, 3).

    `colors` are those asked for as #rrggbb: without any, palette is not judged. `free_box` is the place for the
    product in pixels, left, top, width and height; None: the middle is supposed. Without a mood, none is judged.
    """
    height, width = pixels.shape[:2]
    small = cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_AREA)
    # As floats before it is made smaller: rounded after, what was dithered would get contours.
    gray = _smaller(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32), _CONTOUR_PIXELS)
    edges = _smaller(gray, _EDGE_PIXELS)
    box = free_box and [side / of for side, of in zip(free_box, (width, height) * 2, strict=True)]
    scores: dict[str, Score] = {}
    if colors:
        scores["palette"] = metrics.color_distance(small, colors)
    scores["room_for_product"] = metrics.room(edges, box)
    scores["exposure"] = metrics.exposure(small, pixels, colors)
    scores["banding"] = metrics.banding(gray)
    scores["sharpness"] = metrics.sharpness(edges)
    if mood:
        scores["mood"] = agreement(small, colors, mood)
    return Evaluation(scores)


def best(spec: Mapping[str, Any], images: Iterable[Result]) -> Result:
    """Return the first image that passes every metric, or else the best, with its scores in the summary.

    `images` are what an engine makes of a background-generator spec, made as they are asked for. Without
    `eval_enabled` none but the first is, and it is not judged.
    """
    if not spec.get("eval_enabled"):
        return next(iter(images))
    colors, _ = asked_colors(spec.get("dominant_colors") or ())
    found, mood = moods.understand(spec["mood"])
    kept: tuple[Evaluation, Result] | None = None
    tries = 0
    for image in images:
        tries += 1
        free_box = image.summary.get("free_box")
        evaluation = judge(image.pictures[0].pixels, colors=colors, free_box=free_box, mood=mood if found else None)
        if kept is None or evaluation.rank > kept[0].rank:
            kept = evaluation, image
        if evaluation.passed:
            break
    assert kept is not None
    evaluation, image = kept
    return replace(image, summary={**image.summary, "eval": evaluation.told(tries=tries)})


def _smaller(gray: Floats, pixels: int) -> Floats:
    scale = (pixels / gray.size) ** 0.5
    return cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else gray
