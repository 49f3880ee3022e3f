"""An endpoint whose deliveries a test attempts itself."""

import json
from typing import Any

from tests.conftest import Shop
from tests.http_client import HttpClient
from tests.webhooks import Receiver, Reply
from workflows.models import WebhookDelivery, WebhookEndpoint
from workflows.webhooks import deliveries
from workflows.webhooks.sending import send


class Hook:
    """An endpoint and its receiver; attempts are made here, when the test says so."""

    def __init__(self, shop: Shop, got: Receiver) -> None:
        self.shop, self.got = shop, got
        made = self.ask("post", "/v1/webhook-endpoints", {"url": got.url}, status=201)
        self.id, self.secret = made["endpoint_id"], made["secret"]

    @property
    def path(self) -> str:
        return f"/v1/webhook-endpoints/{self.id}"

    @property
    def row(self) -> WebhookEndpoint:
        return WebhookEndpoint.objects.get(pk=self.id)

    def ask(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = call(self.shop, method, path, body)
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content else None

    def told(self) -> WebhookDelivery:
        """Have something to tell."""
        return WebhookDelivery.objects.get(pk=self.ask("post", f"{self.path}/test", status=202)["delivery_id"])

    def attempt(self) -> WebhookDelivery:
        """Make the attempt that is due, and return the delivery as it is then."""
        reserved = deliveries.reserve(endpoint_id=self.id)
        assert reserved is not None
        send(delivery_id=reserved.delivery_id, attempts=reserved.attempts, worker="w")
        return WebhookDelivery.objects.get(pk=reserved.delivery_id)

    def failed(self, reply: Reply | int = 500) -> WebhookDelivery:
        self.got.answer = lambda sent: reply
        self.told()
        return self.attempt()


def call(shop: Shop, method: str, path: str, body: Any = None) -> Any:
    headers = {"HTTP_AUTHORIZATION": f"Bearer {shop.key}"}
    content = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
    return getattr(HttpClient(), method)(path, **content, **headers)
