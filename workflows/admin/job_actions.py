"""What staff can do to one job: the buttons of its page, their dialogs, and why one is not offered."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from billing import allowances
from billing.models import MAX_REASON, Client
from studio_gateway.admin import close_dialog, find
from studio_gateway.errors import DomainError
from workflows import jobs
from workflows.admin.rights import allowance_of, may_refund
from workflows.models import Job

MAX_TICKET = 40


def why_not_refund(request: HttpRequest, job: Job) -> str | None:
    """Say why whoever asks cannot refund a job now; None where they can."""
    allowance = allowance_of(request.user)
    if (why := jobs.why_not_refund(job)) or allowance is None:
        return why
    try:
        allowances.check(actor=request.user.get_username(), credits=job.credits_cost, allowance=allowance)
    except DomainError as error:
        sentence = str(error)
        return sentence[0].lower() + sentence[1:].rstrip(".")
    return None


class RefundForm(BaseDialogForm):
    form_before_template = "admin/workflows/job/refund.html"

    reason = forms.CharField(max_length=MAX_REASON, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))
    ticket = forms.CharField(
        label="Ticket number", max_length=MAX_TICKET, required=False, widget=UnfoldAdminTextInputWidget
    )

    def clean(self) -> dict[str, Any]:
        """Put the ticket's number where it is kept: at the end of the reason."""
        cleaned = super().clean() or {}
        reason, ticket = cleaned.get("reason"), cleaned.get("ticket")
        if reason and ticket:
            cleaned["reason"] = f"{reason} (ticket {ticket})"
            if len(cleaned["reason"]) > MAX_REASON:
                self.add_error("reason", f"With the ticket's number it has more than {MAX_REASON} characters.")
        return cleaned

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        job = find(Job, object_id)
        allowance = allowance_of(request.user)
        spent = allowances.spent_today(actor=request.user.get_username()) if allowance else 0
        return {
            "job": job,
            "why_not": why_not_refund(request, job),
            "balance_after": job.client.balance + job.credits_cost,
            "allowance": allowance,
            "left_today": max(0, allowance.a_day - spent) if allowance else 0,
        }


class CancelForm(BaseDialogForm):
    form_before_template = "admin/workflows/job/cancel.html"

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        job = find(Job, object_id)
        return {"job": job, "why_not": jobs.why_not_cancel(job)}


class RunAgainForm(BaseDialogForm):
    form_before_template = "admin/workflows/job/run_again.html"

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        job = find(Job, object_id)
        return {"job": job, "why_not": jobs.why_not_run_again(job)}


class JobActions(ModelAdmin):
    """The buttons. `permissions` of each is checked again when its dialog is sent, and all else by the domain call."""

    actions_detail = ["give_back", "run_again", "cancel"]
    # The name that people know each by, and what keeps it from being offered.
    why_nots: dict[str, tuple[str, Callable[[HttpRequest, Job], str | None]]] = {
        "give_back": ("Refund", why_not_refund),
        "run_again": ("Run again", lambda request, job: jobs.why_not_run_again(job)),
        "cancel": ("Cancel", lambda request, job: jobs.why_not_cancel(job)),
    }

    def has_refund_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return may_refund(request.user)

    def has_run_again_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("workflows.run_again_job")

    def has_cancel_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("workflows.cancel_job")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[UnfoldAction]:
        job = find(Job, object_id)
        permitted = super().get_actions_detail(request, object_id)
        return [offered for offered in permitted if not self.why_nots[offered.method.__name__][1](request, job)]

    def not_offered(self, request: HttpRequest, job: Job) -> list[tuple[str, str]]:
        """Return the names of the buttons that the page does not have, each with why."""
        permitted = {one.method.__name__ for one in super().get_actions_detail(request, job.pk)}
        whys = (
            (name, why_not(request, job) if method in permitted else "your role may not")
            for method, (name, why_not) in self.why_nots.items()
        )
        return [(name, why) for name, why in whys if why]

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
        allowance = allowance_of(request.user)
        try:
            jobs.refund(job_id=job.pk, reason=reason, actor=request.user.get_username(), allowance=allowance)
        except DomainError as error:
            messages.error(request, str(error))
        else:
            self.log_change(request, job, f"Refunded {job.credits_cost} credits: {reason}")
            balance = Client.objects.get(pk=job.client_id).balance
            messages.success(request, f"Refunded {job.credits_cost} credits; the balance is {balance}.")
        return close_dialog("workflows_job", job.pk)

    @action(
        description="Run again",
        icon="replay",
        permissions=["run_again"],
        dialog={"title": "Run this job again", "form_class": RunAgainForm, "form_submit_text": "Run again"},
    )
    def run_again(self, request: HttpRequest, form: RunAgainForm, object_id: str) -> HttpResponse:
        job = find(Job, object_id)
        try:
            new = jobs.run_again(job_id=job.pk, actor=request.user.get_username())
        except DomainError as error:
            messages.error(request, str(error))
            return close_dialog("workflows_job", job.pk)
        self.log_change(request, job, f"Ran it again, as job {new.pk}")
        messages.success(request, "This is the new job, at no charge.")
        return close_dialog("workflows_job", new.pk)

    @action(
        description="Cancel",
        icon="cancel",
        variant=ActionVariant.DANGER,
        permissions=["cancel"],
        dialog={"title": "Cancel this job", "form_class": CancelForm, "form_submit_text": "Cancel the job"},
    )
    def cancel(self, request: HttpRequest, form: CancelForm, object_id: str) -> HttpResponse:
        job = find(Job, object_id)
        try:
            cancelled = jobs.cancel_by_staff(job_id=job.pk, actor=request.user.get_username())
        except DomainError as error:
            messages.error(request, str(error))
        else:
            ended = cancelled.ended_at is not None
            self.log_change(request, job, "Cancelled" if ended else "Cancelled while it ran")
            messages.success(
                request,
                "The job is cancelled." if ended else "The job ends as soon as its engine reaches its next step.",
            )
        return close_dialog("workflows_job", job.pk)
