"""The API document, /openapi.json: generated from views and serializers, written as the published contract is."""

import json
import re
from functools import cache
from threading import Lock
from typing import Any

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import conditional_page, require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator

from studio_gateway.api.guide import POLICY as GUIDE_POLICY

Schema = dict[str, Any]

# What is said of a value and not of one of its types: it stands beside an anyOf, not in it.
REMARKS = ("title", "description", "default")

# Both pages style their elements one by one; Redoc searches in a worker.
DOCS_POLICY = {**GUIDE_POLICY, "style-src": [SELF, UNSAFE_INLINE], "worker-src": ["blob:"]}

# Where the document has its schemas.
PLACE = "#/components/schemas/"

_generating = Lock()


class HTTPBearer(OpenApiAuthenticationExtension):
    target_class = "billing.authentication.BearerAuthentication"
    name = "HTTPBearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


def document() -> bytes:
    """Return the document, which is generated once in each process."""
    with _generating:  # the first generation loads drf-spectacular's extensions, which only one thread at a time can do
        return _generated()


@cache
def _generated() -> bytes:
    return json.dumps(SchemaGenerator().get_schema(public=True), ensure_ascii=False).encode()


@cache
def json_schema(name: str) -> Schema:
    """Return a schema of the document as a JSON Schema of its own, with those that it refers to."""
    schemas = json.loads(document())["components"]["schemas"]
    needed, wanted = {}, [name]
    while wanted:
        part = wanted.pop()
        needed[part] = text = json.dumps(schemas[part])
        wanted += [found for found in re.findall(f'"{PLACE}(.+?)"', text) if found not in needed]
    moved = {part: json.loads(text.replace(PLACE, "#/$defs/")) for part, text in needed.items()}
    own = {"$schema": "https://json-schema.org/draft/2020-12/schema", **moved.pop(name)}
    return {**own, "$defs": moved} if moved else own


@csrf_exempt
@require_safe
@conditional_page
def openapi_json(request: HttpRequest) -> HttpResponse:
    return HttpResponse(document(), content_type="application/json")


@csrf_exempt
@require_safe
@csp(DOCS_POLICY)  # type: ignore[arg-type]
def docs_page(request: HttpRequest, page: str) -> HttpResponse:
    """Show the document with Swagger UI (`docs`) or Redoc (`redoc`), whose code asks no other host than this one."""
    return render(request, f"docs/{page}.html", {"page": page})


def as_published(result: Schema, **_: Any) -> Schema:
    """Rewrite drf-spectacular's OpenAPI 3.1 into the contract's: the same meaning, in pydantic's words."""
    schemas = result["components"]["schemas"]
    for name, schema in schemas.items():
        schemas[name] = {**_schema(schema), "title": name}
    for operations in result["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                parameter.setdefault("required", False)
                parameter["schema"] = _titled(parameter["name"], parameter["schema"])
    return result


def _schema(schema: Schema) -> Schema:
    """Rewrite a schema and those in it: null by anyOf, bounds as floats, `required` in the order of the properties."""
    schema = {key: value for key, value in schema.items() if key != "readOnly"}
    for bound in {"minimum", "maximum"} & schema.keys():
        schema[bound] = float(schema[bound])
    if "items" in schema:
        schema["items"] = _schema(schema["items"])
    if "properties" in schema:
        required = schema.pop("required", ())
        schema["properties"] = {name: _titled(name, part) for name, part in schema["properties"].items()}
        if required:
            schema["required"] = [name for name in schema["properties"] if name in required]
    match schema:
        case {"allOf": [reference]}:
            del schema["allOf"]
            return {**reference, **schema}
        case {"oneOf": alternatives}:
            del schema["oneOf"]
            return {"anyOf": [_schema(alternative) for alternative in alternatives], **schema}
        case {"type": [kind, "null"]}:
            remarks = {key: schema.pop(key) for key in REMARKS if key in schema}
            return {"anyOf": [{**schema, "type": kind}, {"type": "null"}], **remarks}
    return schema


def _titled(name: str, schema: Schema) -> Schema:
    """Rewrite the schema of a property or parameter, and title it by its name unless it is a component of its own."""
    schema = _schema(schema)
    if any("$ref" in part for part in (schema, *schema.get("anyOf", ()))):
        return schema
    return {"title": name.replace("_", " ").title(), **schema}
