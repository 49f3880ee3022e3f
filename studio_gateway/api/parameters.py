"""Headers and query parameters, read as strictly as bodies are."""

import re

from rest_framework.request import Request

from studio_gateway.errors import DomainError

MAX_IDEMPOTENCY_KEY = 255


class BadParameter(DomainError):
    """{message}"""

    code = "validation_error"


def idempotency_key(request: Request) -> str | None:
    """Return the `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header), None where there is none.

    The draft's quoted string and the bare text that most clients send are the same key. Raises BadParameter.
    """
    sent = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if sent is None:
        return None
    key = sent.strip(" \t")
    if re.fullmatch(r'"(?:[^"\\]|\\["\\])*"', key):
        key = re.sub(r"\\(.)", r"\1", key[1:-1])
    if re.fullmatch(rf"[ -~]{{1,{MAX_IDEMPOTENCY_KEY}}}", key):
        return key
    # What has bytes outside ASCII arrives empty.
    fault = "too_short" if not key else "too_long" if len(key) > MAX_IDEMPOTENCY_KEY else "pattern_mismatch"
    message = f"String should have 1 to {MAX_IDEMPOTENCY_KEY} characters, all of them printable ASCII"
    raise BadParameter(loc=("header", "Idempotency-Key"), type=f"string_{fault}", message=message)


def flag(request: Request, name: str) -> bool:
    """Return whether the query says `name=true`; it may say `name=false`, or nothing. Raises BadParameter."""
    match request.query_params.getlist(name):
        case [] | ["false" | "False"]:
            return False
        case ["true" | "True"]:  # as Python writes it
            return True
    message = "Input should be a valid boolean, unable to interpret input"
    raise BadParameter(loc=("query", name), type="bool_parsing", message=message)
