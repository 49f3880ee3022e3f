"""The bodies of refusals, as the API document describes them; `errors.py` writes them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


class Error(serializers.Serializer[Any]):
    """Why a request was refused."""

    detail = serializers.CharField(help_text="For people.")
    code = serializers.CharField(help_text="For programs; the introduction lists them all.")
    request_id = serializers.CharField(help_text="26-character ULID of this request, to be named to support.")


@extend_schema_field({"anyOf": [{"type": "string"}, {"type": "integer"}]})
class Step(serializers.Field[Any, Any, Any, Any]):
    """A name or, in a list, an index."""


# No docstrings: the contract describes neither.
class ValidationError(serializers.Serializer[Any]):
    loc = serializers.ListField(child=Step(), label="Location")
    msg = serializers.CharField(label="Message")
    type = serializers.CharField(label="Error Type")


class HTTPValidationError(serializers.Serializer[Any]):
    detail = ValidationError(many=True, required=False)
