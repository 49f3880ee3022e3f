from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.postgres.fields import ArrayField
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RadioFilter
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextareaWidget, UnfoldBooleanSwitchWidget

from billing import clients, keys, ledger
from billing.admin.credits_filter import CreditsFilter
from billing.admin.keys import ApiKeyInline
from billing.models import MAX_AMOUNT, MAX_REASON, Client, LedgerEntry
from studio_gateway.admin import RecordInline, close_dialog, find, label, list_link
from studio_gateway.errors import DomainError
from studio_gateway.ids import new_ulid

STATUS_COLOURS = {"active": "success", "suspended": "danger"}


class GrantForm(BaseDialogForm):
    form_before_template = "admin/billing/grant.html"

    credits = forms.IntegerField(min_value=1, max_value=MAX_AMOUNT, widget=UnfoldAdminIntegerFieldWidget)
    reason = forms.CharField(max_length=MAX_REASON, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))
    # Made once for each dialog, so that its form grants once however often it arrives.
    reference = forms.CharField(max_length=40, initial=lambda: f"console-{new_ulid()}", widget=forms.HiddenInput)

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        return {"client": find(Client, object_id)}


class KeyForm(BaseDialogForm):
    test = forms.BooleanField(
        label="Test key",
        required=False,
        help_text="Its orders are free, and their images small and marked.",
        widget=UnfoldBooleanSwitchWidget,
    )
    days = forms.IntegerField(
        label="Days until it expires",
        required=False,
        min_value=1,
        max_value=3650,
        help_text="Empty: it does not expire.",
        widget=UnfoldAdminIntegerFieldWidget,
    )


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
class ClientAdmin(ModelAdmin):
    list_display = ["name", "status", "balance", "jobs", "created_at"]
    list_filter = [SuspendedFilter, CreditsFilter]
    list_filter_submit = True
    search_fields = ["name", "id__exact"]
    search_help_text = "Name or number"
    ordering = ["name", "pk"]
    fieldsets = [
        (None, {"fields": ["name", "status", "balance", "open_jobs", "created_at", "more"]}),
        ("Limits", {"fields": ["max_open_jobs", "jobs_per_minute", "storage_prefixes", "retention_days"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["name", "max_open_jobs", "jobs_per_minute", "storage_prefixes", "retention_days"]})
    ]
    readonly_fields = ["status", "balance", "open_jobs", "created_at", "more"]
    inlines = [ApiKeyInline]
    actions_detail = ["grant", "make_key", "suspend", "lift_suspension"]

    @display(description="Status")
    def status(self, client: Client) -> SafeString:
        return label("active" if client.suspended_at is None else "suspended", STATUS_COLOURS)

    @display(description="Open jobs", ordering="open_jobs")
    def jobs(self, client: Client) -> str:
        return f"{client.open_jobs} of {client.max_open_jobs}"

    @display(description="See also")
    def more(self, client: Client) -> SafeString:
        return format_html(
            "{} · {} · {}",
            list_link("workflows_job", "Jobs", client__id__exact=client.pk),
            list_link("billing_ledgerentry", "Ledger entries", client__id__exact=client.pk),
            list_link("requestlog_requestlog", "Request logs", client_id=client.pk),
        )

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # The ledger outlives its clients.
        return False

    # Methods, because unfold's system check would look a permission's name up in a database that need not be there yet.
    def has_grant_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.add_ledgerentry")

    def has_make_key_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.add_apikey")

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
        hidden = self.suspend if find(Client, object_id).suspended_at else self.lift_suspension
        return [offered for offered in super().get_actions_detail(request, object_id) if offered.method != hidden]

    @action(
        description="Grant credits",
        icon="add_card",
        variant=ActionVariant.PRIMARY,
        permissions=["grant"],
        dialog={"title": "Grant credits", "form_class": GrantForm, "form_submit_text": "Grant"},
    )
    def grant(self, request: HttpRequest, form: GrantForm, object_id: str) -> HttpResponse:
        client, wanted = find(Client, object_id), form.cleaned_data
        again = client.ledger_entries.filter(kind=LedgerEntry.Kind.GRANT, reference=wanted["reference"]).exists()
        try:
            entry = ledger.grant(
                client_id=client.pk,
                credits=wanted["credits"],
                reason=wanted["reason"],
                reference=wanted["reference"],
                actor=request.user.get_username(),
            )
        except DomainError as error:
            messages.error(request, str(error))
        else:
            if not again:
                self.log_change(request, client, f"Granted {entry.amount} credits: {entry.reason}")
                messages.success(request, f"Granted {entry.amount} credits; the balance is {entry.balance_after}.")
        return close_dialog("billing_client", client.pk)

    @action(
        description="Make API key",
        icon="key",
        permissions=["make_key"],
        dialog={
            "title": "Make an API key",
            "description": "Its secret is shown once, on the page that follows, and cannot be had again.",
            "form_class": KeyForm,
            "form_submit_text": "Make key",
        },
    )
    def make_key(self, request: HttpRequest, form: KeyForm, object_id: str) -> HttpResponse:
        client, days = find(Client, object_id), form.cleaned_data["days"]
        expires_at = timezone.now() + timedelta(days=days) if days else None
        key, secret = keys.create_key(client=client, test=form.cleaned_data["test"], expires_at=expires_at)
        self.log_change(request, client, f"Made the API key {key}")
        messages.success(request, f"The new API key, shown this once: {secret}")
        return close_dialog("billing_client", client.pk)

    @action(
        description="Suspend",
        icon="block",
        permissions=["change"],
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
        permissions=["change"],
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
