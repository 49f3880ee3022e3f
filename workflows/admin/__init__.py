import workflows.admin.client_page
import workflows.webhooks.admin  # noqa: F401 — these register what is theirs
from workflows.admin.jobs import JobAdmin
from workflows.admin.models import ImageModelAdmin
from workflows.admin.reconciliations import ReconciliationAdmin
from workflows.admin.workflows import WorkflowAdmin

__all__ = ["ImageModelAdmin", "JobAdmin", "ReconciliationAdmin", "WorkflowAdmin"]
