"""The bodies of the contract as pydantic reads them: what the gateway's own validation is compared with."""

import json
import math
import re
from typing import Annotated, Any, NoReturn

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticKnownError

LEVELS = 200
FAULTS = {
    "missing",
    "string_type",
    "string_unicode",
    "int_type",
    "bool_type",
    "list_type",
    "dict_type",
    "model_attributes_type",
    "greater_than_equal",
    "json_invalid",
}


def storable(text: str) -> str:
    if re.search("[\0\ud800-\udfff]", text):
        raise PydanticKnownError("string_unicode")
    return text


def whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def tree(value: Any) -> Any:
    """Check what is in a free object as if it were declared; the faults in it keep their places."""
    known = {str: TEXT, dict: OBJECT, list: LIST}.get(type(value))
    return value if known is None else known.validate_python(value, strict=True)


Text = Annotated[str, AfterValidator(storable)]
Whole = BeforeValidator(whole)
Tree = Annotated[Any, AfterValidator(tree)]
Object = dict[Text, Tree]
TEXT, OBJECT, LIST = TypeAdapter(Text), TypeAdapter(Object), TypeAdapter(list[Tree])


class BackgroundGeneratorRequest(BaseModel):
    """POST /v1/background-generator — a catalog-background spec."""

    image_model: Text | None = None
    eval_enabled: bool | None = None
    resolution: Text | None = None
    aspect_ratio: Text | None = None
    seed: Annotated[int, Whole] | None = None
    on_technical_failure: Text | None = None
    display_name: Text = ""
    scene_type: Text
    mood: Text
    dominant_colors: list[Text] = Field(default_factory=list)
    metadata: Object = Field(default_factory=dict)
    pilot_brand: Text | None = None


class ExtractionContext(BaseModel):
    """Caller hints to target the on-sale item. Mirrors studio.schema.extraction.ExtractionContext."""

    max_items: Annotated[int, Field(ge=1), Whole] | None = None
    product_name: Text | None = None
    product_description: Text | None = None


class ExtractTrialItemsRequest(BaseModel):
    """Extraction submission."""

    trial_image: Text = Field(description="S3 object key of the model / trial image to extract items from.")
    runtime_config: Object | None = None
    extraction_context: ExtractionContext | None = None


MODELS = {"/v1/background-generator": BackgroundGeneratorRequest, "/v1/extract": ExtractTrialItemsRequest}


def read(path: str, body: bytes) -> tuple[BaseModel | None, list[dict[str, Any]]]:
    """Return the model of a body that is accepted, or else its faults."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=refuse, parse_float=finite)
        if levels(value) > LEVELS:
            raise ValueError("too deep")
    except (ValueError, RecursionError):
        return None, [{"loc": ["body"], "type": "json_invalid"}]
    try:
        return TypeAdapter(MODELS[path]).validate_python(value, strict=True, from_attributes=True), []
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        return None, [{**fault, "loc": ["body", *fault["loc"]]} for fault in faults]


def refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(text)
    return number


def levels(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(levels, value.values() if isinstance(value, dict) else value), default=0)
