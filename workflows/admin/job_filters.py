"""By what the list of jobs is narrowed."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RadioFilter

from studio_gateway.filters import TextIs, TimeFilter
from workflows.finding import has_brand, has_model
from workflows.models import Job, Workflow


class WorkflowFilter(RadioFilter):
    """Offers the few workflows, instead of looking through all jobs for their names."""

    title = "workflow"
    parameter_name = "workflow"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in Workflow.objects.order_by("name").values_list("name", flat=True)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(workflow=self.value()) if self.value() else queryset


class BrandFilter(TextIs):
    title = "brand"
    parameter_name = "brand"

    def matching(self, text: str) -> Q:
        return has_brand(text)


class ModelFilter(TextIs):
    title = "model"
    parameter_name = "model"

    def matching(self, text: str) -> Q:
        return has_model(text)


class ErrorCodeFilter(TextIs):
    title = "error code"
    parameter_name = "error_code"

    def matching(self, text: str) -> Q:
        return Q(error_code=text)


class AcceptedFilter(TimeFilter):
    title = "accepted"
    column = "accepted_at"
