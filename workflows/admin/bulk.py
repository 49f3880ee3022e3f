"""What staff do to many jobs at once: each is a transaction of its own, and may be refused by itself."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

from billing.allowances import spent_today
from billing.models import MAX_REASON
from studio_gateway.admin import ULID
from studio_gateway.errors import DomainError
from workflows import jobs
from workflows.admin.rights import allowance_of
from workflows.models import Job

# How many jobs are taken at once. They are done while the browser waits, some ten milliseconds each.
MOST = 500
# So many reasons are told, with so many ids each.
REASONS, IDS = 10, 3
OPEN_RERUNS = Prefetch("reruns", Job.objects.filter(status__in=Job.OPEN).only("id", "status", "rerun_of"))


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=MAX_REASON, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))


@dataclass
class Skipped:
    """The jobs that nothing was done to, by why."""

    ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, job_id: str, why: str) -> None:
        # What follows a comma is of this one job.
        self.ids[why.partition(", ")[0]].append(job_id)

    def __len__(self) -> int:
        return sum(map(len, self.ids.values()))

    def __iter__(self) -> Iterator[str]:
        for why, ids in list(self.ids.items())[:REASONS]:
            more = f" and {len(ids) - IDS} more" if len(ids) > IDS else ""
            yield f"{len(ids)}: {why} ({', '.join(ids[:IDS])}{more})."
        if len(self.ids) > REASONS:
            yield "And others for other reasons."


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something done to many jobs: `why_not` says beforehand what `run` would refuse; `run` returns what to log."""

    name: str
    title: str
    button: str
    done: str
    form: type[forms.Form]
    why_not: Callable[[HttpRequest], Callable[[Job], str | None]]
    run: Callable[[HttpRequest, str, dict[str, Any]], tuple[Job, str]]


def _why_not_refund(request: HttpRequest) -> Callable[[Job], str | None]:
    allowance = allowance_of(request.user)
    left = allowance.a_day - spent_today(actor=request.user.get_username()) if allowance else 0

    def why_not(job: Job) -> str | None:
        nonlocal left
        if why := jobs.why_not_refund(job):
            return why
        if allowance is None:
            return None
        if job.credits_cost > allowance.each:
            return f"you may refund {allowance.each} credits at most of one job"
        if job.credits_cost > left:
            return f"you may refund {allowance.a_day} credits at most in a day"
        left -= job.credits_cost
        return None

    return why_not


def _refund(request: HttpRequest, job_id: str, wanted: dict[str, Any]) -> tuple[Job, str]:
    actor, reason = request.user.get_username(), wanted["reason"]
    job = jobs.refund(job_id=job_id, reason=reason, actor=actor, allowance=allowance_of(request.user))
    return job, f"Refunded {job.credits_cost} credits: {reason}"


def _run_again(request: HttpRequest, job_id: str, wanted: dict[str, Any]) -> tuple[Job, str]:
    job = jobs.run_again(job_id=job_id, actor=request.user.get_username())
    assert job.rerun_of is not None
    return job.rerun_of, f"Run again as job {job.pk}"


REFUND = Act(
    name="refund_selected",
    title="Refund jobs",
    button="Refund",
    done="refunded",
    form=ReasonForm,
    why_not=_why_not_refund,
    run=_refund,
)
RUN_AGAIN = Act(
    name="run_selected_again",
    title="Run jobs again",
    button="Run again",
    done="run again, at no charge",
    form=forms.Form,
    why_not=lambda request: jobs.why_not_run_again,
    run=_run_again,
)


class BulkActions(ModelAdmin):
    """Acts on the jobs that are selected in the list; who may is said where they act on one (`JobActions`)."""

    actions = ["refund_selected", "run_selected_again"]

    @action(description="Refund", permissions=["refund"])
    def refund_selected(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        return self._act(request, queryset, REFUND)

    @action(description="Run again", permissions=["run_again"])
    def run_selected_again(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        return self._act(request, queryset, RUN_AGAIN)

    def _act(self, request: HttpRequest, selected: QuerySet[Job], act: Act) -> HttpResponse | None:
        """Ask first; then do it to the jobs that were asked about, whatever the list's filters say of them by now."""
        confirmed = "confirmed" in request.POST
        form = act.form(request.POST if confirmed else None)
        if confirmed:
            ids = [
                job_id for job_id in dict.fromkeys(request.POST.getlist(ACTION_CHECKBOX_NAME)) if ULID.fullmatch(job_id)
            ]
        else:
            ids = list(selected.order_by("-pk").values_list("pk", flat=True)[: MOST + 1])
        if len(ids) > MOST:
            messages.error(request, f"At most {MOST} jobs are taken at once, and nothing was done. Select fewer.")
            return None
        if not form.is_valid():
            return self._ask(request, ids, act, form)
        self._do(request, ids, act, form.cleaned_data)
        return None

    def _ask(self, request: HttpRequest, ids: list[str], act: Act, form: forms.Form) -> HttpResponse:
        found = Job.objects.filter(pk__in=ids).order_by("-pk").defer("spec", "summary").prefetch_related(OPEN_RERUNS)
        why_not, skipped, taken = act.why_not(request), Skipped(), list[Job]()
        for job in found:
            if why := why_not(job):
                skipped.add(job.pk, why)
            else:
                taken.append(job)
        context = {
            **self.admin_site.each_context(request),
            "title": act.title,
            "opts": self.opts,
            "act": act,
            "form": form,
            "ids": ids,
            "taken": taken,
            "credits": sum(job.credits_cost for job in taken),
            "clients": len({job.client_id for job in taken}),
            "skipped": skipped,
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "back": request.get_full_path(),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/workflows/job/bulk.html", context)

    def _do(self, request: HttpRequest, ids: Iterable[str], act: Act, wanted: dict[str, Any]) -> None:
        done, skipped = list[Job](), Skipped()
        for job_id in ids:
            try:
                job, said = act.run(request, job_id, wanted)
            except DomainError as error:
                skipped.add(job_id, error.details.get("why") or str(error))
            else:
                self.log_change(request, job, said)
                done.append(job)
        if done:
            told = f"{len(done)} {'job was' if len(done) == 1 else 'jobs were'} {act.done}"
            credits = sum(job.credits_cost for job in done)
            messages.success(request, f"{told}: {credits} credits in all." if act is REFUND else f"{told}.")
        if skipped:
            messages.warning(request, " ".join((f"Skipped {len(skipped)}.", *skipped)))
