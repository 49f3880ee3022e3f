"""Workflows on offer, jobs, what happened to them, and what they made."""

from datetime import datetime, timedelta

from django.contrib.postgres.indexes import BrinIndex
from django.core.files.storage import default_storage
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Greatest, Now

from billing.models import Client, LedgerEntry, raises_configuration_version
from studio_gateway.ids import ULIDField, new_ulid
from workflows.engines import formats
from workflows.engines.base import BUILT_IN, asked_model, engine_name
from workflows.finding import BRAND, DISPLAY_NAME, HAS_BRAND, HAS_DISPLAY_NAME, MODEL
from workflows.image_models import ImageModel
from workflows.reconciliations import Reconciliation
from workflows.webhooks.models import Event, WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "Event",
    "ImageModel",
    "Job",
    "JobEvent",
    "Output",
    "Reconciliation",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "Worker",
    "Workflow",
]

LONGEST_ATTEMPT = timedelta(minutes=15)
LONGEST_DEADLINE = timedelta(days=1)


class Workflow(models.Model):
    """One thing a client can order; `name` joins it to its code in `workflows.catalogue`."""

    name = models.CharField(max_length=64, primary_key=True)
    summary = models.CharField(max_length=200)
    enabled = models.BooleanField(default=True, help_text="Off: its POST is answered with a 503.")
    time_limit = models.DurationField(
        default=timedelta(minutes=2),
        validators=[MinValueValidator(timedelta(seconds=1)), MaxValueValidator(LONGEST_ATTEMPT)],
        help_text="How long one attempt may take, at most 15 minutes.",
    )
    max_attempts = models.IntegerField(default=3, validators=[MinValueValidator(1), MaxValueValidator(20)])
    deadline = models.DurationField(
        default=timedelta(minutes=30),
        validators=[MinValueValidator(timedelta(seconds=1)), MaxValueValidator(LONGEST_DEADLINE)],
        help_text="How long after accept a job that is still open fails and is refunded, at most a day.",
    )
    output_format = models.CharField(
        max_length=4,
        choices=formats.CHOICES,
        default=formats.DEFAULT,
        db_default=formats.DEFAULT,
        help_text="What images of new orders are stored as where the order does not say. JPEG has no transparency.",
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="workflow_time_limit_range",
                condition=Q(time_limit__range=(timedelta(seconds=1), LONGEST_ATTEMPT)),
            ),
            models.CheckConstraint(name="workflow_max_attempts_range", condition=Q(max_attempts__range=(1, 20))),
            models.CheckConstraint(
                name="workflow_deadline_range", condition=Q(deadline__range=(timedelta(seconds=1), LONGEST_DEADLINE))
            ),
            models.CheckConstraint(
                name="workflow_output_format_known", condition=Q(output_format__in=list(formats.FORMATS))
            ),
        ]
        triggers = [raises_configuration_version()]

    def __str__(self) -> str:
        return self.name


class Job(models.Model):
    """One accepted order, and its place in the queue.

    The row is the queue: a job is due once `due_at` has passed. `run_after` is when its next attempt may begin,
    `reserved_until` keeps other brokers away until the claim, and `lease_until` is set while an attempt runs. `attempt`
    is the number of the latest attempt and the fence that a late worker fails on.
    """

    class Status(models.TextChoices):
        NOT_STARTED = "NOT_STARTED"
        IN_PROGRESS = "IN_PROGRESS"
        SUCCESS = "SUCCESS"
        FAILURE = "FAILURE"

    class OnTechnicalFailure(models.TextChoices):
        """What follows when an attempt fails for technical reasons: time limits, a provider's 5xx, a lost worker."""

        RETRY = "retry"  # the next attempt, by the same engine
        FAIL = "fail"  # no attempt more
        FALLBACK = "fallback"  # the next attempt, by the built-in engine

    OPEN = (Status.NOT_STARTED, Status.IN_PROGRESS)

    id = ULIDField(primary_key=True, default=new_ulid)
    request_id = ULIDField(unique=True, null=True)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="jobs", db_index=False)
    workflow = models.CharField(max_length=64)
    spec = models.JSONField()
    is_test = models.BooleanField(
        default=False, db_default=False, help_text="Ordered with a test key: free, and its images are marked."
    )
    # The job whose spec this one runs again, for nothing and by nobody's order: staff's doing.
    rerun_of = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="reruns", db_index=False)
    idempotency_key = models.CharField(max_length=255, null=True)  # noqa: DJ001 — NULL: sent without one
    order_digest = models.CharField(max_length=64, blank=True, db_default="")
    status = models.CharField(max_length=11, choices=Status.choices, default=Status.NOT_STARTED)

    credits_cost = models.IntegerField()
    charge = models.OneToOneField(LedgerEntry, on_delete=models.PROTECT, related_name="charged_job")
    # Unique as the charge is, but in an index that has no entry for the many jobs without one: job_refund_once.
    refund = models.ForeignKey(
        LedgerEntry, on_delete=models.PROTECT, related_name="refunded_job", null=True, db_index=False
    )

    accepted_at = models.DateTimeField(db_default=Now())
    deadline_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    # As understood; what was asked for is in the spec.
    on_technical_failure = models.CharField(
        max_length=8,
        choices=OnTechnicalFailure.choices,
        default=OnTechnicalFailure.RETRY,
        db_default=OnTechnicalFailure.RETRY,
    )
    # Its workflow's as it was at accept, like its limits: what every attempt makes unless the spec says otherwise.
    output_format = models.CharField(
        max_length=4, choices=formats.CHOICES, default=formats.DEFAULT, db_default=formats.DEFAULT
    )
    # The built-in engine has taken over from the one that was ordered.
    fell_back = models.BooleanField(default=False, db_default=False)
    # When it was cancelled while it ran: it can only fail then.
    cancel_requested_at = models.DateTimeField(null=True)

    attempt = models.SmallIntegerField(default=0)
    max_attempts = models.SmallIntegerField()
    time_limit = models.DurationField()
    worker = models.CharField(max_length=100, blank=True)
    attempt_started_at = models.DateTimeField(null=True)
    run_after = models.DateTimeField(db_default=Now())
    reserved_until = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    due_at = models.GeneratedField(
        # PostgreSQL's GREATEST passes over NULLs.
        expression=Greatest("run_after", "reserved_until", "lease_until"),
        output_field=models.DateTimeField(),
        db_persist=True,
    )

    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.TextField(blank=True)
    error_retryable = models.BooleanField(
        default=False, db_default=False, help_text="Nothing is wrong with the spec: a new order of it may succeed."
    )
    summary = models.JSONField(default=dict, help_text="What the engine says of its work.")

    # When its files go by the retention that its client had when it succeeded; at once where it was erased.
    files_expire_at = models.DateTimeField(null=True)
    files_erased_at = models.DateTimeField(null=True, help_text="Since when its files are gone.")
    erased_at = models.DateTimeField(null=True, help_text="Since when nothing is kept of what it was about.")

    class Meta:
        permissions = [
            ("refund_job", "Can refund jobs, up to a limit"),
            ("refund_job_without_limit", "Can refund jobs without limit"),
            ("cancel_job", "Can cancel jobs"),
            ("run_again_job", "Can run jobs again"),
        ]
        constraints = [
            models.CheckConstraint(
                name="job_status_known", condition=Q(status__in=["NOT_STARTED", "IN_PROGRESS", "SUCCESS", "FAILURE"])
            ),
            # P3: the database knows no failure without its refund.
            models.CheckConstraint(
                name="job_failure_has_refund", condition=~Q(status="FAILURE") | Q(refund__isnull=False)
            ),
            # P3: no two jobs have one refund.
            models.UniqueConstraint(name="job_refund_once", fields=["refund"], condition=Q(refund__isnull=False)),
            models.CheckConstraint(
                name="job_open_has_no_refund",
                condition=~Q(status__in=["NOT_STARTED", "IN_PROGRESS"]) | Q(refund__isnull=True),
            ),
            models.CheckConstraint(
                name="job_ended_at_says_ended",
                condition=Q(status__in=["NOT_STARTED", "IN_PROGRESS"], ended_at__isnull=True)
                | Q(status__in=["SUCCESS", "FAILURE"], ended_at__isnull=False),
            ),
            models.CheckConstraint(name="job_failure_says_why", condition=Q(status="FAILURE") ^ Q(error_code="")),
            models.CheckConstraint(
                name="job_lease_only_while_running", condition=Q(lease_until__isnull=True) | Q(status="IN_PROGRESS")
            ),
            models.CheckConstraint(
                name="job_attempt_range", condition=Q(attempt__gte=0) & Q(attempt__lte=F("max_attempts"))
            ),
            models.CheckConstraint(
                name="job_started_says_attempted",
                condition=Q(status="NOT_STARTED", attempt=0)
                | Q(status__in=["IN_PROGRESS", "SUCCESS"], attempt__gt=0)
                | ~Q(status__in=["NOT_STARTED", "IN_PROGRESS", "SUCCESS"]),
            ),
            models.CheckConstraint(
                name="job_on_technical_failure_known",
                condition=Q(on_technical_failure__in=["retry", "fail", "fallback"]),
            ),
            models.CheckConstraint(
                name="job_output_format_known", condition=Q(output_format__in=list(formats.FORMATS))
            ),
            models.CheckConstraint(
                name="job_fell_back_as_asked", condition=Q(fell_back=False) | Q(on_technical_failure="fallback")
            ),
            # A running job that was cancelled has one end only, and what does not run is not left waiting for it.
            models.CheckConstraint(
                name="job_cancelled_ends_so",
                condition=Q(cancel_requested_at__isnull=True)
                | Q(status="IN_PROGRESS", lease_until__isnull=False)
                | Q(status="FAILURE", error_code="cancelled"),
            ),
            models.CheckConstraint(name="job_credits_cost_not_negative", condition=Q(credits_cost__gte=0)),
            models.CheckConstraint(
                name="job_rerun_is_free_and_not_ordered",
                condition=Q(rerun_of__isnull=True)
                | Q(credits_cost=0, request_id__isnull=True, idempotency_key__isnull=True),
            ),
            models.CheckConstraint(name="job_test_is_free", condition=Q(is_test=False) | Q(credits_cost=0)),
            # The same order sent twice is one job, for as long as the job lives.
            # The key is first, so that the console's search finds it whosever it is.
            models.UniqueConstraint(
                name="job_idempotency_key_once",
                fields=["idempotency_key", "client"],
                condition=Q(idempotency_key__isnull=False),
            ),
            models.CheckConstraint(
                name="job_idempotency_key_has_digest", condition=Q(idempotency_key__isnull=True) | ~Q(order_digest="")
            ),
            models.CheckConstraint(
                name="job_erased_once_ended",
                condition=Q(ended_at__isnull=False)
                | Q(files_expire_at__isnull=True, files_erased_at__isnull=True, erased_at__isnull=True),
            ),
            # Its files are the pruner's then, whatever became of whoever erased it.
            models.CheckConstraint(
                name="job_erased_says_nothing",
                condition=Q(erased_at__isnull=True)
                | Q(spec={}, summary={}, error_message="", files_expire_at__isnull=False),
            ),
        ]
        indexes = [
            # The broker's reader: the next due job of the next client.
            models.Index(
                name="job_queue",
                fields=["client", "due_at", "id"],
                condition=Q(status__in=["NOT_STARTED", "IN_PROGRESS"]),
            ),
            # The sweep's reader: open jobs past their deadline. Its condition is not the queue's, or the planner would
            # read the queue here, and sort it, after a flood of orders with the statistics of a calmer hour.
            models.Index(name="job_open_by_deadline", fields=["deadline_at"], condition=Q(ended_at__isnull=True)),
            # The sweep's and the supervisor's reader: running attempts, lapsed ones first.
            models.Index(name="job_leases", fields=["lease_until"], condition=Q(lease_until__isnull=False)),
            # The admin's and the API's lists of one client's jobs, newest first.
            models.Index(name="job_by_client", fields=["client", "-id"]),
            # The job page's and the API's reader: how a job was run again.
            models.Index(name="job_reruns", fields=["rerun_of", "id"], condition=Q(rerun_of__isnull=False)),
            # The console's list of one workflow's jobs, newest first, whatever became of them.
            models.Index("workflow", F("id").desc(), name="job_by_workflow"),
            # The console's list of failures, newest first.
            models.Index(F("id").desc(), name="job_failures", condition=Q(status="FAILURE")),
            # The console's list of one client's failures, newest first.
            models.Index("client", F("id").desc(), name="job_failures_of_client", condition=Q(status="FAILURE")),
            # The console's list of one sort of failure, newest first.
            models.Index("error_code", F("id").desc(), name="job_by_error_code", condition=~Q(error_code="")),
            # The console's list of one model's jobs, newest first, those of the built-in engine too.
            models.Index(MODEL, F("id").desc(), name="job_by_model"),
            # The console's list of one brand's jobs, newest first.
            models.Index(BRAND, F("id").desc(), name="job_by_brand", condition=HAS_BRAND),
            # The console's search: how a display name begins.
            models.Index(DISPLAY_NAME, name="job_by_display_name", condition=HAS_DISPLAY_NAME),
            # The reader of estimates: how long the last successes of a workflow took.
            models.Index(name="job_last_successes", fields=["workflow", "-ended_at"], condition=Q(status="SUCCESS")),
            # The pruner's reader: whose files are there still, in the order in which they go.
            models.Index(
                name="job_files_kept",
                fields=["files_expire_at", "id"],
                condition=Q(files_erased_at__isnull=True) & (Q(status="SUCCESS") | Q(erased_at__isnull=False)),
            ),
        ]

    # When the row was read, by the database's clock, and what `workflows.outlook` says of it; whoever tells them to a
    # client reads them along (workflows/reading.py).
    read_at: datetime
    rerun_ids: list[str]
    queue_position: int | None
    eta_seconds: int | None

    def __str__(self) -> str:
        return self.id

    @property
    def timeline(self) -> "list[JobEvent]":
        """What has happened to it, from its acceptance on."""
        return [JobEvent(kind="accepted", at=self.accepted_at, attempt=0), *self.events.all()]

    @property
    def credits_refunded(self) -> int:
        return 0 if self.refund_id is None else self.credits_cost

    @property
    def engine(self) -> str:
        """The name of the engine of its latest attempt, or of its first while there was none; empty once erased."""
        if self.fell_back:
            return BUILT_IN
        return "" if self.erased_at else engine_name(asked_model(self.spec))


class JobEvent(models.Model):
    """One thing that happened to a job after it was accepted."""

    class Kind(models.TextChoices):
        STARTED = "started"
        WAITING = "waiting"
        CANCELLING = "cancelling"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        REFUNDED = "refunded"

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="events", db_index=False)
    at = models.DateTimeField(db_default=Now())
    kind = models.CharField(max_length=16, choices=Kind.choices)
    attempt = models.SmallIntegerField()
    worker = models.CharField(max_length=100, blank=True)
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            # The job page's and the API's reader: what happened to one job.
            models.Index(name="job_events", fields=["job"]),
            # The reader of /metrics and /readyz: what happened today, or just now.
            BrinIndex(name="job_event_at", fields=["at"], autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.kind} (attempt {self.attempt})"


class Output(models.Model):
    """One file that a job made, in storage under `key`, with a thumbnail unless it is from before there were any."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="outputs", db_index=False)
    position = models.SmallIntegerField()
    name = models.CharField(max_length=100)
    key = models.CharField(max_length=300)
    thumbnail_key = models.CharField(max_length=300, blank=True, db_default="")
    content_type = models.CharField(max_length=100)
    size = models.IntegerField(help_text="Bytes.")
    sha256 = models.CharField(max_length=64)
    width = models.IntegerField(help_text="Pixels.")
    height = models.IntegerField(help_text="Pixels.")
    details = models.JSONField(default=dict)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(name="output_position_once", fields=["job", "position"]),
            # Here and not at the field, which would have a second index for LIKE that nobody reads.
            models.UniqueConstraint(name="output_key_once", fields=["key"]),
            models.UniqueConstraint(
                name="output_thumbnail_key_once", fields=["thumbnail_key"], condition=~Q(thumbnail_key="")
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def url(self) -> str | None:
        """A signed URL that expires; None once the file is gone."""
        return None if self.job.files_erased_at else default_storage.url(self.key)

    @property
    def thumbnail_url(self) -> str | None:
        """Another, of its thumbnail if there is one."""
        return default_storage.url(self.thumbnail_key) if self.thumbnail_key and not self.job.files_erased_at else None

    @property
    def storage_keys(self) -> list[str]:
        """All that it has in storage."""
        return [key for key in (self.key, self.thumbnail_key) if key]


class Worker(models.Model):
    """One running `manage.py worker`, as it last reported; its counts are of its own life."""

    name = models.CharField(max_length=100, primary_key=True, help_text="Host and process id.")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    sweeps = models.BigIntegerField(default=0)
    swept_jobs = models.BigIntegerField(default=0, help_text="Jobs that its sweeps failed and refunded.")
    cluster_restarts = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="worker_counts_not_negative",
                condition=Q(sweeps__gte=0, swept_jobs__gte=0, cluster_restarts__gte=0),
            )
        ]

    def __str__(self) -> str:
        return self.name
