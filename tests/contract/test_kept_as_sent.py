"""What was ordered is read back as it was sent: each number of the same value, each text unchanged."""

import json
from typing import Any

import pytest

from tests.conftest import Shop
from tests.gateway import Gateway
from tests.helpers import get, post

BACKGROUND, EXTRACT = "/v1/background-generator", "/v1/extract"
DIGITS = "9" * 4300  # as many as Python reads


def read_back(shop: Shop, path: str, body: str) -> Any:
    accepted = post(shop, path, body.encode())
    assert accepted.status_code == 202, accepted.content[:300]
    return get(shop, accepted.headers["Location"]).json()["spec"]


@pytest.mark.parametrize("digits", ["0", "-7", "9007199254740993", "-" + DIGITS, DIGITS], ids=len)
def test_an_integer_is_kept_to_its_last_digit(db, shop: Shop, digits: str):
    spec = read_back(
        shop, BACKGROUND, f'{{"scene_type": "", "mood": "", "seed": {digits}, "metadata": {{"n": {digits}}}}}'
    )
    assert spec["seed"] == spec["metadata"]["n"] == int(digits)


def test_most_items_may_be_any_integer(db, shop: Shop):
    spec = read_back(shop, EXTRACT, f'{{"trial_image": "x", "extraction_context": {{"max_items": {DIGITS}}}}}')
    assert spec["extraction_context"]["max_items"] == int(DIGITS)


@pytest.mark.parametrize(
    "number",
    ["1.0", "1e5", "0.1", "-0.0", "1E-320", "5e-324", "1e300", "1.7976931348623157e308", "12345678901234567890.123"],
)
def test_a_number_with_a_fraction_or_an_exponent_keeps_its_value_as_a_double(db, shop: Shop, number: str):
    spec = read_back(shop, EXTRACT, f'{{"trial_image": "x", "runtime_config": {{"n": [{number}]}}}}')
    assert float(spec["runtime_config"]["n"][0]) == float(number)


@pytest.mark.parametrize("number", ["1.0", "1e2", "-3.0", "1e300"])
def test_a_whole_float_where_an_integer_belongs_is_kept_as_that_integer(db, shop: Shop, number: str):
    seed = read_back(shop, BACKGROUND, f'{{"scene_type": "", "mood": "", "seed": {number}}}')["seed"]
    assert type(seed) is int
    assert seed == int(float(number))


@pytest.mark.parametrize(
    "text", ["", " ", " \t\n x \r\n", "\u200b\ufeff", "null", "é", "e\u0301", "🧥", "\x01\x7f\x85\u2028"]
)
def test_a_text_is_kept_as_sent(db, shop: Shop, text: str):
    body = {"scene_type": text, "mood": text, "dominant_colors": [text], "metadata": {text: {"x": [text]}}}
    for escaped in (True, False):
        spec = read_back(shop, BACKGROUND, json.dumps(body, ensure_ascii=escaped))
        assert spec == {"display_name": "", **body}


def test_two_hundred_levels_are_kept(db, shop: Shop):
    body = '{"trial_image": "x", "runtime_config": ' + '{"a":' * 198 + "[]" + "}" * 199
    assert read_back(shop, EXTRACT, body) == json.loads(body)


def test_a_seed_of_any_size_makes_an_image(gateway: Gateway, shop: Shop):
    body = f'{{"scene_type": "podium", "mood": "calm", "resolution": "512", "seed": {DIGITS}}}'
    accepted = gateway.call("POST", BACKGROUND, body.encode(), key=shop.key)
    job = gateway.finished(accepted.json["job_id"], key=shop.key)
    assert job["status"] == "SUCCESS"
    assert job["spec"]["seed"] == int(DIGITS)
    assert 0 <= job["summary"]["seed"] < 2**53
