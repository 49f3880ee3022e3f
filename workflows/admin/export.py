"""The list of jobs as a file for spreadsheets."""

import csv
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_safe
from unfold.admin import ModelAdmin

from workflows.finding import spec_text
from workflows.models import Job

PAGE = 1000
# A text of a client's may be a megabyte; so much of it is told.
TOLD = 200
COLUMNS = {
    "job_id": "id",
    "request_id": "request_id",
    "client_id": "client_id",
    "client": "client__name",
    "workflow": "workflow",
    "status": "status",
    "display_name": "told_display_name",
    "brand": "told_pilot_brand",
    "model": "told_image_model",
    "credits_cost": "credits_cost",
    "refund_id": "refund_id",
    "accepted_at": "accepted_at",
    "started_at": "started_at",
    "ended_at": "ended_at",
    "attempts": "attempt",
    "error_code": "error_code",
    "error_message": "told_error_message",
    "is_test": "is_test",
    "rerun_of": "rerun_of_id",
    "idempotency_key": "idempotency_key",
}


class _Echo:
    """Hands back what is written: `csv` writes to files only."""

    def write(self, text: str) -> str:
        return text


class Export(ModelAdmin):
    """Offers the jobs that the list's filters and search select, all of them, at `export/` with the same parameters."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(self.export))
        return [path("export/", view, name="workflows_job_export"), *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            found = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return HttpResponseRedirect(reverse("admin:workflows_job_changelist", query={"e": 1}))
        name = f"jobs-{timezone.now():%Y%m%dT%H%M%SZ}.csv"
        return StreamingHttpResponse(
            _lines(found),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
        )


def _lines(found: QuerySet[Job]) -> Iterator[str]:
    """Yield the file line by line; it is read PAGE jobs at a time, each page by a statement of its own."""
    texts = {f"told_{name}": Left(spec_text(name), TOLD) for name in ("display_name", "pilot_brand", "image_model")}
    told = found.prefetch_related(None).annotate(**texts, told_error_message=Left("error_message", TOLD))
    rows = told.order_by("-pk").values_list(*COLUMNS.values())
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    page = list(rows[:PAGE])
    while page:
        for row in page:
            yield writer.writerow([_cell(value) for value in row])
        page = list(rows.filter(pk__lt=page[-1][0])[:PAGE])


def _cell(value: Any) -> Any:
    """Write a time as ISO 8601, and keep what spreadsheets would take for a formula from being one."""
    if isinstance(value, datetime):
        return value.isoformat()
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
