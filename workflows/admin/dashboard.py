"""The console's first page: the figures of `workflows.dashboard`, each with a link to the list behind it."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from studio_gateway.admin import label, link, list_link
from workflows import dashboard
from workflows.admin.reconciliations import COLOURS, result
from workflows.dashboard import DEFAULT, MOST_CHARACTERS, RANGES, Counts, Period, Range
from workflows.engines.base import quoted
from workflows.models import Job

NOTHING = "–"
# From the bottom of a bar to its top.
COLOURS_OF_BARS = {
    Job.Status.SUCCESS: "var(--color-green-600)",
    Job.Status.FAILURE: "var(--color-red-600)",
    Job.Status.IN_PROGRESS: "var(--color-orange-500)",
    Job.Status.NOT_STARTED: "var(--color-blue-600)",
}
CHART_OPTIONS = {
    "animation": False,
    "maintainAspectRatio": False,
    "interaction": {"mode": "index", "intersect": False},
    "scales": {
        "x": {"stacked": True, "grid": {"display": False}},
        "y": {"stacked": True, "beginAtZero": True, "ticks": {"precision": 0}},
    },
    # Beside the chart is one whose entries lead to the lists.
    "plugins": {"legend": {"display": False}},
}


def figures(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the index page what its reader may see; somebody without rights sees none of it."""
    span = RANGES.get(request.GET.get("range", ""), DEFAULT)
    may = request.user.has_perm
    shown = {
        "jobs": _jobs(span) if may("workflows.view_job") else None,
        "money": _money(span, may("billing.view_client")) if may("billing.view_ledgerentry") else None,
        "balances": _balances() if may("billing.view_client") else None,
        "endpoints": _endpoints() if may("workflows.view_webhookendpoint") else None,
        "reconciliation": _reconciliation() if may("workflows.view_reconciliation") else None,
    }
    if any(shown.values()):
        timed = shown["jobs"] or shown["money"]
        period = timed["period"] if timed else None
        context["figures"] = {"ranges": RANGES.values(), "range": span, "period": period, **shown}
    return context


def _jobs(span: Range) -> dict[str, Any]:
    found, queue = dashboard.jobs(span), dashboard.queue()
    period, total = found.period, found.total

    def listed(text: str, **filters: str) -> SafeString:
        return list_link("workflows_job", text, **filters, **_between("accepted", period))

    def rates(kind: str, counted: Iterable[Counts]) -> dict[str, Any]:
        rows = []
        for counts in counted:
            name, failed, ended = counts.name, f"{counts.failure:,}", f"{counts.success + counts.failure:,}"
            # What is cut, or empty, is no list's to find.
            if 0 < len(name) <= MOST_CHARACTERS:
                failed = listed(failed, status__exact="FAILURE", **{kind.lower(): name})
            else:
                name = quoted(name, limit=MOST_CHARACTERS)
            rows.append([name, _percent(counts.failure_rate), failed, ended])
        return {"headers": [kind, "Failure rate", "Failed", "Ended"], "rows": rows}

    return {
        "period": period,
        "jobs": listed(f"{total.jobs:,}"),
        "failure_rate": listed(_percent(total.failure_rate), status__exact="FAILURE"),
        "failed": f"{total.failure:,}",
        "ended": f"{total.success + total.failure:,}",
        **{
            name: {"median": listed(_duration(times.median)), "percentile_95": listed(_duration(times.percentile_95))}
            for name, times in (("waiting", found.waiting), ("running", found.running))
        },
        "chart": _chart(span, found) if total.jobs else None,
        "legend": [
            (status.lower(), listed(f"{status} {getattr(total, status.lower()):,}", status__exact=status))
            for status in COLOURS_OF_BARS
        ],
        "workflows": rates("Workflow", found.workflows),
        "models": rates("Model", found.models),
        "oldest": _duration(queue.oldest),
        "open": [
            list_link("workflows_job", f"{count:,} {status}", status__exact=status)
            for status, count in (("NOT_STARTED", queue.not_started), ("IN_PROGRESS", queue.in_progress))
        ],
    }


def _chart(span: Range, found: dashboard.JobFigures) -> dict[str, Any]:
    statuses = list(COLOURS_OF_BARS)
    starts = found.period.starts
    ends = (*starts[1:], found.period.end)
    labels = [_bar(span, start) for start in starts]
    counts = {status: [getattr(bar, status.lower()) for bar in found.bars] for status in statuses}
    rows = []
    for n, (start, end) in enumerate(zip(starts, ends, strict=True)):
        within = _between("accepted", Period(starts=(start,), end=end))
        cells = [
            list_link("workflows_job", f"{counts[status][n]:,}", status__exact=status, **within) for status in statuses
        ]
        rows.append([f"{start:%Y-%m-%d %H:%M}", *cells])
    data = {
        "labels": labels,
        "datasets": [
            {"label": status, "data": counts[status], "backgroundColor": colour, "hatched": status == "FAILURE"}
            for status, colour in COLOURS_OF_BARS.items()
        ],
    }
    return {
        "title": f"Jobs by {span.bar}",
        "data": json.dumps(data),
        "options": json.dumps(CHART_OPTIONS),
        "table": {"headers": ["From (UTC)", *statuses], "rows": rows},
    }


def _money(span: Range, may_see_clients: bool) -> dict[str, Any]:
    found = dashboard.money(span)

    def listed(credits: int, kind: str, **filters: object) -> SafeString:
        within = _between("created", found.period)
        return list_link("billing_ledgerentry", f"{credits:,}", kind__exact=kind, **filters, **within)

    return {
        "period": found.period,
        "charged": listed(found.total.charged, "CHARGE"),
        "refunded": listed(found.total.refunded, "REFUND"),
        "clients": {
            "headers": ["Client", "Charged", "Refunded"],
            "rows": [
                [
                    link("billing_client", client.client_id, client.name) if may_see_clients else client.name,
                    listed(client.charged, "CHARGE", client__id__exact=client.client_id),
                    listed(client.refunded, "REFUND", client__id__exact=client.client_id),
                ]
                for client in found.clients
            ],
        },
    }


def _balances() -> dict[str, Any]:
    found = dashboard.balances()
    return {
        "low": list_link("billing_client", f"{found.low:,}", credits="low", suspended="no"),
        "empty": list_link("billing_client", f"{found.empty:,}", credits="none", suspended="no"),
        "clients": {
            "headers": ["Client", "Balance", "Threshold"],
            "rows": [
                [
                    link("billing_client", client.client_id, client.name),
                    f"{client.balance:,}",
                    NOTHING if client.threshold is None else f"{client.threshold:,}",
                ]
                for client in found.clients
            ],
        },
    }


def _endpoints() -> dict[str, Any]:
    found = dashboard.endpoints()
    return {
        "failing": list_link("workflows_webhookendpoint", f"{found.failing:,}", state="failing"),
        "disabled": list_link("workflows_webhookendpoint", f"{found.disabled:,}", state="disabled"),
        "endpoints": {
            "headers": ["Endpoint", "State"],
            "rows": [
                [
                    format_html(
                        "{} of {}",
                        link("workflows_webhookendpoint", endpoint.endpoint_id, endpoint.url),
                        endpoint.client,
                    ),
                    f"disabled: {endpoint.disabled_reason}"
                    if endpoint.disabled_at
                    else format_html(
                        'failing since <span class="whitespace-nowrap">{}</span>',
                        f"{endpoint.failing_since:%Y-%m-%d %H:%M}",
                    ),
                ]
                for endpoint in found.endpoints
            ],
        },
    }


def _reconciliation() -> dict[str, Any]:
    run = dashboard.last_reconciliation()
    if run is None:
        return {"run": None}
    return {
        "run": link("workflows_reconciliation", run.pk, str(run)),
        "badge": label(result(run), COLOURS),
        "found": f"{run.found:,}",
        "fixed": f"{run.fixed:,}",
        "left": f"{run.left:,}",
        "all": list_link("workflows_reconciliation", "All runs"),
    }


def _between(name: str, period: Period) -> dict[str, str]:
    return {f"{name}_after": _iso(period.starts[0]), f"{name}_before": _iso(period.end)}


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _bar(span: Range, start: datetime) -> str:
    return f"{start:%b} {start.day}" if span.step.days else f"{start:%H:%M}"


def _percent(part: float | None) -> str:
    return NOTHING if part is None else f"{part:.1%}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds else "0 s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
