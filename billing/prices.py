"""What things cost."""

from billing.configuration import Versioned
from billing.errors import NoPrice
from billing.models import Price

Scope = tuple[str, str | None, str | None]


def _load() -> dict[Scope, int]:
    # Models are compared in small letters: a price that staff wrote otherwise is not to be passed over.
    return {(p.workflow, p.model and p.model.strip().lower(), p.pixel_class): p.credits for p in Price.objects.all()}


_prices = Versioned(_load)


def rows(*, workflow: str, version: int) -> list[Price]:
    """Return a workflow's prices, those of any model and any size first."""
    return [
        Price(workflow=workflow, model=model, pixel_class=pixel_class, credits=credits)
        for (name, model, pixel_class), credits in _prices.at(version).items()
        if name == workflow
    ]


def price(*, workflow: str, model: str | None, pixel_class: str | None, version: int) -> int:
    """Return the credits of the narrowest row that fits: model and class, then model, then class, then neither.

    Raises NoPrice.
    """
    prices = _prices.at(version)
    for scope in ((model, pixel_class), (model, None), (None, pixel_class), (None, None)):
        found = prices.get((workflow, *scope))
        if found is not None:
            return found
    raise NoPrice(workflow=workflow)
