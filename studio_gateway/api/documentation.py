"""What the API document says of all endpoints alike: an introduction, the refusals with their codes, the headers."""

from pathlib import Path
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from studio_gateway.api.serializers import Error, HTTPValidationError

INTRODUCTION = (Path(__file__).parent / "introduction.md").read_text()

# Every code that a refusal other than a 422 may have: its status, and what it means.
CODES = {
    "bad_request": (400, "The request or its Host header could not be understood."),
    "body_incomplete": (400, "The body broke off before its end."),
    "upload_wrong_size": (400, "The upload's URL was signed for a body of another length, or this one tells none."),
    "missing_api_key": (401, "Send an API key: `Authorization: Bearer sk_…`."),
    "invalid_api_key": (401, "The API key is unknown, revoked or expired."),
    "invalid_signature": (401, "The Shopify signature does not hold for this body."),
    "insufficient_credits": (402, "The order costs more than the balance."),
    "client_suspended": (403, "The client is suspended; write to support."),
    "not_found": (404, "There is no such path, or nothing of this client's with that id."),
    "method_not_allowed": (405, "The path has other methods; `Allow` names them."),
    "job_over": (409, "The job has ended; there is nothing to cancel."),
    "job_open": (409, "The job has not ended; cancel it first."),
    "endpoint_disabled": (409, "The webhook endpoint is disabled; enable it first."),
    "too_many_endpoints": (409, "As many webhook endpoints are there as a client may have; delete one first."),
    "upload_exists": (409, "The upload's URL has been used."),
    "upload_expired": (410, "The upload's URL is older than 15 minutes; ask for another."),
    "body_too_large": (413, "The body is larger than 1 MiB."),
    "unsupported_media_type": (415, "Send `Content-Type: application/json`."),
    "upload_wrong_type": (415, "The upload's URL was signed for another `Content-Type`."),
    "too_many_open_jobs": (429, "As many jobs are open as this client may have; wait for some to end."),
    "too_many_orders": (429, "More orders in a minute than this client may place; `Retry-After` says when one fits."),
    "too_many_reads": (429, "More reads in a minute than a client may make; wait for as long as `Retry-After` says."),
    "too_many_uploads": (429, "As many uploads are under way as are taken at once; send it again."),
    "too_many_failed_authentications": (429, "Too many requests from this address could not be authenticated."),
    "internal_error": (500, "Something broke on our side, and is logged under the request's id."),
    "database_unavailable": (503, "The database is away; try again."),
    "storage_unavailable": (503, "The storage is away; the files will be deleted as soon as it is back."),
    "workflow_disabled": (503, "The workflow is switched off at the moment."),
    "no_price": (503, "The workflow has no price at the moment."),
}


def introduction(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Begin the document with the introduction and the table of codes in it; a hook of drf-spectacular's."""
    rows = (f"| {status} | `{code}` | {meaning} |" for code, (status, meaning) in CODES.items())
    result["info"]["description"] = INTRODUCTION.replace("{codes}", "\n".join(rows))
    return result


def refusals(*codes: str) -> dict[int, OpenApiResponse]:
    """Return the answers that have these codes, each with an example for each of its codes."""
    responses: dict[int, OpenApiResponse] = {}
    for code in codes:
        status, meaning = CODES[code]
        response = responses.setdefault(status, OpenApiResponse(Error))
        response.description = f"{response.description}\n\n`{code}`: {meaning}".strip()
        body = {"detail": meaning, "code": code, "request_id": "01M81TZ7D00WGGBW9DY1K07E38"}
        response.examples = [*response.examples, OpenApiExample(code, value=body)]
    return responses


# What any read may be refused with.
READ_REFUSALS = refusals(
    "bad_request",
    "missing_api_key",
    "invalid_api_key",
    "client_suspended",
    "not_found",
    "method_not_allowed",
    "too_many_reads",
    "too_many_failed_authentications",
    "internal_error",
    "database_unavailable",
)


FAULT = {"loc": ["query", "limit"], "msg": "Input should be less than or equal to 100", "type": "less_than_equal"}

# Of a read that names nothing that may not be there, and of one with parameters.
BARE_REFUSALS = {status: answer for status, answer in READ_REFUSALS.items() if status != 404}
LIST_REFUSALS = {
    **BARE_REFUSALS,
    422: OpenApiResponse(
        HTTPValidationError,
        description="A parameter is unknown, given twice, or not what it should be.",
        examples=[OpenApiExample("limit", value={"detail": [FAULT]})],
    ),
}


def response_header(name: str, kind: type, *statuses: int, description: str, required: bool = True) -> OpenApiParameter:
    return OpenApiParameter(
        name, kind, OpenApiParameter.HEADER, required=required, description=description, response=list(statuses)
    )


def response_headers(*statuses: int) -> list[OpenApiParameter]:
    """Return the headers that refusals have, and the one that every answer has, here those with `statuses`."""
    return [
        response_header("X-Request-Id", str, *statuses, description="26-character ULID of this request."),
        response_header("WWW-Authenticate", str, 401, description="`Bearer`, with a realm."),
        response_header("Allow", str, 405, description="The methods that the path has."),
        response_header("Retry-After", int, 429, 503, description="Seconds until another try makes sense."),
    ]
