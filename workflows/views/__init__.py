from workflows.views.catalogue import ModelsView, WorkflowsView
from workflows.views.jobs import CancelView, JobsView, JobView, RequestView
from workflows.views.orders import SubmitView
from workflows.views.uploads import FileView, UploadsView
from workflows.views.usage import UsageView

__all__ = [
    "CancelView",
    "FileView",
    "JobView",
    "JobsView",
    "ModelsView",
    "RequestView",
    "SubmitView",
    "UploadsView",
    "UsageView",
    "WorkflowsView",
]
