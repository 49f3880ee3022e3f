from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from studio_gateway.api.documentation import CODES, refusals, response_header, response_headers
from studio_gateway.api.parameters import MAX_IDEMPOTENCY_KEY
from studio_gateway.api.serializers import HTTPValidationError
from workflows.engines.base import quoted
from workflows.engines.sizes import UnknownResolution
from workflows.serializers import DryRunResponse, WorkflowAcceptedResponse


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
OF_JOBS = ("job_over", "job_open", "storage_unavailable")
NOT_OF_ORDERS = (*OF_JOBS, "too_many_reads", "endpoint_disabled", "too_many_endpoints")
ORDER_REFUSALS = refusals(*(code for code in CODES if code not in NOT_OF_ORDERS and "upload" not in code))

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
