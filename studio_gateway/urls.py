from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView

urlpatterns = [
    path("", include("workflows.urls")),
    path("openapi.json", SpectacularJSONAPIView.as_view(), name="openapi"),
    path("admin/", admin.site.urls),
]

handler400 = "studio_gateway.api.errors.bad_request"
handler403 = "studio_gateway.api.errors.permission_denied"
handler404 = "studio_gateway.api.errors.not_found"
handler500 = "studio_gateway.api.errors.server_error"
