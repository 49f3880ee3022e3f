import logging
from time import sleep

from django.db import Error, connection
from django.utils import timezone
from django_q.brokers import Broker
from django_q.conf import Conf
from django_q.signing import SignedPackage

from workflows.webhooks import deliveries

logger = logging.getLogger(__name__)


class DeliveryBroker(Broker):
    """django-q2's broker of the cluster `webhooks`, with the deliveries as its queue.

    As with jobs, a task is an id, and what became of it is written in the delivery's row: there is nothing to
    acknowledge.
    """

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key)
        self._last_endpoint = ""

    def dequeue(self) -> list[tuple[str, str]] | None:
        try:
            endpoint_id = deliveries.ready(after_endpoint=self._last_endpoint)
            reserved = endpoint_id and deliveries.reserve(endpoint_id=endpoint_id)
        except Error:
            # The database is away. django-q2 would end its pusher here and take ten seconds to start another.
            logger.exception("no delivery could be reserved")
            connection.close()
            sleep(1)
            return None
        self._last_endpoint = endpoint_id or ""
        if not reserved:
            sleep(Conf.POLL)
            return None
        task = {
            "id": reserved.delivery_id,
            "name": reserved.delivery_id,
            "func": "workflows.tasks.send_webhook",
            "args": (reserved.delivery_id, reserved.attempts),
            "kwargs": {},
            "started": timezone.now(),
            "ack_failure": True,
        }
        return [(reserved.delivery_id, SignedPackage.dumps(task))]

    def info(self) -> str:
        return "Webhook deliveries"
