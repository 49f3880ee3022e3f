from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from billing import keys
from billing.models import ApiKey
from studio_gateway.admin import ReadOnly, RecordInline, close_dialog, find, label, link

COLOURS = {"active": "success", "expired": "warning", "revoked": "danger"}


def key_state(key: ApiKey) -> SafeString:
    if key.revoked_at is not None:
        return label("revoked", COLOURS)
    expired = key.expires_at is not None and key.expires_at <= timezone.now()
    return label("expired" if expired else "active", COLOURS)


class ApiKeyInline(RecordInline):
    model = ApiKey
    verbose_name_plural = "API keys"
    fields = readonly_fields = ["key", "state", "created_at", "expires_at", "revoked_at"]
    ordering = ["-id"]

    @display(description="Key")
    def key(self, key: ApiKey) -> SafeString:
        return link("billing_apikey", key.pk, key)

    @display(description="State")
    def state(self, key: ApiKey) -> SafeString:
        return key_state(key)


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly, ModelAdmin):
    list_display = ["prefix", "client", "state", "created_at", "expires_at", "revoked_at"]
    list_select_related = ["client"]
    search_fields = ["prefix__startswith", "client__name"]
    search_help_text = "First characters of the key, or client"
    ordering = ["-pk"]
    fields = ["client", "prefix", "state", "created_at", "expires_at", "revoked_at"]
    readonly_fields = ["state"]
    actions_detail = ["revoke"]

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
        return close_dialog("billing_apikey", key.pk)
