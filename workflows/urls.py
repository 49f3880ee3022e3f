from django.urls import include, path, register_converter

from studio_gateway.ids import ULIDConverter
from workflows.catalogue import DEFINITIONS
from workflows.views import (
    CancelView,
    FileView,
    JobsView,
    JobView,
    ModelsView,
    RequestView,
    SubmitView,
    UploadsView,
    UsageView,
    WorkflowsView,
)

register_converter(ULIDConverter, "ulid")

urlpatterns = [
    *(
        path(f"v1/{definition.name}", SubmitView.as_view(definition=definition), name=f"submit-{definition.name}")
        for definition in DEFINITIONS.values()
    ),
    path("v1/jobs", JobsView.as_view(), name="jobs"),
    path("v1/jobs/<ulid:job_id>", JobView.as_view(), name="job"),
    path("v1/jobs/<ulid:job_id>/cancel", CancelView.as_view(), name="cancel"),
    path("v1/requests/<ulid:request_id>", RequestView.as_view(), name="request"),
    path("v1/uploads", UploadsView.as_view(), name="uploads"),
    path("v1/usage", UsageView.as_view(), name="usage"),
    path("v1/workflows", WorkflowsView.as_view(), name="workflows"),
    path("v1/models", ModelsView.as_view(), name="models"),
    path("", include("workflows.webhooks.urls")),
    path("files/<path:key>", FileView.as_view(), name="file"),
]
