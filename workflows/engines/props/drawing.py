"""What all props share: the edges of their shapes, and light on no more of the picture than they take."""

from collections.abc import Callable

import numpy as np

from workflows.engines.camera import Camera, View
from workflows.engines.light import Points, Rig
from workflows.engines.palette import Floats

_RIM = 4

Box = tuple[float, float, float, float]


def edge(inside: Floats, footprint: Floats | float) -> Floats:
    """Return how much of a pixel is covered, from the distance to the edge in its surface's units."""
    return np.asarray(np.clip(inside / footprint + 0.5, 0, 1), np.float32)


def lit(
    small: Camera,
    rig: Rig,
    box: Box,
    points: Callable[[View], Points],
    *,
    seen: Floats,
    open_sky: Callable[[Points, Floats], Floats],
    sky: Floats,
) -> Floats:
    """Return the light on a prop as a whole picture, computed within `box` alone and carried on beyond it."""
    rows, columns = (
        _pixels(box[1], box[3], small.scale, small.height),
        _pixels(box[0], box[2], small.scale, small.width),
    )
    at = points(small.view(rows, columns))
    light = rig.on(at, seen=seen[rows, columns], open_sky=open_sky(at, sky[rows, columns]))
    margins = ((rows.start, small.height - rows.stop), (columns.start, small.width - columns.stop), (0, 0))
    return np.pad(light, margins, mode="edge")


def _pixels(start: float, stop: float, scale: float, size: int) -> slice:
    first = int(np.clip(np.floor(start * scale + size / 2) - _RIM, 0, size - 1))
    return slice(first, int(np.clip(np.ceil(stop * scale + size / 2) + _RIM, first + 1, size)))
