from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from studio_gateway.api.documentation import LIST_REFUSALS, READ_REFUSALS, refusals, response_header, response_headers
from studio_gateway.ids import ULIDConverter
from workflows.documentation.orders import NO_RESOLUTION
from workflows.serializers import JobPage, JobSerializer, JobsQuery

F = TypeVar("F", bound=Callable[..., Any])

JOB: dict[str, Any] = {
    "job_id": "01M81TZ7KMDA12DD86R558H2MB",
    "request_id": "01M81TZ7D00WGGBW9DY1K07E38",
    "workflow": "background-generator",
    "status": "SUCCESS",
    "rerun_of": None,
    "reruns": [],
    "test": False,
    "spec": {"scene_type": "podium", "mood": "warm and calm", "resolution": "512", "seed": 7, "display_name": ""},
    "metadata": None,
    "credits_cost": 1,
    "credits_charged": 1,
    "credits_refunded": 0,
    "receipt": {
        "charged": 1,
        "refunded": 0,
        "charge_entry_id": "01M81TZ7KMFS7Y2ZXEJ4C1P0YQ",
        "refund_entry_id": None,
    },
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
            "thumbnail_url": "https://example.com/files/clients/1/jobs/01M81TZ7KMDA12DD86R558H2MB/1/"
            "background.thumbnail.webp?signature=1xV8",
            "content_type": "image/png",
            "size": 204288,
            "sha256": "f27119f9d7209f6231eaaca965e5c74d85a716c349e1c7991b280fc7e1cac82a",
            "width": 512,
            "height": 512,
            "details": {},
        }
    ],
    "files_expire_at": "2026-12-22T14:36:12.057947Z",
    "files_erased_at": None,
    "erased_at": None,
    "timeline": [
        {"at": "2026-11-22T14:36:10.748028Z", "event": "accepted", "attempt": 0, "detail": ""},
        {"at": "2026-11-22T14:36:10.875006Z", "event": "started", "attempt": 1, "detail": ""},
        {"at": "2026-11-22T14:36:12.057947Z", "event": "succeeded", "attempt": 1, "detail": ""},
    ],
    "queue_position": None,
    "eta_seconds": None,
}

EVALUATED = {
    **JOB,
    "spec": {**JOB["spec"], "dominant_colors": ["sage"], "eval_enabled": True},
    "summary": {
        **JOB["summary"],
        "eval": {
            "passed": True,
            "tries": 1,
            "scores": {
                name: {"score": score, "threshold": 0.5, "passed": True, "reason": reason}
                for name, score, reason in (
                    (
                        "palette",
                        0.944,
                        "Of the colours asked for, #a8b59a is met worst: CIEDE2000 is 1.1 to the nearest main colour, "
                        "#a4b196 (at most 10).",
                    ),
                    ("room_for_product", 0.977, "Edges cover 0.1% of the place left free (at most 3%)."),
                    (
                        "exposure",
                        1.0,
                        "The median lightness is 70 (12 to 97); 0.0% of it is clipped to white and 0.0% to black "
                        "(at most 10%).",
                    ),
                    ("banding", 1.0, "False contours run through 0.0% of it (at most 5%)."),
                    ("sharpness", 1.0, "Its sharpest edges are blurred by 0.0 pixels, seen at 512 x 512 (at most 3)."),
                    (
                        "mood",
                        0.964,
                        "Of light and colour, lightness (L*) agrees least: it is 69 (passes from 37 to 107).",
                    ),
                )
            },
        },
    },
}

REFUNDED = {**JOB["receipt"], "refunded": 1, "refund_entry_id": "01M81TZ8VM3Q1H5W0J8ZB7N2KD"}

FAILURE = {
    **JOB,
    "status": "FAILURE",
    "spec": {**JOB["spec"], "resolution": "97K"},
    "credits_refunded": 1,
    "receipt": REFUNDED,
    "error": {"code": NO_RESOLUTION.code, "message": NO_RESOLUTION.message, "retryable": False},
    "summary": {},
    "outputs": [],
    "files_expire_at": None,
    "timeline": [
        *JOB["timeline"][:2],
        {
            "at": "2026-11-22T14:36:12.057947Z",
            "event": "failed",
            "attempt": 1,
            "detail": f"{NO_RESOLUTION.code}: {NO_RESOLUTION.message}",
        },
    ],
}

CANCELLING = {
    **JOB,
    "status": "IN_PROGRESS",
    "ended_at": None,
    "files_expire_at": None,
    "cancel_requested_at": "2026-11-22T14:36:11.520114Z",
    "summary": {},
    "outputs": [],
    "timeline": [
        *JOB["timeline"][:2],
        {
            "at": "2026-11-22T14:36:11.520114Z",
            "event": "cancelling",
            "attempt": 1,
            "detail": "asked for by the client",
        },
    ],
    "eta_seconds": 1,
}

WAITING = {
    **CANCELLING,
    "status": "NOT_STARTED",
    "started_at": None,
    "cancel_requested_at": None,
    "attempts": 0,
    "timeline": JOB["timeline"][:1],
    "queue_position": 3,
    "eta_seconds": 5,
}

CANCELLED = {
    **FAILURE,
    "spec": JOB["spec"],
    "started_at": None,
    "attempts": 0,
    "timeline": [
        JOB["timeline"][0],
        {
            "at": "2026-11-22T14:36:12.057947Z",
            "event": "failed",
            "attempt": 0,
            "detail": "cancelled: The job was cancelled.",
        },
    ],
    "error": {"code": "cancelled", "message": "The job was cancelled.", "retryable": True},
}

# The list's jobs are without these.
LONG = ("spec", "reruns", "timeline", "queue_position", "eta_seconds")
LISTED = {name: value for name, value in JOB.items() if name not in LONG}

OF_OPEN_JOBS = [
    response_header(
        "Retry-After",
        int,
        200,
        202,
        304,
        required=False,
        description="While the job is open: after how many seconds to read it again.",
    )
]

PAIRS: Any = JobsQuery().fields["metadata"]

jobs = extend_schema(
    operation_id="list_jobs",
    summary="List jobs",
    tags=["Jobs"],
    parameters=[
        JobsQuery,
        OpenApiParameter("metadata", PAIRS.schema, description=str(PAIRS.help_text), style="deepObject", explode=True),
        *response_headers(200, *LIST_REFUSALS),
    ],
    responses={
        200: OpenApiResponse(
            JobPage,
            description="Jobs of the client, newest first.",
            examples=[OpenApiExample("last page", value={"jobs": [LISTED], "next": None})],
        ),
        **LIST_REFUSALS,
    },
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
            OpenApiParameter(
                "If-None-Match",
                str,
                OpenApiParameter.HEADER,
                description="An `ETag`: if it still holds, no body is sent.",
            ),
            *response_headers(200, *READ_REFUSALS),
            *OF_OPEN_JOBS,
            response_header("ETag", str, 200, 304, description="Changes with whatever the body says."),
        ],
        responses={
            200: OpenApiResponse(
                JobSerializer,
                description="The job, as it is now.",
                examples=[
                    OpenApiExample("success", value=JOB),
                    OpenApiExample("evaluated", value=EVALUATED),
                    OpenApiExample("failure", value=FAILURE),
                    OpenApiExample("waiting", value=WAITING),
                ],
            ),
            304: OpenApiResponse(description="The job is as it was when it had this `ETag`."),
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
        *OF_OPEN_JOBS,
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
ERASE_REFUSALS = READ_REFUSALS | refusals("job_open")
ERASE_REFUSALS |= {503: refusals("database_unavailable", "storage_unavailable")[503]}

erase = extend_schema(
    operation_id="erase_job",
    summary="Erase a job",
    tags=["Jobs"],
    parameters=[
        OpenApiParameter("job_id", ULID, OpenApiParameter.PATH, description="The `job_id` of the order's answer."),
        *response_headers(204, *ERASE_REFUSALS),
    ],
    responses={
        204: OpenApiResponse(
            description="Its files, its spec and what was said of it are gone for good, also from its events; what is "
            "left is that there was such a job, when, and what it cost. To erase it again changes nothing."
        ),
        **ERASE_REFUSALS,
    },
)
request = _read(operation_id="get_job_by_request", summary="Read the job of a request", parameter="request_id")
