"""What the API document says of the endpoints here, beside what their serializers say."""

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from billing.serializers import CreditsSerializer, EntriesPage, EntriesQuery
from studio_gateway.api.documentation import BARE_REFUSALS, LIST_REFUSALS, response_headers

CREDITS = {
    "balance": 38,
    "open_jobs": 1,
    "today": {"charged": 2, "refunded": 0},
    "month": {"charged": 63, "refunded": 1},
}
ENTRY = {
    "entry_id": "01M81TZ7KMFS7Y2ZXEJ4C1P0YQ",
    "seq": 71,
    "kind": "CHARGE",
    "amount": -2,
    "balance_after": 38,
    "reference": "01M81TZ7KMDA12DD86R558H2MB",
    "created_at": "2026-11-22T14:36:10.748028Z",
}
CSV = (
    "entry_id,seq,kind,amount,balance_after,reference,created_at\r\n"
    "01M81TZ7KMFS7Y2ZXEJ4C1P0YQ,71,CHARGE,-2,38,01M81TZ7KMDA12DD86R558H2MB,2026-11-22T14:36:10.748028Z\r\n"
)

credits = extend_schema(
    operation_id="get_credits",
    summary="Read the balance",
    tags=["Credits"],
    parameters=response_headers(200, *BARE_REFUSALS),
    responses={
        200: OpenApiResponse(
            CreditsSerializer,
            description="The balance, and what moved it, as of one moment.",
            examples=[OpenApiExample("credits", value=CREDITS)],
        ),
        **BARE_REFUSALS,
    },
)

entries = extend_schema(
    operation_id="list_entries",
    summary="List the ledger",
    tags=["Credits"],
    parameters=[
        EntriesQuery,
        *response_headers(200, *LIST_REFUSALS),
    ],
    responses={
        (200, "application/json"): OpenApiResponse(
            EntriesPage,
            description="Entries of the client's ledger, newest first.",
            examples=[OpenApiExample("last page", value={"entries": [ENTRY], "next": None})],
        ),
        (200, "text/csv"): OpenApiResponse(
            str,
            description="Entries of the client's ledger, newest first.",
            examples=[OpenApiExample("file", value=CSV, media_type="text/csv")],
        ),
        **LIST_REFUSALS,
    },
)
