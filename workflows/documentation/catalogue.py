from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from studio_gateway.api.documentation import BARE_REFUSALS, response_headers
from workflows.serializers import ModelList, WorkflowList

WORKFLOW = {
    "name": "extract",
    "summary": "The items on a photo, each cut out with its box.",
    "enabled": True,
    "spec": {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "required": ["trial_image"]},
    "time_limit_seconds": 120.0,
    "max_attempts": 3,
    "deadline_seconds": 1800.0,
    "output_format": "png",
    "prices": [{"model": None, "pixel_class": None, "credits": 3}],
}
MODEL = {
    "model": "built-in",
    "workflow": "background-generator",
    "credits": 2,
    "sizes": [{"resolution": "1K", "aspect_ratio": "16:9", "width": 1368, "height": 768, "credits": 2}],
    "cannot": ["It draws a set, its light and its materials: no people, products or text."],
    "shut_down_on": None,
}

workflows = extend_schema(
    operation_id="list_workflows",
    summary="List what can be ordered",
    tags=["Catalogue"],
    parameters=response_headers(200, *BARE_REFUSALS),
    responses={
        200: OpenApiResponse(
            WorkflowList,
            description="The workflows, with their limits and prices as they are in force.",
            examples=[OpenApiExample("workflows", value={"workflows": [WORKFLOW]})],
        ),
        **BARE_REFUSALS,
    },
)

models = extend_schema(
    operation_id="list_models",
    summary="List the models",
    tags=["Catalogue"],
    parameters=response_headers(200, *BARE_REFUSALS),
    responses={
        200: OpenApiResponse(
            ModelList,
            description="The models that can be ordered now, with their sizes and prices. Of other sizes each costs "
            "what the next larger resolution does.",
            examples=[OpenApiExample("models", value={"models": [MODEL]})],
        ),
        **BARE_REFUSALS,
    },
)
