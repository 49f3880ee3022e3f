"""The workflows on offer, as the rows say that are in force."""

from billing import prices
from billing.configuration import Versioned
from workflows.catalogue import Definition
from workflows.errors import WorkflowDisabled
from workflows.models import Workflow

_workflows = Versioned(lambda: {workflow.name: workflow for workflow in Workflow.objects.all()})


def offer(*, name: str, version: int) -> Workflow:
    """Return the workflow `name`; raises WorkflowDisabled where staff have switched it off or there is no row."""
    workflow = _workflows.at(version).get(name)
    if workflow is None or not workflow.enabled:
        raise WorkflowDisabled(workflow=name)
    return workflow


def quote(*, definition: Definition, spec: dict[str, object], version: int) -> int:
    """Return what `spec` costs, in credits. Raises NoPrice."""
    model, pixel_class = definition.scope(spec)
    return prices.price(workflow=definition.name, model=model, pixel_class=pixel_class, version=version)
