"""Who makes an order: what the name of its model stands for at the moment, and what there is instead."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from billing.configuration import Versioned
from workflows.catalogue import DEFINITIONS, Definition, Engine, Fault
from workflows.engines.base import (
    EngineError,
    EngineNotConfigured,
    ModelShutDown,
    UnknownModel,
    asked_model,
    engine_name,
    quoted,
)
from workflows.engines.providers.sizes import SizeNotMade, check_size
from workflows.engines.sizes import Size, parse_size
from workflows.models import ImageModel, Job

_models = Versioned(lambda: list(ImageModel.objects.all()))


@dataclass(frozen=True, kw_only=True)
class Maker:
    """An engine, and the provider's model that it works with, if any."""

    name: str
    engine: Engine
    model: ImageModel | None = None

    def check(self, spec: dict[str, Any]) -> None:
        """Raise what the size of `spec` would fail with: what `parse_size` raises, or SizeNotMade."""
        if self.model is not None and self.model.resolutions:
            self.check_size(parse_size(resolution=spec.get("resolution"), aspect_ratio=spec.get("aspect_ratio")))

    def check_size(self, size: Size) -> None:
        if self.model is not None:
            check_size(
                size,
                model=self.name,
                resolutions=self.model.resolutions,
                ratios=self.model.ratios,
                fits=self.engine.fits(size),
                limits=self.engine.limits,
            )


def rows(*, version: int) -> list[ImageModel]:
    """Return all providers' models, whether they can be ordered or not."""
    return _models.at(version)


def makers(*, definition: Definition, models: Iterable[ImageModel]) -> Iterator[Maker]:
    """Yield who makes orders of a workflow now: engines that need no model, then the models of those that do."""
    for name, engine in definition.engines.items():
        if not engine.key_setting:
            yield Maker(name=name, engine=engine)
    for row in models:
        code = definition.engines.get(row.engine)
        known = row.workflow == definition.name and row.enabled and code is not None
        if known and code is not None and code.is_configured and not row.is_shut_down:
            yield Maker(name=row.name, engine=code, model=row)


def maker(*, definition: Definition, name: str, models: Sequence[ImageModel]) -> Maker:
    """Return who makes orders of the model `name`. Raises UnknownModel, ModelShutDown or EngineNotConfigured."""
    there = []
    for each in makers(definition=definition, models=models):
        if each.name == name:
            return each
        there.append(each.name)
    known = ", ".join(sorted(there))
    row = next((row for row in models if (row.workflow, row.name) == (definition.name, name)), None)
    if row is None or not row.enabled or row.engine not in definition.engines:
        raise UnknownModel(asked=quoted(name), known=known)
    if row.is_shut_down:
        raise ModelShutDown(model=name, date=row.shut_down_on, known=known)
    raise EngineNotConfigured(model=name, known=known)


def maker_for(job: Job, *, version: int) -> Maker:
    """Return who makes the next attempt of a job. Raises what its order cannot be made for: see `maker` and `check`."""
    found = maker(definition=DEFINITIONS[job.workflow], name=job.engine, models=rows(version=version))
    found.check(job.spec)
    return found


def faults(*, definition: Definition, spec: dict[str, Any], version: int) -> Iterator[Fault]:
    """Tell before an order what its model would fail with."""
    place: tuple[str | int, ...] = ("image_model",) if "image_model" in spec else ("runtime_config", "model")
    try:
        found = maker(definition=definition, name=engine_name(asked_model(spec)), models=rows(version=version))
    except EngineError as error:
        yield place, error
        return
    try:
        found.check(spec)
    except SizeNotMade as error:
        yield ("resolution",), error
    except EngineError:
        pass  # no model makes it: the workflow tells that itself
