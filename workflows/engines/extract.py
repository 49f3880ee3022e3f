"""The built-in engine of extract: the items on a photo, each cut out with alpha."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from workflows.engines import palette, words
from workflows.engines.base import EngineError, Picture, Result
from workflows.engines.colors import SHOP_COLORS, parse_color
from workflows.engines.foreground import look
from workflows.engines.images import read_photo
from workflows.engines.palette import Bytes, Floats

_MOST_ITEMS = 32
_SMALLEST_SHARE = 0.004  # of the photo, or an eighth of that beside a large item: crumbs and glints are smaller
_PADDING = 0.02
_GROUPS = 640  # long side of the small mask that items are told apart on


class NoItemsFound(EngineError):
    """No item stands out from the background of the trial image. Send a photo whose items lie on, or are worn
    before, a plain surface of another colour, with some of that surface visible on all sides."""

    code = "no_items_found"


@dataclass(frozen=True)
class _Item:
    box: tuple[int, int, int, int]  # x, y, width, height in pixels of the upright photo
    area: int
    cutout: Bytes  # (h, w, 4), with padding
    colors: list[tuple[str, float]]


def extract(photo: bytes, spec: Mapping[str, Any], *, checkpoint: Callable[[], None] = lambda: None) -> Result:
    """Cut the items out of a photo as a validated extract spec asks.

    The pictures have alpha, and are at most `max_items`, the ones of the colours that the context names first, else
    the largest first. Their details give the box in pixels of the upright photo. `checkpoint` is called between the
    steps. Raises NoItemsFound, and what `checkpoint` and `read_photo` raise. Memory: about 15 bytes for each pixel of
    the photo.
    """
    cv2.setNumThreads(1)  # worker processes are the parallelism
    pixels, given = read_photo(photo)
    context = spec.get("extraction_context") or {}
    most = min(context.get("max_items") or _MOST_ITEMS, _MOST_ITEMS)
    checkpoint()
    alpha = look(pixels, given).alpha.astype(np.float32) / 255
    checkpoint()
    items = _items(pixels, alpha)
    if not items:
        raise NoItemsFound
    wanted = _named_colors(f"{context.get('product_name') or ''} {context.get('product_description') or ''}")
    items.sort(key=lambda item: (-_agreement(item, wanted), -item.area))
    pictures = tuple(
        Picture(
            name=f"item-{number}",
            pixels=item.cutout,
            details={
                "box": list(item.box),
                "area": item.area,
                "colors": [{"color": color, "share": share} for color, share in item.colors],
            },
        )
        for number, item in enumerate(items[:most], start=1)
    )
    summary = {
        "engine": "built-in",
        "photo": {"width": pixels.shape[1], "height": pixels.shape[0]},
        "items_found": len(items),
        "items_returned": len(pictures),
        "color_words": sorted(wanted),
        "unused": sorted((spec.get("runtime_config") or {}).keys() - {"model", "output_format"}),
    }
    return Result(pictures=pictures, summary=summary)


def _items(pixels: Bytes, alpha: Floats) -> list[_Item]:
    height, width = alpha.shape
    shrink = min(1.0, _GROUPS / max(height, width))
    small_size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    solid = (cv2.resize(alpha, small_size, interpolation=cv2.INTER_AREA) > 0.5).astype(np.uint8)
    # Opened, so that a thread or a shadow between two items does not make them one.
    opened = cv2.morphologyEx(solid, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    least = max(_SMALLEST_SHARE * solid.size / 8, 0.02 * areas.max()) if count > 1 else 0
    if count <= 1 or areas.max() < _SMALLEST_SHARE * solid.size / 2:
        return []
    large = [1 + int(index) for index in np.argsort(-areas, kind="stable") if areas[index] >= least][:_MOST_ITEMS]
    owner = _nearest_owner(labels, large)
    found = []
    scale_x, scale_y = width / small_size[0], height / small_size[1]
    for index in large:
        # Only the part of the photo that the item is in: photos are large.
        left, top, wide, high = cv2.boundingRect((owner == index).astype(np.uint8))
        rows = slice(int(top * scale_y), min(height, math.ceil((top + high) * scale_y)))
        columns = slice(int(left * scale_x), min(width, math.ceil((left + wide) * scale_x)))
        mine = (owner[top : top + high, left : left + wide] == index).astype(np.uint8)
        part = (columns.stop - columns.start, rows.stop - rows.start)
        own = alpha[rows, columns] * cv2.resize(mine, part, interpolation=cv2.INTER_NEAREST)
        x, y, wide, high = cv2.boundingRect((own > 0.5).astype(np.uint8))
        if not (wide and high):
            continue
        cutout = np.dstack([pixels[rows, columns], np.rint(own * 255).astype(np.uint8)])
        cutout[cutout[..., 3] == 0] = 0  # what is cut away is gone, and not only unseen
        sure = cutout[own > 0.9][:, :3]
        soft_x, soft_y, soft_wide, soft_high = cv2.boundingRect(cutout[..., 3])
        pad = round(_PADDING * max(wide, high))
        cutout = cutout[soft_y : soft_y + soft_high, soft_x : soft_x + soft_wide]
        found.append(
            _Item(
                box=(columns.start + x, rows.start + y, wide, high),
                area=int((own > 0.5).sum()),
                cutout=cv2.copyMakeBorder(cutout, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0)),
                colors=palette.main_colors(sure if len(sure) else cutout[..., :3].reshape(-1, 3), count=4),
            )
        )
    return found


def _nearest_owner(labels: NDArray[Any], large: list[int]) -> NDArray[Any]:
    """Return for each pixel the large item that it belongs to: its own, or the nearest within a few pixels; or 0.

    An item's soft edge lies outside of its opened mask, and must still come with it.
    """
    reach = 5
    owner = np.where(np.isin(labels, large), labels, 0).astype(np.int32)
    others = np.isin(labels, [0, *large], invert=True)
    kernel = np.ones((3, 3), np.uint8)
    for _ in range(reach):
        grown = cv2.dilate(owner.astype(np.float32), kernel).astype(np.int32)
        owner = np.where((owner == 0) & ~others, grown, owner)
    return owner


def _named_colors(text: str) -> set[str]:
    """Return the colours (#rrggbb) that the text names."""
    names = dict.fromkeys((*SHOP_COLORS, *ImageColor.colormap), ())
    return {parse_color(name) for name in words.find(text, names)}


def _agreement(item: _Item, wanted: set[str]) -> float:
    """Return how much of the item is of the wanted colours, 0 to 1, in steps that a hue's shades do not change."""
    if not wanted:
        return 0.0
    ask = palette.lab(np.array([[ImageColor.getrgb(color) for color in sorted(wanted)]], np.uint8))[0]
    total = 0.0
    for color, share in item.colors:
        have = palette.lab(np.array([[ImageColor.getrgb(color)]], np.uint8))[0, 0]
        # Lightness counts half: a red shirt's folds are dark red, and still red.
        away = np.linalg.norm((ask - have) * [0.5, 1, 1], axis=1).min()
        total += share * float(np.exp(-((away / 18) ** 2)))
    return round(total, 1)
