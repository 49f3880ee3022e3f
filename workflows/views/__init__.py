from workflows.views.catalogue import ModelsView, WorkflowsView
from workflows.views.files import file_view
from workflows.views.jobs import CancelView, JobsView, JobView, RequestView
from workflows.views.orders import SubmitView
from workflows.views.usage import UsageView

__all__ = [
    "CancelView",
    "JobView",
    "JobsView",
    "ModelsView",
    "RequestView",
    "SubmitView",
    "UsageView",
    "WorkflowsView",
    "file_view",
]
