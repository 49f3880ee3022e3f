"""POST /v1/{workflow}?dry_run=true: what would come of an order, and nothing comes of it."""

import io
import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from PIL import Image, ImageDraw

from billing.keys import create_key
from billing.models import Client, Configuration, LedgerEntry, Price
from requestlog.models import RequestLog
from tests.conftest import Shop
from tests.helpers import SPEC, nothing_was_ordered, post, refused
from tests.shopify import install, needs_openssl
from tests.shopify import order as order_signed
from workflows import line_up
from workflows.catalogue import Order
from workflows.engines.base import EngineError
from workflows.models import Job, Workflow
from workflows.storage import MAX_PHOTO_BYTES

BACKGROUND, EXTRACT = "/v1/background-generator", "/v1/extract"


def client_row(shop: Shop) -> Any:
    return Client.objects.filter(pk=shop.client.pk).values().get()


def dry_run(shop: Shop, spec: Any = SPEC, *, path: str = BACKGROUND, key: str = "", **headers: str) -> dict[str, Any]:
    """Try an order and return what would come of it; nothing has, but for one log row."""
    before = (client_row(shop), Job.objects.count(), LedgerEntry.objects.count(), RequestLog.objects.count() + 1)
    answer = post(Shop(shop.client, key or shop.key), f"{path}?dry_run=true", spec, **headers)
    assert answer.status_code == 200, answer.content
    after = (client_row(shop), Job.objects.count(), LedgerEntry.objects.count(), RequestLog.objects.count())
    assert after == before
    log = RequestLog.objects.get(pk=answer.headers["X-Request-Id"])
    assert (log.status, log.code, log.job_id, log.client_id) == (200, "", "", shop.client.pk)
    assert "Location" not in answer.headers
    said = answer.json()
    assert set(said) == {"credits_cost", "balance", "balance_after", "would_be_accepted", "refusal", "warnings"}
    assert said["balance"] == shop.balance
    return said


# The price


@pytest.mark.parametrize(("said", "status"), [("true", 200), ("True", 200), ("false", 202), ("False", 202)])
def test_true_and_false_may_be_written_as_python_writes_them(db, shop: Shop, said: str, status: int):
    assert post(shop, f"{BACKGROUND}?dry_run={said}", SPEC).status_code == status
    assert Job.objects.count() == (status == 202)


@pytest.mark.parametrize(
    ("path", "spec"),
    [
        (BACKGROUND, SPEC),
        (BACKGROUND, {**SPEC, "resolution": "512"}),
        (BACKGROUND, {**SPEC, "resolution": "4096x4096"}),
        (BACKGROUND, {**SPEC, "image_model": "gemini"}),
        (BACKGROUND, {**SPEC, "image_model": "gemini", "resolution": "2K"}),
        (BACKGROUND, {**SPEC, "resolution": "97K"}),
        (EXTRACT, {"trial_image": "clients/1/a.jpg"}),
    ],
)
def test_an_order_costs_what_its_dry_run_said(db, shop: Shop, path: str, spec: dict):
    Price.objects.create(workflow="background-generator", model="gemini", credits=11)
    Price.objects.create(workflow="background-generator", model="gemini", pixel_class="2K", credits=13)
    said = dry_run(shop, spec, path=path)
    assert (said["would_be_accepted"], said["refusal"]) == (True, None)
    ordered = post(shop, path, spec)
    assert ordered.json()["credits_cost"] == said["credits_cost"] > 0
    assert shop.balance == said["balance_after"] < said["balance"]


def test_with_a_test_key_it_costs_nothing(db):
    shop = Shop.make(credits=0)
    _, key = create_key(client=shop.client, test=True)
    said = dry_run(shop, {**SPEC, "resolution": "4K"}, key=key)
    assert (said["credits_cost"], said["balance_after"], said["would_be_accepted"]) == (0, 0, True)


def test_without_a_price_there_is_nothing_to_say(db, shop: Shop):
    Price.objects.all().delete()
    refused(post(shop, f"{BACKGROUND}?dry_run=true", SPEC), 503, "no_price")
    nothing_was_ordered(shop)


def test_it_costs_one_statement_beyond_its_log_row(own_database, shop: Shop):
    dry_run(shop)  # warms the configuration cache
    with CaptureQueriesContext(connection) as statements:
        post(shop, f"{BACKGROUND}?dry_run=true", {**SPEC, "resolution": "97K"})
    assert [statement["sql"].split()[0] for statement in statements] == ["SELECT", "BEGIN", "INSERT", "COMMIT"]


# Whether it would be accepted


def update(model: Any, **values: Any) -> Callable[[], Any]:
    return lambda: model.objects.update(**values)


POOR, FULL = update(Price, credits=101), update(Client, max_open_jobs=0)
FAST, OFF = update(Client, orders_tat="2100-01-01T00:00Z"), update(Workflow, enabled=False)
# What is wrong, all of it at once, and the status of the refusal, which names the first.
REFUSALS: dict[str, tuple[list[Callable[[], Any]], int]] = {
    "workflow_disabled": ([OFF, POOR, FULL, FAST], 503),
    "insufficient_credits": ([POOR, FULL, FAST], 402),
    "too_many_open_jobs": ([FULL, FAST], 429),
    "too_many_orders": ([FAST], 429),
}


@pytest.mark.parametrize("code", REFUSALS)
def test_what_would_be_refused_is_told_as_the_refusal_would_tell_it(db, shop: Shop, code: str):
    changes, status = REFUSALS[code]
    for change in changes:
        change()
    said = dry_run(shop)
    assert (said["would_be_accepted"], said["balance_after"], said["warnings"]) == (False, 100, [])
    answer = refused(post(shop, BACKGROUND, SPEC), status, code)
    seconds = r"\d+ s\."  # the clock goes on between the two
    assert re.sub(seconds, "", said["refusal"].pop("detail")) == re.sub(seconds, "", answer["detail"])
    assert said["refusal"] == {"code": code}
    nothing_was_ordered(shop)


def test_a_suspended_client_may_not_ask(db, shop: Shop):
    Client.objects.update(suspended_at=shop.client.created_at)
    refused(post(shop, f"{BACKGROUND}?dry_run=true", SPEC), 403, "client_suspended")


def test_a_faulty_body_is_a_422(db, shop: Shop):
    answer = post(shop, f"{BACKGROUND}?dry_run=true", {"scene_type": 1})
    assert answer.status_code == 422
    assert [fault["loc"] for fault in answer.json()["detail"]] == [["body", "scene_type"], ["body", "mood"]]
    nothing_was_ordered(shop)


# Warnings


def warned(said: dict[str, Any]) -> list[tuple[list[Any], str]]:
    assert all(set(fault) == {"loc", "msg", "type"} and fault["msg"] for fault in said["warnings"])
    return [(fault["loc"], fault["type"]) for fault in said["warnings"]]


def performed(shop: Shop, workflow: str, spec: dict[str, Any]) -> str:
    """Let the engine do it; return the code that it fails with, or nothing."""
    try:
        maker = line_up.maker_for(Job(workflow=workflow, spec=spec), version=Configuration.objects.get().version)
        maker.engine.perform(Order(client=shop.client, spec=spec, seed=1))
    except EngineError as error:
        return error.code
    return ""


SMALL = {**SPEC, "resolution": "64x64"}
IMPOSSIBLE: dict[str, tuple[dict[str, Any], list[tuple[list[Any], str]]]] = {
    "a model": ({"image_model": "dall-e"}, [(["body", "image_model"], "unknown_model")]),
    "an empty model": ({"image_model": ""}, [(["body", "image_model"], "unknown_model")]),
    "a resolution": ({"resolution": "97K"}, [(["body", "resolution"], "unknown_resolution")]),
    "a resolution too large": ({"resolution": "9999x9999"}, [(["body", "resolution"], "unknown_resolution")]),
    "a ratio": ({"aspect_ratio": "wide"}, [(["body", "aspect_ratio"], "unknown_aspect_ratio")]),
    "a ratio too long": ({"aspect_ratio": "9:1"}, [(["body", "aspect_ratio"], "unknown_aspect_ratio")]),
    "two sizes": ({"aspect_ratio": "16:9"}, [(["body", "resolution"], "contradictory_size")]),
    "a color": ({"dominant_colors": ["sage", "greenish"]}, [(["body", "dominant_colors", 1], "unknown_color")]),
    "colors": (
        {"dominant_colors": ["", "red", "#12", "#123"]},
        [(["body", "dominant_colors", 0], "unknown_color"), (["body", "dominant_colors", 2], "unknown_color")],
    ),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_no_engine_can_do_is_warned_of_and_fails_with_the_same_code(db, shop: Shop, case: str):
    changes, expected = IMPOSSIBLE[case]
    said = dry_run(shop, {**SMALL, **changes})
    assert warned(said) == expected
    assert said["would_be_accepted"]
    assert performed(shop, "background-generator", {**SMALL, **changes}) == expected[0][1]


def test_all_of_it_is_warned_of_at_once_in_the_order_of_the_schema(db, shop: Shop):
    spec = {**SPEC, "dominant_colors": ["x", "y"], "aspect_ratio": "z", "resolution": "97K", "image_model": "dall-e"}
    assert warned(dry_run(shop, spec)) == [
        (["body", "image_model"], "unknown_model"),
        (["body", "resolution"], "unknown_resolution"),
        (["body", "aspect_ratio"], "unknown_aspect_ratio"),
        (["body", "dominant_colors", 0], "unknown_color"),
        (["body", "dominant_colors", 1], "unknown_color"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"image_model": None, "aspect_ratio": None, "dominant_colors": []},
        {"image_model": " Built-In "},
        {"resolution": " 64 × 72 "},
        {"resolution": "128x64", "aspect_ratio": "2/1"},
        {"resolution": "64x512", "aspect_ratio": " "},
        {"resolution": "512", "aspect_ratio": "8:1"},
        {"dominant_colors": ["SAGE", "#ABC", "abcdef", "light_blue", "Dark Grey", "off-white"] * 2},
    ],
    ids=str,
)
def test_what_the_engine_can_do_is_not_warned_of(db, shop: Shop, changes: dict):
    spec = {**SMALL, **changes}
    assert warned(dry_run(shop, spec)) == []
    assert performed(shop, "background-generator", spec) == ""


def test_a_megabyte_of_impossible_colors_is_warned_of_a_hundred_times(db, shop: Shop):
    answer = post(shop, f"{BACKGROUND}?dry_run=true", {**SPEC, "dominant_colors": ["x"] * 180_000})
    assert answer.status_code == 200
    assert len(answer.json()["warnings"]) == 100
    assert len(answer.content) < 50_000


def photo() -> bytes:
    image = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(image).rectangle((60, 60, 140, 140), fill="navy")
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


TRIAL_IMAGES = {
    "clients/{own}/none.jpg": "trial_image_not_found",
    "clients/{own}/": "trial_image_not_found",
    "clients/{own}/folder": "trial_image_not_found",
    "clients/{own}/photo.png/x": "trial_image_not_found",
    "clients/{own}/../{other}/photo.png": "trial_image_not_found",
    "clients/{own}/" + "x" * 5000: "trial_image_not_found",
    "clients/{other}/photo.png": "trial_image_not_found",
    "shop-of-{other}/photo.png": "trial_image_not_found",
    "/etc/passwd": "trial_image_not_found",
    "": "trial_image_not_found",
    "clients/{own}/huge.png": "trial_image_too_large",
    "clients/{own}/photo.png": "",
    "shop-of-{own}/photo.png": "",
}


@pytest.mark.parametrize("key", TRIAL_IMAGES, ids=lambda key: key[:40])
def test_a_trial_image_that_cannot_be_read_is_warned_of_and_fails_with_the_same_code(db, shop: Shop, key: str):
    other = Shop.make()
    own = shop.client.pk
    for path in (f"clients/{own}/photo.png", f"clients/{own}/huge.png", f"clients/{own}/folder/photo.png",
                 f"clients/{other.client.pk}/photo.png", f"shop-of-{own}/photo.png"):  # fmt: skip
        default_storage.delete(path)
        default_storage.save(path, ContentFile(photo()))
    os.truncate(default_storage.path(f"clients/{own}/huge.png"), MAX_PHOTO_BYTES + 1)
    Client.objects.filter(pk=own).update(storage_prefixes=[f"shop-of-{own}/"])
    shop.client.refresh_from_db()
    spec = {"trial_image": key.format(own=own, other=other.client.pk)}
    code = TRIAL_IMAGES[key]
    assert warned(dry_run(shop, spec, path=EXTRACT)) == ([(["body", "trial_image"], code)] if code else [])
    assert performed(shop, "extract", spec) == code
    default_storage.delete(f"clients/{own}/huge.png")


CONFIGS = {
    "padding": (0.51, "not_a_share"),
    "square": ("yes", "not_a_flag"),
    "background": ("greenish", "unknown_color"),
    "min_area": (True, "not_a_share"),
    "return_masks": (1, "not_a_flag"),
}


@pytest.mark.parametrize("key", CONFIGS)
def test_a_runtime_config_that_no_engine_can_do_is_warned_of_and_fails_with_the_same_code(db, shop: Shop, key: str):
    trial_image = default_storage.save(f"clients/{shop.client.pk}/photo.png", ContentFile(photo()))
    value, code = CONFIGS[key]
    spec = {"trial_image": trial_image, "runtime_config": {key: value, "x": 1}}
    assert warned(dry_run(shop, spec, path=EXTRACT)) == [(["body", "runtime_config", key], code)]
    assert performed(shop, "extract", spec) == code


def test_all_of_a_runtime_config_is_warned_of_at_once(db, shop: Shop):
    trial_image = default_storage.save(f"clients/{shop.client.pk}/photo.png", ContentFile(photo()))
    config = {"output_format": "gif", **{key: value for key, (value, _) in CONFIGS.items()}}
    said = dry_run(shop, {"trial_image": trial_image, "runtime_config": config}, path=EXTRACT)
    assert [loc[-1] for loc, _ in warned(said)] == list(config)
    good = {"padding": 0, "square": True, "background": "SAGE", "min_area": 1e-9, "return_masks": False, "x": [10**30]}
    spec = {"trial_image": trial_image, "runtime_config": {**good, "output_format": "webp"}}
    assert warned(dry_run(shop, spec, path=EXTRACT)) == []
    assert performed(shop, "extract", spec) == ""


def test_what_only_the_engine_can_see_is_not_warned_of(db, shop: Shop):
    key = default_storage.save(f"clients/{shop.client.pk}/text.png", ContentFile(b"This is a text."))
    assert warned(dry_run(shop, {"trial_image": key}, path=EXTRACT)) == []
    assert performed(shop, "extract", {"trial_image": key}) == "not_an_image"


# The parameter


def test_dry_run_false_orders(db, shop: Shop):
    assert post(shop, f"{BACKGROUND}?dry_run=false", SPEC).status_code == 202
    assert (Job.objects.count(), shop.balance) == (1, 98)


@pytest.mark.parametrize(
    "query",
    ["dry_run=1", "dry_run=", "dry_run", "dry_run=TRUE", "dry_run=yes", "dry_run=true&dry_run=true", "dry_run=%00",
     "dry_run=true&dry_run=false", "dry_run=%FF", "dry_run=true%20", "x=1&dry_run=0"],
)  # fmt: skip
def test_a_flag_that_is_neither_true_nor_false_is_a_422_and_nothing_is_ordered(db, shop: Shop, query: str):
    answer = post(shop, f"{BACKGROUND}?{query}", SPEC)
    assert answer.status_code == 422
    (fault,) = answer.json()["detail"]
    assert (set(fault), fault["loc"], fault["type"]) == ({"loc", "msg", "type"}, ["query", "dry_run"], "bool_parsing")
    nothing_was_ordered(shop)
    assert RequestLog.objects.get().status == 422


def test_other_parameters_are_ignored_unless_there_are_thousands(db, shop: Shop):
    assert post(shop, f"{BACKGROUND}?dry-run=1&DRY_RUN=1&%ff=%00", SPEC).status_code == 202
    refused(post(shop, f"{BACKGROUND}?{'a&' * 2000}dry_run=true", SPEC), 400, "bad_request")
    assert Job.objects.count() == 1


# Idempotency keys and signatures


def test_a_dry_run_neither_takes_nor_reads_a_key(db, shop: Shop):
    for _ in range(2):
        dry_run(shop, HTTP_IDEMPOTENCY_KEY="a")
    first = post(shop, BACKGROUND, SPEC, HTTP_IDEMPOTENCY_KEY="a")
    assert first.status_code == 202
    assert "Idempotent-Replayed" not in first.headers
    assert dry_run(shop, HTTP_IDEMPOTENCY_KEY="a")["balance_after"] == 96
    assert dry_run(shop, {**SPEC, "resolution": "512"}, HTTP_IDEMPOTENCY_KEY="a")["credits_cost"] == 1
    dry_run(shop, HTTP_IDEMPOTENCY_KEY="")


@needs_openssl
def test_a_signed_body_can_be_tried_before_it_is_ordered_and_afterwards(db, shop: Shop):
    install(shop)
    for ordered in (0, 1):
        tried = order_signed(path=f"{BACKGROUND}?dry_run=true")
        assert (tried.status_code, tried.json()["balance"]) == (200, 100 - 2 * ordered)
        answer = order_signed()
        assert (answer.status_code, "Idempotent-Replayed" in answer.headers) == (202, bool(ordered))
    assert Job.objects.count() == 1
