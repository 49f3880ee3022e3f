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
