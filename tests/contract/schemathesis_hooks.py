"""What Schemathesis may report and nobody need mend: each with its reason. It loads this file itself."""

from typing import Any

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData

SIGNATURE = "X-Shopify-Hmac-Sha256"


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Keep a failure that is none of these."""
    if isinstance(failure, RejectedPositiveData) and response.status_code == 422:
        faults = {fault["type"] for fault in response.json()["detail"]}
        # JSON Schema has no word for strings without NUL, for a key that was not sent with another body before, for a
        # time that is later than another, nor for a host with a public address.
        unsaid = {"string_unicode", "idempotency_key_reused", "empty_range", "long_range", "url_not_allowed"}
        return not faults <= unsaid
    if isinstance(failure, AcceptedNegativeData) and response.status_code == 200:
        # A dry run looks at no key.
        return "Idempotency-Key" not in failure.message
    return True


@schemathesis.hook
def map_case(context: Any, case: Any) -> Any:
    """Send a signature only where it is what is tried: nobody guesses one, and all else would be a 401."""
    if case.meta.phase.data.parameter != SIGNATURE:
        case.headers.pop(SIGNATURE, None)
    return case
