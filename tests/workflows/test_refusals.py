"""POST /v1/{workflow}, refused for what was sent: every fault named, one log row, and nothing else (P6, P9)."""

import json
from typing import Any

import pytest

from requestlog.models import RequestLog
from tests.conftest import Shop
from tests.gateway import Gateway
from tests.helpers import SPEC, nothing_was_ordered, over_the_wire, post, refused
from workflows.models import Job

BACKGROUND, EXTRACT = "/v1/background-generator", "/v1/extract"
MIB = 1024 * 1024


# Refused for the body's sake

Fault = tuple[list[str | int], str]
FAULTS: dict[str, tuple[str, Any, list[Fault]]] = {
    "nothing": (BACKGROUND, {}, [(["body", "scene_type"], "missing"), (["body", "mood"], "missing")]),
    "all faults at once": (
        BACKGROUND,
        {
            "image_model": 1,
            "eval_enabled": "yes",
            "seed": 1.5,
            "display_name": None,
            "scene_type": ["x"],
            "dominant_colors": ["red", 1, None],
            "metadata": [],
        },
        [
            (["body", "image_model"], "string_type"),
            (["body", "eval_enabled"], "bool_type"),
            (["body", "seed"], "int_type"),
            (["body", "display_name"], "string_type"),
            (["body", "scene_type"], "string_type"),
            (["body", "mood"], "missing"),
            (["body", "dominant_colors", 1], "string_type"),
            (["body", "dominant_colors", 2], "string_type"),
            (["body", "metadata"], "dict_type"),
        ],
    ),
    "a string for an integer": (BACKGROUND, {**SPEC, "seed": "5"}, [(["body", "seed"], "int_type")]),
    "a boolean for an integer": (BACKGROUND, {**SPEC, "seed": True}, [(["body", "seed"], "int_type")]),
    "0 for a boolean": (BACKGROUND, {**SPEC, "eval_enabled": 0}, [(["body", "eval_enabled"], "bool_type")]),
    "null for a string": (BACKGROUND, {**SPEC, "mood": None}, [(["body", "mood"], "string_type")]),
    "null for a list": (BACKGROUND, {**SPEC, "dominant_colors": None}, [(["body", "dominant_colors"], "list_type")]),
    "null for an object": (BACKGROUND, {**SPEC, "metadata": None}, [(["body", "metadata"], "dict_type")]),
    "a string for a list": (
        BACKGROUND,
        {**SPEC, "dominant_colors": "red"},
        [(["body", "dominant_colors"], "list_type")],
    ),
    "below the minimum": (
        EXTRACT,
        {"trial_image": "x", "extraction_context": {"max_items": 0, "product_name": 1}},
        [
            (["body", "extraction_context", "max_items"], "greater_than_equal"),
            (["body", "extraction_context", "product_name"], "string_type"),
        ],
    ),
    "a list for an object": (
        EXTRACT,
        {"extraction_context": []},
        [(["body", "trial_image"], "missing"), (["body", "extraction_context"], "model_attributes_type")],
    ),
    "bad strings below each other": (
        EXTRACT,
        rb'{"trial_image": "", "runtime_config": {"k\u0000": {"x": ["", "\ud800"]}, "\ud800": "\u0000", "[key]": ""}}',
        [
            (["body", "runtime_config", "k\0", "[key]"], "string_unicode"),
            (["body", "runtime_config", "k\0", "x", 1], "string_unicode"),
            (["body", "runtime_config", "\ufffd\ufffd\ufffd", "[key]"], "string_unicode"),
            (["body", "runtime_config", "\ufffd\ufffd\ufffd"], "string_unicode"),
        ],
    ),
    "null": (BACKGROUND, b"null", [(["body"], "model_attributes_type")]),
    "a bare string": (BACKGROUND, b'"x"', [(["body"], "model_attributes_type")]),
    "a list": (BACKGROUND, b"[]", [(["body"], "model_attributes_type")]),
    "a number": (BACKGROUND, b"0", [(["body"], "model_attributes_type")]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_all_faults_of_a_body_are_named_where_they_are(db, shop: Shop, name: str):
    path, body, faults = FAULTS[name]
    answer = post(shop, path, body)
    assert answer.status_code == 422
    detail = answer.json()["detail"]
    assert [(fault["loc"], fault["type"]) for fault in detail] == faults
    assert all(isinstance(fault["msg"], str) and fault["msg"] and "{" not in fault["msg"] for fault in detail)
    assert all(set(fault) == {"loc", "msg", "type"} for fault in detail)
    log = RequestLog.objects.get(pk=answer.headers["X-Request-Id"])
    assert (log.status, log.code) == (422, "validation_error")
    nothing_was_ordered(shop)


def spec_with(raw: str) -> bytes:
    return b'{"scene_type": "a", "mood": "b", "metadata": %s}' % raw.encode()


BAD_STRINGS = {"NUL": "\\u0000", "lone high": "\\ud800", "lone low": "x\\udfff", "swapped": "\\udc00\\ud800"}
HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "null": b"null",
    "true": b"true",
    "bare string": b'"scene_type"',
    "broken": b'{"scene_type": "a"',
    "trailing comma": b'{"scene_type": "a", "mood": "b",}',
    "trailing garbage": b'{"scene_type": "a", "mood": "b"} x',
    "two documents": b'{"scene_type": "a", "mood": "b"}{}',
    "single quotes": b"{'scene_type': 'a', 'mood': 'b'}",
    "BOM": b'\xef\xbb\xbf{"scene_type": "a", "mood": "b"}',
    "UTF-16": '{"scene_type": "a", "mood": "b"}'.encode("utf-16"),
    "UTF-16 without a mark": '{"scene_type": "a", "mood": "b"}'.encode("utf-16-le"),
    "invalid UTF-8": b'{"scene_type": "\xff", "mood": "b"}',
    "overlong UTF-8": b'{"scene_type": "\xc0\x80", "mood": "b"}',
    "surrogate as UTF-8": b'{"scene_type": "\xed\xa0\x80", "mood": "b"}',
    "raw NUL": b'{"scene_type": "a\x00", "mood": "b"}',
    "only NULs": b"\x00" * 1000,
    "raw newline in a string": b'{"scene_type": "a\nb", "mood": "b"}',
    "NaN": spec_with("NaN"),
    "NaN below": spec_with('{"a": [1, {"b": NaN}]}'),
    "Infinity": b'{"scene_type": "a", "mood": "b", "seed": Infinity}',
    "minus Infinity": spec_with('{"a": -Infinity}'),
    "a double too large": spec_with('{"a": 1e400}'),
    "seed too large": b'{"scene_type": "a", "mood": "b", "seed": 1e400}',
    "4,301 digits": b'{"scene_type": "a", "mood": "b", "seed": ' + b"1" * 4301 + b"}",
    "5,000 digits": b'{"scene_type": "a", "mood": "b", "seed": ' + b"1" * 5000 + b"}",
    "5,000 digits under an unknown name": b'{"scene_type": "a", "mood": "b", "zzz": -' + b"1" * 5000 + b"}",
    "500,000 digits": spec_with('{"a": %s}' % ("9" * 500_000)),
    "500,000 digits and a point": spec_with('{"a": %s.5}' % ("9" * 500_000)),
    "201 levels": spec_with('{"a":' * 200 + "1" + "}" * 200),
    "100,000 lists": b"[" * 100_000,
    "100,000 closed lists": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep under a known name": spec_with("[" * 50_000 + "]" * 50_000),
    "300 levels under an unknown name": b'{"scene_type": "a", "mood": "b", "z": ' + b"[" * 300 + b"]" * 300 + b"}",
    **{
        f"{name} in {where}": template.replace("@", bad).encode()
        for name, bad in BAD_STRINGS.items()
        for where, template in {
            "a field": '{"scene_type": "@", "mood": "b"}',
            "an optional field": '{"scene_type": "a", "mood": "b", "image_model": "@"}',
            "a list": '{"scene_type": "a", "mood": "b", "dominant_colors": ["red", "@"]}',
            "a value": '{"scene_type": "a", "mood": "b", "metadata": {"x": "@"}}',
            "a key": '{"scene_type": "a", "mood": "b", "metadata": {"@": 1}}',
            "a deep value": '{"scene_type": "a", "mood": "b", "metadata": {"x": [[{"y": ["@"]}]]}}',
            "a deep key": '{"scene_type": "a", "mood": "b", "metadata": {"x": [[{"y@": {"z": 1}}]]}}',
            "a key above a bad value": '{"scene_type": "a", "mood": "b", "metadata": {"k@": {"x": "@"}}}',
        }.items()
    },
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_is_a_422_that_leaves_one_log_row_and_nothing_else(db, shop: Shop, name: str):
    body = HOSTILE[name]
    answer = post(shop, BACKGROUND, body)
    assert answer.status_code == 422, (answer.status_code, answer.content[:300])
    assert answer.json()["detail"]
    assert len(answer.content) < 5_000
    log = RequestLog.objects.get()
    assert (log.request_id, log.status, log.code) == (answer.headers["X-Request-Id"], 422, "validation_error")
    assert bytes(log.body) == body[: 64 * 1024]
    assert log.body_size == len(body)
    nothing_was_ordered(shop)


BAD_LIST = b"[%s]" % b",".join([rb'"\u0000"'] * 110_000)
MANY: dict[str, bytes] = {
    "wrong items": b'"dominant_colors": [' + b",".join([b"1"] * 500_000) + b"]",
    "wrong strings": b'"metadata": {"x": %s}' % BAD_LIST,
    "wrong keys": b'"metadata": {' + b",".join(rb'"\ud800%x": 1' % i for i in range(60_000)) + b"}",
    "one long key": b'"metadata": {"%s": ["", %s]}' % (b"k" * 900_000, b",".join([rb'"\u0000"'] * 9)),
    "below long keys": b'"metadata": ' + b'{"%s": ' % (b"k" * 100) * 198 + BAD_LIST + b"}" * 198,
    "below short keys": b'"metadata": ' + b'{"k": ' * 198 + BAD_LIST + b"}" * 198,
}


@pytest.mark.parametrize("name", MANY)
def test_of_a_megabyte_of_faults_ten_thousand_are_named_or_a_mebibyte_of_places(db, shop: Shop, name: str):
    answer = post(shop, BACKGROUND, b'{"scene_type": 1, %s}' % MANY[name])
    assert answer.status_code == 422
    detail = answer.json()["detail"]
    assert [fault["loc"][1] for fault in detail[:2]] == ["scene_type", "mood"]
    places = [len(str(fault["loc"])) for fault in detail]
    assert len(detail) == 10_000 or sum(places[:-1]) < MIB <= sum(places)
    assert len(answer.content) < 3 * MIB
    nothing_was_ordered(shop)


def test_ten_thousand_faults_are_all_named(db, shop: Shop):
    answer = post(shop, BACKGROUND, {"scene_type": 1, "mood": None, "dominant_colors": ["red"] + [1] * 9_998})
    places = [["scene_type"], ["mood"], *(["dominant_colors", position] for position in range(1, 9_999))]
    assert [fault["loc"] for fault in answer.json()["detail"]] == [["body", *place] for place in places]
    nothing_was_ordered(shop)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_in_the_other_workflow_is_a_422_too(db, shop: Shop, name: str):
    body = HOSTILE[name].replace(b"scene_type", b"trial_image").replace(b'"metadata"', b'"runtime_config"')
    body = body.replace(b'"dominant_colors": ["red", ', b'"extraction_context": {"product_name": ')
    body = body.replace(b'"]}', b'"}}') if b"product_name" in body else body
    answer = post(shop, EXTRACT, body)
    # What only the other workflow knows is ignored here.
    unknown_here = b"image_model" in body or b'"seed"' in body
    assert answer.status_code == 422 or (answer.status_code == 202 and unknown_here), answer.content[:300]
    assert RequestLog.objects.count() == 1
    if answer.status_code == 422:
        nothing_was_ordered(shop)


def test_hostile_bodies_are_422_from_a_running_web_process(gateway: Gateway, shop: Shop):
    for name, body in HOSTILE.items():
        answer = gateway.call("POST", BACKGROUND, body, key=shop.key)
        assert answer.status == 422, name
        assert RequestLog.objects.get(pk=answer.headers["X-Request-Id"]).body_size == len(body)
    assert not Job.objects.filter(client=shop.client).exists()
    assert shop.balance == 100
    assert RequestLog.objects.filter(client_id=shop.client.pk).count() == len(HOSTILE)


def test_at_most_64_kib_of_a_body_are_kept(db, shop: Shop):
    body = json.dumps({**SPEC, "display_name": "é" * 100_000}, ensure_ascii=False).encode()
    assert post(shop, BACKGROUND, body).status_code == 202
    log = RequestLog.objects.get()
    assert bytes(log.body) == body[: 64 * 1024]
    assert log.body_size == len(body) > 200_000
    assert Job.objects.get().spec["display_name"] == "é" * 100_000


def test_the_body_of_whoever_did_not_authenticate_is_not_kept(db, shop: Shop):
    for header in ("", "Bearer sk_unknown"):
        answer = post(None, BACKGROUND, {**SPEC, "display_name": "private"}, HTTP_AUTHORIZATION=header)
        assert answer.status_code == 401
        log = RequestLog.objects.get(pk=answer.headers["X-Request-Id"])
        assert (bytes(log.body), log.body_truncated, log.client_id) == (b"", True, None)
        assert log.body_size > 0


@pytest.mark.parametrize("path", [BACKGROUND, EXTRACT])
def test_a_body_of_1_mib_is_read_and_one_byte_more_is_a_413(db, shop: Shop, path: str):
    body = b'{"scene_type": "a", "mood": "b", "trial_image": "c", "zzz": "'
    body += b"x" * (MIB - len(body) - 2) + b'"}'
    assert post(shop, path, body).status_code == 202
    refused(post(shop, path, body + b" "), 413, "body_too_large")
    assert Job.objects.count() == 1


@pytest.mark.parametrize("known", [True, False])
def test_a_body_of_more_than_1_mib_is_refused_by_its_length_before_it_is_sent(
    gateway: Gateway, shop: Shop, known: bool
):
    status, headers = over_the_wire(
        gateway,
        f"POST {BACKGROUND} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {shop.key if known else 'x'}\r\nContent-Length: {MIB + 1}\r\n\r\n".encode(),
    )
    assert status == (413 if known else 401)
    log = RequestLog.objects.get(pk=headers["x-request-id"])
    assert (log.status, bytes(log.body), log.body_size, log.body_truncated) == (status, b"", MIB + 1, True)


# Refused for the request's sake


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "x",
        "\x00",
    ],
)
def test_a_body_of_another_type_is_a_415(db, shop: Shop, content_type: str):
    refused(post(shop, BACKGROUND, json.dumps(SPEC).encode(), content_type=content_type), 415, "unsupported_media_type")
    nothing_was_ordered(shop)


@pytest.mark.parametrize("content_type", ["APPLICATION/JSON", "application/json; charset=utf-8", "application/json;"])
def test_the_type_is_read_as_http_says(db, shop: Shop, content_type: str):
    assert post(shop, BACKGROUND, json.dumps(SPEC).encode(), content_type=content_type).status_code == 202


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "", "*", "\x00"])
def test_the_answer_is_json_whatever_is_asked_for(db, shop: Shop, accept: str):
    answer = post(shop, BACKGROUND, SPEC, HTTP_ACCEPT=accept)
    assert answer.status_code == 202
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v1/", "/v1/extract/", "/v1/EXTRACT", "/v1/extract%00", "/v1//extract"]
)
def test_another_path_is_a_404_in_json(db, shop: Shop, path: str):
    refused(post(shop, path, SPEC), 404, "not_found")
    refused(post(None, path, SPEC), 404, "not_found")
    nothing_was_ordered(shop)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_another_method_is_a_405_that_says_which_are_allowed(db, shop: Shop, client, method: str):
    answer = client.generic(method, BACKGROUND, b"{}", HTTP_AUTHORIZATION=f"Bearer {shop.key}")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"
    assert RequestLog.objects.filter(status=405).count() == (method != "GET")
    nothing_was_ordered(shop)


def test_an_unknown_host_is_a_400_in_json(db, shop: Shop):
    refused(post(shop, BACKGROUND, SPEC, HTTP_HOST="evil.example"), 400, "bad_request")
    nothing_was_ordered(shop)
