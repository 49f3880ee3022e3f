"""The body of a request, as strict as JSON is."""

import json
import math
from collections.abc import Mapping
from itertools import chain
from typing import IO, Any, NoReturn

from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.parsers import BaseParser

# Deeper than any spec needs, and shallower than Python's and PostgreSQL's own parsers go.
MAX_DEPTH = 200


class StrictJSONParser(BaseParser):
    """JSON in UTF-8: no NaN, no Infinity, no number beyond a double, at most MAX_DEPTH levels.

    What it refuses is a 422 like any other fault of a body. It reads `request.body`, so that the body can still be
    logged afterwards, and raises RequestDataTooBig where that does.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        assert parser_context is not None
        raw = parser_context["request"]._request.body
        try:
            data = json.loads(raw.decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
        except UnicodeDecodeError as error:
            raise _invalid(f"JSON decode error: byte {error.start} is not UTF-8") from error
        except (ValueError, RecursionError) as error:
            # Behind the semicolon Python advises its programmer.
            raise _invalid(f"JSON decode error: {str(error).partition(';')[0]}") from error
        if _too_deep(data):
            raise _invalid(f"JSON decode error: more than {MAX_DEPTH} levels deep")
        return data


def _invalid(message: str) -> ValidationError:
    return ValidationError([ErrorDetail(message, code="json_invalid")])


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is out of range")
    return number


def scalar(text: str) -> str | int | float | bool | None:
    """Return the number, boolean or null that `text` is in JSON; `text` itself where it is none of these."""
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, str | list | dict) else value


def _too_deep(data: Any) -> bool:
    level: list[Any] = [[data]]
    for _ in range(MAX_DEPTH + 1):
        children = chain.from_iterable(node.values() if isinstance(node, dict) else node for node in level)
        level = [child for child in children if isinstance(child, dict | list)]
        if not level:
            return False
    return True
