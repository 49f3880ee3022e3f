"""Bodies of requests and answers; those that the published contract names are named so, with its fields in its order.

What stands here as name, docstring, label and help_text stands in the API document.
"""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from studio_gateway.api.fields import (
    StrictBoolean,
    StrictInteger,
    StrictList,
    StrictObject,
    StrictSerializer,
    StrictString,
)
from studio_gateway.api.serializers import ValidationError
from workflows.models import Job


class BackgroundGeneratorRequest(StrictSerializer):
    """POST /v1/background-generator — a catalog-background spec."""

    image_model = StrictString(required=False, allow_null=True)
    eval_enabled = StrictBoolean(required=False, allow_null=True)
    resolution = StrictString(required=False, allow_null=True)
    aspect_ratio = StrictString(required=False, allow_null=True)
    seed = StrictInteger(required=False, allow_null=True)
    on_technical_failure = StrictString(required=False, allow_null=True)
    display_name = StrictString(required=False, default="")
    scene_type = StrictString()
    mood = StrictString()
    dominant_colors = StrictList(required=False, child=StrictString())
    metadata = StrictObject(required=False)
    pilot_brand = StrictString(required=False, allow_null=True)


class ExtractionContext(StrictSerializer):
    """Caller hints to target the on-sale item. Mirrors studio.schema.extraction.ExtractionContext."""

    max_items = StrictInteger(required=False, allow_null=True, min_value=1)
    product_name = StrictString(required=False, allow_null=True)
    product_description = StrictString(required=False, allow_null=True)


class ExtractTrialItemsRequest(StrictSerializer):
    """Extraction submission."""

    trial_image = StrictString(help_text="S3 object key of the model / trial image to extract items from.")
    runtime_config = StrictObject(required=False, allow_null=True)
    extraction_context = ExtractionContext(required=False, allow_null=True)


class WorkflowAcceptedResponse(serializers.Serializer[Job]):
    """Returned synchronously from any POST /v1/{name} (202)."""

    request_id = serializers.CharField(help_text="26-char ULID — correlates with the row in request_logs.")
    job_id = serializers.CharField(source="id", allow_null=True)
    status = serializers.ChoiceField(
        choices=Job.Status.choices,
        default=Job.Status.NOT_STARTED,
        help_text="Studio’s job status at submit time. Almost always NOT_STARTED in this 202.",
    )
    credits_cost = serializers.IntegerField(
        help_text="Credits deducted from the calling client. Refunded automatically on any failure path."
    )


class RefusalSerializer(serializers.Serializer[Any]):
    """Why an order would be refused, as its answer would say it."""

    code = serializers.CharField(help_text="For programs.")
    detail = serializers.CharField(source="*", help_text="For people.")


class DryRunResponse(serializers.Serializer[Any]):
    """What would come of an order, without one (200)."""

    credits_cost = serializers.IntegerField(help_text="Credits that the order would cost.")
    balance = serializers.IntegerField(help_text="The client's balance now, in credits.")
    balance_after = serializers.IntegerField(help_text="The balance after the order; as it is now if it were refused.")
    would_be_accepted = serializers.BooleanField(help_text="Whether the order would be answered with a 202 now.")
    refusal = RefusalSerializer(allow_null=True, help_text="What it would be refused with; null where it would not.")
    warnings = serializers.SerializerMethodField(
        help_text="Values that no engine can do, 100 at most: an order with one is accepted, fails, and is refunded."
    )

    @extend_schema_field(ValidationError(many=True))
    def get_warnings(self, trial: Any) -> list[dict[str, Any]]:
        return [{"loc": ["body", *loc], "msg": error.message, "type": error.code} for loc, error in trial.warnings]


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
