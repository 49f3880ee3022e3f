from workflows.views.files import file_view
from workflows.views.jobs import CancelView, JobView, RequestView
from workflows.views.orders import SubmitView

__all__ = ["CancelView", "JobView", "RequestView", "SubmitView", "file_view"]
