"""The workflows that there is code for: how each is validated, priced and performed.

To add one: a serializer for its body, a function that performs it, an entry here, and a migration with its rows in
`workflows_workflow` and `billing_price`; docs/engines.md says more. The URL, the 202, the charge, the worker and the
refund are the same for all.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings

from billing.models import Client
from studio_gateway.api.fields import StrictSerializer
from workflows.engines import runtime_config
from workflows.engines.base import BUILT_IN, EngineError, Result, asked_model, engine_name
from workflows.engines.formats import DEFAULT, output_format
from workflows.engines.providers.sizes import OPENAI_LIMITS, openai_sides
from workflows.engines.sizes import PIXEL_CLASSES, RATIOS, Size, parse_size
from workflows.image_models import ImageModel
from workflows.serializers import BackgroundGeneratorRequest, ExtractTrialItemsRequest
from workflows.storage import check_trial_image, read_trial_image

# A value that no engine can do: the place in the body, and what it will fail with.
Fault = tuple[tuple[str | int, ...], EngineError]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What an engine is given: the spec, who pays, and the seed for what the spec leaves to chance.

    An engine calls `checkpoint` between its steps: it raises Stopped once nobody waits for the images any more.
    `idempotency_key` is the same for each attempt of a job: a provider that takes one makes, and bills, them once.
    `model` is the provider's model that was ordered, where the engine has any; the attempt is cut off at `ends_at`, a
    `time.monotonic()`.
    """

    client: Client
    spec: dict[str, Any]
    seed: int
    idempotency_key: str = ""
    checkpoint: Callable[[], None] = lambda: None
    model: ImageModel | None = None
    ends_at: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What makes the images, and what clients are told of it.

    One that asks a provider has `key_setting`, the setting with the provider's API key. It is ordered by the names of
    its models, which are rows (`ImageModel`) with their own resolutions and ratios; what the provider's API itself does
    not take, `fits` refuses, and `limits` says it in words. Any other engine is ordered by its own name; `resolutions`
    and `ratios` are those that clients may choose from, if any. `cannot` says in sentences what a client might expect
    of it in vain.
    """

    perform: Callable[[Order], Result]
    resolutions: tuple[str, ...] = ()
    ratios: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()
    key_setting: str = ""
    fits: Callable[[Size], bool] = lambda size: True
    limits: str = ""

    @property
    def is_configured(self) -> bool:
        return not self.key_setting or bool(getattr(settings, self.key_setting))


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A workflow's code.

    `scope` names the model and the pixel class that its price hangs on, None for any. `faults` tells before an order
    what every engine would fail on for certain; it runs in the web process. One of the `engines` is BUILT_IN.
    """

    name: str
    summary: str  # for the API document
    serializer: type[StrictSerializer]
    scope: Callable[[dict[str, Any]], tuple[str | None, str | None]]
    faults: Callable[[Client, dict[str, Any]], Iterator[Fault]]
    engines: dict[str, Engine]

    @cached_property
    def validator(self) -> StrictSerializer:
        """Checks any number of bodies, in any number of threads, with `run_validation`; to be made it takes longer."""
        return self.serializer()


def _background_scope(spec: dict[str, Any]) -> tuple[str | None, str | None]:
    model = engine_name(asked_model(spec))
    try:
        size = parse_size(resolution=spec.get("resolution"), aspect_ratio=spec.get("aspect_ratio"))
    except EngineError:
        return model, None  # nobody can make it: the job will fail, and give the price back
    return model, size.pixel_class


def _fault(loc: tuple[str | int, ...], check: Callable[..., object], **values: Any) -> Iterator[Fault]:
    try:
        check(**values)
    except EngineError as error:
        yield loc, error


def _background_faults(client: Client, spec: dict[str, Any]) -> Iterator[Fault]:
    from workflows.engines.colors import parse_color  # Pillow, which orders need not wait for

    resolution, ratio = spec.get("resolution"), spec.get("aspect_ratio")
    sizes = [
        *_fault(("resolution",), parse_size, resolution=resolution, aspect_ratio=None),
        *_fault(("aspect_ratio",), parse_size, resolution=None, aspect_ratio=ratio),
    ]
    yield from sizes or _fault(("resolution",), parse_size, resolution=resolution, aspect_ratio=ratio)
    for position, color in enumerate(spec.get("dominant_colors", ())):
        yield from _fault(("dominant_colors", position), parse_color, text=color)


def _extract_faults(client: Client, spec: dict[str, Any]) -> Iterator[Fault]:
    with contextlib.suppress(OSError):  # storage that is away says nothing of the value
        yield from _fault(("trial_image",), check_trial_image, client=client, key=spec["trial_image"])
    yield from _fault(("runtime_config", "output_format"), output_format, spec=spec, default=DEFAULT)
    for key in runtime_config.KEYS:
        yield from _fault(("runtime_config", key), runtime_config.read_key, spec=spec, key=key)


def _render_background(order: Order) -> Result:
    from workflows.engines import background  # image libraries belong in the worker, not in the web process

    return background.render(order.spec, default_seed=order.seed, checkpoint=order.checkpoint)


def _extract_items(order: Order) -> Result:
    from workflows.engines import extract

    photo = read_trial_image(client=order.client, key=order.spec["trial_image"])
    order.checkpoint()
    return extract.extract(photo, order.spec, checkpoint=order.checkpoint)


def _gemini_background(order: Order) -> Result:
    from workflows.engines.providers import gemini  # so do the providers' SDKs

    return gemini.background(order)


def _openai_background(order: Order) -> Result:
    from workflows.engines.providers import openai_images

    return openai_images.background(order)


def _gemini_items(order: Order) -> Result:
    from workflows.engines.providers import gemini_items

    photo = read_trial_image(client=order.client, key=order.spec["trial_image"])
    order.checkpoint()
    return gemini_items.extract(photo, order)


NO_CONFIG = (
    "Of runtime_config it knows model, output_format, "
    f"{', '.join(runtime_config.KEYS[:-1])} and {runtime_config.KEYS[-1]}; the job's summary lists what was not used."
)
CUT_TO_SIZE = "Its provider makes sizes of its own; the image is cut and scaled from the nearest, and says from which."
NO_SEED = "Its provider takes no seed: no order makes the same image again."

DEFINITIONS = {
    definition.name: definition
    for definition in (
        Definition(
            name="background-generator",
            summary="Dispatch a background-generator workflow",
            serializer=BackgroundGeneratorRequest,
            scope=_background_scope,
            faults=_background_faults,
            engines={
                BUILT_IN: Engine(
                    perform=_render_background,
                    resolutions=tuple(PIXEL_CLASSES),
                    ratios=RATIOS,
                    cannot=("It draws a set, its light and its materials: no people, products or text.",),
                ),
                "gemini": Engine(
                    perform=_gemini_background,
                    cannot=(CUT_TO_SIZE, "Its provider does not promise the same image for a seed."),
                    key_setting="GEMINI_API_KEY",
                ),
                "openai": Engine(
                    perform=_openai_background,
                    cannot=(CUT_TO_SIZE, NO_SEED),
                    key_setting="OPENAI_API_KEY",
                    fits=lambda size: openai_sides(size) is not None,
                    limits=OPENAI_LIMITS,
                ),
            },
        ),
        Definition(
            name="extract",
            summary="Dispatch an extract-trial-items workflow",
            serializer=ExtractTrialItemsRequest,
            scope=lambda spec: (engine_name(asked_model(spec)), None),
            faults=_extract_faults,
            engines={
                BUILT_IN: Engine(
                    perform=_extract_items,
                    cannot=(
                        "It cuts out what stands before one background; items of one colour that touch come as one.",
                        "Its categories are guesses from outlines: see the score of each.",
                        NO_CONFIG,
                    ),
                ),
                "gemini": Engine(
                    perform=_gemini_items,
                    cannot=("Its masks are coarse: their edges are smoothed, not traced.", NO_CONFIG),
                    key_setting="GEMINI_API_KEY",
                ),
            },
        ),
    )
}
