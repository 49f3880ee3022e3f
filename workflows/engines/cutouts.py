"""From items to pictures: cut out of the photo, on the canvas that `runtime_config` asks for, and masks beside them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import cv2
import numpy as np
from PIL import ImageColor

from workflows.engines import palette
from workflows.engines.base import OnDemand, Picture
from workflows.engines.encoding import on_ground
from workflows.engines.images import MOST_PIXELS
from workflows.engines.matting import decontaminate
from workflows.engines.palette import Bytes, Floats, color_name
from workflows.engines.runtime_config import RuntimeConfig

Box = tuple[int, int, int, int]  # x, y, width, height
# Of an item's pixels, as many are looked at for its colours.
_LOOKED_AT = 20_000
_MOST_COLORS = 4
# Two colours are shades of one that are nearer than this in L*a*b*, lightness counted less.
_SHADE, _LIGHTNESS = 11.0, np.array([0.4, 1, 1], np.float32)


@dataclass(frozen=True, eq=False)
class Item:
    """One item on a photo: how much of each pixel it is, 0 to 255, in the part of the photo that it lies in.

    `within` says where it began and ended on the outfit that it was part of, in heights of that; None where it was of
    none. `details` are what an engine knows of it besides.
    """

    rows: slice
    columns: slice
    alpha: Bytes = field(repr=False)
    within: tuple[float, float] | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def box(self) -> Box:
        """Return where on the photo more than half of the pixels are the item's."""
        x, y, wide, high = cv2.boundingRect((self.alpha > 127).astype(np.uint8))
        return self.columns.start + x, self.rows.start + y, wide, high

    @cached_property
    def area(self) -> int:
        return int(np.count_nonzero(self.alpha > 127))

    def colors(self, photo: Bytes) -> list[tuple[str, float]]:
        """Return the item's main colours on its photo, as (#rrggbb, share); a colour and its shade in folds are one."""
        part = photo[self.rows, self.columns]
        step = max(1, int((self.area / _LOOKED_AT) ** 0.5))
        part, alpha = part[::step, ::step], self.alpha[::step, ::step]
        for least in (230, 128, 0):
            if len(sure := part[alpha >= least]):
                break
        return _joined(palette.main_colors(sure, count=_MOST_COLORS))


def named(colors: list[tuple[str, float]]) -> list[dict[str, Any]]:
    """Return main colours as the details of a picture have them."""
    return [{"color": color, "name": color_name(color), "share": share} for color, share in colors]


def pictures(photo: Bytes, items: Sequence[Item], config: RuntimeConfig) -> Sequence[Picture]:
    """Return the cut-outs, each followed by its mask where they are asked for, made when they are looked at."""
    makers = []
    for number, item in enumerate(items, start=1):
        name = f"item-{number}"
        makers.append(partial(_cut_out, photo, item, config, name))
        if config.return_masks:
            makers.append(partial(_mask, photo.shape[:2], item, name))
    return OnDemand(makers)


def _joined(colors: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return main colours with those joined that differ by little but their lightness."""
    kept: list[tuple[Floats, Floats, float]] = []
    for color, share in colors:
        rgb = np.array(ImageColor.getrgb(color), np.float32)
        lab = palette.lab(rgb.astype(np.uint8)[None, None])[0, 0] * _LIGHTNESS
        for index, (first, mean, of) in enumerate(kept):
            if np.linalg.norm(first - lab) < _SHADE:
                kept[index] = (first, (mean * of + rgb * share) / (of + share), of + share)
                break
        else:
            kept.append((lab, rgb, share))
    ranked = sorted(kept, key=lambda one: -one[2])
    return [(palette.hex_of(mean), round(share, 3)) for _, mean, share in ranked]


def _cut_out(photo: Bytes, item: Item, config: RuntimeConfig, name: str) -> Picture:
    left, top, wide, high = cv2.boundingRect(item.alpha)
    alpha = item.alpha[top : top + high, left : left + wide]
    part = photo[item.rows, item.columns][top : top + high, left : left + wide]
    pixels = np.dstack([decontaminate(part, alpha), alpha])
    pixels[alpha == 0] = 0  # what is cut away is gone, and not only unseen
    pixels = _on_canvas(pixels, padding=round(config.padding * max(item.box[2:])), square=config.square)
    if config.background is not None:
        pixels = on_ground(pixels, config.background)
    return Picture(name=name, pixels=pixels, details={"box": list(item.box), "area": item.area, **item.details})


def _on_canvas(pixels: Bytes, *, padding: int, square: bool) -> Bytes:
    """Return a cut-out in the middle of its canvas; smaller where the canvas would be larger than any photo may be."""
    high, wide = pixels.shape[:2]
    canvas = (wide + 2 * padding, high + 2 * padding)
    if square:
        canvas = (max(canvas), max(canvas))
    shrink = (MOST_PIXELS / (canvas[0] * canvas[1])) ** 0.5
    if shrink < 1:
        wide, high = max(1, int(wide * shrink)), max(1, int(high * shrink))
        canvas = (max(wide, int(canvas[0] * shrink)), max(high, int(canvas[1] * shrink)))
        pixels = _shrunk(pixels, (wide, high))
    left, top = (canvas[0] - wide) // 2, (canvas[1] - high) // 2
    sides = (top, canvas[1] - high - top, left, canvas[0] - wide - left)
    return cv2.copyMakeBorder(pixels, *sides, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))


def _shrunk(pixels: Bytes, size: tuple[int, int]) -> Bytes:
    """Return a smaller cut-out; `pixels` are spent. Colours count as far as they are seen: the clear are black."""
    for row in pixels:
        row[:, :3] = row[:, :3].astype(np.uint16) * row[:, 3:] // 255
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    for row in small:
        row[:, :3] = np.minimum(row[:, :3].astype(np.uint32) * 255 // np.maximum(row[:, 3:], 1), 255)
    return small


def _mask(shape: tuple[int, int], item: Item, name: str) -> Picture:
    pixels = np.zeros(shape, np.uint8)
    pixels[item.rows, item.columns] = item.alpha
    return Picture(name=f"{name}-mask", pixels=pixels, details={"mask_of": name}, format="png")
