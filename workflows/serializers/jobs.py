import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from studio_gateway.api.queries import Created, OneOf, Page, Pairs, Text, ULIDCursor
from workflows.models import Job, JobEvent


class OutputSerializer(serializers.Serializer[Any]):
    """One file that a job made."""

    name = serializers.CharField(
        help_text="File name, unique in its job, made of the order's `display_name` if it has one; the URL ends so."
    )
    url = serializers.CharField(
        allow_null=True,
        help_text="Where to GET the file, without a key; signed, and good for half an hour at least, or until "
        "`files_expire_at`. Null once the file is gone.",
    )
    thumbnail_url = serializers.CharField(
        allow_null=True,
        help_text="The same of a WebP with at most 320 pixels on its longer side; null for files of long ago.",
    )
    content_type = serializers.CharField(help_text="Media type of the file.")
    size = serializers.IntegerField(help_text="Bytes.")
    sha256 = serializers.CharField(help_text="SHA-256 of the file, in hexadecimal digits.")
    width = serializers.IntegerField(help_text="Pixels.")
    height = serializers.IntegerField(help_text="Pixels.")
    details = serializers.DictField(
        help_text="What is particular to this file. Of an extracted item: its `box` in the photo (x, y, width and "
        "height, in pixels from the top left), its `area` in pixels, its main `colors` with name and share, its "
        "`category` (top, bottom, dress, outerwear, footwear, headwear, bag, accessory or other), and a `score` from 0 "
        "to 1 that says how sure the engine is. Of a mask: the item that it is the `mask_of`."
    )


class JobErrorSerializer(serializers.Serializer[Any]):
    """Why a job failed."""

    code = serializers.CharField(source="error_code", help_text="For programs, like `unknown_resolution`.")
    message = serializers.CharField(source="error_message", help_text="For people; says what would work.")
    retryable = serializers.BooleanField(
        source="error_retryable",
        help_text="Whether a new order of the same spec may succeed: nothing is wrong with the spec itself.",
    )


class ReceiptSerializer(serializers.Serializer[Job]):
    """What a job has cost, and where the ledger says so."""

    charged = serializers.IntegerField(source="credits_cost", help_text="Credits deducted when it was ordered.")
    refunded = serializers.IntegerField(source="credits_refunded", help_text="Credits given back.")
    charge_entry_id = serializers.CharField(source="charge_id", help_text="The `entry_id` of its CHARGE in the ledger.")
    refund_entry_id = serializers.CharField(
        source="refund_id", allow_null=True, help_text="That of its REFUND; null where there is none."
    )


class TimelineEntrySerializer(serializers.Serializer[JobEvent]):
    """One thing that happened to a job."""

    # What staff write is not for clients; all else is the gateway's own words, or an engine's for the client.
    SAID_TO_STAFF = {JobEvent.Kind.REFUNDED}

    at = serializers.DateTimeField(help_text="When, in UTC.")
    event = serializers.CharField(
        source="kind",
        help_text="`accepted`, `started`, `succeeded`, `failed` (and refunded); `waiting`: an attempt failed for "
        "technical reasons, and another follows; `cancelling`: it was cancelled while it ran; `refunded`: by staff.",
    )
    attempt = serializers.IntegerField(help_text="The attempt that it happened to; 0 before the first.")
    detail = serializers.SerializerMethodField(help_text="For people; may be empty.")

    def get_detail(self, event: JobEvent) -> str:
        return "" if event.kind in self.SAID_TO_STAFF else event.detail


class JobSerializer(serializers.Serializer[Job]):
    """A job as its client sees it."""

    job_id = serializers.CharField(source="id", help_text="26-character ULID of the job.")
    request_id = serializers.CharField(
        allow_null=True, help_text="26-character ULID of the request that ordered it; null where staff ran a job again."
    )
    workflow = serializers.CharField(help_text="The workflow that was ordered, as in its path.")
    status = serializers.ChoiceField(
        choices=Job.Status.choices, help_text="NOT_STARTED and IN_PROGRESS are open; SUCCESS and FAILURE are final."
    )
    rerun_of: Any = serializers.CharField(
        source="rerun_of_id",
        allow_null=True,
        help_text="The job that staff of the gateway ran again as this one, at no charge; null where it was ordered.",
    )
    reruns: Any = serializers.ListField(
        source="rerun_ids",
        child=serializers.CharField(),
        help_text="The jobs as which staff ran this one again, oldest first.",
    )
    test = serializers.BooleanField(source="is_test", help_text="Whether it was ordered with a test key, for nothing.")
    spec: Any = serializers.DictField(help_text="The order's body, with its defaults and without unknown fields.")
    metadata = serializers.DictField(
        source="spec.metadata", default=None, allow_null=True, help_text="As it was sent; null where none was."
    )
    credits_cost = serializers.IntegerField(help_text="What the job costs, in credits.")
    credits_charged = serializers.IntegerField(source="credits_cost", help_text="Credits deducted when it was ordered.")
    credits_refunded = serializers.IntegerField(help_text="Credits given back: all that was charged, or 0.")
    receipt = ReceiptSerializer(source="*", help_text="What it has cost, with the ids of its ledger entries.")
    accepted_at = serializers.DateTimeField(help_text="When it was ordered, in UTC like all times.")
    started_at = serializers.DateTimeField(allow_null=True, help_text="When its first attempt began.")
    ended_at = serializers.DateTimeField(allow_null=True, help_text="When it came to SUCCESS or FAILURE.")
    deadline_at = serializers.DateTimeField(help_text="When it fails and is refunded if it is still open.")
    cancel_requested_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was cancelled while it ran: it will fail as `cancelled`. Null otherwise."
    )
    attempts = serializers.IntegerField(source="attempt", help_text="Attempts begun so far.")
    max_attempts = serializers.IntegerField(help_text="Attempts that it may have.")
    engine = serializers.CharField(help_text="The engine that makes the images; empty once the job is erased.")
    fell_back = serializers.BooleanField(
        help_text="Whether the built-in engine took over after a technical failure of the one that was ordered."
    )
    error = serializers.SerializerMethodField(help_text="Why it failed; null unless it did.")
    summary = serializers.DictField(help_text="What the engine understood and made; empty until SUCCESS.")
    outputs = OutputSerializer(many=True, help_text="The files that it made, in order; none until SUCCESS.")
    files_expire_at = serializers.DateTimeField(
        allow_null=True, help_text="When its files are deleted, or were due to be; null until SUCCESS."
    )
    files_erased_at = serializers.DateTimeField(
        allow_null=True, help_text="Since when its files are gone; what they were still stands in `outputs`."
    )
    erased_at = serializers.DateTimeField(
        allow_null=True,
        help_text="Since when it is erased: nothing is kept of its spec, its outputs and what was said of it.",
    )

    timeline: Any = TimelineEntrySerializer(many=True, help_text="What has happened to it, oldest first.")
    queue_position: Any = serializers.IntegerField(
        allow_null=True,
        help_text="While it waits: 1 where it is begun next, and so on, at most; clients take turns. Null where it "
        "runs, has ended, or has a thousand jobs before it.",
    )
    eta_seconds: Any = serializers.IntegerField(
        allow_null=True,
        help_text="While it is open: after how many seconds it may have ended, going by what the last jobs of its "
        "workflow took. Null where nothing is known.",
    )

    @extend_schema_field(JobErrorSerializer(allow_null=True))
    def get_error(self, job: Job) -> dict[str, Any] | None:
        return JobErrorSerializer(job).data if job.error_code else None


class ListedJobSerializer(JobSerializer):
    """A job in a list: without what is long, and what only the job's own address tells."""

    spec = reruns = timeline = queue_position = eta_seconds = None


class JobPage(serializers.Serializer[Any]):
    """Jobs, newest first."""

    jobs = ListedJobSerializer(many=True, help_text="The jobs of this page.")
    next = serializers.CharField(
        allow_null=True,
        help_text="Send it as `cursor` for the next page; null on the last. A page may have fewer jobs than its limit, "
        "or none, and still have a next one.",
    )


class JobsQuery(Page, Created):
    """The parameters of GET /v1/jobs."""

    cursor = ULIDCursor(help_text="The `next` of the page before.")
    status = OneOf(choices=Job.Status.values, help_text="Only jobs that have this status now.")
    workflow = Text(most=64, help_text="Only orders of this workflow.")
    pilot_brand = Text(help_text="Only orders with this `pilot_brand`.")
    metadata = Pairs(
        most=10,
        help_text="`metadata[key]=value`: only orders whose metadata has, at its top, this key with this string, or "
        "with the number, boolean or null that JSON writes like this.",
    )

    _PAIR = re.compile(r"metadata\[(.*)\]", re.DOTALL)

    @classmethod
    def takes(cls, name: str) -> bool:
        return bool(cls._PAIR.fullmatch(name)) or (name != "metadata" and super().takes(name))

    @classmethod
    def gathered(cls, sent: dict[str, str]) -> dict[str, Any]:
        pairs = {found[1]: value for name, value in sent.items() if (found := cls._PAIR.fullmatch(name))}
        return {**sent, "metadata": pairs}
