"""The formats that images are stored in.

The web process imports this module, so it imports no image library.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.engines.base import EngineError, quoted


@dataclass(frozen=True, kw_only=True)
class Format:
    """One format; `most_side` is the longest side in pixels that it has room for, or that its encoder makes."""

    name: str
    label: str
    content_type: str
    extension: str
    most_side: int
    has_alpha: bool = True


FORMATS = {
    format.name: format
    for format in (
        Format(name="png", label="PNG", content_type="image/png", extension="png", most_side=1_000_000),
        Format(name="webp", label="WebP", content_type="image/webp", extension="webp", most_side=16_383),
        Format(
            name="jpeg", label="JPEG", content_type="image/jpeg", extension="jpg", most_side=65_500, has_alpha=False
        ),
    )
}
DEFAULT = "png"
CHOICES = [(format.name, format.label) for format in FORMATS.values()]
# What an order may call them.
_BY_WORD = {**FORMATS, "jpg": FORMATS["jpeg"]}


class UnknownFormat(EngineError):
    """There is no output format {asked}. There is: png, webp and jpeg; leave output_format out for what the workflow
    makes by itself."""

    code = "unknown_output_format"


class TooLongForFormat(EngineError):
    """The image has {width} x {height} pixels, and no side of a {format} may have more than {limit}. Ask for another
    output_format, or for a smaller image."""

    code = "image_too_long_for_format"


def output_format(spec: Mapping[str, Any], *, default: str) -> Format:
    """Return what a spec asks for in `runtime_config.output_format`, else `default`. Raises UnknownFormat."""
    asked = (spec.get("runtime_config") or {}).get("output_format")
    if asked is None:
        return FORMATS[default]
    word = asked.strip().lower() if isinstance(asked, str) else ""
    if word not in _BY_WORD:
        raise UnknownFormat(asked=quoted(asked if isinstance(asked, str) else json.dumps(asked)))
    return _BY_WORD[word]


def check_sides(*, width: int, height: int, format: Format) -> None:
    """Raise TooLongForFormat where `format` has no room for so many pixels a side."""
    if max(width, height) > format.most_side:
        raise TooLongForFormat(width=width, height=height, format=format.label, limit=format.most_side)
