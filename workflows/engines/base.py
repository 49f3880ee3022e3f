"""What every engine takes part in: the result it gives and the way it fails.

The web process imports this module, so it imports no image library.
"""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from workflows.engines.palette import Bytes


class EngineError(Exception):
    """The images could not be made."""

    code: ClassVar[str] = "engine_failed"
    technical: ClassVar[bool] = False  # True: the same order may succeed on the next attempt

    def __init__(self, **values: object) -> None:
        """Fill the docstring of the class, which is the message for the client, with `values`."""
        template = " ".join(inspect.cleandoc(type(self).__doc__ or self.code).split())
        self.message = template.format(**values)
        super().__init__(self.message)


class UnknownModel(EngineError):
    """There is no image model {asked}. There is: {known}; order no model for the built-in one."""

    code = "unknown_model"


class ModelShutDown(EngineError):
    """The provider of {model} has shut it down on {date}. There is: {known}; order no model for the built-in one."""

    code = "model_shut_down"


class EngineNotConfigured(EngineError):
    """This gateway has no access to the provider of {model}. There is: {known}; order no model for the built-in one."""

    code = "engine_not_configured"


class Stopped(Exception):
    """The attempt is over, and nobody waits for what it makes: raised by an order's `checkpoint`."""


BUILT_IN = "built-in"


def asked_model(spec: Mapping[str, Any]) -> str | None:
    """Return the model that a spec orders from: its `image_model`, or the `model` of its `runtime_config`, if any.

    What is no text there is returned as JSON, which is no model's name.
    """
    asked = spec["image_model"] if "image_model" in spec else (spec.get("runtime_config") or {}).get("model")
    return asked if asked is None or isinstance(asked, str) else json.dumps(asked)


def engine_name(model: str | None) -> str:
    """Return the name of the engine, or of a provider's model, that an order's model stands for, if there is one."""
    return BUILT_IN if model is None else model.strip().lower()


@dataclass(frozen=True, eq=False)
class Picture:
    """One image that an engine made, yet to be encoded: sRGB, shape (h, w, 3), (h, w, 4) with alpha, or (h, w) in gray.

    `name` is what its file is called, without an extension, where the client does not say. `details` is JSON-able and
    says what is particular to this image. `format` is the one that it has whatever the order asks for, if any.
    """

    name: str
    pixels: "Bytes" = field(repr=False)
    details: dict[str, Any] = field(default_factory=dict)
    format: str | None = None

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def height(self) -> int:
        return self.pixels.shape[0]


class OnDemand(Sequence[Picture]):
    """Pictures that are each made when they are looked at, and not kept: all at once may be more than memory holds."""

    def __init__(self, makers: Sequence[Callable[[], Picture]]) -> None:
        self._makers = makers

    def __len__(self) -> int:
        return len(self._makers)

    def __getitem__(self, index: Any) -> Any:
        return OnDemand(self._makers[index]) if isinstance(index, slice) else self._makers[index]()


@dataclass(frozen=True)
class Result:
    """What an engine made of a spec. `summary` is JSON-able: what was understood, and how to make it again."""

    pictures: Sequence[Picture]
    summary: dict[str, Any]


def quoted(value: object, *, limit: int = 40) -> str:
    """Return `value` in quotes for a message, cut short: a client may send a megabyte where a word belongs."""
    text = str(value)
    return f'"{text}"' if len(text) <= limit else f'"{text[:limit]}…"'
