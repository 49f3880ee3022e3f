from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesRadioFilter
from unfold.decorators import display

from billing.models import LedgerEntry
from studio_gateway.admin import RecordAdmin, label, link

COLOURS = {"GRANT": "info", "CHARGE": "primary", "REFUND": "success", "ADJUSTMENT": "warning"}


@admin.register(LedgerEntry)
class LedgerEntryAdmin(RecordAdmin):
    list_display = ["created_at", "client", "seq", "badge", "signed", "balance_after", "paid_for", "reason", "actor"]
    list_filter = [("kind", ChoicesRadioFilter), ("client", AutocompleteSelectFilter)]
    list_select_related = ["client"]
    search_fields = ["client__name", "reference__exact"]
    search_help_text = "Entry, job, reference or client"
    fields = ["id", "client", "seq", "badge", "signed", "balance_after", "paid_for", "reason", "actor", "created_at"]
    readonly_fields = ["badge", "signed", "paid_for"]

    def has_ulid(self, ulid: str) -> Q:
        # Each kind's reference has an index of its own.
        return Q(id=ulid) | Q(kind="CHARGE", reference=ulid) | Q(kind="REFUND", reference=ulid)

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
