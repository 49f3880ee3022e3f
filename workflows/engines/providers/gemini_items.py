"""Gemini's engine of extract: it draws the boxes and the masks, and the items are cut out of the photo here.

Format: https://ai.google.dev/gemini-api/docs/image-understanding, "Segmentation".
"""

import base64
import binascii
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from google.genai import types
from PIL import Image

from workflows.engines import palette, prompt
from workflows.engines.base import EngineError, Picture, Result
from workflows.engines.encoding import encode
from workflows.engines.extract import NoItemsFound
from workflows.engines.formats import FORMATS
from workflows.engines.images import read_photo
from workflows.engines.palette import Bytes
from workflows.engines.providers.answers import storable
from workflows.engines.providers.failures import ProviderWrongAnswer
from workflows.engines.providers.gemini import GEMINI, about, ask, text_of

if TYPE_CHECKING:
    from workflows.catalogue import Order

_MOST_ITEMS = 32
# Of all items' boxes together, in photos.
_MOST_AREA = 2
_PADDING = 0.02
# The photo is sent no larger: the model looks at a smaller one still.
_LONGEST_SIDE = 1536
_MASK = "data:image/png;base64,"
# A mask's values are probabilities, 127 of 255 the edge; these make a soft edge of what is near to it.
_OUTSIDE, _INSIDE = 96, 160
_FENCED = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)


@dataclass(frozen=True)
class _Found:
    """An entry of the answer: the part of the photo that it lies in, and its alpha there, shape (h, w)."""

    rows: slice
    columns: slice
    alpha: Bytes
    label: str


def extract(photo: bytes, order: "Order") -> Result:
    """Cut out the items that Gemini finds on a photo, in its order: what the context describes comes first.

    It is sent the upright pixels, and none of the file's metadata. Raises NoItemsFound, and what `read_photo` and
    `gemini.ask` raise.
    """
    cv2.setNumThreads(1)  # worker processes are the parallelism
    pixels, _ = read_photo(photo)
    context = order.spec.get("extraction_context") or {}
    most = min(context.get("max_items") or _MOST_ITEMS, _MOST_ITEMS)
    image = types.Part.from_bytes(data=encode(_small(pixels), format=FORMATS["jpeg"]), mime_type="image/jpeg")
    # Documented: without thinking the masks are better.
    config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(thinking_budget=0), candidate_count=1)
    answer = ask(order, contents=[image, prompt.items(context, most=most)], config=config)
    order.checkpoint()
    entries = _entries(text_of(answer))
    found = _all_found(entries[:_MOST_ITEMS], pixels.shape[:2])
    if entries and not found:
        raise ProviderWrongAnswer(provider=GEMINI, what="masks that are none")
    if not found:
        raise NoItemsFound
    pictures = tuple(_cut_out(pixels, item, number) for number, item in enumerate(found[:most], start=1))
    summary = {
        **about(order, answer),
        "photo": {"width": pixels.shape[1], "height": pixels.shape[0]},
        "items_found": len(found),
        "items_returned": len(pictures),
        "masks_unusable": len(entries[:_MOST_ITEMS]) - len(found),
        "unused": sorted((order.spec.get("runtime_config") or {}).keys() - {"model", "output_format"}),
    }
    return Result(pictures=pictures, summary=summary)


def _small(pixels: Bytes) -> Bytes:
    image = Image.fromarray(pixels)
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    return np.asarray(image)


def _entries(text: str) -> list[Any]:
    """Return the JSON list that an answer is, with or without a fence of Markdown around it."""
    fenced = _FENCED.search(text)
    try:
        entries = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError) as error:
        raise ProviderWrongAnswer(provider=GEMINI, what="no list of masks") from error
    if not isinstance(entries, list):
        raise ProviderWrongAnswer(provider=GEMINI, what="no list of masks")
    return entries


def _all_found(entries: list[Any], shape: tuple[int, ...]) -> list[_Found]:
    """Return what can be made out, and no more than memory should be spent on: real items do not overlap so."""
    found, left = [], _MOST_AREA * shape[0] * shape[1]
    for entry in entries:
        item = _found(entry, shape)
        if item is not None and item.alpha.size <= left:
            found.append(item)
            left -= item.alpha.size
    return found


def _found(entry: Any, shape: tuple[int, ...]) -> _Found | None:
    """Return what an entry says lies on a photo of this shape; None where it cannot be made out."""
    if not isinstance(entry, dict):
        return None
    box, mask, label = entry.get("box_2d"), entry.get("mask"), entry.get("label")
    if not (isinstance(box, list) and len(box) == 4 and all(type(side) in (int, float) for side in box)):
        return None
    if not (isinstance(mask, str) and mask.startswith(_MASK) and all(0 <= side <= 1000 for side in box)):
        return None
    top, left, bottom, right = box
    rows = slice(math.floor(top / 1000 * shape[0]), math.ceil(bottom / 1000 * shape[0]))
    columns = slice(math.floor(left / 1000 * shape[1]), math.ceil(right / 1000 * shape[1]))
    high, wide = rows.stop - rows.start, columns.stop - columns.start
    if high < 1 or wide < 1:
        return None
    try:
        values, _ = read_photo(base64.b64decode(mask.removeprefix(_MASK), validate=True))
    except (EngineError, binascii.Error):
        return None
    likely = cv2.resize(values[..., 0], (wide, high), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    alpha = np.rint(np.clip((likely - _OUTSIDE) / (_INSIDE - _OUTSIDE), 0, 1) * 255).astype(np.uint8)
    if not (alpha > 127).any():
        return None
    return _Found(rows=rows, columns=columns, alpha=alpha, label=storable(label) if isinstance(label, str) else "")


def _cut_out(pixels: Bytes, item: _Found, number: int) -> Picture:
    cutout = np.dstack([pixels[item.rows, item.columns], item.alpha])
    cutout[item.alpha == 0] = 0  # what is cut away is gone, and not only unseen
    sure = item.alpha > 127
    x, y, wide, high = cv2.boundingRect(sure.astype(np.uint8))
    left, top, soft_wide, soft_high = cv2.boundingRect(item.alpha)
    pad = round(_PADDING * max(wide, high))
    colors = palette.main_colors(cutout[sure][:, :3], count=4)
    return Picture(
        name=f"item-{number}",
        pixels=cv2.copyMakeBorder(
            cutout[top : top + soft_high, left : left + soft_wide],
            *(pad, pad, pad, pad),
            cv2.BORDER_CONSTANT,
            value=(0, 0, 0, 0),
        ),
        details={
            "box": [item.columns.start + x, item.rows.start + y, wide, high],
            "area": int(sure.sum()),
            "colors": [{"color": color, "share": share} for color, share in colors],
            "label": item.label,
        },
    )
