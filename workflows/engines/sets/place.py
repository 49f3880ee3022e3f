"""The place that a set leaves free for the product."""

from dataclasses import dataclass

from workflows.engines.camera import Camera

_SHARE = 0.135  # of the picture's area, at least
_WIDTH, _HEIGHT = 0.36, 0.44
_MARGIN = 0.03


@dataclass(frozen=True)
class Place:
    """A box in picture units: where the product may stand."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def half_width(self) -> float:
        return (self.right - self.left) / 2


def standing(camera: Camera, bottom: float) -> Place:
    """Return the place for what stands in the middle of the picture with its foot at the Y `bottom`."""
    area = _SHARE * 4 * camera.half_width * camera.half_height
    bottom = min(bottom, camera.half_height - _MARGIN)
    most = bottom + camera.half_height - _MARGIN
    width = max(_WIDTH, area / most)
    height = min(most, max(_HEIGHT, area / width))
    return Place(-width / 2, bottom - height, width / 2, bottom)


def central(camera: Camera) -> Place:
    """Return the middle of the picture, for a set without a floor."""
    half_width, half_height = 0.4 * camera.half_width, 0.46 * camera.half_height
    return Place(-half_width, -half_height, half_width, half_height)
