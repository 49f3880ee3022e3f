"""Serializer fields that accept what the published schema says and nothing else.

DRF's own fields convert ("5" to 5, 1 to "1", "yes" to True); these do not. Faults carry pydantic 2's codes and words,
which the published 422 uses.
"""

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any

from rest_framework import serializers
from rest_framework.fields import empty

from studio_gateway.text import is_storable

# More than an honest body can have. A megabyte of wrong numbers would be half a million faults, ten seconds of work
# and fifty megabytes of answer.
MAX_FAULTS = 10_000

# The way to a fault from where it is looked for: names and positions.
Place = tuple[str | int, ...]

MESSAGES = {
    "missing": "Field required",
    "string_type": "Input should be a valid string",
    "string_unicode": "Input should be a valid string, unable to parse raw data as a unicode string",
    "int_type": "Input should be a valid integer",
    "bool_type": "Input should be a valid boolean",
    "list_type": "Input should be a valid list",
    "dict_type": "Input should be a valid dictionary",
    "model_attributes_type": "Input should be a valid dictionary or object to extract fields from",
    "greater_than_equal": "Input should be greater than or equal to {minimum}",
    "less_than_equal": "Input should be less than or equal to {maximum}",
    "enum": "Input should be {expected}",
}


class Strict(serializers.Field):
    """Mixed into each field: null is of the wrong type unless the field allows it.

    What DRF asks of each value besides, no such field has: validators, read-only fields, partial updates. Every order
    has a dozen of these, which is why they are not asked.
    """

    type_code: str

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators = []  # DRF's own convert, or speak in other codes
        self.error_messages |= MESSAGES

    def run_validation(self, data: Any = empty) -> Any:
        if data is empty:
            if self.required:
                self.fail("missing")
            return self.get_default()
        if data is None:
            if not self.allow_null:
                self.fail(self.type_code)
            return None
        return self.to_internal_value(data)


class StrictString(Strict, serializers.CharField):
    """A string, kept as sent; without NULs and unpaired surrogates, which no database text holds."""

    type_code = "string_type"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_blank": True, "trim_whitespace": False, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("string_type")
        if not is_storable(data):
            self.fail("string_unicode")
        return data


class Filled(StrictString):
    """A text with a meaning, which is never empty."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_blank=False, **kwargs)
        self.error_messages["blank"] = "String should have at least 1 character"

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not text:
            self.fail("blank")
        return text


class StrictInteger(Strict, serializers.IntegerField):
    """An integer of any size; a float counts where it is whole, a boolean never."""

    type_code = "int_type"

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, float) and data.is_integer():
            data = int(data)
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("int_type")
        if self.min_value is not None and data < self.min_value:
            self.fail("greater_than_equal", minimum=self.min_value)
        if self.max_value is not None and data > self.max_value:
            self.fail("less_than_equal", maximum=self.max_value)
        return data


class StrictBoolean(Strict, serializers.BooleanField):
    """true or false; not 0, 1 or "yes"."""

    type_code = "bool_type"

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("bool_type")
        return data


class StrictList(Strict, serializers.ListField):
    """A list; its children are checked one by one."""

    type_code = "list_type"

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.fail("list_type")
        return self.run_child_validation(data)

    def run_child_validation(self, data: list[Any]) -> list[Any]:
        valid: list[Any] = []
        faults: dict[Any, Any] = {}
        for position, item in enumerate(data):
            try:
                valid.append(self.child.run_validation(item))
            except serializers.ValidationError as error:
                faults[position] = error.detail
                if len(faults) == MAX_FAULTS:
                    break
        if faults:
            raise serializers.ValidationError(faults)
        return valid


class StrictObject(Strict, serializers.DictField):
    """An object of anything, kept as sent; strings in it, keys too, must be storable."""

    type_code = "dict_type"

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("dict_type")
        fault = serializers.ErrorDetail(MESSAGES["string_unicode"], code="string_unicode")
        faults: list[Any] = [{place: fault} for place in islice(_unstorable(data), MAX_FAULTS)]
        if faults:
            raise serializers.ValidationError(faults)
        return data


def _unstorable(node: dict[str, Any] | list[Any], place: Place = ()) -> Iterator[Place]:
    """Yield the places of the strings that no database text holds; that of a key ends with "[key]", as pydantic's."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(key, str) and not is_storable(key):
            yield (*place, key, "[key]")
        if isinstance(value, str):
            if not is_storable(value):
                yield (*place, key)
        elif isinstance(value, dict | list):
            yield from _unstorable(value, (*place, key))


class StrictSerializer(Strict, serializers.Serializer):
    """An object with named fields, each of them Strict; other names in it are ignored."""

    type_code = "model_attributes_type"

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("model_attributes_type")
        valid: dict[str, Any] = {}
        faults: dict[Any, Any] = {}
        for name, field in self._named_fields:
            try:
                valid[name] = field.run_validation(data.get(name, empty))
            except serializers.SkipField:
                pass
            except serializers.ValidationError as error:
                faults[name] = error.detail
        if faults:
            raise serializers.ValidationError(faults)
        return valid

    @cached_property
    def _named_fields(self) -> list[tuple[str, serializers.Field]]:
        return list(self.fields.items())
