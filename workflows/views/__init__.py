from workflows.views.files import file_view
from workflows.views.jobs import CancelView, JobsView, JobView, RequestView
from workflows.views.orders import SubmitView

__all__ = ["CancelView", "JobView", "JobsView", "RequestView", "SubmitView", "file_view"]
