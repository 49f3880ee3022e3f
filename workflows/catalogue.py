"""The workflows that there is code for: how each is validated, priced and performed.

To add one: a serializer for its body, a function that performs it, an entry here, and a migration with its rows in
`workflows_workflow` and `billing_price`. The URL, the 202, the charge, the worker and the refund are the same for all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from billing.models import Client
from studio_gateway.api.fields import StrictSerializer
from workflows.engines.base import EngineError, Result
from workflows.engines.sizes import parse_size
from workflows.serializers import BackgroundGeneratorRequest, ExtractTrialItemsRequest
from workflows.storage import read_trial_image


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a workflow's code is given: the spec, who pays, and the seed for what the spec leaves to chance."""

    client: Client
    spec: dict[str, Any]
    seed: int


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A workflow's code. `scope` names the model and the pixel class that its price hangs on, None for any."""

    name: str
    serializer: type[StrictSerializer]
    scope: Callable[[dict[str, Any]], tuple[str | None, str | None]]
    perform: Callable[[Order], Result]


def _background_scope(spec: dict[str, Any]) -> tuple[str | None, str | None]:
    model = spec.get("image_model")
    try:
        size = parse_size(resolution=spec.get("resolution"), aspect_ratio=spec.get("aspect_ratio"))
    except EngineError:
        return model, None  # nobody can make it: the job will fail, and give the price back
    return model, size.pixel_class


def _render_background(order: Order) -> Result:
    from workflows.engines import background  # image libraries belong in the worker, not in the web process

    return background.render(order.spec, default_seed=order.seed)


def _extract_items(order: Order) -> Result:
    from workflows.engines import extract

    photo = read_trial_image(client=order.client, key=order.spec["trial_image"])
    return extract.extract(photo, order.spec)


DEFINITIONS = {
    definition.name: definition
    for definition in (
        Definition(
            name="background-generator",
            serializer=BackgroundGeneratorRequest,
            scope=_background_scope,
            perform=_render_background,
        ),
        Definition(
            name="extract",
            serializer=ExtractTrialItemsRequest,
            scope=lambda spec: (None, None),
            perform=_extract_items,
        ),
    )
}
