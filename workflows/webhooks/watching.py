from django.conf import settings
from django.db import connection
from django.db.models import Max
from django.db.models.functions import Now

from workflows.webhooks.deliveries import AT_ONCE
from workflows.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint

# Something has been waiting for two seconds, and its endpoint has room for it. Not by `due_at`: a wedged cluster's own
# pusher may go on reserving.
WAITING = f"""
WITH clock AS (SELECT statement_timestamp() - interval '2 seconds' AS before)
SELECT EXISTS (
    SELECT FROM workflows_webhookendpoint endpoint, clock
     WHERE endpoint.disabled_at IS NULL
       AND (SELECT true FROM workflows_webhookdelivery waiting
             WHERE waiting.endpoint_id = endpoint.id AND waiting.next_attempt_at <= before
               AND (waiting.lease_until IS NULL OR waiting.lease_until <= before)
             ORDER BY waiting.due_at LIMIT 1)
       AND (SELECT count(*) FROM workflows_webhookdelivery other
             WHERE other.endpoint_id = endpoint.id AND other.lease_until > statement_timestamp()) < {AT_ONCE})
"""


class DeliveryWatch:
    """What the supervisor asks of the cluster that sends webhooks."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._seen_attempt = 0

    def are_wanted(self) -> bool:
        """Tell whether any client has, or had, an endpoint."""
        return WebhookEndpoint.objects.exists()

    def moves(self) -> bool:
        """Tell whether this worker sent something since the last look, or is busy, or nothing is waiting."""
        newest = WebhookAttempt.objects.aggregate(newest=Max("pk"))["newest"] or 0
        sent = WebhookAttempt.objects.filter(pk__gt=self._seen_attempt, pk__lte=newest, worker=self._worker).exists()
        self._seen_attempt = newest
        return sent or not self._waiting() or self.sending() >= settings.WEBHOOK_PROCESSES

    def sending(self) -> int:
        """Return how many this worker is at, or was when it was killed."""
        return WebhookDelivery.objects.filter(lease_until__gt=Now(), worker=self._worker).count()

    def _waiting(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(WAITING)
            return bool(cursor.fetchone()[0])
