"""Query parameters of reads, as strict as bodies are."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.drainage import set_override
from rest_framework import serializers
from rest_framework.request import Request

from studio_gateway.api.errors import BadQuery
from studio_gateway.ids import ULIDConverter
from studio_gateway.text import is_storable

MOST_ROWS = 100
# Longer texts are not looked for.
MOST_TEXT = 200

MESSAGES = {
    "enum": "Input should be {expected}",
    "int_parsing": "Input should be a valid integer, unable to parse string as an integer",
    "greater_than_equal": "Input should be greater than or equal to {least}",
    "less_than_equal": "Input should be less than or equal to {most}",
    "datetime_parsing": "Input should be a time as in RFC 3339, such as 2026-11-22T14:36:10Z, or a date",
    "string_pattern_mismatch": "Input should be the `next` of a page",
    "too_long": "Input should have at most {most} entries",
    "string_too_long": "String should have at most {most} characters",
    "string_unicode": "Input should be a valid string, without NUL",
    "extra_forbidden": "Extra inputs are not permitted",
    "repeated": "Parameter should be given once",
}


def fault(code: str, **details: object) -> serializers.ErrorDetail:
    return serializers.ErrorDetail(MESSAGES[code].format(**details), code=code)


class Query(serializers.Serializer[Any]):
    """The parameters of a read.

    What is unknown, or there twice, is a fault: a filter with a slip in its name must not pass for no filter.
    """

    @classmethod
    def of(cls, request: Request) -> dict[str, Any]:
        """Return the parameters of a request, None or their default where they are not there. Raises BadQuery."""
        query = cls(data=cls.gathered({name: values[-1] for name, values in request.query_params.lists()}))
        faults: dict[str, Any] = {}
        if not query.is_valid():
            faults |= query.errors
        for name, values in request.query_params.lists():
            if not cls.takes(name):
                faults[name] = fault("extra_forbidden")
            elif len(values) > 1:
                faults[name] = fault("repeated")
        if faults:
            raise BadQuery(faults)
        return {str(name): query.validated_data.get(name) for name in query.fields}

    @classmethod
    def takes(cls, name: str) -> bool:
        """Tell whether there is a parameter of this name."""
        return name in cls._declared_fields

    @classmethod
    def gathered(cls, sent: dict[str, str]) -> dict[str, Any]:
        """Return what each field is given."""
        return sent


class Parameter(serializers.Field[Any, Any, Any, Any]):
    """One parameter, which may be left out; `schema` is what the API document says of it."""

    def __init__(self, *, schema: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**{"required": False, **kwargs})
        self.schema = schema | ({"default": kwargs["default"]} if "default" in kwargs else {})
        set_override(self, "field", self.schema)

    def refused(self, code: str, **details: object) -> serializers.ValidationError:
        return serializers.ValidationError([fault(code, **details)])


class Text(Parameter):
    """A text that is compared as it is."""

    def __init__(self, *, most: int = MOST_TEXT, **kwargs: Any) -> None:
        super().__init__(schema={"type": "string", "maxLength": most}, **kwargs)
        self.most = most

    def to_internal_value(self, data: str) -> str:
        if not is_storable(data):
            raise self.refused("string_unicode")
        if len(data) > self.most:
            raise self.refused("string_too_long", most=self.most)
        return data


class OneOf(Parameter):
    def __init__(self, *, choices: Iterable[str], **kwargs: Any) -> None:
        self.choices = list(choices)
        super().__init__(schema={"type": "string", "enum": self.choices}, **kwargs)

    def to_internal_value(self, data: str) -> str:
        if data not in self.choices:
            raise self.refused("enum", expected=" or ".join(repr(choice) for choice in self.choices))
        return data


class Count(Parameter):
    """An integer, in digits and nothing else."""

    def __init__(self, *, least: int, most: int, **kwargs: Any) -> None:
        super().__init__(schema={"type": "integer", "minimum": least, "maximum": most}, **kwargs)
        self.least, self.most = least, most

    def to_internal_value(self, data: str) -> int:
        if not re.fullmatch(r"-?[0-9]+", data):
            raise self.refused("int_parsing")
        # int() refuses thousands of digits.
        value = int(data) if len(data) < 20 else self.most + 1 if data[0] != "-" else self.least - 1
        if value < self.least:
            raise self.refused("greater_than_equal", least=self.least)
        if value > self.most:
            raise self.refused("less_than_equal", most=self.most)
        return value


class Moment(Parameter):
    """A time as in RFC 3339, or a date, which is its first moment in UTC."""

    # datetime.fromisoformat() takes more than this.
    PATTERN = re.compile(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?"
    )

    def __init__(self, **kwargs: Any) -> None:
        formats = [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]
        super().__init__(schema={"anyOf": formats}, **kwargs)

    def to_internal_value(self, data: str) -> datetime:
        if not self.PATTERN.fullmatch(data):
            raise self.refused("datetime_parsing")
        try:
            moment = datetime.fromisoformat(data.upper())
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except ValueError as error:
            raise self.refused("datetime_parsing") from error
        except OverflowError:  # the first or last hours of all time, elsewhere than in UTC
            return moment.replace(tzinfo=UTC)


class Pairs(Parameter):
    """At most `most` texts by names, which arrive as `field[name]=text`; each of MOST_TEXT characters at most."""

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        one = {"type": "string", "maxLength": MOST_TEXT}
        super().__init__(schema={"type": "object", "additionalProperties": one, "maxProperties": most}, **kwargs)
        self.most = most

    def to_internal_value(self, data: dict[str, str]) -> dict[str, str]:
        if len(data) > self.most:
            raise self.refused("too_long", most=self.most)
        text = Text()
        return {text.to_internal_value(name): text.to_internal_value(value) for name, value in data.items()}


class ULIDCursor(Parameter):
    """Where the next page of rows with ULIDs begins."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(schema={"type": "string", "pattern": f"^{ULIDConverter.regex}$"}, **kwargs)

    def to_internal_value(self, data: str) -> str:
        if not re.fullmatch(ULIDConverter.regex, data):
            raise self.refused("string_pattern_mismatch")
        return data.upper()


class Page(Query):
    """A page of a list, newest first."""

    limit = Count(least=1, most=MOST_ROWS, default=20, help_text="Rows of the page at most.")


class Created(Query):
    """A range of time: from the first moment on, and up to the second without it."""

    created_after = Moment(help_text="Only what is as old as this or younger: RFC 3339, or a date (00:00 UTC).")
    created_before = Moment(help_text="Only what is older than this: RFC 3339, or a date.")
