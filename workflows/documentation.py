"""What the API document says of the endpoints here, beside what their serializers say."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from studio_gateway.api.documentation import CODES, refusals, response_header, response_headers
from studio_gateway.api.parameters import MAX_IDEMPOTENCY_KEY
from studio_gateway.api.serializers import HTTPValidationError
from studio_gateway.ids import ULIDConverter
from workflows.engines.base import quoted
from workflows.engines.sizes import UnknownResolution
from workflows.serializers import DryRunResponse, JobSerializer, WorkflowAcceptedResponse

F = TypeVar("F", bound=Callable[..., Any])


class OrderSchema(AutoSchema):
    """Of a view that serves every workflow: the published contract says nothing of an order but its summary."""

    view: Any

    def get_summary(self) -> str:
        return self.view.definition.summary

    def get_operation_id(self) -> str:
        return f"order_{self.view.definition.name.replace('-', '_')}"

    def get_description(self) -> str:  # type: ignore[override]  # drf-spectacular's own is like this
        return ""


NO_RESOLUTION = UnknownResolution(asked=quoted("97K"))

DRY_RUN = {
    "credits_cost": 2,
    "balance": 40,
    "balance_after": 38,
    "would_be_accepted": True,
    "refusal": None,
    "warnings": [
        {
            "loc": ["body", "resolution"],
            "msg": NO_RESOLUTION.message,
            "type": NO_RESOLUTION.code,
        }
    ],
}

# Answers to a client who is known.
LIMITED = (200, 402, 403, 405, 413, 415, 429, 503)
ORDER_REFUSALS = refusals(*(code for code in CODES if code not in ("too_many_reads", "job_over")))

order = extend_schema(
    tags=["Orders"],
    auth=[{"HTTPBearer": []}],  # type: ignore[list-item]  # of a signature that does without, the contract says nothing
    parameters=[
        OpenApiParameter("X-Shopify-Hmac-Sha256", {"type": ["string", "null"]}, OpenApiParameter.HEADER),
        OpenApiParameter(
            "X-Shopify-Shop-Domain",
            {"type": ["string", "null"]},
            OpenApiParameter.HEADER,
            description="Names the client of an order that is signed and has no API key.",
        ),
        OpenApiParameter(
            "Idempotency-Key",
            {"type": ["string", "null"], "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY, "pattern": "^[ -~]+$"},
            OpenApiParameter.HEADER,
            description="Printable ASCII, bare or quoted. The same key and body again are answered with the first 202, "
            "and nothing is charged again; the same key with another body is a 422.",
        ),
        OpenApiParameter(
            "dry_run", bool, description="`true`: check and price the order, and answer 200 without ordering anything."
        ),
        # Not of 202 and 422, which the published contract has without headers.
        *response_headers(200, *ORDER_REFUSALS),
        response_header(
            "RateLimit",
            str,
            *LIMITED,
            required=False,
            description='Orders that may follow at once, and seconds until there are more: `"orders";r=59;t=1`.',
        ),
        response_header(
            "RateLimit-Policy",
            str,
            *LIMITED,
            required=False,
            description='Orders in a window of seconds: `"orders";q=60;w=60`.',
        ),
        response_header(
            "X-Credits-Charged", int, *LIMITED, required=False, description="Credits that this request cost."
        ),
        response_header("X-Credits-Balance", int, *LIMITED, required=False, description="Credits that are left."),
    ],
    responses={
        200: OpenApiResponse(
            DryRunResponse,
            description="With `dry_run=true`: what the order would be answered with.",
            examples=[OpenApiExample("dry run", value=DRY_RUN)],
        ),
        202: OpenApiResponse(WorkflowAcceptedResponse, description="Successful Response"),
        422: OpenApiResponse(HTTPValidationError, description="Validation Error"),
        **ORDER_REFUSALS,
    },
)

JOB: dict[str, Any] = {
    "job_id": "01M81TZ7KMDA12DD86R558H2MB",
    "request_id": "01M81TZ7D00WGGBW9DY1K07E38",
    "workflow": "background-generator",
    "status": "SUCCESS",
    "test": False,
    "spec": {"scene_type": "podium", "mood": "warm and calm", "resolution": "512", "seed": 7, "display_name": ""},
    "credits_cost": 1,
    "credits_charged": 1,
    "credits_refunded": 0,
    "accepted_at": "2026-11-22T14:36:10.748028Z",
    "started_at": "2026-11-22T14:36:10.875006Z",
    "ended_at": "2026-11-22T14:36:12.057947Z",
    "deadline_at": "2026-11-22T15:06:10.748028Z",
    "cancel_requested_at": None,
    "attempts": 1,
    "max_attempts": 3,
    "engine": "built-in",
    "fell_back": False,
    "error": None,
    "summary": {"engine": "built-in", "width": 512, "height": 512, "seed": 7, "colors": ["#a8b59a"]},
    "outputs": [
        {
            "name": "background.png",
            "url": "https://example.com/files/clients/1/jobs/01M81TZ7KMDA12DD86R558H2MB/1/background.png?signature=1xV8",
            "content_type": "image/png",
            "size": 204288,
            "sha256": "f27119f9d7209f6231eaaca965e5c74d85a716c349e1c7991b280fc7e1cac82a",
            "width": 512,
            "height": 512,
            "details": {},
        }
    ],
}

FAILURE = {
    **JOB,
    "status": "FAILURE",
    "spec": {**JOB["spec"], "resolution": "97K"},
    "credits_refunded": 1,
    "error": {"code": NO_RESOLUTION.code, "message": NO_RESOLUTION.message},
    "summary": {},
    "outputs": [],
}

CANCELLING = {
    **JOB,
    "status": "IN_PROGRESS",
    "ended_at": None,
    "cancel_requested_at": "2026-11-22T14:36:11.520114Z",
    "summary": {},
    "outputs": [],
}

CANCELLED = {
    **FAILURE,
    "spec": JOB["spec"],
    "started_at": None,
    "attempts": 0,
    "engine": "built-in",
    "error": {"code": "cancelled", "message": "The job was cancelled."},
}

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


ULID = {"type": "string", "pattern": f"^{ULIDConverter.regex}$"}


def _read(*, operation_id: str, summary: str, parameter: str) -> Callable[[F], F]:
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        tags=["Jobs"],
        parameters=[
            OpenApiParameter(
                parameter, ULID, OpenApiParameter.PATH, description=f"The `{parameter}` of the order's answer."
            ),
            *response_headers(200, *READ_REFUSALS),
        ],
        responses={
            200: OpenApiResponse(
                JobSerializer,
                description="The job, as it is now.",
                examples=[OpenApiExample("success", value=JOB), OpenApiExample("failure", value=FAILURE)],
            ),
            **READ_REFUSALS,
        },
    )


job = _read(operation_id="get_job", summary="Read a job", parameter="job_id")
CANCEL_REFUSALS = READ_REFUSALS | refusals("job_over")

cancel = extend_schema(
    operation_id="cancel_job",
    summary="Cancel a job",
    tags=["Jobs"],
    request=None,
    parameters=[
        OpenApiParameter("job_id", ULID, OpenApiParameter.PATH, description="The `job_id` of the order's answer."),
        *response_headers(200, 202, *CANCEL_REFUSALS),
    ],
    responses={
        200: OpenApiResponse(
            JobSerializer,
            description="Nobody was at work on it: it has failed with the code `cancelled`, and is refunded.",
            examples=[OpenApiExample("cancelled", value=CANCELLED)],
        ),
        202: OpenApiResponse(
            JobSerializer,
            description="It runs, and will fail with the code `cancelled`, refunded, as soon as its engine stops.",
            examples=[OpenApiExample("running", value=CANCELLING)],
        ),
        **CANCEL_REFUSALS,
    },
)
request = _read(operation_id="get_job_by_request", summary="Read the job of a request", parameter="request_id")
