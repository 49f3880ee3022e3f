"""What the API document says of being told, beside what the serializers say."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from studio_gateway.api.documentation import (
    BARE_REFUSALS,
    LIST_REFUSALS,
    READ_REFUSALS,
    refusals,
    response_header,
    response_headers,
)
from studio_gateway.api.serializers import HTTPValidationError
from studio_gateway.ids import ULIDConverter
from workflows.errors import BadWebhookURL
from workflows.webhooks import serializers
from workflows.webhooks.addresses import NOT_PUBLIC

F = TypeVar("F", bound=Callable[..., Any])

ULID = {"type": "string", "pattern": f"^{ULIDConverter.regex}$"}
ENDPOINT_ID = OpenApiParameter("endpoint_id", ULID, OpenApiParameter.PATH, description="The endpoint's ULID.")
DELIVERY_ID = OpenApiParameter("delivery_id", ULID, OpenApiParameter.PATH, description="The delivery's ULID.")

ENDPOINT = {
    "endpoint_id": "01M81TZ7KMDA12DD86R558H2MB",
    "url": "https://shop.example.com/hooks/studio",
    "event_types": ["job.succeeded", "job.failed"],
    "enabled": True,
    "disabled_at": None,
    "disabled_reason": "",
    "failing_since": None,
    "previous_secret_until": None,
    "created_at": "2026-11-22T14:36:10.748028Z",
}
WITH_SECRET = {**ENDPOINT, "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}
ROTATED = {**WITH_SECRET, "previous_secret_until": "2026-11-23T14:36:10.748028Z"}
DISABLED = {
    **ENDPOINT,
    "enabled": False,
    "disabled_at": "2026-11-22T15:01:44.210332Z",
    "disabled_reason": "Its client disabled it.",
}
DELIVERY = {
    "delivery_id": "01M81TZ7KNQ5W7Y4V2R9C8D3EF",
    "endpoint_id": "01M81TZ7KMDA12DD86R558H2MB",
    "event_id": "msg_01M81TZ7KNXXA3ZJ4B7E9S6TQG",
    "event_type": "credits.low",
    "status": "delivered",
    "attempts": 1,
    "created_at": "2026-11-22T14:36:10.875006Z",
    "next_attempt_at": None,
    "delivered_at": "2026-11-22T14:36:11.120913Z",
    "gave_up_at": None,
}
PENDING = {
    **DELIVERY,
    "status": "pending",
    "next_attempt_at": "2026-11-22T14:36:10.875006Z",
    "delivered_at": None,
}
PAYLOAD = {
    "type": "credits.low",
    "timestamp": "2026-11-22T14:36:10.875006Z",
    "data": {"balance": 8, "threshold": 10},
}
DETAILS = {
    **DELIVERY,
    "payload": PAYLOAD,
    "log": [
        {
            "number": 1,
            "at": "2026-11-22T14:36:10.991204Z",
            "duration_ms": 129,
            "url": "https://shop.example.com/hooks/studio",
            "request_headers": {"webhook-id": "msg_01M81TZ7KNXXA3ZJ4B7E9S6TQG", "webhook-timestamp": "1795358170"},
            "status": 204,
            "error": "",
            "response_excerpt": "",
        }
    ],
}
EVENT = {"id": "msg_01M81TZ7KNXXA3ZJ4B7E9S6TQG", **PAYLOAD}
NEXT = "00000000000002f101M81TZ7KNXXA3ZJ4B7E9S6TQG"

REFUSED = BadWebhookURL(why=NOT_PUBLIC)
FAULT = {"loc": ["body", "url"], "msg": str(REFUSED), "type": REFUSED.code}
WITH_BODY = {
    **READ_REFUSALS,
    **refusals("bad_request", "body_incomplete"),
    **refusals("body_too_large"),
    **refusals("unsupported_media_type"),
    422: OpenApiResponse(
        HTTPValidationError,
        description="The body is not what it should be.",
        examples=[OpenApiExample("fault", value={"detail": [FAULT]})],
    ),
}
WITHOUT_ID = {status: answer for status, answer in WITH_BODY.items() if status != 404}


def _operation(
    operation_id: str,
    summary: str,
    answer: type | None,
    example: Any = None,
    *,
    status: int = 200,
    description: str,
    refused: dict[int, OpenApiResponse],
    tag: str = "Webhooks",
    request: type | None = None,
    parameters: tuple[Any, ...] = (),
) -> Callable[[F], F]:
    examples = [OpenApiExample("answer", value=example)] if example else []
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        tags=[tag],
        request=request,
        parameters=[*parameters, *response_headers(status, *refused)],
        responses={status: OpenApiResponse(answer, description=description, examples=examples), **refused},
    )


list_endpoints = _operation(
    "list_webhook_endpoints",
    "List webhook endpoints",
    serializers.WebhookEndpointList,
    {"endpoints": [ENDPOINT]},
    description="All of the client's, oldest first.",
    refused=BARE_REFUSALS,
)
create_endpoint = _operation(
    "create_webhook_endpoint",
    "Create a webhook endpoint",
    serializers.WebhookEndpointWithSecret,
    WITH_SECRET,
    status=201,
    description="The endpoint, and the secret that signs what it is sent: it is shown this once.",
    refused={**WITHOUT_ID, **refusals("too_many_endpoints")},
    request=serializers.CreateWebhookEndpointRequest,
    parameters=(response_header("Location", str, 201, description="The endpoint's path."),),
)
get_endpoint = _operation(
    "get_webhook_endpoint",
    "Read a webhook endpoint",
    serializers.WebhookEndpointSerializer,
    ENDPOINT,
    description="The endpoint.",
    refused=READ_REFUSALS,
    parameters=(ENDPOINT_ID,),
)
change_endpoint = _operation(
    "change_webhook_endpoint",
    "Change, disable or enable a webhook endpoint",
    serializers.WebhookEndpointSerializer,
    DISABLED,
    description="The endpoint as it is now.",
    refused=WITH_BODY,
    request=serializers.ChangeWebhookEndpointRequest,
    parameters=(ENDPOINT_ID,),
)
delete_endpoint = _operation(
    "delete_webhook_endpoint",
    "Delete a webhook endpoint",
    None,
    status=204,
    description="It is gone, and what waited for it is given up.",
    refused=READ_REFUSALS,
    parameters=(ENDPOINT_ID,),
)
rotate_secret = _operation(
    "rotate_webhook_secret",
    "Rotate the secret of a webhook endpoint",
    serializers.WebhookEndpointWithSecret,
    ROTATED,
    description="The endpoint with its new secret; for a day the old one signs too.",
    refused=READ_REFUSALS,
    parameters=(ENDPOINT_ID,),
)
test_endpoint = _operation(
    "test_webhook_endpoint",
    "Send a test to a webhook endpoint",
    serializers.WebhookDeliverySerializer,
    {**PENDING, "event_type": "endpoint.test"},
    status=202,
    description="An event `endpoint.test` is on its way.",
    refused={**READ_REFUSALS, **refusals("endpoint_disabled")},
    parameters=(ENDPOINT_ID,),
)
list_deliveries = _operation(
    "list_webhook_deliveries",
    "List webhook deliveries",
    serializers.WebhookDeliveryPage,
    {"deliveries": [DELIVERY], "next": None},
    description="What was sent and what will be, newest first.",
    refused=LIST_REFUSALS,
    parameters=(serializers.WebhookDeliveriesQuery,),
)
get_delivery = _operation(
    "get_webhook_delivery",
    "Read a webhook delivery",
    serializers.WebhookDeliveryDetails,
    DETAILS,
    description="The delivery with its body, and each attempt with what came back.",
    refused=READ_REFUSALS,
    parameters=(DELIVERY_ID,),
)
replay = _operation(
    "replay_webhook_delivery",
    "Replay a webhook delivery",
    serializers.WebhookDeliverySerializer,
    PENDING,
    status=202,
    description="It is sent again now, with the same id and body.",
    refused={**READ_REFUSALS, **refusals("endpoint_disabled")},
    parameters=(DELIVERY_ID,),
)
list_events = _operation(
    "list_events",
    "Pull events",
    serializers.EventPage,
    {"events": [EVENT], "next": NEXT},
    description="What webhooks say, oldest first, for clients that cannot be called. Who keeps the last `next` never "
    "misses an event, and sees none twice.",
    refused=LIST_REFUSALS,
    tag="Events",
    parameters=(serializers.EventsQuery,),
)
get_credits_alert = _operation(
    "get_credits_alert",
    "Read when low credits are told",
    serializers.CreditsAlert,
    {"threshold": 10},
    description="The threshold.",
    refused=BARE_REFUSALS,
    tag="Credits",
)
set_credits_alert = _operation(
    "set_credits_alert",
    "Set when low credits are told",
    serializers.CreditsAlert,
    {"threshold": 10},
    description="The threshold as it is now.",
    refused=WITHOUT_ID,
    tag="Credits",
    request=serializers.CreditsAlertRequest,
)
