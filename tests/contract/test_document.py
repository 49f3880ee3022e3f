"""/openapi.json: the published contract to the letter, and the rest as careful."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from studio_gateway.api.documentation import CODES
from studio_gateway.api.errors import DOMAIN_STATUS
from tests.gateway import ROOT
from tests.helpers import get, post
from tests.http_client import HttpClient

CONTRACT = json.loads((Path(__file__).parent / "openapi.json").read_text())


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    answer = get(None, "/openapi.json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    return answer.json()


def first_difference(published: Any, ours: Any, *, at: str = "") -> str | None:
    """Say where two parts of documents first differ, and how; 1 is not 1.0, and properties have an order."""
    if isinstance(published, dict) and isinstance(ours, dict):
        if published.keys() != ours.keys() or (at.endswith("/properties") and list(published) != list(ours)):
            return f"{at}: published {list(published)}, ours {list(ours)}"
        pairs = [(key, published[key], ours[key]) for key in published]
    elif isinstance(published, list) and isinstance(ours, list) and len(published) == len(ours):
        pairs = [(str(position), *both) for position, both in enumerate(zip(published, ours, strict=True))]
    else:
        same = type(published) is type(ours) and published == ours
        return None if same else f"{at}: published {published!r}, ours {ours!r}"
    differences = (first_difference(theirs, here, at=f"{at}/{key}") for key, theirs, here in pairs)
    return next((difference for difference in differences if difference), None)


def without_extras(published: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """Leave out of our operation what may go beyond the contract, and no more than that."""
    known = [parameter["name"] for parameter in published["parameters"]]
    return {
        **{key: value for key, value in ours.items() if key not in ("operationId", "tags")},
        "parameters": [part for part in ours["parameters"] if part["required"] or part["name"] in known],
        "responses": {code: body for code, body in ours["responses"].items() if code in published["responses"]},
    }


def test_it_is_the_contract_to_the_letter(document):
    for path, item in CONTRACT["paths"].items():
        ours = {"post": without_extras(item["post"], document["paths"][path]["post"])}
        assert first_difference(item, {**document["paths"][path], **ours}, at=path) is None
    schemas = {name: document["components"]["schemas"].get(name) for name in CONTRACT["components"]["schemas"]}
    components = {**document["components"], "schemas": schemas}
    assert first_difference(CONTRACT["components"], components, at="/components") is None
    assert document["openapi"] == CONTRACT["openapi"]


@pytest.mark.parametrize(
    "change",
    [
        lambda schema: schema.update(deprecated=False),
        lambda schema: schema.update(title="max items"),
        lambda schema: schema["anyOf"][0].update(minimum=1),
        lambda schema: schema["anyOf"].reverse(),
        lambda schema: schema.pop("title"),
    ],
)
def test_the_slightest_difference_would_be_found(change):
    changed = json.loads(json.dumps(CONTRACT))
    change(changed["components"]["schemas"]["ExtractionContext"]["properties"]["max_items"])
    assert "/components/schemas/ExtractionContext/properties/max_items" in first_difference(CONTRACT, changed)


def test_the_order_of_properties_counts():
    changed = json.loads(json.dumps(CONTRACT))
    properties = changed["components"]["schemas"]["ExtractionContext"]["properties"]
    properties["max_items"] = properties.pop("max_items")
    assert first_difference(CONTRACT, changed).startswith("/components/schemas/ExtractionContext/properties: published")


def test_it_is_valid_openapi_3_1(document):
    OpenAPIV31SpecValidator(document).validate()


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        yield from item.values()


def test_every_example_is_what_its_schema_says(document):
    seen = 0
    for operation in operations(document):
        for response in operation["responses"].values():
            body = response.get("content", {}).get("application/json", {})
            for example in body.get("examples", {}).values():
                Draft202012Validator({**document, **body["schema"]}).validate(example["value"])
                seen += 1
    assert seen > 20


def test_what_the_contract_does_not_say_is_described(document):
    for name, schema in document["components"]["schemas"].items():
        if name not in CONTRACT["components"]["schemas"]:
            assert schema["description"], name
            for field, part in schema["properties"].items():
                assert part["description"], f"{name}.{field}"
    for path, item in document["paths"].items():
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                assert parameter.get("description") or parameter["name"] == "X-Shopify-Hmac-Sha256", path
            for code, response in operation["responses"].items():
                assert response["description"], (path, code)
                if path not in CONTRACT["paths"] and code not in ("204", "304"):
                    assert response["content"]["application/json"]["examples"], (path, code)


def test_every_refusal_of_the_domain_is_documented():
    assert DOMAIN_STATUS.items() <= {code: status for code, (status, _) in CODES.items()}.items()


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/docs/guide", "/redoc"])
def test_it_is_only_read(path: str):
    answer = post(None, path, {}, http=HttpClient(enforce_csrf_checks=True))
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_it_is_sent_once_to_who_keeps_it():
    first = get(None, "/openapi.json")
    again = get(None, "/openapi.json", HTTP_IF_NONE_MATCH=first.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")


ASKED_AT_ONCE = """
import sys
from concurrent.futures import ThreadPoolExecutor
import django
django.setup()
from studio_gateway import urls
from studio_gateway.api.openapi import document
sys.setswitchinterval(1e-6)
with ThreadPoolExecutor(4) as threads:
    written = {job.result() for job in [threads.submit(document) for _ in range(4)]}
sys.stdout.buffer.write(b"".join(written))
"""


def test_every_process_writes_the_same_bytes_whoever_asks_first():
    """Whatever order its sets have, and however many threads begin with it."""
    for seed in ("1", "2"):
        process = subprocess.run(
            [sys.executable, "-c", ASKED_AT_ONCE],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
        )
        assert process.returncode == 0, process.stderr.decode()
        assert process.stdout == get(None, "/openapi.json").content
