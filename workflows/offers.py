"""The workflows on offer, as the rows say that are in force."""

from dataclasses import dataclass
from itertools import chain, islice

from billing import ledger, prices
from billing.authentication import Credentials
from billing.configuration import Versioned
from billing.models import Client
from studio_gateway.errors import DomainError
from workflows import line_up
from workflows.catalogue import Definition, Fault
from workflows.errors import WorkflowDisabled
from workflows.models import Workflow

# A megabyte of impossible colours would be sixty megabytes of warnings.
MOST_WARNINGS = 100

_workflows = Versioned(lambda: {workflow.name: workflow for workflow in Workflow.objects.all()})


def row(*, name: str, version: int) -> Workflow | None:
    """Return the row of the workflow `name`, whether it is enabled or not."""
    return _workflows.at(version).get(name)


def offer(*, name: str, version: int) -> Workflow:
    """Return the workflow `name`; raises WorkflowDisabled where staff have switched it off or there is no row."""
    workflow = row(name=name, version=version)
    if workflow is None or not workflow.enabled:
        raise WorkflowDisabled(workflow=name)
    return workflow


def price(*, definition: Definition, spec: dict[str, object], version: int) -> int:
    """Return what `spec` costs, in credits. Raises NoPrice."""
    model, pixel_class = definition.scope(spec)
    return prices.price(workflow=definition.name, model=model, pixel_class=pixel_class, version=version)


def quote(*, definition: Definition, spec: dict[str, object], credentials: Credentials) -> int:
    """Return what `spec` costs whoever orders it: its price, or nothing with a test key. Raises NoPrice."""
    credits = price(definition=definition, spec=spec, version=credentials.config_version)
    return 0 if credentials.is_test else credits


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What would come of an order, without one."""

    credits_cost: int
    balance: int
    refusal: DomainError | None
    warnings: list[Fault]

    @property
    def would_be_accepted(self) -> bool:
        return self.refusal is None

    @property
    def balance_after(self) -> int:
        return self.balance - self.credits_cost if self.would_be_accepted else self.balance


def try_out(*, definition: Definition, spec: dict[str, object], client: Client, credentials: Credentials) -> Trial:
    """Price a valid spec and tell what its order would meet with now. Raises NoPrice."""
    cost, refusal = quote(definition=definition, spec=spec, credentials=credentials), None
    try:
        offer(name=definition.name, version=credentials.config_version)
        ledger.check_admission(client=client, credits=cost)
    except DomainError as error:
        refusal = error
    of_model = line_up.faults(definition=definition, spec=spec, version=credentials.config_version)
    warnings = list(islice(chain(of_model, definition.faults(client, spec)), MOST_WARNINGS))
    return Trial(credits_cost=cost, balance=client.balance, refusal=refusal, warnings=warnings)
