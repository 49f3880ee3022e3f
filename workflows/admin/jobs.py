"""The page of one job."""

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString

from billing.models import LedgerEntry
from requestlog.models import RequestLog
from studio_gateway.admin import code, label, list_link, readable
from workflows.admin import gallery
from workflows.admin.job_actions import JobActions
from workflows.admin.job_list import STATUS_COLOURS, JobList
from workflows.admin.timeline import timeline
from workflows.catalogue import DEFINITIONS
from workflows.engines.base import quoted
from workflows.models import Job, WebhookDelivery
from workflows.webhooks.admin import COLOURS as DELIVERY_COLOURS

MOST_DELIVERIES = 50
MOST_RERUNS = 20
# From how many characters on a value of a spec is folded.
LONG = 300


@admin.register(Job)
class JobAdmin(JobActions, JobList):
    """The page is a template of its own, for nothing on it is a form's field."""

    change_form_template = "admin/workflows/job/change_form.html"

    class Media:
        css = {"all": ["studio_gateway/admin/job.css", "studio_gateway/admin/gallery.css"]}
        js = [forms.Script("studio_gateway/admin/gallery.js", defer=True)]

    def get_fieldsets(self, request: HttpRequest, obj: Job | None = None) -> list[Any]:
        return []

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Job | None = None,
    ) -> HttpResponse:
        assert obj is not None  # nobody adds jobs here
        context |= self.shown(obj) | {"not_offered": self.not_offered(request, obj)}
        return super().render_change_form(request, context, add, change, form_url, obj)

    def shown(self, job: Job) -> dict[str, Any]:
        """Return all that the page says of a job; each relation is read by one statement."""
        outputs = list(job.outputs.order_by("position"))
        deliveries = list(
            WebhookDelivery.objects.filter(event__job=job)
            .select_related("event", "endpoint")
            # Not by their ids alone, which would be read from the newest delivery of all on.
            .order_by("event__sequence", "id")[: MOST_DELIVERIES + 1]
        )
        return {
            "job": job,
            "status": label(job.status, STATUS_COLOURS),
            "error_code": code(job.error_code),
            "made_by": made_by(job),
            "reruns": [
                (rerun.pk, label(rerun.status, STATUS_COLOURS)) for rerun in job.reruns.order_by("pk")[:MOST_RERUNS]
            ],
            "pictures": gallery.pictures(job, outputs),
            "photo": gallery.photo(job),
            "asked_colors": gallery.asked(job),
            "measured_colors": gallery.measured(job.summary.get("main_colors")),
            "scores": gallery.scores(job.summary.get("eval")),
            "scores_missing": bool(job.spec.get("eval_enabled")) and job.status == Job.Status.SUCCESS,
            "spec": spec_of(job),
            "summary": readable(job.summary) if job.summary else None,
            "timeline": timeline(job, events=job.events.all(), now=timezone.now()),
            "entries": LedgerEntry.objects.filter(pk__in=[job.charge_id, job.refund_id]).order_by("seq"),
            "log": RequestLog.objects.defer("body").filter(pk=job.request_id).first() if job.request_id else None,
            "deliveries": [(one, label(one.status, DELIVERY_COLOURS)) for one in deliveries[:MOST_DELIVERIES]],
            "all_deliveries": list_link("workflows_webhookdelivery", "All of them", event__job__id__exact=job.pk)
            if len(deliveries) > MOST_DELIVERIES
            else None,
        }


def made_by(job: Job) -> str:
    ordered = quoted(job.spec.get("image_model"))
    return f"{job.engine}, instead of {ordered}" if job.fell_back else job.engine[:40]


def spec_of(job: Job) -> list[tuple[str, SafeString, bool]]:
    """Return what was ordered: names, values, and whether these are long."""
    # PostgreSQL keeps JSON in an order of its own; the contract's is the one people know.
    definition = DEFINITIONS.get(job.workflow)
    names = list(definition.serializer().fields) if definition else list(job.spec)
    said = [(name, job.spec[name]) for name in names if name in job.spec]
    return [(name, readable(value), len(json.dumps(value)) > LONG) for name, value in said]
