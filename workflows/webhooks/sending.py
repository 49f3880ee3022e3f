"""One attempt to deliver: what a process of the cluster `webhooks` does."""

import logging
import time

from django.utils import timezone

from studio_gateway.encryption import decrypt
from workflows.webhooks import deliveries
from workflows.webhooks.models import Event, WebhookEndpoint
from workflows.webhooks.posting import Answer, post
from workflows.webhooks.signatures import signatures

logger = logging.getLogger(__name__)


def send(*, delivery_id: str, attempts: int, worker: str) -> None:
    """Make the attempt after the first `attempts` ones, if it is still to be had.

    A sender that is killed in the middle leaves a lease that lapses; then it is sent again, with the same id.
    """
    delivery = deliveries.claim(delivery_id=delivery_id, attempts=attempts, worker=worker)
    if delivery is None:
        return
    body = delivery.event.body.encode()
    secrets = _secrets(delivery.endpoint)
    headers = _headers(delivery.event, body, secrets)
    began = time.monotonic()
    if secrets:
        answer = post(delivery.endpoint.url, body=body, headers=headers)
    else:
        logger.error("webhook secrets were encrypted under a key that FIELD_ENCRYPTION_KEYS no longer has")
        answer = Answer(error="The secret can no longer be read here: rotate it.")
    deliveries.end(
        delivery,
        answer=answer,
        error=_error(answer),
        duration_ms=round((time.monotonic() - began) * 1000),
        request_headers=headers,
    )


def _headers(event: Event, body: bytes, secrets: list[str]) -> dict[str, str]:
    timestamp = int(time.time())
    return {
        "Content-Type": "application/json",
        "User-Agent": "Studio-Gateway/1.0 (webhooks)",
        "Connection": "close",
        "webhook-id": event.message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signatures(secrets, message_id=event.message_id, timestamp=timestamp, body=body),
    }


def _secrets(endpoint: WebhookEndpoint) -> list[str]:
    """Return what signs: the secret and, for as long as a rotation gives it, the one before."""
    tokens = [endpoint.encrypted_secret]
    if endpoint.previous_secret_until and endpoint.previous_secret_until > timezone.now():
        tokens.append(endpoint.previous_encrypted_secret)
    return [secret for token in tokens if (secret := decrypt(token)) is not None]


def _error(answer: Answer) -> str:
    """Say why this is no success; empty where it is one."""
    match answer.status:
        case None:
            return answer.error
        case status if 200 <= status < 300:
            return ""
        case status if 300 <= status < 400:
            return f"It answered {status}, and redirects are not followed."
    return f"It answered {answer.status}."
