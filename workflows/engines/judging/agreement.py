"""Whether an image is in the mood that was asked for, as far as light and colour can say."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import ImageColor

from workflows.engines import palette
from workflows.engines.judging.scores import Score, falling
from workflows.engines.moods import Mood
from workflows.engines.palette import Bytes, Floats


@dataclass(frozen=True)
class _Part:
    """One measure of light: from where to where it is as asked, and how far beyond it passes."""

    name: str
    measured: float
    lowest: float
    highest: float
    reach: float

    @property
    def score(self) -> float:
        return falling(max(self.lowest - self.measured, self.measured - self.highest), good=0, bad=2 * self.reach)


def agreement(small: Bytes, colors: Sequence[str], mood: Mood) -> Score:
    """Judge lightness, contrast, warmth, saturation and direction of light: the one that agrees least counts.

    How light, warm and saturated it may be follows from the colours that were asked for, or else from the mood's own.
    """
    lightness, across, along = np.moveaxis(palette.lab(small), -1, 0)
    used = palette.lab(np.array([[ImageColor.getrgb(color) for color in colors or mood.palette]], np.uint8))[0]
    # Materials such as stone are as gray as they are.
    warmth = np.array([*used[:, 2], 0])
    strongest = float(np.hypot(used[:, 1], used[:, 2]).max())
    span = float(np.ptp(used[:, 0]))
    left, right = (float(half.mean()) for half in np.array_split(lightness, 2, axis=1))
    aside = math.sin(math.radians(mood.azimuth))
    parts = [
        _Part("lightness (L*)", float(lightness.mean()), *_ends(used[:, 0]), 60 if colors else 35),
        _Part(
            "contrast (spread of L*)",
            float(np.ptp(np.percentile(lightness, (5, 95)))),
            # What was asked for may be black on white, or black alone.
            0 if colors else 12 * mood.contrast,
            100 if colors else max(60 + 60 * mood.contrast, span + 30),
            10,
        ),
        _Part("warmth (b*)", float(along.mean()), *_ends(warmth + 5 * mood.warmth), 18),
        _Part(
            "saturation (C*)",
            float(np.hypot(across, along).mean()),
            0,
            strongest * max(1, mood.saturation),
            20,
        ),
        # What is lighter on one side may be so because of its colours.
        _Part(
            "light from the right (L*)",
            right - left,
            -25 - span if aside > 0.3 else -100,
            25 + span if aside < -0.3 else 100,
            15,
        ),
    ]
    worst = min(parts, key=lambda part: part.score)
    if worst.score == 1:
        said = ", ".join(f"{part.name} {part.measured:.0f}" for part in parts)
        return Score(1, f"Light and colour are as asked: {said}.")
    return Score(
        worst.score,
        f"Of light and colour, {worst.name} agrees least: it is {worst.measured:.0f} "
        f"(passes from {worst.lowest - worst.reach:.0f} to {worst.highest + worst.reach:.0f}).",
    )


def _ends(values: Floats) -> tuple[float, float]:
    return float(values.min()), float(values.max())
