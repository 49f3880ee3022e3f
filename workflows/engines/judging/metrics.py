"""What is measured of an image; docs/engines.md tells each formula with its source."""

from collections.abc import Sequence

import cv2
import numpy as np

from workflows.engines import palette
from workflows.engines.judging.scores import Score, falling
from workflows.engines.palette import Bytes, Floats

Box = Sequence[float]  # left, top, width and height, in shares of the image's sides
# Where a product is supposed to stand on an image that says nothing of it.
MIDDLE: Box = (0.3, 0.3, 0.4, 0.5)


def color_distance(small: Bytes, colors: Sequence[str]) -> Score:
    """Judge how near the image's main colours come to those that were asked for: the one that is met worst counts."""
    main = [color for color, _ in palette.main_colors(small.reshape(-1, 3))]
    distances = palette.ciede2000(palette.lab_of(colors)[:, None], palette.lab_of(main)[None])
    worst = int(distances.min(axis=1).argmax())
    nearest = int(distances[worst].argmin())
    distance = float(distances[worst, nearest])
    return Score(
        falling(distance, good=0, bad=20),
        f"Of the colours asked for, {colors[worst]} is met worst: CIEDE2000 is {distance:.1f} to the nearest main "
        f"colour, {main[nearest]} (at most 10).",
    )


def room(gray: Floats, box: Box | None) -> Score:
    """Judge how free of edges the product's place is: the share of its pixels that are Canny's edges."""
    height, width = gray.shape
    left, top, wide, high = box or MIDDLE
    rows = slice(int(top * height), int(np.ceil((top + high) * height)))
    columns = slice(int(left * width), int(np.ceil((left + wide) * width)))
    smooth = cv2.GaussianBlur(gray, (0, 0), 2).astype(np.uint8)  # texture is no clutter
    edges = cv2.Canny(smooth, 60, 120, L2gradient=True)[rows, columns] > 0
    # Lines are one pixel wide: of an image smaller than 512 x 512 they take a larger share.
    density = float(edges.mean()) * gray.size**0.5 / 512
    where = "the place left free" if box else "the middle, where a product is supposed to stand"
    return Score(falling(density, good=0, bad=0.06), f"Edges cover {density:.1%} of {where} (at most 3%).")


def exposure(small: Bytes, pixels: Bytes, colors: Sequence[str]) -> Score:
    """Judge that the image is neither too dark nor too light, and that little of it is clipped to white or black.

    What is asked for is no fault: with white among the colours white is not clipped, nor is an image too light.
    """
    lightness = float(np.median(palette.lab(small)[..., 0]))
    asked = palette.lab_of(colors)[:, 0] if colors else np.full(1, 50.0)
    lowest, highest = min(12.0, float(asked.min()) / 2), max(97.0, float(asked.max()))
    step = max(1, round((pixels.shape[0] * pixels.shape[1] / 250_000) ** 0.5))
    sampled = pixels[::step, ::step]
    blown = 0.0 if highest > 97 else float((sampled.min(axis=2) >= 254).mean())
    black = 0.0 if lowest < 1.5 else float((sampled.max(axis=2) <= 1).mean())
    value = min(
        falling(max(lowest - lightness, lightness - highest), good=0, bad=10),
        falling(max(blown, black), good=0, bad=0.2),
    )
    return Score(
        value,
        f"The median lightness is {lightness:.0f} ({lowest:.0f} to {highest:.0f}); {blown:.1%} of it is clipped to "
        f"white and {black:.1%} to black (at most 10%).",
    )


def banding(gray: Floats) -> Score:
    """Judge how much of the image lies along false contours: where two plateaus of almost the same value meet."""
    plateau = cv2.dilate(gray, np.ones((5, 5))) - cv2.erode(gray, np.ones((5, 5))) <= 0.1
    near = np.ones((max(9, round(gray.size**0.5 / 40) | 1),) * 2)
    highest = cv2.dilate(np.where(plateau, gray, -1000).astype(np.float32), near)
    lowest = cv2.erode(np.where(plateau, gray, 1000).astype(np.float32), near)
    step = highest - lowest
    # A step of one value is seen half as well as one of two; one of more than 24 is the edge of something.
    share = float(np.where((step > 0.5) & (step < 24), np.minimum(step / 2, 1), 0).mean())
    return Score(falling(share, good=0, bad=0.1), f"False contours run through {share:.1%} of it (at most 5%).")


def sharpness(gray: Floats) -> Score:
    """Judge how wide the image's sharpest edges are; one without edges, as a plain sweep, has none out of focus.

    The width σ of an edge, as if blurred by a Gaussian, follows from how its gradient falls when it is blurred again:
    R² = (σ² + b²) / (σ² + a²) for the gradients after blurs by a and b.
    """
    once, again = 1.0, 4.0
    strong, weak = _gradient(gray, once), _gradient(gray, again)
    # An edge is much steeper than a slope of light from one side of the image to the other, whatever its size.
    darkest, lightest = np.percentile(gray, (1, 99))
    is_edge = strong > max(2, 12 * (lightest - darkest) / min(gray.shape))
    if is_edge.mean() < 5e-4:
        return Score(1.0, "It has no edges that could be out of focus.")
    ratio = max(float(np.percentile(strong[is_edge] / np.maximum(weak[is_edge], 1e-3), 95)) ** 2, 1.001)
    width = max((again**2 - ratio * once**2) / (ratio - 1), 0) ** 0.5
    return Score(
        falling(width, good=1, bad=5),
        f"Its sharpest edges are blurred by {width:.1f} pixels, seen at 512 x 512 (at most 3).",
    )


def _gradient(gray: Floats, sigma: float) -> Floats:
    smooth = cv2.GaussianBlur(gray, (0, 0), sigma)
    return cv2.magnitude(*(cv2.Sobel(smooth, cv2.CV_32F, x, 1 - x, scale=1 / 8) for x in (0, 1)))
