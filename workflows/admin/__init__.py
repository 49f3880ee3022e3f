import workflows.webhooks.admin  # noqa: F401 — registers its own
from workflows.admin.jobs import JobAdmin
from workflows.admin.models import ImageModelAdmin
from workflows.admin.reconciliations import ReconciliationAdmin
from workflows.admin.workflows import WorkflowAdmin

__all__ = ["ImageModelAdmin", "JobAdmin", "ReconciliationAdmin", "WorkflowAdmin"]
