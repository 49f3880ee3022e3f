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
    loc = ("header", "Idempotency-Key")
    if not key:
        raise BadParameter(loc=loc, type="string_too_short", message="String should have at least 1 character")
    if len(key) > MAX_IDEMPOTENCY_KEY:
        raise BadParameter(
            loc=loc, type="string_too_long", message=f"String should have at most {MAX_IDEMPOTENCY_KEY} characters"
        )
    if not re.fullmatch(r"[ -~]+", key):
        raise BadParameter(
            loc=loc, type="string_pattern_mismatch", message="String should have printable ASCII characters only"
        )
    return key


def flag(request: Request, name: str) -> bool:
    """Return whether the query says `name=true`; it may say `name=false`, or nothing. Raises BadParameter."""
    match request.query_params.getlist(name):
        case [] | ["false"]:
            return False
        case ["true"]:
            return True
    message = "Input should be a valid boolean, unable to interpret input"
    raise BadParameter(loc=("query", name), type="bool_parsing", message=message)
