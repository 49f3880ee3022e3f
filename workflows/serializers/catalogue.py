from typing import Any

from rest_framework import serializers


class Seconds(serializers.Field[Any, Any, Any, Any]):
    """A duration, as a number of seconds."""

    _spectacular_annotation = {"field": {"type": "number"}}

    def to_representation(self, value: Any) -> float:
        return value.total_seconds()


class PriceSerializer(serializers.Serializer[Any]):
    """What orders cost that this fits; where several fit, the narrowest counts, a model before a pixel class."""

    model = serializers.CharField(allow_null=True, help_text="Orders with this image_model; null: any.")
    pixel_class = serializers.CharField(
        allow_null=True, help_text="Images of no more pixels than this resolution has; null: any."
    )
    credits = serializers.IntegerField(help_text="Credits an order.")


class WorkflowSerializer(serializers.Serializer[Any]):
    """One thing that can be ordered."""

    name = serializers.CharField(source="workflow.name", help_text="POST its spec to /v1/{name}.")
    summary = serializers.CharField(source="workflow.summary", help_text="What it makes.")
    enabled = serializers.BooleanField(source="workflow.enabled", help_text="Whether orders are taken at the moment.")
    spec = serializers.DictField(help_text="The JSON Schema (2020-12) of its body.")
    time_limit_seconds = Seconds(source="workflow.time_limit", help_text="How long an attempt may take.")
    max_attempts = serializers.IntegerField(source="workflow.max_attempts", help_text="Attempts that a job may have.")
    deadline_seconds = Seconds(
        source="workflow.deadline", help_text="How long after its order a job that is still open fails, refunded."
    )
    output_format = serializers.CharField(
        source="workflow.output_format",
        help_text="`png`, `webp` or `jpeg`: what its images are stored as where the order does not say.",
    )
    prices = PriceSerializer(many=True, help_text="What it costs, the widest rule first.")


class WorkflowList(serializers.Serializer[Any]):
    """What can be ordered."""

    workflows = WorkflowSerializer(many=True, help_text="All workflows that there are.")


class SizeSerializer(serializers.Serializer[Any]):
    """One size of an image."""

    resolution = serializers.CharField(help_text="As in a spec.")
    aspect_ratio = serializers.CharField(help_text="As in a spec.")
    width = serializers.IntegerField(help_text="Pixels.")
    height = serializers.IntegerField(help_text="Pixels.")
    credits = serializers.IntegerField(allow_null=True, help_text="Credits an order; null where it has no price now.")


class ModelSerializer(serializers.Serializer[Any]):
    """What makes the orders of one workflow."""

    model = serializers.CharField(
        help_text="The image_model, or for extract `runtime_config.model`; `built-in` is also what an order gets that "
        "names none."
    )
    workflow = serializers.CharField(help_text="The workflow that it works for.")
    credits = serializers.IntegerField(
        allow_null=True, help_text="Credits of an order that says nothing of its size; null where it has no price now."
    )
    sizes = SizeSerializer(
        many=True, help_text="Ratios and resolutions to choose from; none where the order has no such fields."
    )
    cannot = serializers.ListField(
        child=serializers.CharField(), help_text="What it cannot do although an order could ask for it, in sentences."
    )
    shut_down_on = serializers.DateField(
        allow_null=True, help_text="From this day on, in UTC, its provider has it no more; null where none is known."
    )


class ModelList(serializers.Serializer[Any]):
    """The models that can be ordered now."""

    models = ModelSerializer(many=True, help_text="Each model of each workflow that takes orders.")
