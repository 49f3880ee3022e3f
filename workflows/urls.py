from django.urls import path

from workflows.catalogue import DEFINITIONS
from workflows.views import JobView, SubmitView, file_view

urlpatterns = [
    *(
        path(f"v1/{definition.name}", SubmitView.as_view(definition=definition), name=f"submit-{definition.name}")
        for definition in DEFINITIONS.values()
    ),
    path("v1/jobs/<str:pk>", JobView.as_view(), name="job"),
    path("v1/requests/<str:request_id>", JobView.as_view(), name="request"),
    path("files/<path:key>", file_view, name="file"),
]
