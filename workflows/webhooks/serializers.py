"""Bodies of what is told, and of the requests and answers about being told."""

import json
import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.models import MAX_THRESHOLD
from studio_gateway.api.fields import Filled, StrictBoolean, StrictInteger, StrictList, StrictSerializer
from studio_gateway.api.queries import OneOf, Page, Parameter, ULIDCursor
from studio_gateway.ids import ULIDConverter
from workflows.models import Event, Job, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from workflows.serializers.jobs import ListedJobSerializer, OutputSerializer
from workflows.webhooks.models import MAX_URL, TYPES_TO_ASK_FOR


class ToldOutputSerializer(OutputSerializer):
    """One file that a job made; the job says where it is to be had."""

    url = thumbnail_url = None  # type: ignore[assignment]  # so DRF leaves a field out


class ToldJobSerializer(ListedJobSerializer):
    """A job as it was when it was told of: without its spec, and without links that expire."""

    link = serializers.SerializerMethodField(help_text="The path at which the job is to be read.")
    outputs = ToldOutputSerializer(many=True, help_text="The files that it made, in order; none until SUCCESS.")

    def get_link(self, job: Job) -> str:
        return f"/v1/jobs/{job.pk}"


LABEL = "[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"


@extend_schema_field({"type": "string", "pattern": f"^({'|'.join(re.escape(name) for name in TYPES_TO_ASK_FOR)})$"})
class EventType(Filled):
    """One of the types that an endpoint may ask for."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if text not in TYPES_TO_ASK_FOR:
            self.fail("enum", expected=" or ".join(repr(name) for name in TYPES_TO_ASK_FOR))
        return text


@extend_schema_field(
    {
        "type": "string",
        "pattern": rf"^https?://{LABEL}(?:\.{LABEL})*(?::[0-9]{{1,5}})?(?:[/?][!\"$-~]*)?$",
        "maxLength": MAX_URL,
    }
)
class EndpointURL(Filled):
    """A URL; `addresses.parse` decides."""


URL_HELP = "Where to POST events: https, at a public address."
TYPES_HELP = f"Which types of events to send, of {', '.join(f'`{name}`' for name in TYPES_TO_ASK_FOR)}; empty: all."


class CreateWebhookEndpointRequest(StrictSerializer):
    """A new endpoint."""

    url = EndpointURL(help_text=URL_HELP)
    event_types = StrictList(required=False, default=list, child=EventType(), help_text=TYPES_HELP)


class ChangeWebhookEndpointRequest(StrictSerializer):
    """What to change of an endpoint; the rest stays."""

    url = EndpointURL(required=False, help_text=URL_HELP)
    event_types = StrictList(required=False, child=EventType(), help_text=TYPES_HELP)
    enabled = StrictBoolean(
        required=False,
        help_text="`false`: send nothing more, and give up what waits; `true`: send what happens from now on.",
    )


class WebhookEndpointSerializer(serializers.Serializer[WebhookEndpoint]):
    """A URL at which a client is told of events."""

    endpoint_id = serializers.CharField(source="id", help_text="26-character ULID of the endpoint.")
    url = serializers.CharField(help_text="Where events are POSTed.")
    event_types = serializers.ListField(
        child=serializers.CharField(), help_text="The types of events that are sent; empty: all."
    )
    enabled = serializers.SerializerMethodField(help_text="Whether anything is sent.")
    disabled_at = serializers.DateTimeField(allow_null=True, help_text="Since when nothing is sent; null while it is.")
    disabled_reason = serializers.CharField(help_text="Why nothing is sent; empty while it is.")
    failing_since = serializers.DateTimeField(
        allow_null=True, help_text="The first failure since the last success; after five days it is disabled."
    )
    previous_secret_until = serializers.DateTimeField(
        allow_null=True, help_text="Until when the secret before the last rotation signs too; null without one."
    )
    created_at = serializers.DateTimeField(help_text="When it was made.")

    def get_enabled(self, endpoint: WebhookEndpoint) -> bool:
        return endpoint.disabled_at is None


class WebhookEndpointWithSecret(WebhookEndpointSerializer):
    """An endpoint with the secret that signs what it is sent."""

    secret = serializers.CharField(help_text="`whsec_` and base64, by Standard Webhooks; shown this once.")


class WebhookEndpointList(serializers.Serializer[Any]):
    """All endpoints of a client, oldest first."""

    endpoints = WebhookEndpointSerializer(many=True, help_text="At most ten.")


class WebhookAttemptSerializer(serializers.Serializer[WebhookAttempt]):
    """One request that was made, and what came back."""

    number = serializers.IntegerField(help_text="Attempts are numbered from 1; one that broke off here is missing.")
    at = serializers.DateTimeField(help_text="When it began.")
    duration_ms = serializers.IntegerField(help_text="Milliseconds until the answer was read, or given up.")
    url = serializers.CharField(help_text="Where it was sent.")
    request_headers = serializers.DictField(child=serializers.CharField(), help_text="Headers that were sent.")
    status = serializers.IntegerField(allow_null=True, help_text="Status of the answer; null where there was none.")
    error = serializers.CharField(help_text="Why it failed; empty for a success.")
    response_excerpt = serializers.CharField(help_text="The beginning of the answer's body: 2048 bytes at most.")


class WebhookDeliverySerializer(serializers.Serializer[WebhookDelivery]):
    """One event on its way to one endpoint."""

    delivery_id = serializers.CharField(source="id", help_text="26-character ULID of the delivery.")
    endpoint_id = serializers.CharField(help_text="The endpoint that it goes to.")
    event_id = serializers.CharField(
        source="event.message_id", help_text="The `webhook-id` that it is sent with, the same in each attempt."
    )
    event_type = serializers.CharField(source="event.type", help_text="The type of the event.")
    status = serializers.CharField(
        help_text="`pending` while attempts follow, `delivered`, or `failed` where it was given up."
    )
    attempts = serializers.IntegerField(help_text="Attempts begun so far.")
    created_at = serializers.DateTimeField(help_text="When the event happened.")
    next_attempt_at = serializers.DateTimeField(
        allow_null=True, help_text="When the next attempt is due; null where none follows."
    )
    delivered_at = serializers.DateTimeField(allow_null=True, help_text="When the endpoint accepted it with a 2xx.")
    gave_up_at = serializers.DateTimeField(allow_null=True, help_text="When it was given up; it can be replayed.")


class WebhookDeliveryDetails(WebhookDeliverySerializer):
    """A delivery with its body and its attempts."""

    payload = serializers.SerializerMethodField(help_text="The body that is sent, the same in each attempt.")
    log = WebhookAttemptSerializer(many=True, help_text="The attempts, in order.")

    def get_payload(self, delivery: WebhookDelivery) -> dict[str, Any]:
        return dict(json.loads(delivery.event.body))


class WebhookDeliveryPage(serializers.Serializer[Any]):
    """Deliveries, newest first."""

    deliveries = WebhookDeliverySerializer(many=True, help_text="The deliveries of this page.")
    next = serializers.CharField(
        allow_null=True,
        help_text="Send it as `cursor` for the next page; null on the last. A page may have fewer deliveries than its "
        "limit, or none, and still have a next one.",
    )


class WebhookDeliveriesQuery(Page):
    """The parameters of GET /v1/webhook-deliveries."""

    cursor = ULIDCursor(help_text="The `next` of the page before.")
    endpoint_id = ULIDCursor(help_text="Only deliveries to this endpoint.")
    status = OneOf(choices=["pending", "delivered", "failed"], help_text="Only deliveries that are in this state now.")
    event_type = OneOf(choices=Event.Type.values, help_text="Only deliveries of this type of event.")


class EventCursor(Parameter):
    """A place in the feed: the transaction in 16 hexadecimal digits, and the event's ULID."""

    PATTERN = f"^[0-9a-f]{{16}}{ULIDConverter.regex}$"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(schema={"type": "string", "pattern": self.PATTERN}, **kwargs)

    def to_internal_value(self, data: str) -> str:
        if not re.fullmatch(self.PATTERN[1:-1], data):
            raise self.refused("string_pattern_mismatch")
        return data


class EventsQuery(Page):
    """The parameters of GET /v1/events."""

    after = EventCursor(help_text="The `next` of the page before; without it, from the first event that is kept.")


class EventSerializer(serializers.Serializer[Any]):
    """One thing that happened; what a webhook says of it, with its `webhook-id`."""

    id = serializers.CharField(help_text="The `webhook-id` of its deliveries.")
    type = serializers.CharField(help_text="What happened, like `job.succeeded`.")
    timestamp = serializers.CharField(help_text="When it happened.")
    data = serializers.DictField(  # type: ignore[assignment]  # DRF takes it out of the class
        help_text="Of a job's event the job as it was then, with the event's `sequence`."
    )


class EventPage(serializers.Serializer[Any]):
    """Events, oldest first."""

    events = EventSerializer(many=True, help_text="The events of this page.")
    next = serializers.CharField(
        allow_null=True,
        help_text="Send it as `after`, now or later, for the events that follow; null where there has been none yet.",
    )


class CreditsAlertRequest(StrictSerializer):
    """When to be told that credits are low."""

    threshold = StrictInteger(
        allow_null=True,
        min_value=1,
        max_value=MAX_THRESHOLD,
        help_text="`credits.low` is told when an order takes the balance below this; null: never.",
    )


class CreditsAlert(serializers.Serializer[Any]):
    """When the client is told that credits are low."""

    threshold = serializers.IntegerField(
        source="low_credits_threshold",
        allow_null=True,
        help_text="`credits.low` is told when an order takes the balance below this; null: never.",
    )
