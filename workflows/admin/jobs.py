from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from billing.models import MAX_REASON
from studio_gateway.admin import RecordInline, close_dialog, find, label, link, readable
from studio_gateway.errors import DomainError
from workflows import jobs
from workflows.admin.job_list import JobList
from workflows.catalogue import DEFINITIONS
from workflows.engines.base import quoted
from workflows.models import Job, JobEvent, Output

EVENT_COLOURS = {
    "started": "primary",
    "waiting": "warning",
    "cancelling": "warning",
    "succeeded": "success",
    "failed": "danger",
    "refunded": "info",
}


def refundable(job: Job) -> bool:
    """Tell whether to offer a refund; `jobs.refund` decides."""
    return job.status == Job.Status.SUCCESS and job.refund_id is None


class RefundForm(BaseDialogForm):
    form_before_template = "admin/workflows/refund.html"

    reason = forms.CharField(max_length=MAX_REASON, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        job = find(Job, object_id)
        balance_after = job.client.balance + job.credits_cost
        return {"job": job, "refundable": refundable(job), "balance_after": balance_after}


class OutputInline(RecordInline):
    model = Output
    fields = readonly_fields = ["image", "file", "pixels", "weight", "facts"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Output]:
        return super().get_queryset(request).select_related("job")

    @display(description="Image")
    def image(self, output: Output) -> SafeString | None:
        if output.url is None:
            return None
        return format_html(
            '<a href="{0}" target="_blank"><img src="{2}" alt="{1}" class="thumbnail" loading="lazy"></a>',
            output.url,
            output.name,
            output.thumbnail_url or output.url,
        )

    @display(description="File")
    def file(self, output: Output) -> SafeString:
        if output.url is None:
            return format_html("{}", output.name)
        return format_html('<a href="{}" target="_blank" class="text-link">{}</a>', output.url, output.name)

    @display(description="Pixels")
    def pixels(self, output: Output) -> str:
        return f"{output.width} × {output.height}"

    @display(description="Size")
    def weight(self, output: Output) -> str:
        return filesizeformat(output.size)

    @display(description="Details")
    def facts(self, output: Output) -> SafeString | None:
        return readable(output.details) if output.details else None


class JobEventInline(RecordInline):
    model = JobEvent
    verbose_name_plural = "events"
    fields = readonly_fields = ["at", "happened", "attempt", "worker", "detail"]

    @display(description="Event")
    def happened(self, event: JobEvent) -> SafeString:
        return label(event.kind, EVENT_COLOURS)


@admin.register(Job)
class JobAdmin(JobList):
    fieldsets = [
        (None, {"fields": ["badge", ("client", "workflow"), "request_log", ("credits_cost", "charge", "refund")]}),
        ("Spec", {"fields": ["order"]}),
        (
            "Run",
            {
                "fields": [
                    ("accepted_at", "deadline_at"),
                    ("started_at", "ended_at"),
                    ("attempts", "time_limit", "worker"),
                    ("made_by", "on_technical_failure"),
                ]
            },
        ),
    ]
    error_fieldset = ("Error", {"fields": ["failure", "error_message"]})
    summary_fieldset = ("Summary", {"fields": ["findings"], "classes": ["collapse"]})
    readonly_fields = ["badge", "failure", "request_log", "order", "attempts", "made_by", "findings"]
    inlines = [OutputInline, JobEventInline]
    actions_detail = ["give_back"]

    def get_fieldsets(self, request: HttpRequest, obj: Job | None = None) -> list[Any]:
        first, *others = self.fieldsets
        special = (
            "is_test",
            "idempotency_key",
            "cancel_requested_at",
            "files_expire_at",
            "files_erased_at",
            "erased_at",
        )
        told = [field for field in special if obj and getattr(obj, field)]
        extra = [(None, {"fields": told})] if told else []
        error = [self.error_fieldset] if obj and obj.error_code else []
        summary = [self.summary_fieldset] if obj and obj.summary else []
        return [first, *extra, *error, *others, *summary]

    def get_inlines(self, request: HttpRequest, obj: Job | None) -> list[type[RecordInline]]:
        return self.inlines if obj and obj.status == Job.Status.SUCCESS else [JobEventInline]

    @display(description="Engine")
    def made_by(self, job: Job) -> str:
        ordered = quoted(job.spec.get("image_model"))
        return f"{job.engine}, instead of {ordered}" if job.fell_back else job.engine[:40]

    @display(description="Request")
    def request_log(self, job: Job) -> SafeString | None:
        return link("requestlog_requestlog", job.request_id) if job.request_id else None

    @display(description="What was ordered")
    def order(self, job: Job) -> SafeString:
        # PostgreSQL keeps JSON in an order of its own; the contract's is the one people know.
        definition = DEFINITIONS.get(job.workflow)
        names = definition.serializer().fields if definition else job.spec
        return readable({name: job.spec[name] for name in names if name in job.spec})

    @display(description="The engine's summary")
    def findings(self, job: Job) -> SafeString | None:
        return readable(job.summary) if job.summary else None

    def has_refund_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("workflows.change_job")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[UnfoldAction]:
        return super().get_actions_detail(request, object_id) if refundable(find(Job, object_id)) else []

    @action(
        description="Refund",
        icon="undo",
        variant=ActionVariant.PRIMARY,
        url_path="refund",
        permissions=["refund"],
        dialog={"title": "Refund this job", "form_class": RefundForm, "form_submit_text": "Refund"},
    )
    def give_back(self, request: HttpRequest, form: RefundForm, object_id: str) -> HttpResponse:
        job = find(Job, object_id)
        reason = form.cleaned_data["reason"]
        try:
            jobs.refund(job_id=job.pk, reason=reason, actor=request.user.get_username())
        except DomainError as error:
            messages.error(request, str(error))
        else:
            self.log_change(request, job, f"Refunded {job.credits_cost} credits: {reason}")
            balance = type(job.client).objects.get(pk=job.client_id).balance
            messages.success(request, f"Refunded {job.credits_cost} credits; the balance is {balance}.")
        return close_dialog("workflows_job", job.pk)
