from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from studio_gateway.admin import RecordAdmin, label, link
from workflows.models import Reconciliation
from workflows.reconcile.checks import IDS

COLOURS = {"clean": "success", "mended": "warning", "violations": "danger"}
PAGES = {
    "client_id": "billing_client",
    "job_id": "workflows_job",
    "entry_id": "billing_ledgerentry",
    "request_id": "requestlog_requestlog",
}


def result(run: Reconciliation) -> str:
    if run.left:
        return "violations"
    return "mended" if run.found else "clean"


@admin.register(Reconciliation)
class ReconciliationAdmin(RecordAdmin):
    search_fields = ()
    list_display = ["ran_at", "badge", "found", "fixed", "still_there"]
    fields = readonly_fields = ["ran_at", "badge", "found", "fixed", "still_there", "counts", "findings"]

    @display(description="Result")
    def badge(self, run: Reconciliation) -> SafeString:
        return label(result(run), COLOURS)

    @display(description="Left")
    def still_there(self, run: Reconciliation) -> int:
        return run.left

    @display(description="Checked")
    def counts(self, run: Reconciliation) -> str:
        return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in run.checked.items())

    @display(description="Violations")
    def findings(self, run: Reconciliation) -> SafeString:
        if not run.violations:
            return format_html("None")
        rows = (
            (
                found["promise"],
                "fixed" if found["fixed"] else "left",
                found["detail"],
                format_html_join(
                    ", ",
                    "{}",
                    (
                        (link(PAGES[name], found[name], f"{name.removesuffix('_id')} {found[name]}"),)
                        for name in IDS
                        if name in found
                    ),
                ),
            )
            for found in run.violations
        )
        more = run.found - len(run.violations)
        return format_html(
            '<ul class="items violations">{}</ul>{}',
            format_html_join("", "<li><strong>{}</strong> ({}): {} {}</li>", rows),
            f"and {more:,} more" if more > 0 else "",
        )
