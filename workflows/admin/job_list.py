"""The list of jobs."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesRadioFilter
from unfold.decorators import display

from studio_gateway.admin import CappedChangeList, RecordAdmin, code, label
from workflows.admin.bulk import BulkActions
from workflows.admin.export import Export
from workflows.admin.job_filters import AcceptedFilter, BrandFilter, ErrorCodeFilter, ModelFilter, WorkflowFilter
from workflows.finding import DISPLAY_NAME, named_like, spec_text
from workflows.models import Job, Output

STATUS_COLOURS = {"NOT_STARTED": "info", "IN_PROGRESS": "primary", "SUCCESS": "success", "FAILURE": "danger"}
FIRST_OUTPUT = Prefetch("outputs", Output.objects.filter(position=0), to_attr="first_outputs")


class JobChangeList(CappedChangeList):
    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Job]:
        """Leave specs and summaries, which may be a megabyte each, where they are."""
        rows = super().get_queryset(request, exclude_parameters).defer("spec", "summary", "error_message")
        return rows.annotate(display_name=Left(spec_text("display_name"), 80)).prefetch_related(FIRST_OUTPUT)


class JobList(BulkActions, Export, RecordAdmin):
    """The list; the page of one job is `workflows.admin.jobs`."""

    list_display = [
        "id",
        "thumbnail",
        "state",
        "client",
        "workflow",
        "name",
        "credits",
        "accepted",
        "ended",
    ]
    list_filter = [
        ("status", ChoicesRadioFilter),
        WorkflowFilter,
        ("client", AutocompleteSelectFilter),
        BrandFilter,
        ModelFilter,
        ErrorCodeFilter,
        AcceptedFilter,
    ]
    list_select_related = ["client"]
    ulid_fields = ("id", "request_id", "rerun_of")
    search_help_text = "Job, request, idempotency key or name"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[CappedChangeList]:
        return JobChangeList

    def searches(self, rows: QuerySet[Job], term: str) -> list[QuerySet[Job]]:
        # In the order of names: of what begins alike, PostgreSQL finds the first without a look at the others.
        named = rows.filter(named_like(term)).order_by(DISPLAY_NAME)
        return [*self.with_ulid(rows, term), rows.filter(idempotency_key=term), named]

    @display(description="Image")
    def thumbnail(self, job: Job) -> SafeString | None:
        shown = [output for output in job.first_outputs if output.thumbnail_url]  # type: ignore[attr-defined]
        if not shown:
            return None
        return format_html('<img src="{}" alt="{}" class="thumbnail" loading="lazy">', shown[0].thumbnail_url, shown[0])

    @display(description="Status")
    def badge(self, job: Job) -> SafeString:
        return label(job.status, STATUS_COLOURS)

    @display(description="Status")
    def state(self, job: Job) -> SafeString:
        why = self.failure(job)
        return format_html('{}<div class="why">{}</div>', self.badge(job), why) if why else self.badge(job)

    @display(description="Name")
    def name(self, job: Job) -> str | None:
        return job.display_name or None  # type: ignore[attr-defined]

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

    @display(description="Credits")
    def credits(self, job: Job) -> str:
        return str(job.credits_cost) if job.refund_id is None else f"{job.credits_cost}, refunded"

    @display(description="Error")
    def failure(self, job: Job) -> SafeString | None:
        return code(job.error_code) if job.error_code else None
