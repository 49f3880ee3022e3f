from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from workflows.models import Job


class OutputSerializer(serializers.Serializer[Any]):
    """One file that a job made."""

    name = serializers.CharField(help_text="File name, unique in its job.")
    url = serializers.CharField(help_text="Where to GET the file, without a key; signed, and good for an hour.")
    content_type = serializers.CharField(help_text="Media type of the file.")
    size = serializers.IntegerField(help_text="Bytes.")
    sha256 = serializers.CharField(help_text="SHA-256 of the file, in hexadecimal digits.")
    width = serializers.IntegerField(help_text="Pixels.")
    height = serializers.IntegerField(help_text="Pixels.")
    details = serializers.DictField(
        help_text="What is particular to this file; of an extracted item its `box` in the photo: x, y, width and "
        "height, in pixels from the top left."
    )


class JobErrorSerializer(serializers.Serializer[Any]):
    """Why a job failed."""

    code = serializers.CharField(source="error_code", help_text="For programs, like `unknown_resolution`.")
    message = serializers.CharField(source="error_message", help_text="For people; says what would work.")


class JobSerializer(serializers.Serializer[Job]):
    """A job as its client sees it."""

    job_id = serializers.CharField(source="id", help_text="26-character ULID of the job.")
    request_id = serializers.CharField(allow_null=True, help_text="26-character ULID of the request that ordered it.")
    workflow = serializers.CharField(help_text="The workflow that was ordered, as in its path.")
    status = serializers.ChoiceField(
        choices=Job.Status.choices, help_text="NOT_STARTED and IN_PROGRESS are open; SUCCESS and FAILURE are final."
    )
    test = serializers.BooleanField(source="is_test", help_text="Whether it was ordered with a test key, for nothing.")
    spec = serializers.DictField(help_text="The order's body, with its defaults and without unknown fields.")
    credits_cost = serializers.IntegerField(help_text="What the job costs, in credits.")
    credits_charged = serializers.IntegerField(source="credits_cost", help_text="Credits deducted when it was ordered.")
    credits_refunded = serializers.SerializerMethodField(help_text="Credits given back: all that was charged, or 0.")
    accepted_at = serializers.DateTimeField(help_text="When it was ordered, in UTC like all times.")
    started_at = serializers.DateTimeField(allow_null=True, help_text="When its first attempt began.")
    ended_at = serializers.DateTimeField(allow_null=True, help_text="When it came to SUCCESS or FAILURE.")
    deadline_at = serializers.DateTimeField(help_text="When it fails and is refunded if it is still open.")
    cancel_requested_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was cancelled while it ran: it will fail as `cancelled`. Null otherwise."
    )
    attempts = serializers.IntegerField(source="attempt", help_text="Attempts begun so far.")
    max_attempts = serializers.IntegerField(help_text="Attempts that it may have.")
    engine = serializers.CharField(help_text="The engine that makes the images.")
    fell_back = serializers.BooleanField(
        help_text="Whether the built-in engine took over after a technical failure of the one that was ordered."
    )
    error = serializers.SerializerMethodField(help_text="Why it failed; null unless it did.")
    summary = serializers.DictField(help_text="What the engine understood and made; empty until SUCCESS.")
    outputs = OutputSerializer(many=True, help_text="The files that it made, in order; none until SUCCESS.")

    def get_credits_refunded(self, job: Job) -> int:
        return 0 if job.refund_id is None else job.credits_cost

    @extend_schema_field(JobErrorSerializer(allow_null=True))
    def get_error(self, job: Job) -> dict[str, str] | None:
        return JobErrorSerializer(job).data if job.error_code else None
