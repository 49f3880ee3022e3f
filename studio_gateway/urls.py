from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularJSONAPIView

from studio_gateway.api import openapi  # noqa: F401 — registers itself; here, because commands need not wait for it

admin.autodiscover()

urlpatterns = [
    path("", include("workflows.urls")),
    path("openapi.json", SpectacularJSONAPIView.as_view(), name="openapi"),
    path("admin/", admin.site.urls),
    re_path("^(admin)?$", RedirectView.as_view(url="/admin/")),
]

handler400 = "studio_gateway.api.errors.bad_request"
handler403 = "studio_gateway.api.errors.permission_denied"
handler404 = "studio_gateway.api.errors.not_found"
handler500 = "studio_gateway.api.errors.server_error"
