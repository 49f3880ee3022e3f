from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesRadioFilter
from unfold.decorators import display

from billing.models import LedgerEntry
from studio_gateway.admin import ULID, RecordAdmin, label, link
from studio_gateway.filters import TimeFilter

COLOURS = {"GRANT": "info", "CHARGE": "primary", "REFUND": "success", "ADJUSTMENT": "warning"}


class CreatedFilter(TimeFilter):
    title = "created"
    column = "created_at"


@admin.register(LedgerEntry)
class LedgerEntryAdmin(RecordAdmin):
    list_display = ["created_at", "client", "seq", "badge", "signed", "balance_after", "paid_for", "reason", "actor"]
    list_filter = [("kind", ChoicesRadioFilter), ("client", AutocompleteSelectFilter), CreatedFilter]
    list_select_related = ["client"]
    search_help_text = "Entry, job, request id or reference"
    fields = ["id", "client", "seq", "badge", "signed", "balance_after", "paid_for", "reason", "actor", "created_at"]
    readonly_fields = ["badge", "signed", "paid_for"]

    def get_ordering(self, request: HttpRequest) -> list[str]:
        # One client's entries are found in the order of its ledger, whose index is there.
        return ["client", "-seq"] if request.GET.get("client__id__exact") else ["-pk"]

    def searches(self, rows: QuerySet[LedgerEntry], term: str) -> list[QuerySet[LedgerEntry]]:
        job = term.upper()
        paid_for = [rows.filter(kind=kind, reference=job) for kind in ("CHARGE", "REFUND")]
        requested = [rows.filter(**{f"{end}__request_id": job}) for end in ("charged_job", "refunded_job")]
        by_ulid = [*self.with_ulid(rows, term), *paid_for, *requested] if ULID.fullmatch(term) else []
        return [*by_ulid, rows.filter(kind__in=["GRANT", "ADJUSTMENT"], reference=term)]

    @display(description="Kind")
    def badge(self, entry: LedgerEntry) -> SafeString:
        return label(entry.kind, COLOURS)

    @display(description="Amount")
    def signed(self, entry: LedgerEntry) -> str:
        return f"{entry.amount:+d}"

    @display(description="Reference")
    def paid_for(self, entry: LedgerEntry) -> SafeString | str | None:
        if entry.kind in (LedgerEntry.Kind.CHARGE, LedgerEntry.Kind.REFUND):
            return link("workflows_job", entry.reference)
        return entry.reference or None
