import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RadioFilter
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from studio_gateway.admin import RecordAdmin, RecordInline, close_dialog, find, label, link, list_link, readable
from studio_gateway.errors import DomainError
from workflows.webhooks import deliveries
from workflows.webhooks.listing import STATES
from workflows.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint

COLOURS = {
    **{"pending": "info", "delivered": "success", "failed": "danger"},
    **{"enabled": "success", "failing": "warning", "disabled": "danger"},
}


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(RecordAdmin):
    list_display = ["id", "state", "client", "url", "failing_since", "created_at"]
    list_filter = [("client", AutocompleteSelectFilter)]
    list_select_related = ["client"]
    ulid_fields = ("id",)
    search_fields = ["client__name"]
    search_help_text = "Endpoint id or client"
    # Without its secrets.
    fields = [
        *("state", "client", "url", "event_types", "created_at", "failing_since", "disabled_at", "disabled_reason"),
        *("previous_secret_until", "deleted_at", "more"),
    ]
    readonly_fields = ["state", "more"]

    @display(description="State")
    def state(self, endpoint: WebhookEndpoint) -> SafeString:
        if endpoint.deleted_at is not None:
            return label("deleted", COLOURS)
        if endpoint.disabled_at is not None:
            return label("disabled", COLOURS)
        return label("enabled" if endpoint.failing_since is None else "failing", COLOURS)

    @display(description="See also")
    def more(self, endpoint: WebhookEndpoint) -> SafeString:
        return list_link("workflows_webhookdelivery", "Deliveries", endpoint__id__exact=endpoint.pk)


class StateFilter(RadioFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, state.capitalize()) for state in STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery]:
        state = self.value()
        return queryset.filter(STATES[state]) if state in STATES else queryset


class WebhookAttemptInline(RecordInline):
    model = WebhookAttempt
    verbose_name_plural = "attempts"
    fields = readonly_fields = [
        "number",
        "at",
        "duration_ms",
        "status",
        "error",
        "response_excerpt",
        "headers",
        "worker",
    ]

    @display(description="Request headers")
    def headers(self, attempt: WebhookAttempt) -> SafeString:
        return readable(attempt.request_headers)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(RecordAdmin):
    list_display = ["id", "badge", "event", "client", "endpoint", "attempts", "created_at", "next_attempt_at"]
    list_filter = [
        StateFilter,
        ("client", AutocompleteSelectFilter),
        ("endpoint", AutocompleteSelectFilter),
    ]
    list_select_related = ["client", "endpoint", "event"]
    ulid_fields = ("id",)
    search_fields = ["client__name"]
    search_help_text = "Delivery id or client"
    fieldsets = [
        (None, {"fields": ["badge", "client", "where", "job", "attempts"]}),
        ("Times", {"fields": ["created_at", "next_attempt_at", "delivered_at", "gave_up_at"]}),
        ("Event", {"fields": ["event", "body"]}),
    ]
    readonly_fields = ["badge", "where", "job", "body"]
    inlines = [WebhookAttemptInline]
    actions_detail = ["replay"]

    @display(description="State")
    def badge(self, delivery: WebhookDelivery) -> SafeString:
        return label(delivery.status, COLOURS)

    @display(description="Endpoint")
    def where(self, delivery: WebhookDelivery) -> SafeString:
        return link("workflows_webhookendpoint", delivery.endpoint_id, delivery.endpoint.url)

    @display(description="Job")
    def job(self, delivery: WebhookDelivery) -> SafeString | None:
        return link("workflows_job", delivery.event.job_id) if delivery.event.job_id else None

    @display(description="What is sent")
    def body(self, delivery: WebhookDelivery) -> SafeString:
        return readable(json.loads(delivery.event.body))

    def has_replay_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("workflows.change_webhookdelivery")

    @action(
        description="Replay",
        icon="replay",
        permissions=["replay"],
        dialog={
            "title": "Replay this delivery",
            "description": "It is sent again now, with the same id and body, whatever became of it before.",
            "form_submit_text": "Replay",
        },
    )
    def replay(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        delivery = find(WebhookDelivery, object_id)
        try:
            deliveries.replay(delivery_id=delivery.pk)
        except DomainError as error:
            messages.error(request, str(error))
        else:
            self.log_change(request, delivery, "Replayed")
            messages.success(request, "It is sent again.")
        return close_dialog("workflows_webhookdelivery", delivery.pk)
