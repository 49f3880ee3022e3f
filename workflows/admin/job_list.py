"""The list of jobs."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesRadioFilter, RadioFilter
from unfold.decorators import display

from studio_gateway.admin import RecordAdmin, code, label
from workflows.models import Job, Workflow

STATUS_COLOURS = {"NOT_STARTED": "info", "IN_PROGRESS": "primary", "SUCCESS": "success", "FAILURE": "danger"}


class WorkflowFilter(RadioFilter):
    """Offers the few workflows, instead of looking through all jobs for their names."""

    title = "workflow"
    parameter_name = "workflow"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in Workflow.objects.order_by("name").values_list("name", flat=True)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(workflow=self.value()) if self.value() else queryset


class JobList(RecordAdmin):
    """The list; the page of one job is `workflows.admin.jobs`."""

    list_display = [
        "id",
        "badge",
        "client",
        "workflow",
        "cost",
        "credits_refunded",
        "accepted",
        "ended",
        "attempts",
        "failure",
    ]
    list_filter = [("status", ChoicesRadioFilter), WorkflowFilter, ("client", AutocompleteSelectFilter)]
    list_select_related = ["client"]
    ulid_fields = ("id", "request_id")
    search_fields = ["client__name"]
    search_help_text = "Job id, request id or client"

    @display(description="Status")
    def badge(self, job: Job) -> SafeString:
        return label(job.status, STATUS_COLOURS)

    @display(description="Accepted")
    def accepted(self, job: Job) -> str:
        return f"{job.accepted_at:%Y-%m-%d %H:%M:%S}"

    @display(description="Ended")
    def ended(self, job: Job) -> str | None:
        """Leave out the day where it is the one of `accepted`, which stands beside it."""
        if job.ended_at is None:
            return None
        same_day = job.ended_at.date() == job.accepted_at.date()
        return f"{job.ended_at:%H:%M:%S}" if same_day else f"{job.ended_at:%Y-%m-%d %H:%M:%S}"

    @display(description="Cost")
    def cost(self, job: Job) -> int:
        return job.credits_cost

    @display(description="Refunded")
    def credits_refunded(self, job: Job) -> int | None:
        return None if job.refund_id is None else job.credits_cost

    @display(description="Attempts")
    def attempts(self, job: Job) -> str:
        return f"{job.attempt} of {job.max_attempts}"

    @display(description="Error")
    def failure(self, job: Job) -> SafeString | None:
        return code(job.error_code) if job.error_code else None
