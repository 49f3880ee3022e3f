"""The endpoints of a client: made, changed, deleted, disabled."""

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from billing.models import Client
from studio_gateway.encryption import encrypt
from workflows.errors import EndpointDisabled, EndpointNotFound, TooManyEndpoints
from workflows.webhooks.addresses import parse
from workflows.webhooks.events import MAX_ENDPOINTS, tell_of_test
from workflows.webhooks.models import WebhookDelivery, WebhookEndpoint
from workflows.webhooks.signatures import new_secret

# How long the secret before the last rotation signs too.
ROTATION = timedelta(days=1)


def endpoints_of(client: Client) -> QuerySet[WebhookEndpoint]:
    return WebhookEndpoint.objects.filter(client=client, deleted_at=None)


def find(*, client: Client, endpoint_id: str) -> WebhookEndpoint:
    """Return one of a client's endpoints. Raises EndpointNotFound."""
    endpoint = endpoints_of(client).filter(pk=endpoint_id).first()
    if endpoint is None:
        raise EndpointNotFound(endpoint_id=endpoint_id)
    return endpoint


def create(*, client: Client, url: str, event_types: Sequence[str]) -> tuple[WebhookEndpoint, str]:
    """Make an endpoint; return it with its secret. Raises BadWebhookURL or TooManyEndpoints."""
    parse(url)
    secret = new_secret()
    with transaction.atomic(durable=True):
        # Of a client's endpoints that are made at once none is counted twice.
        Client.objects.select_for_update(no_key=True).get(pk=client.pk)
        if endpoints_of(client).count() >= MAX_ENDPOINTS:
            raise TooManyEndpoints(limit=MAX_ENDPOINTS)
        endpoint = WebhookEndpoint.objects.create(
            client=client, url=url, event_types=list(dict.fromkeys(event_types)), encrypted_secret=encrypt(secret)
        )
    return endpoint, secret


def change(
    *,
    client: Client,
    endpoint_id: str,
    url: str | None = None,
    event_types: Sequence[str] | None = None,
    enabled: bool | None = None,
    by: str = "Its client",
) -> WebhookEndpoint:
    """Change what is given of an endpoint. To enable one lets it begin afresh; what it missed can be replayed.

    Raises EndpointNotFound or BadWebhookURL.
    """
    if url is not None:
        parse(url)
    with transaction.atomic(durable=True):
        find(client=client, endpoint_id=endpoint_id)
        row = endpoints_of(client).filter(pk=endpoint_id)
        if url is not None:
            row.update(url=url)
        if event_types is not None:
            row.update(event_types=list(dict.fromkeys(event_types)))
        if enabled is False:
            disable(row, reason=f"{by} disabled it.")
        if enabled:
            row.update(disabled_at=None, disabled_reason="", failing_since=None)
    return find(client=client, endpoint_id=endpoint_id)


def delete(*, client: Client, endpoint_id: str, by: str = "Its client") -> None:
    """Delete an endpoint and its secrets; what it was sent can still be read. Raises EndpointNotFound."""
    with transaction.atomic(durable=True):
        find(client=client, endpoint_id=endpoint_id)
        row = endpoints_of(client).filter(pk=endpoint_id)
        disable(row, reason=f"{by} deleted it.")
        row.update(deleted_at=Now(), encrypted_secret="", previous_encrypted_secret="", previous_secret_until=None)


def rotate_secret(*, client: Client, endpoint_id: str) -> tuple[WebhookEndpoint, str]:
    """Give an endpoint a new secret; the old one signs too for ROTATION. Raises EndpointNotFound."""
    secret = new_secret()
    moved = (
        endpoints_of(client)
        .filter(pk=endpoint_id)
        .update(
            encrypted_secret=encrypt(secret),
            previous_encrypted_secret=F("encrypted_secret"),
            previous_secret_until=Now() + ROTATION,
        )
    )
    if not moved:
        raise EndpointNotFound(endpoint_id=endpoint_id)
    return find(client=client, endpoint_id=endpoint_id), secret


def send_test(*, client: Client, endpoint_id: str) -> WebhookDelivery:
    """Have an endpoint sent an event of no meaning. Raises EndpointNotFound or EndpointDisabled."""
    endpoint = find(client=client, endpoint_id=endpoint_id)
    with transaction.atomic(durable=True):
        event_id = tell_of_test(endpoint, at=timezone.now())
        delivery = WebhookDelivery.objects.filter(event_id=event_id).first()
        if delivery is None:
            raise EndpointDisabled(endpoint_id=endpoint_id)
    return delivery


def disable(row: QuerySet[WebhookEndpoint], *, reason: str) -> bool:
    """Disable the endpoint that `row` selects, and give up what waits for it. False: it was disabled already.

    What is being sent at the moment ends by itself.
    """
    with transaction.atomic(savepoint=False):
        ids = list(row.filter(disabled_at=None).select_for_update(no_key=True).values_list("pk", flat=True))
        WebhookEndpoint.objects.filter(pk__in=ids).update(disabled_at=Now(), disabled_reason=reason)
        waiting = WebhookDelivery.objects.filter(
            Q(lease_until=None) | Q(lease_until__lte=Now()), endpoint__in=ids, next_attempt_at__isnull=False
        )
        waiting.update(gave_up_at=Now(), next_attempt_at=None, reserved_until=None, lease_until=None)
    return bool(ids)
