"""What can be ordered, with which engines and at what price: told from what orders are checked, priced and made by."""

from dataclasses import dataclass
from typing import Any

from billing import prices
from billing.errors import NoPrice
from billing.models import Price
from studio_gateway.api.openapi import json_schema
from workflows import offers
from workflows.catalogue import DEFINITIONS, Definition
from workflows.engines.base import BUILT_IN
from workflows.engines.sizes import parse_size
from workflows.models import Workflow


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """A workflow with the JSON Schema of its spec, and its prices."""

    workflow: Workflow
    spec: dict[str, Any]
    prices: list[Price]


@dataclass(frozen=True, kw_only=True)
class SizePrice:
    """A size to choose, the pixels that it means, and what it costs; None where there is no price at the moment."""

    resolution: str
    aspect_ratio: str
    width: int
    height: int
    credits: int | None


@dataclass(frozen=True, kw_only=True)
class Model:
    """An engine of a workflow that is on; `credits` is what an order costs that says nothing of its size."""

    model: str
    workflow: str
    credits: int | None
    sizes: list[SizePrice]
    cannot: tuple[str, ...]


def workflows(*, version: int) -> list[Leaf]:
    """Return what there is code and a row for, also what is switched off."""
    rows = [(definition, offers.row(name=definition.name, version=version)) for definition in DEFINITIONS.values()]
    return [
        Leaf(
            workflow=row,
            spec=json_schema(definition.serializer.__name__),
            prices=prices.rows(workflow=row.name, version=version),
        )
        for definition, row in rows
        if row is not None
    ]


def models(*, version: int) -> list[Model]:
    """Return the engines of the workflows that are switched on."""
    found = []
    for definition in DEFINITIONS.values():
        row = offers.row(name=definition.name, version=version)
        for name in definition.engines if row is not None and row.enabled else ():
            found.append(_model(definition, name, version))
    return found


def _model(definition: Definition, name: str, version: int) -> Model:
    engine = definition.engines[name]
    # The built-in one is what an order gets that names none.
    spec: dict[str, object] = {} if name == BUILT_IN else {"image_model": name}
    sizes = []
    for resolution in engine.resolutions:
        for ratio in engine.ratios:
            asked = {"resolution": resolution, "aspect_ratio": ratio}
            pixels = parse_size(resolution=resolution, aspect_ratio=ratio)
            credits = _price(definition, {**spec, **asked}, version)
            sizes.append(SizePrice(**asked, width=pixels.width, height=pixels.height, credits=credits))
    credits = _price(definition, spec, version)
    return Model(model=name, workflow=definition.name, credits=credits, sizes=sizes, cannot=engine.cannot)


def _price(definition: Definition, spec: dict[str, object], version: int) -> int | None:
    try:
        return offers.price(definition=definition, spec=spec, version=version)
    except NoPrice:
        return None
