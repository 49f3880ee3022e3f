"""What can be ordered, with which engines and at what price: told from what orders are checked, priced and made by."""

import contextlib
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Any

from billing import prices
from billing.errors import NoPrice
from billing.models import Price
from studio_gateway.api.openapi import json_schema
from workflows import line_up, offers
from workflows.catalogue import DEFINITIONS, Definition
from workflows.engines.providers.sizes import SizeNotMade
from workflows.engines.sizes import parse_size
from workflows.line_up import Maker
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
    """Who makes orders of a workflow that is on; `credits` is what an order costs that says nothing of its size."""

    model: str
    workflow: str
    credits: int | None
    sizes: list[SizePrice]
    cannot: tuple[str, ...]
    shut_down_on: date | None


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
    """Return what orders of the workflows that are switched on can be made by, now."""
    found = []
    for definition in DEFINITIONS.values():
        row = offers.row(name=definition.name, version=version)
        if row is not None and row.enabled:
            makers = line_up.makers(definition=definition, models=line_up.rows(version=version))
            found += [_model(definition, maker, version) for maker in makers]
    return found


def _model(definition: Definition, maker: Maker, version: int) -> Model:
    offered = maker.model or maker.engine
    sizes = []
    for resolution, ratio in product(offered.resolutions, offered.ratios):
        asked = {"resolution": resolution, "aspect_ratio": ratio}
        size = parse_size(resolution=resolution, aspect_ratio=ratio)
        with contextlib.suppress(SizeNotMade):
            maker.check_size(size)
            credits = _price(definition, maker, asked, version)
            sizes.append(SizePrice(**asked, width=size.width, height=size.height, credits=credits))
    return Model(
        model=maker.name,
        workflow=definition.name,
        credits=_price(definition, maker, {}, version),
        sizes=sizes,
        cannot=maker.engine.cannot,
        shut_down_on=maker.model.shut_down_on if maker.model else None,
    )


def _price(definition: Definition, maker: Maker, asked: dict[str, str], version: int) -> int | None:
    try:
        return offers.price(definition=definition, spec={**asked, "image_model": maker.name}, version=version)
    except NoPrice:
        return None
