"""The providers' models, as rows: which can be ordered, at which sizes and prices, and how the others fail."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Configuration, Price
from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.gateway import ROOT
from tests.helpers import SPEC, get, order, post
from workflows import line_up
from workflows.engines.base import EngineError
from workflows.models import ImageModel, Job

BACKGROUND, EXTRACT = "background-generator", "extract"
TODAY = datetime.now(UTC).date()


@pytest.fixture
def keys(settings) -> None:
    settings.GEMINI_API_KEY = settings.OPENAI_API_KEY = "a key"
    ImageModel.objects.update(shut_down_on=None)


def models(shop: Shop) -> dict[str, dict[str, Any]]:
    return {model["model"]: model for model in get(shop, "/v1/models").json()["models"] if model["model"] != "built-in"}


def warnings(shop: Shop, workflow: str = BACKGROUND, **spec: Any) -> list[tuple[list[Any], str, str]]:
    body = {**(SPEC if workflow == BACKGROUND else {"trial_image": f"clients/{shop.client.pk}/x.jpg"}), **spec}
    said = post(shop, f"/v1/{workflow}?dry_run=true", body).json()["warnings"]
    return [(each["loc"], each["type"], each["msg"]) for each in said if each["loc"] != ["body", "trial_image"]]


def cost(shop: Shop, workflow: str = BACKGROUND, **spec: Any) -> int:
    body = {**(SPEC if workflow == BACKGROUND else {"trial_image": "x.jpg"}), **spec}
    return post(shop, f"/v1/{workflow}?dry_run=true", body).json()["credits_cost"]


def made_by(job: Job) -> line_up.Maker:
    return line_up.maker_for(job, version=Configuration.objects.get().version)


def fails(workflow: str = BACKGROUND, **spec: Any) -> EngineError:
    """Return what a job of this spec ends with before its engine is called."""
    with pytest.raises(EngineError) as raised:
        made_by(Job(id=new_ulid(), workflow=workflow, spec={**SPEC, **spec}))
    return raised.value


# Which there are


def test_without_keys_there_is_none_and_with_a_key_its_providers(db, shop: Shop, settings):
    assert models(shop) == {}
    settings.GEMINI_API_KEY = "a key"
    assert models(shop).keys() - {"gemini-2.5-flash"} == {"gemini-3-pro-image", "gemini-3.1-flash-image"}
    settings.GEMINI_API_KEY, settings.OPENAI_API_KEY = "", "a key"
    assert models(shop).keys() == {"gpt-image-2", "gpt-image-2.5-flare", "gpt-image-2.5-sunburst"}


def test_what_is_off_or_shut_down_is_not_told_and_an_announced_day_is(db, shop: Shop, keys):
    off, gone, today, soon = ("gpt-image-2", "gpt-image-2.5-flare", "gemini-3-pro-image", "gemini-3.1-flash-image")
    ImageModel.objects.filter(name=off).update(enabled=False)
    for name, days in ((gone, -1), (today, 0), (soon, 1)):
        ImageModel.objects.filter(name=name).update(shut_down_on=TODAY + timedelta(days=days))
    told = models(shop)
    assert told.keys() == {soon, "gpt-image-2.5-sunburst", "gemini-2.5-flash"}
    assert told[soon]["shut_down_on"] == str(TODAY + timedelta(days=1))
    assert told["gpt-image-2.5-sunburst"]["shut_down_on"] is None


def test_a_change_is_told_with_the_next_read_and_costs_no_statement_until_then(db, shop: Shop, keys):
    models(shop)
    for path in ("/v1/models", "/v1/workflows"):
        with CaptureQueriesContext(connection) as statements:
            get(shop, path)
        assert len(statements) == 1
    ImageModel.objects.filter(name="gpt-image-2").update(enabled=False)
    assert "gpt-image-2" not in models(shop)


def test_an_order_of_a_model_writes_and_reads_no_more_than_another(own_database, settings):
    settings.GEMINI_API_KEY = "a key"
    shop, counts = Shop.make(), []
    for model in ("built-in", "gemini-3-pro-image", "nothing like it"):
        post(shop, f"/v1/{BACKGROUND}", {**SPEC, "image_model": model})
        with CaptureQueriesContext(connection) as statements:
            assert post(shop, f"/v1/{BACKGROUND}", {**SPEC, "image_model": model}).status_code == 202
        counts.append(len(statements))
    assert len(set(counts)) == 1


# Sizes and prices


def test_each_size_that_is_told_can_be_had_at_its_price(db, shop: Shop, keys):
    told = models(shop)
    sizes = {name: {(s["resolution"], s["aspect_ratio"]) for s in model["sizes"]} for name, model in told.items()}
    assert len(sizes["gemini-3-pro-image"]) == 3 * 10
    assert len(sizes["gemini-3.1-flash-image"]) == 3 * 14
    assert len(sizes["gpt-image-2"]) == 2 * 10  # of 4K it makes what has no name
    assert sizes["gemini-2.5-flash"] == set()
    for name, model in told.items():
        for size in model["sizes"][::7]:
            asked = {"image_model": name, "resolution": size["resolution"], "aspect_ratio": size["aspect_ratio"]}
            assert warnings(shop, **asked) == []
            assert cost(shop, **asked) == size["credits"]
    assert {s["credits"] for s in told["gemini-3-pro-image"]["sizes"]} == {15, 28}
    assert (told["gemini-2.5-flash"]["credits"], cost(shop, EXTRACT)) == (5, 3)
    assert cost(shop, EXTRACT, runtime_config={"model": "gemini-2.5-flash"}) == 5


@pytest.mark.parametrize("written", ["gpt-image-2", " GPT-Image-2 ", "Gpt-iMAGE-2\n"])
def test_a_model_costs_the_same_however_it_is_written(db, shop: Shop, keys, written: str):
    assert cost(shop, image_model=written) == 8
    Price.objects.filter(model="gpt-image-2", pixel_class=None).update(model=" GPT-image-2", credits=9)
    assert cost(shop, image_model=written) == 9
    assert warnings(shop, image_model=written) == []


NOT_MADE = {
    "a small one": ("gemini-3-pro-image", {"resolution": "512"}),
    "a long one": ("gemini-3-pro-image", {"aspect_ratio": "1:4"}),
    "a wide one": ("gemini-3-pro-image", {"resolution": "2000x800"}),
    "4K of OpenAI": ("gpt-image-2", {"resolution": "4K"}),
    "too wide for OpenAI": ("gpt-image-2", {"resolution": "3200x1000"}),
    "a side too long for OpenAI": ("gpt-image-2", {"resolution": "3856x1800"}),
}


@pytest.mark.parametrize(("model", "size"), NOT_MADE.values(), ids=NOT_MADE)
def test_a_size_that_a_model_does_not_make_is_warned_of_and_fails_with_what_there_is(
    db, shop: Shop, keys, model: str, size: dict[str, str]
):
    ((loc, code, message),) = warnings(shop, image_model=model, **size)
    error = fails(image_model=model, **size)
    assert (loc, code) == (["body", "resolution"], "size_not_made")
    assert (error.code, error.message, error.technical) == (code, message, False)
    assert "1K, 2K, 4K" in message and "21:9" in message


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("gpt-image-2", {"resolution": "3840x2160"}),
        ("gpt-image-2", {"resolution": "600x500"}),
        ("gpt-image-2", {"aspect_ratio": "2:1"}),
        ("gemini-3-pro-image", {"resolution": "1000x1200"}),
        ("gemini-3.1-flash-image", {"resolution": "4k", "aspect_ratio": "8:1"}),
    ],
)
def test_a_size_without_a_name_can_be_had(db, shop: Shop, keys, model: str, size: dict[str, str]):
    assert warnings(shop, image_model=model, **size) == []
    found = made_by(Job(workflow=BACKGROUND, spec={**SPEC, "image_model": model, **size}))
    assert found.model is not None and found.name == model


def test_an_impossible_size_is_warned_of_once(db, shop: Shop, keys):
    assert [w[1] for w in warnings(shop, image_model="gpt-image-2", resolution="97K")] == ["unknown_resolution"]
    assert fails(image_model="gpt-image-2", resolution="97K").code == "unknown_resolution"


# What cannot be ordered


def test_a_model_that_cannot_be_had_is_warned_of_and_fails_with_what_there_is(db, shop: Shop, settings):
    settings.GEMINI_API_KEY = "a key"
    ImageModel.objects.filter(name="gemini-3-pro-image").update(shut_down_on="2026-01-31")
    for model, code in {
        "dall-e-3": "unknown_model",
        "gemini": "unknown_model",  # the code, which is no model
        "gemini-3-pro-image": "model_shut_down",
        "gpt-image-2": "engine_not_configured",
    }.items():
        ((loc, said, message),) = warnings(shop, image_model=model)
        error = fails(image_model=model)
        assert (loc, said) == (["body", "image_model"], code)
        assert (error.code, error.message, error.technical) == (code, message, False)
        assert "There is: built-in, gemini-3.1-flash-image;" in message
    assert "2026-01-31" in fails(image_model="gemini-3-pro-image").message
    ImageModel.objects.filter(name="gpt-image-2").update(enabled=False)
    assert fails(image_model="gpt-image-2").code == "unknown_model"


@pytest.mark.parametrize("model", ["dall-e-3", "gpt-image-2", 7, True, ["gemini-2.5-flash"], {"a": 1}, ""])
def test_extract_names_its_model_in_runtime_config(db, shop: Shop, keys, model: Any):
    ((loc, code, message),) = warnings(shop, EXTRACT, runtime_config={"model": model})
    assert (loc, code) == (["body", "runtime_config", "model"], "unknown_model")
    assert "There is: built-in, gemini-2.5-flash;" in message
    assert fails(EXTRACT, runtime_config={"model": model}).message == message


@pytest.mark.parametrize("config", [None, {}, {"model": None}, {"model": "Built-in"}, {"model": " GEMINI-2.5-flash "}])
def test_extract_without_a_model_or_with_one_that_there_is(db, shop: Shop, keys, config: Any):
    assert warnings(shop, EXTRACT, runtime_config=config) == []


def test_a_job_names_the_model_that_makes_it(db, shop: Shop):
    for spec, engine in (({"image_model": " GPT-image-2"}, "gpt-image-2"), ({}, "built-in")):
        assert get(shop, f"/v1/jobs/{order(shop, spec={**SPEC, **spec}).pk}").json()["engine"] == engine
    job = order(shop, workflow=EXTRACT, spec={"trial_image": "x", "runtime_config": {"model": "Gemini-2.5-flash"}})
    assert get(shop, f"/v1/jobs/{job.pk}").json()["engine"] == "gemini-2.5-flash"


# The web process


def test_the_web_process_imports_no_image_library_and_no_sdk():
    """Neither to serve nor to price, to warn and to list; what imports an SDK takes seconds and 100 MB."""
    code = """
import sys, django
from django.conf import settings
settings.GEMINI_API_KEY = settings.OPENAI_API_KEY = "a key"
import studio_gateway.wsgi
from django.urls import get_resolver
get_resolver().url_patterns
from workflows.catalogue import DEFINITIONS
from workflows.engines.providers.sizes import openai_sides
found = {"cv2", "numpy", "google.genai", "openai", "httpx2"} & set(sys.modules)
sys.exit(f"imported: {found}" if found else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
