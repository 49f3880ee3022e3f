"""GET /v1/workflows and /v1/models: what they say is what orders are checked, priced and made by."""

import json
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from jsonschema import Draft202012Validator

from billing.keys import create_key
from billing.models import Price
from tests.conftest import Shop
from tests.gateway import ROOT
from tests.helpers import SPEC, get, post
from workflows.catalogue import DEFINITIONS
from workflows.engines.sizes import PIXEL_CLASSES, RATIOS
from workflows.models import Workflow

CONTRACT = json.loads((ROOT / "tests" / "contract" / "openapi.json").read_text())["components"]["schemas"]


def workflows(shop: Shop) -> dict[str, dict[str, Any]]:
    answer = get(shop, "/v1/workflows")
    assert answer.status_code == 200
    return {workflow["name"]: workflow for workflow in answer.json()["workflows"]}


def models(shop: Shop) -> dict[tuple[str, str], dict[str, Any]]:
    answer = get(shop, "/v1/models")
    assert answer.status_code == 200
    return {(model["workflow"], model["model"]): model for model in answer.json()["models"]}


def cost(shop: Shop, path: str, spec: dict[str, Any]) -> int:
    return post(shop, f"/v1/{path}?dry_run=true", spec).json()["credits_cost"]


def test_the_workflows_are_told_with_limits_and_prices(db, shop: Shop):
    Workflow.objects.filter(name="extract").update(
        enabled=False, summary="Cut out.", max_attempts=7, output_format="webp"
    )
    told = workflows(shop)
    assert told.keys() == DEFINITIONS.keys()
    extract, background = told["extract"], told["background-generator"]
    extract.pop("spec")
    assert extract == {
        "name": "extract",
        "summary": "Cut out.",
        "enabled": False,
        "time_limit_seconds": 120.0,
        "max_attempts": 7,
        "deadline_seconds": 1800.0,
        "output_format": "webp",
        "prices": [
            {"model": None, "pixel_class": None, "credits": 3},
            {"model": "gemini-2.5-flash", "pixel_class": None, "credits": 5},
        ],
    }
    assert background["enabled"] is True
    assert [(price["model"], price["pixel_class"], price["credits"]) for price in background["prices"]][:6] == [
        (None, None, 2),
        (None, "2K", 4),
        (None, "4K", 8),
        (None, "512", 1),
        ("gemini-3-pro-image", None, 15),
        ("gemini-3-pro-image", "4K", 28),
    ]


def test_the_schemas_are_the_contracts(db, shop: Shop):
    told = workflows(shop)
    background = dict(told["background-generator"]["spec"])
    assert background.pop("$schema") == "https://json-schema.org/draft/2020-12/schema"
    assert background == CONTRACT["BackgroundGeneratorRequest"]
    extract = Draft202012Validator(told["extract"]["spec"])
    extract.check_schema(extract.schema)
    assert extract.is_valid({"trial_image": "a.jpg", "extraction_context": {"max_items": 1}})
    assert not extract.is_valid({"trial_image": "a.jpg", "extraction_context": {"max_items": 0}})
    assert not extract.is_valid({})
    assert extract.schema["$defs"] == {"ExtractionContext": CONTRACT["ExtractionContext"]}


def test_each_size_of_a_model_costs_what_its_order_would(db):
    shop = Shop.make()
    Price.objects.create(workflow="background-generator", model=None, pixel_class="1K", credits=3)
    told = models(shop)
    assert told.keys() == {("background-generator", "built-in"), ("extract", "built-in")}
    background = told["background-generator", "built-in"]
    sizes = background["sizes"]
    assert [(size["resolution"], size["aspect_ratio"]) for size in sizes] == [
        (resolution, ratio) for resolution in PIXEL_CLASSES for ratio in RATIOS
    ]
    for size in sizes[:: len(RATIOS) + 1]:
        named = {"resolution": size["resolution"], "aspect_ratio": size["aspect_ratio"]}
        exact = {"resolution": f"{size['width']}x{size['height']}"}
        assert cost(shop, "background-generator", {**SPEC, **named}) == size["credits"]
        assert cost(shop, "background-generator", {**SPEC, **exact}) == size["credits"]
    assert {size["resolution"]: size["credits"] for size in sizes} == {"512": 1, "1K": 3, "2K": 4, "4K": 8}
    assert background["credits"] == cost(shop, "background-generator", SPEC) == 3
    extract = told["extract", "built-in"]
    assert (extract["credits"], extract["sizes"]) == (cost(shop, "extract", {"trial_image": "a.jpg"}), [])
    assert all(model["cannot"] for model in told.values())


def test_a_test_key_is_told_what_a_live_one_would_pay(db, shop: Shop):
    live = models(shop)
    _, shop.key = create_key(client=shop.client, test=True)
    assert models(shop) == live


def test_what_is_off_has_no_models_and_what_has_no_price_says_so(db, shop: Shop):
    Workflow.objects.filter(name="extract").update(enabled=False)
    Price.objects.filter(pixel_class=None).delete()
    told = models(shop)
    assert list(told) == [("background-generator", "built-in")]
    background = told["background-generator", "built-in"]
    assert background["credits"] is None
    assert {size["credits"] for size in background["sizes"]} == {1, None, 4, 8}
    assert workflows(shop)["extract"]["prices"] == []


def test_a_change_is_told_with_the_next_read_and_costs_no_statement_until_then(db, shop: Shop):
    workflows(shop), models(shop)
    for read in (workflows, models):
        with CaptureQueriesContext(connection) as statements:
            read(shop)
        assert len(statements) == 1
    Price.objects.filter(workflow="extract").update(credits=5)
    assert workflows(shop)["extract"]["prices"][0]["credits"] == 5
    assert models(shop)["extract", "built-in"]["credits"] == 5
