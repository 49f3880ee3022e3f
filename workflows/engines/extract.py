"""The built-in engine of extract: the items on a photo, each cut out with alpha."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import cv2

from workflows.engines import cutouts, items, wishes
from workflows.engines.base import EngineError, Result
from workflows.engines.categories import guess
from workflows.engines.cutouts import Box, Item
from workflows.engines.foreground import look
from workflows.engines.images import read_photo
from workflows.engines.pairs import paired
from workflows.engines.palette import Bytes
from workflows.engines.runtime_config import runtime_config, unused
from workflows.engines.shapes import shape_of


class NoItemsFound(EngineError):
    """No item stands out from the background of the trial image. Send a photo whose items lie on, or are worn
    before, a plain surface of another colour, with some of that surface visible on all sides."""

    code = "no_items_found"


class ItemsTooSmall(EngineError):
    """No item covers {share:.4g} of the trial image. Send a smaller runtime_config.min_area, or leave it out."""

    code = "items_too_small"


def extract(photo: bytes, spec: Mapping[str, Any], *, checkpoint: Callable[[], None] = lambda: None) -> Result:
    """Cut the items out of a photo as a validated extract spec asks.

    The pictures have alpha, or the background that `runtime_config` names. They are of at most `max_items` items, and
    32: those first that agree most with what the context says, then the largest. Their details give the box in pixels
    of the upright photo. `checkpoint` is called between the steps. Raises NoItemsFound, ItemsTooSmall, and what
    `runtime_config`, `checkpoint` and `read_photo` raise.
    """
    cv2.setNumThreads(1)  # worker processes are the parallelism
    config = runtime_config(spec)
    pixels, given = read_photo(photo)
    checkpoint()
    seen = look(pixels, given)
    del given
    checkpoint()
    found = items.items(pixels, seen.alpha, min_area=config.min_area)
    if not found:
        if config.min_area and items.items(pixels, seen.alpha):
            raise ItemsTooSmall(share=config.min_area)
        raise NoItemsFound
    checkpoint()
    found = paired([replace(item, details=_details(pixels, item, seen.faces)) for item in found])
    context = spec.get("extraction_context") or {}
    wished = wishes.wishes(context)
    found.sort(key=lambda item: (-wishes.agreement(wished, pixels, item), -item.area))
    given_out = found[: context.get("max_items") or None]
    summary = {
        "engine": "built-in",
        "photo": {"width": pixels.shape[1], "height": pixels.shape[0]},
        "items_found": len(found),
        "items_returned": len(given_out),
        **wished.summary(),
        "unused": unused(spec),
    }
    return Result(pictures=cutouts.pictures(pixels, given_out, config), summary=summary)


def _details(photo: Bytes, item: Item, faces: tuple[Box, ...]) -> dict[str, Any]:
    guessed = guess(shape_of(item.alpha > 127), item.box, faces=faces, within=item.within)
    return {
        "colors": cutouts.named(item.colors(photo)),
        "category": guessed.category,
        "score": guessed.score,
    }
