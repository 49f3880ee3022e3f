import json
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RadioFilter
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
)

from billing.models import Client
from studio_gateway.admin import (
    RecordAdmin,
    RecordInline,
    close_dialog,
    find,
    label,
    link,
    list_link,
    readable,
    show_secret,
)
from studio_gateway.errors import DomainError
from workflows.errors import BadWebhookURL
from workflows.webhooks import deliveries, endpoints
from workflows.webhooks.addresses import parse
from workflows.webhooks.listing import STATES
from workflows.webhooks.models import (
    MAX_URL,
    TYPES_TO_ASK_FOR,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)

COLOURS = {
    **{"pending": "info", "delivered": "success", "failed": "danger"},
    **{"enabled": "success", "failing": "warning", "disabled": "danger"},
}


class EndpointForm(BaseDialogForm):
    url = forms.CharField(label="URL", max_length=MAX_URL, widget=UnfoldAdminTextInputWidget)
    event_types = forms.MultipleChoiceField(
        required=False,
        choices=[(name, name) for name in TYPES_TO_ASK_FOR],
        help_text="None: all of them.",
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    @property
    def wanted(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("url", "event_types")}

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"])
        try:
            parse(url)
        except BadWebhookURL as error:
            raise forms.ValidationError(str(error)) from error
        return url


class NewEndpointForm(EndpointForm):
    client = forms.IntegerField(label="Client number", min_value=1, widget=UnfoldAdminIntegerFieldWidget)

    field_order = ("client", "url", "event_types")

    def clean_client(self) -> Client:
        client = Client.objects.filter(pk=self.cleaned_data["client"]).first()
        if client is None:
            raise forms.ValidationError("There is no such client.")
        return client


class ChangeEndpointForm(EndpointForm):
    def __init__(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        endpoint = find(WebhookEndpoint, object_id)
        self.initial |= {"url": endpoint.url, "event_types": endpoint.event_types}


class EndpointStateFilter(RadioFilter):
    title = "state"
    parameter_name = "state"
    states = {
        "enabled": Q(disabled_at=None, failing_since=None),
        "failing": Q(disabled_at=None, failing_since__isnull=False),
        "disabled": Q(disabled_at__isnull=False, deleted_at=None),
        "deleted": Q(deleted_at__isnull=False),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, state.capitalize()) for state in self.states]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> QuerySet[WebhookEndpoint]:
        state = self.value()
        return queryset.filter(self.states[state]) if state in self.states else queryset


def state(endpoint: WebhookEndpoint) -> SafeString:
    if endpoint.deleted_at is not None:
        return label("deleted", COLOURS)
    if endpoint.disabled_at is not None:
        return label("disabled", COLOURS)
    return label("enabled" if endpoint.failing_since is None else "failing", COLOURS)


def asked_for(endpoint: WebhookEndpoint) -> str:
    return ", ".join(endpoint.event_types) or "all"


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(RecordAdmin):
    list_display = ["id", "state", "client", "url", "failing_since", "created_at"]
    list_filter = [EndpointStateFilter, ("client", AutocompleteSelectFilter)]
    list_select_related = ["client"]
    search_help_text = "Endpoint id, or how its client's name begins"
    # Without its secrets.
    fields = [
        *("state", "client", "url", "asked_for", "created_at", "failing_since", "disabled_at", "disabled_reason"),
        *("previous_secret_until", "deleted_at", "more"),
    ]
    readonly_fields = ["state", "asked_for", "more"]
    actions_list = ["make"]
    actions_detail = ["edit", "send_test", "rotate", "enable", "disable", "remove"]

    def searches(self, rows: QuerySet[WebhookEndpoint], term: str) -> list[QuerySet[WebhookEndpoint]]:
        return [*self.with_ulid(rows, term), rows.filter(client__name__istartswith=term)]

    @display(description="State")
    def state(self, endpoint: WebhookEndpoint) -> SafeString:
        return state(endpoint)

    @display(description="Event types")
    def asked_for(self, endpoint: WebhookEndpoint) -> str:
        return asked_for(endpoint)

    @display(description="See also")
    def more(self, endpoint: WebhookEndpoint) -> SafeString:
        return list_link("workflows_webhookdelivery", "Deliveries", endpoint__id__exact=endpoint.pk)

    def has_act_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("workflows.change_webhookendpoint")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[UnfoldAction]:
        endpoint = find(WebhookEndpoint, object_id)
        if endpoint.deleted_at is not None:
            return []
        hidden = [self.enable] if endpoint.disabled_at is None else [self.disable, self.send_test]
        return [offered for offered in super().get_actions_detail(request, object_id) if offered.method not in hidden]

    @action(
        description="Make an endpoint",
        icon="add",
        variant=ActionVariant.PRIMARY,
        permissions=["act"],
        dialog={
            "title": "Make a webhook endpoint",
            "description": "Its secret is shown once, on the page that follows, and cannot be had again.",
            "form_class": NewEndpointForm,
            "form_submit_text": "Make endpoint",
        },
    )
    def make(self, request: HttpRequest, form: NewEndpointForm) -> HttpResponse:
        try:
            endpoint, secret = endpoints.create(client=form.cleaned_data["client"], **form.wanted)
        except DomainError as error:
            messages.error(request, str(error))
            return close_dialog("workflows_webhookendpoint")
        self.log_addition(request, endpoint, "Made")
        return self._show(request, endpoint, secret, note="It signs from the first delivery on.")

    @action(
        description="Change",
        icon="edit",
        permissions=["act"],
        dialog={"title": "Change this endpoint", "form_class": ChangeEndpointForm, "form_submit_text": "Change"},
    )
    def edit(self, request: HttpRequest, form: ChangeEndpointForm, object_id: str) -> HttpResponse:
        return self._act(request, object_id, "Changed", lambda **which: endpoints.change(**which, **form.wanted))

    @action(
        description="Send a test",
        icon="send",
        permissions=["act"],
        dialog={
            "title": "Send a test",
            "description": "An event `endpoint.test`, which says nothing, is sent there now.",
            "form_submit_text": "Send",
        },
    )
    def send_test(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._act(request, object_id, "Sent a test", endpoints.send_test)

    @action(
        description="Rotate secret",
        icon="key",
        permissions=["act"],
        dialog={
            "title": "Give this endpoint a new secret",
            "description": "It is shown once, on the page that follows. For a day the old one signs too.",
            "form_submit_text": "Rotate",
        },
    )
    def rotate(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        endpoint = find(WebhookEndpoint, object_id)
        try:
            _, secret = endpoints.rotate_secret(client=endpoint.client, endpoint_id=endpoint.pk)
        except DomainError as error:
            messages.error(request, str(error))
            return close_dialog("workflows_webhookendpoint", endpoint.pk)
        self.log_change(request, endpoint, "Rotated its secret")
        return self._show(request, endpoint, secret, note="It signs from now on, and for a day the old one signs too.")

    @action(
        description="Enable",
        icon="check_circle",
        permissions=["act"],
        dialog={
            "title": "Enable this endpoint",
            "description": "It is sent what happens from now on. What it missed can be replayed.",
            "form_submit_text": "Enable",
        },
    )
    def enable(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._act(request, object_id, "Enabled", lambda **which: endpoints.change(**which, enabled=True))

    @action(
        description="Disable",
        icon="block",
        permissions=["act"],
        dialog={
            "title": "Disable this endpoint",
            "description": "It is sent nothing more, and what waits for it is given up.",
            "form_submit_text": "Disable",
        },
    )
    def disable(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._act(
            request, object_id, "Disabled", lambda **which: endpoints.change(**which, enabled=False, by="Staff")
        )

    @action(
        description="Delete",
        icon="delete",
        variant=ActionVariant.DANGER,
        permissions=["act"],
        dialog={
            "title": "Delete this endpoint",
            "description": "Its client sees it no more, and its secret is gone. Its deliveries stay here.",
            "form_submit_text": "Delete",
        },
    )
    def remove(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._act(request, object_id, "Deleted", lambda **which: endpoints.delete(**which, by="Staff"))

    def _show(self, request: HttpRequest, endpoint: WebhookEndpoint, secret: str, *, note: str) -> HttpResponse:
        return show_secret(
            request,
            title="A new webhook secret",
            what=f"Secret of {endpoint.url}",
            secret=secret,
            note=note,
            page="workflows_webhookendpoint",
            pk=endpoint.pk,
        )

    def _act(self, request: HttpRequest, object_id: str, done: str, call: Callable[..., Any]) -> HttpResponse:
        endpoint = find(WebhookEndpoint, object_id)
        try:
            call(client=endpoint.client, endpoint_id=endpoint.pk)
        except DomainError as error:
            messages.error(request, str(error))
        else:
            self.log_change(request, endpoint, done)
            messages.success(request, f"{done}.")
        return close_dialog("workflows_webhookendpoint", endpoint.pk)


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
    ulid_fields = ("pk", "event", "event__job")
    search_help_text = "Delivery, event or job"
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

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Let a job's page lead to the deliveries of its events."""
        return lookup == "event__job__id__exact" or super().lookup_allowed(lookup, value, request)

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
