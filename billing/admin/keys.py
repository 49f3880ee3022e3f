from datetime import timedelta

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldBooleanSwitchWidget

from billing import keys
from billing.models import ApiKey, Client
from studio_gateway.admin import RecordAdmin, RecordInline, close_dialog, dialog_button, find, label, link, show_secret

COLOURS = {"active": "success", "expired": "warning", "revoked": "danger"}


def key_state(key: ApiKey) -> SafeString:
    if key.revoked_at is not None:
        return label("revoked", COLOURS)
    expired = key.expires_at is not None and key.expires_at <= timezone.now()
    return label("expired" if expired else "active", COLOURS)


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


class ApiKeyInline(RecordInline):
    model = ApiKey
    verbose_name_plural = "API keys"
    readonly_fields = ["key", "state", "created_at", "expires_at", "revoked_at", "revoke"]
    ordering = ["-id"]
    per_page = 10

    def get_fields(self, request: HttpRequest, obj: Client | None = None) -> list[str]:
        *fields, revoke = self.readonly_fields
        return [*fields, revoke] if request.user.has_perm("billing.change_apikey") else fields

    @display(description="Key")
    def key(self, key: ApiKey) -> SafeString:
        return link("billing_apikey", key.pk, key)

    @display(description="State")
    def state(self, key: ApiKey) -> SafeString:
        return key_state(key)

    @display(description="Revoke")
    def revoke(self, key: ApiKey) -> SafeString | None:
        return None if key.revoked_at else dialog_button("billing_apikey", "revoke", key.pk, "Revoke", about=key)


class KeyActions(ModelAdmin):
    """The keys of the client that the page shows."""

    def has_make_key_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.add_apikey")

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
        until = f"until {date_format(expires_at, 'DATETIME_FORMAT')}" if expires_at else "until it is revoked"
        return show_secret(
            request,
            title="A new API key",
            what=f"{'Test key' if form.cleaned_data['test'] else 'API key'} of {client}",
            secret=secret,
            note=f"It holds from now on, {until}.",
            page="billing_client",
            pk=client.pk,
        )


@admin.register(ApiKey)
class ApiKeyAdmin(RecordAdmin):
    list_display = ["prefix", "client", "state", "created_at", "expires_at", "revoked_at"]
    list_select_related = ["client"]
    search_help_text = "First characters of the key"
    fields = ["client", "prefix", "state", "created_at", "expires_at", "revoked_at"]
    readonly_fields = ["state"]
    actions_detail = ["revoke"]

    def searches(self, rows: QuerySet[ApiKey], term: str) -> list[QuerySet[ApiKey]]:
        return [rows.filter(prefix__startswith=term)]

    @display(description="State")
    def state(self, key: ApiKey) -> SafeString:
        return key_state(key)

    def has_revoke_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.change_apikey")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[UnfoldAction]:
        return [] if find(ApiKey, object_id).revoked_at else super().get_actions_detail(request, object_id)

    @action(
        description="Revoke",
        icon="key_off",
        variant=ActionVariant.DANGER,
        permissions=["revoke"],
        dialog={
            "title": "Revoke this API key",
            "description": "Requests with it are refused from the next one on. This cannot be undone.",
            "form_submit_text": "Revoke",
        },
    )
    def revoke(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        key = find(ApiKey, object_id)
        keys.revoke_key(key_id=key.pk)
        self.log_change(request, key, "Revoked")
        messages.success(request, f"The API key {key} is revoked.")
        return close_dialog("billing_client", key.client_id)
