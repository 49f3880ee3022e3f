from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from studio_gateway.api.documentation import LIST_REFUSALS, response_headers
from workflows.serializers import UsageQuery, UsageReport

SUMS = {"jobs": 40, "succeeded": 38, "failed": 1, "charged": 82, "refunded": 3}
USAGE = {
    "group_by": "workflow",
    "from": "2026-11-01T00:00:00Z",
    "to": "2026-11-23T00:00:00Z",
    "total": SUMS,
    "groups": [
        {**SUMS, "name": "background-generator", "jobs": 39, "failed": 0, "charged": 79, "refunded": 0},
        {"name": "extract", "jobs": 1, "succeeded": 0, "failed": 1, "charged": 3, "refunded": 3},
    ],
}

usage = extend_schema(
    operation_id="get_usage",
    summary="Add up what orders cost",
    tags=["Credits"],
    parameters=[UsageQuery, *response_headers(200, *LIST_REFUSALS)],
    responses={
        200: OpenApiResponse(
            UsageReport,
            description="Sums over the client's ledger.",
            examples=[OpenApiExample("by workflow", value=USAGE)],
        ),
        **LIST_REFUSALS,
    },
)
