from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from studio_gateway.api.guide import guide_page
from studio_gateway.api.openapi import docs_page, openapi_json
from studio_gateway.sign_in_page import sign_in_page

admin.autodiscover()

urlpatterns = [
    path("", include("workflows.urls")),
    path("", include("billing.urls")),
    path("openapi.json", openapi_json, name="openapi"),
    path("docs", docs_page, {"page": "docs"}, name="docs"),
    path("docs/guide", guide_page, name="guide"),
    path("redoc", docs_page, {"page": "redoc"}, name="redoc"),
    path("admin/login/", sign_in_page),
    # The only page of the console that Django lets caches keep.
    path("admin/password_change/", admin.site.admin_view(admin.site.password_change)),
    path("admin/", admin.site.urls),
    re_path("^(admin)?$", RedirectView.as_view(url="/admin/")),
]

handler400 = "studio_gateway.api.errors.bad_request"
handler403 = "studio_gateway.api.errors.permission_denied"
handler404 = "studio_gateway.api.errors.not_found"
handler500 = "studio_gateway.api.errors.server_error"
