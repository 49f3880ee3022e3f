"""What an extract order may set in its `runtime_config`, for every engine that cuts items out.

The web process imports this module for dry runs, and the engines to make an order, so that both always agree.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workflows.engines.base import EngineError, quoted

_MOST_PADDING = 0.5


class NotAShare(EngineError):
    """runtime_config.{key} is {asked}. Send a number from 0 to {most}, or leave it out."""

    code = "not_a_share"


class NotAFlag(EngineError):
    """runtime_config.{key} is {asked}. Send true or false, or leave it out."""

    code = "not_a_flag"


@dataclass(frozen=True, kw_only=True)
class RuntimeConfig:
    """How items are cut out and what of them is returned.

    `padding` is empty room on each side of an item, as a share of the longer side of its box; `square` widens the
    shorter side to the longer one. `background` is #rrggbb, None for transparent. `min_area` is the share of the photo
    that an item covers at least, None where the engine decides.
    """

    padding: float = 0.02
    square: bool = False
    background: str | None = None
    min_area: float | None = None
    return_masks: bool = False


def runtime_config(spec: Mapping[str, Any]) -> RuntimeConfig:
    """Return what a spec sets; null is as good as nothing. Raises NotAShare, NotAFlag or UnknownColor."""
    read = {key: read_key(spec, key=key) for key in KEYS}
    return RuntimeConfig(**{key: value for key, value in read.items() if value is not None})


def read_key(spec: Mapping[str, Any], *, key: str) -> Any:
    """Return what a spec sets one of KEYS to, None where it does not. Raises what is wrong with it."""
    value = (spec.get("runtime_config") or {}).get(key)
    return None if value is None else _READERS[key](key, value)


def unused(spec: Mapping[str, Any]) -> list[str]:
    """Return the keys that a spec sets in vain."""
    return sorted((spec.get("runtime_config") or {}).keys() - {"model", "output_format", *KEYS})


def _share(most: float) -> Callable[[str, Any], float]:
    def read(key: str, value: Any) -> float:
        # The type itself: True is an int to Python. Compared before it is made a float, which not every int can be.
        if type(value) not in (int, float) or not 0 <= value <= most:
            raise NotAShare(key=key, asked=_shown(value), most=most)
        return float(value)

    return read


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise NotAFlag(key=key, asked=_shown(value))
    return value


def _color(key: str, value: Any) -> str | None:
    from workflows.engines.colors import UnknownColor, parse_color  # Pillow, which orders need not wait for

    if not isinstance(value, str):
        raise UnknownColor(asked=_shown(value))
    return None if value.strip().lower() == "transparent" else parse_color(value)


def _shown(value: Any) -> str:
    return quoted(value if isinstance(value, str) else json.dumps(value))


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "padding": _share(_MOST_PADDING),
    "square": _flag,
    "background": _color,
    "min_area": _share(1),
    "return_masks": _flag,
}
KEYS = tuple(_READERS)
