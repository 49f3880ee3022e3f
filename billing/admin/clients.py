import json
import re
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.postgres.fields import ArrayField
from django.db.models import Field, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import RadioFilter
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from billing import bill, clients
from billing.admin.credits_filter import CreditsFilter
from billing.admin.keys import ApiKeyInline, KeyActions
from billing.admin.money import MoneyActions
from billing.admin.shopify import ShopifyActions, ShopInline
from billing.models import Client
from studio_gateway.admin import CappedList, RecordInline, close_dialog, find, label, list_link

LIMITS = ["max_open_jobs", "jobs_per_minute", "low_credits_threshold"]
STORAGE = ["storage_prefixes", "retention_days"]
# Who may change which fields.
RIGHTS = {"change_client": ["name"], "set_limits": LIMITS, "set_storage": STORAGE}

# Read on white and on black alike; the table below the chart has the same figures as text.
GREY = "#7a8290"
CHART = {
    "animation": False,
    "maintainAspectRatio": False,
    "plugins": {"legend": {"align": "end", "labels": {"color": GREY, "boxWidth": 12}}},
    "scales": {
        "x": {"grid": {"display": False}, "ticks": {"color": GREY, "maxRotation": 0, "autoSkipPadding": 12}},
        "y": {"grid": {"lineWidth": 0.5}, "beginAtZero": True, "ticks": {"color": GREY, "precision": 0}},
    },
}

STATUS_COLOURS = {"active": "success", "suspended": "danger"}


def standing(client: Client) -> dict[str, Any]:
    """What the page shows of a client's money: the days, as a table and as Chart.js draws them, and their sums."""
    days = bill.last_days(client=client)
    charged, refunded = [sums.charged for _, sums in days], [sums.refunded for _, sums in days]

    def summed(amounts: list[int], kind: str) -> SafeString:
        since = f"{days[0][0]}T00:00:00Z"
        which = {"kind__exact": kind, "client__id__exact": client.pk, "created_after": since}
        return list_link("billing_ledgerentry", f"{sum(amounts):,}", **which)

    chart = {
        "labels": [date_format(day, "j M") for day, _ in days],
        "datasets": [
            {"label": "Charged", "data": charged, "backgroundColor": "var(--color-primary-500)"},
            {"label": "Refunded", "data": refunded, "backgroundColor": "var(--color-green-600)"},
        ],
    }
    return {
        "figures": [
            ("Balance", f"{client.balance:,}"),
            ("Open jobs", f"{client.open_jobs} of {client.max_open_jobs}"),
            (f"Charged, {len(days)} days", summed(charged, "CHARGE")),
            (f"Refunded, {len(days)} days", summed(refunded, "REFUND")),
        ],
        "days": [(day, f"{sums.charged:,}", f"{sums.refunded:,}") for day, sums in reversed(days)],
        "moved": any(charged) or any(refunded),
        "chart": json.dumps(chart),
        "chart_options": json.dumps(CHART),
    }


class SuspendedFilter(RadioFilter):
    title = "status"
    parameter_name = "suspended"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "Active"), ("yes", "Suspended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Client]) -> QuerySet[Client]:
        if self.value() in ("yes", "no"):
            return queryset.filter(suspended_at__isnull=self.value() == "no")
        return queryset


@admin.register(Client)
class ClientAdmin(CappedList, MoneyActions, KeyActions, ShopifyActions):
    list_display = ["name", "id", "status", "balance", "jobs", "created_at"]
    list_filter = [SuspendedFilter, CreditsFilter]
    # For the search to be offered; `get_search_results` says what is found.
    search_fields = ["name", "id"]
    search_help_text = "Number, or the beginning of the name"
    change_form_outer_before_template = "admin/billing/client.html"
    fieldsets = [
        (None, {"fields": ["name", "status", "created_at", "more"]}),
        ("Limits", {"fields": LIMITS}),
        ("Storage", {"fields": STORAGE}),
    ]
    add_fieldsets = [(None, {"fields": ["name"]}), ("Limits", {"fields": LIMITS}), ("Storage", {"fields": STORAGE})]
    readonly_fields = ["status", "created_at", "more"]
    inlines = [ApiKeyInline, ShopInline]
    actions_detail = [
        *("grant", "adjust", "make_key", "set_shopify_secret", "add_shop", "remove_shop"),
        *("suspend", "lift_suspension"),
    ]

    @display(description="Status")
    def status(self, client: Client) -> SafeString:
        return label("active" if client.suspended_at is None else "suspended", STATUS_COLOURS)

    @display(description="Open jobs")
    def jobs(self, client: Client) -> str:
        return f"{client.open_jobs} of {client.max_open_jobs}"

    @display(description="See also")
    def more(self, client: Client) -> SafeString:
        return format_html(
            "{} · {} · {} · {}",
            list_link("workflows_job", "Jobs", client__id__exact=client.pk),
            list_link("billing_ledgerentry", "Ledger entries", client__id__exact=client.pk),
            list_link("requestlog_requestlog", "Request logs", client_id=client.pk),
            list_link("workflows_webhookendpoint", "Webhook endpoints", client__id__exact=client.pk),
        )

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # The ledger outlives its clients.
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return any(request.user.has_perm(f"billing.{right}") for right in RIGHTS)

    # A method, as all of them: unfold's system check would look a permission's name up in a database that need not be
    # there yet.
    def has_suspend_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.suspend_client")

    def get_readonly_fields(self, request: HttpRequest, obj: Client | None = None) -> list[str]:
        # Whoever may add a client names it.
        barred = [right for right in RIGHTS if not request.user.has_perm(f"billing.{right}")]
        fields = [field for right in barred for field in RIGHTS[right] if obj or field != "name"]
        return [*self.readonly_fields, *fields]

    def get_inlines(self, request: HttpRequest, obj: Client | None) -> list[type[RecordInline]]:
        return self.inlines if obj else []

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> forms.Field | None:
        if isinstance(db_field, ArrayField):
            return db_field.formfield(
                delimiter="\n",
                widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
                help_text=f"{db_field.help_text} One a line.",
                **kwargs,
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Client, form: forms.ModelForm, change: bool) -> None:
        # The row's balance moves while the form is open: what the form did not change is not written.
        obj.save(update_fields=form.changed_data if change else None)

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[UnfoldAction]:
        # Those of Shopify are offered where its secret and shops are.
        hidden = [self.set_shopify_secret, self.add_shop, self.remove_shop]
        hidden.append(self.suspend if find(Client, object_id).suspended_at else self.lift_suspension)
        return [offered for offered in super().get_actions_detail(request, object_id) if offered.method not in hidden]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Client], search_term: str
    ) -> tuple[QuerySet[Client], bool]:
        term = search_term.strip()
        found = Q(name__istartswith=term)
        if re.fullmatch(r"[0-9]{1,18}", term):
            found |= Q(pk=int(term))
        return queryset.filter(found) if term else queryset, False

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        if client := kwargs.get("obj"):
            context |= {**standing(client), "shopify": self.shopify(request, client)}
        return super().render_change_form(request, context, **kwargs)

    @action(
        description="Suspend",
        icon="block",
        permissions=["suspend"],
        dialog={
            "title": "Suspend this client",
            "description": "Its orders are refused from the next request on. Jobs that are open run to their end.",
            "form_submit_text": "Suspend",
        },
    )
    def suspend(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        client = find(Client, object_id)
        clients.suspend(client_id=client.pk)
        self.log_change(request, client, "Suspended")
        messages.success(request, f"{client} is suspended.")
        return close_dialog("billing_client", client.pk)

    @action(
        description="Lift suspension",
        icon="check_circle",
        permissions=["suspend"],
        dialog={
            "title": "Lift the suspension",
            "description": "Its orders are accepted again from the next request on.",
            "form_submit_text": "Lift suspension",
        },
    )
    def lift_suspension(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        client = find(Client, object_id)
        clients.lift_suspension(client_id=client.pk)
        self.log_change(request, client, "Suspension lifted")
        messages.success(request, f"{client} may order again.")
        return close_dialog("billing_client", client.pk)
