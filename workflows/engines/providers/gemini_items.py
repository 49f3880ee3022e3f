"""Gemini's engine of extract: it draws the boxes and the masks, and the items are cut out of the photo here.

Format: https://ai.google.dev/gemini-api/docs/image-understanding, "Segmentation".
"""

import base64
import binascii
import json
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from google.genai import types
from PIL import Image

from workflows.engines import cutouts, prompt
from workflows.engines.base import EngineError, Result
from workflows.engines.categories import guess
from workflows.engines.cutouts import Item
from workflows.engines.encoding import encode
from workflows.engines.extract import ItemsTooSmall, NoItemsFound
from workflows.engines.formats import FORMATS
from workflows.engines.images import read_photo
from workflows.engines.palette import Bytes
from workflows.engines.providers.answers import storable
from workflows.engines.providers.failures import ProviderWrongAnswer
from workflows.engines.providers.gemini import GEMINI, about, ask, text_of
from workflows.engines.runtime_config import runtime_config, unused
from workflows.engines.shapes import shape_of
from workflows.engines.wishes import category_in

if TYPE_CHECKING:
    from workflows.catalogue import Order

_MOST_ITEMS = 32
# Of all items' boxes together, in photos.
_MOST_AREA = 2
# The photo is sent no larger: the model looks at a smaller one still.
_LONGEST_SIDE = 1536
_MASK = "data:image/png;base64,"
# A mask's values are probabilities, 127 of 255 the edge; these make a soft edge of what is near to it.
_OUTSIDE, _INSIDE = 96, 160
_FENCED = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)


def extract(photo: bytes, order: "Order") -> Result:
    """Cut out the items that Gemini finds on a photo, in its order: what the context describes comes first.

    It is sent the upright pixels, and none of the file's metadata. Raises NoItemsFound, ItemsTooSmall, and what
    `runtime_config`, `read_photo` and `gemini.ask` raise.
    """
    cv2.setNumThreads(1)  # worker processes are the parallelism
    asked = runtime_config(order.spec)
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
    least = (asked.min_area or 0) * pixels.shape[0] * pixels.shape[1]
    large = [item for item in found if item.area >= least]
    if not large:
        raise ItemsTooSmall(share=asked.min_area)
    returned = [replace(item, details=_details(pixels, item)) for item in large[:most]]
    summary = {
        **about(order, answer),
        "photo": {"width": pixels.shape[1], "height": pixels.shape[0]},
        "items_found": len(large),
        "items_returned": len(returned),
        "masks_unusable": len(entries[:_MOST_ITEMS]) - len(found),
        "unused": unused(order.spec),
    }
    return Result(pictures=cutouts.pictures(pixels, returned, asked), summary=summary)


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


def _all_found(entries: list[Any], shape: tuple[int, ...]) -> list[Item]:
    """Return what can be made out, and no more than memory should be spent on: real items do not overlap so."""
    found, left = [], _MOST_AREA * shape[0] * shape[1]
    for entry in entries:
        item = _found(entry, shape)
        if item is not None and item.alpha.size <= left:
            found.append(item)
            left -= item.alpha.size
    return found


def _found(entry: Any, shape: tuple[int, ...]) -> Item | None:
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
    known = {"label": storable(label) if isinstance(label, str) else ""}
    return Item(rows=rows, columns=columns, alpha=alpha, details=known)


def _details(photo: Bytes, item: Item) -> dict[str, Any]:
    """Return what is told of an item: its category by the label's words, else by its outline."""
    label = item.details["label"]
    guessed = guess(shape_of(item.alpha > 127), item.box)
    category = category_in(label) or guessed.category
    return {
        "colors": cutouts.named(item.colors(photo)),
        "category": category,
        # A model that writes what an outline says too is surer than either.
        "score": max(guessed.score, 0.8) if category != "other" and category_in(label) else guessed.score,
        "label": label,
    }
