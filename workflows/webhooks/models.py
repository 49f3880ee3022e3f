"""What clients are told, where they want to be told it, and what came of telling them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Greatest, Now

from billing.models import Client
from studio_gateway.ids import ULIDField, new_ulid

MAX_URL = 2000
# Of tests an endpoint is told whether it asked for them or not.
TYPES_TO_ASK_FOR = ("job.started", "job.succeeded", "job.failed", "job.refunded", "credits.low")


class XactIdField(models.Field):
    """A transaction's id, which does not wrap around (PostgreSQL's xid8)."""

    def db_type(self, connection: object) -> str:
        return "xid8"


class Event(models.Model):
    """One thing that a client is told, in the words it is told it with, until its job is erased.

    It is written in the transaction of what it tells. Those of a job are numbered by `sequence`; `xid` is the
    transaction's id, by which readers of the feed know what may still come before an event.
    """

    class Type(models.TextChoices):
        JOB_STARTED = "job.started"
        JOB_SUCCEEDED = "job.succeeded"
        JOB_FAILED = "job.failed"
        JOB_REFUNDED = "job.refunded"
        CREDITS_LOW = "credits.low"
        ENDPOINT_TEST = "endpoint.test"

    id = ULIDField(primary_key=True, default=new_ulid)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="events", db_index=False)
    job = models.ForeignKey("workflows.Job", on_delete=models.PROTECT, related_name="told", null=True, db_index=False)
    type = models.CharField(max_length=16, choices=Type.choices)
    sequence = models.IntegerField(null=True)
    body = models.TextField(help_text="JSON: type, timestamp and data.")
    created_at = models.DateTimeField(db_default=Now())
    xid = XactIdField(db_default=Func(function="pg_current_xact_id"), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="event_type_known",
                condition=Q(type__in=[*TYPES_TO_ASK_FOR, "endpoint.test"]),
            ),
            models.CheckConstraint(
                name="event_sequence_is_a_jobs",
                condition=Q(job__isnull=True, sequence__isnull=True)
                | Q(job__isnull=False, sequence__isnull=False, sequence__gt=0),
            ),
            models.UniqueConstraint(name="event_sequence_once", fields=["job", "sequence"]),
            # And so there is one start at most.
            models.CheckConstraint(name="event_start_is_first", condition=~Q(type="job.started") | Q(sequence=1)),
        ]
        indexes = [
            # The feed's reader: one client's events, in the order of the transactions that wrote them.
            models.Index(name="event_feed", fields=["client", "xid", "id"]),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.message_id}"

    @property
    def message_id(self) -> str:
        """What receivers know it by: the `webhook-id` of each of its deliveries."""
        return f"msg_{self.pk}"


class WebhookEndpoint(models.Model):
    """One URL at which a client is told of its events.

    `event_types` are those that it asked for, none meaning all. While it is disabled nothing is written for it. One
    that its client deleted stays as a row without secrets, for the deliveries that it had.
    """

    id = ULIDField(primary_key=True, default=new_ulid)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="webhook_endpoints", db_index=False)
    url = models.CharField(max_length=MAX_URL, verbose_name="URL")
    event_types = ArrayField(models.CharField(max_length=16, choices=Event.Type.choices), default=list)
    encrypted_secret = models.TextField(editable=False)
    previous_encrypted_secret = models.TextField(blank=True, editable=False)
    previous_secret_until = models.DateTimeField(
        null=True, help_text="Until when the secret before the last rotation signs too."
    )
    failing_since = models.DateTimeField(null=True, help_text="The first failure since the last success.")
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="endpoint_url_not_empty", condition=~Q(url="")),
            models.CheckConstraint(
                name="endpoint_event_types_known",
                condition=Q(event_types__contained_by=list(TYPES_TO_ASK_FOR)),
            ),
            models.CheckConstraint(
                name="endpoint_disabled_says_why", condition=Q(disabled_at__isnull=True) ^ ~Q(disabled_reason="")
            ),
            models.CheckConstraint(
                name="endpoint_previous_secret_ends",
                condition=Q(previous_secret_until__isnull=True) ^ ~Q(previous_encrypted_secret=""),
            ),
            models.CheckConstraint(
                name="endpoint_deleted_has_no_secret",
                condition=Q(deleted_at__isnull=True) | Q(encrypted_secret="", disabled_at__isnull=False),
            ),
        ]
        indexes = [
            # The reader of whom to tell of an event, and the API's list.
            models.Index(name="endpoint_by_client", fields=["client", "id"])
        ]

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint, and its place in the queue of what is to be sent.

    The row is the queue, as a job's is: it waits while `next_attempt_at` is set, `reserved_until` keeps other brokers
    away until a sender claims it, and `lease_until` is set while it is being sent. `attempts` is the number of its
    latest attempt, and the fence that a late sender fails on; `tries` counts those since it was written or replayed.
    """

    id = ULIDField(primary_key=True)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="webhook_deliveries", db_index=False)
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    created_at = models.DateTimeField(db_default=Now())
    attempts = models.IntegerField(db_default=0)
    tries = models.SmallIntegerField(db_default=0)
    worker = models.CharField(max_length=100, blank=True, db_default="")
    attempt_started_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    reserved_until = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    due_at = models.GeneratedField(
        # PostgreSQL's GREATEST passes over NULLs.
        expression=Greatest("next_attempt_at", "reserved_until", "lease_until"),
        output_field=models.DateTimeField(),
        db_persist=True,
    )
    delivered_at = models.DateTimeField(null=True)
    gave_up_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(name="delivery_once_per_endpoint", fields=["event", "endpoint"]),
            models.CheckConstraint(
                name="delivery_waits_or_has_ended",
                condition=Q(next_attempt_at__isnull=False, delivered_at__isnull=True, gave_up_at__isnull=True)
                | Q(next_attempt_at__isnull=True, delivered_at__isnull=False, gave_up_at__isnull=True)
                | Q(next_attempt_at__isnull=True, delivered_at__isnull=True, gave_up_at__isnull=False),
            ),
            models.CheckConstraint(
                name="delivery_under_way_only_while_waiting",
                condition=Q(next_attempt_at__isnull=False) | Q(reserved_until__isnull=True, lease_until__isnull=True),
            ),
            models.CheckConstraint(name="delivery_tries_range", condition=Q(tries__gte=0, attempts__gte=F("tries"))),
        ]
        indexes = [
            # The broker's reader: what waits, the longest due first.
            models.Index(
                name="delivery_queue", fields=["endpoint", "due_at", "id"], condition=Q(next_attempt_at__isnull=False)
            ),
            # The broker's other reader: how many are under way to one endpoint.
            models.Index(
                name="delivery_under_way",
                fields=["endpoint"],
                condition=Q(reserved_until__isnull=False) | Q(lease_until__isnull=False),
            ),
            # The API's list of one client's deliveries, newest first.
            models.Index(name="delivery_by_client", fields=["client", "-id"]),
            # The same of one of its endpoints.
            models.Index(name="delivery_by_endpoint", fields=["endpoint", "-id"]),
            # The console's list of what could not be delivered, newest first.
            models.Index(name="delivery_failures", fields=["-id"], condition=Q(gave_up_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def status(self) -> str:
        if self.delivered_at is not None:
            return "delivered"
        return "pending" if self.gave_up_at is None else "failed"


class WebhookAttempt(models.Model):
    """One request that was made for a delivery, and what came back; that of a sender that was killed has no row."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="log", db_index=False)
    number = models.IntegerField()
    worker = models.CharField(max_length=100)
    at = models.DateTimeField()
    duration_ms = models.IntegerField()
    url = models.CharField(max_length=MAX_URL)
    request_headers = models.JSONField()
    status = models.SmallIntegerField(null=True, help_text="Null: there was no answer.")
    error = models.CharField(max_length=200, blank=True, help_text="Why it failed; empty for a success.")
    response_excerpt = models.TextField(blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(name="attempt_number_once", fields=["delivery", "number"])]

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.number}"
