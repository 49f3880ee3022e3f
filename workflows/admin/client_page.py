"""What a client's page shows of its webhooks: it is billing's, which knows nothing of them."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from billing.models import Client
from studio_gateway.admin import RecordInline, link
from workflows.models import WebhookEndpoint
from workflows.webhooks.admin import asked_for, state


class EndpointInline(RecordInline):
    model = WebhookEndpoint
    verbose_name_plural = "webhook endpoints"
    fields = readonly_fields = ["where", "state", "asked_for", "failing_since"]
    ordering = ["-pk"]
    per_page = 10

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        return super().get_queryset(request).filter(deleted_at=None)

    @display(description="URL")
    def where(self, endpoint: WebhookEndpoint) -> SafeString:
        return link("workflows_webhookendpoint", endpoint.pk, endpoint.url)

    @display(description="State")
    def state(self, endpoint: WebhookEndpoint) -> SafeString:
        return state(endpoint)

    @display(description="Event types")
    def asked_for(self, endpoint: WebhookEndpoint) -> str:
        return asked_for(endpoint)


client_page = type(admin.site.get_model_admin(Client))
client_page.inlines = [*client_page.inlines, EndpointInline]
