"""Orders from the POST to the images, through real processes."""

import hashlib
import io
import struct
import zlib

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from tests.conftest import Shop
from tests.gateway import Gateway
from tests.helpers import books_are_right, photo_of_a_person


def test_a_background_is_ordered_paid_for_made_and_downloaded(gateway: Gateway, shop: Shop):
    spec = {"scene_type": "podium", "mood": "calm", "resolution": "512", "seed": 5}
    accepted = gateway.call("POST", "/v1/background-generator", spec, key=shop.key)
    assert accepted.status == 202
    assert accepted.json["status"] == "NOT_STARTED"
    assert accepted.json["credits_cost"] == 1
    job = gateway.finished(accepted.json["job_id"], key=shop.key)
    assert job["status"] == "SUCCESS"
    (output,) = job["outputs"]
    image = gateway.call("GET", output["url"])
    assert image.headers["Content-Type"] == "image/png"
    assert hashlib.sha256(image.body).hexdigest() == output["sha256"]
    assert Image.open(io.BytesIO(image.body)).size == (512, 512)
    assert shop.balance == 99


def test_an_image_is_judged_where_the_order_asks_for_it(gateway: Gateway, shop: Shop):
    spec = {"scene_type": "podium", "mood": "calm", "dominant_colors": ["sage"], "resolution": "512", "seed": 5}
    jobs = {}
    for enabled in (True, False, None):
        order = {**spec, "eval_enabled": enabled}
        accepted = gateway.call("POST", "/v1/background-generator", order, key=shop.key)
        jobs[enabled] = gateway.finished(accepted.json["job_id"], key=shop.key)
        assert jobs[enabled]["status"] == "SUCCESS"
    said = jobs[True]["summary"]["eval"]
    assert (said["passed"], said["tries"]) == (True, 1)
    assert {*said["scores"]} == {"palette", "room_for_product", "exposure", "banding", "sharpness", "mood"}
    for one in said["scores"].values():
        assert one["passed"] and one["threshold"] <= one["score"] <= 1 and one["reason"]
    assert "eval" not in jobs[False]["summary"] and "eval" not in jobs[None]["summary"]
    assert {job["outputs"][0]["sha256"] for job in jobs.values()} == {jobs[True]["outputs"][0]["sha256"]}
    assert shop.balance == 97


def test_the_items_on_a_photo_of_a_person_are_cut_out(gateway: Gateway, shop: Shop):
    context = {"max_items": 2, "product_name": "orange flight suit"}
    order = {"trial_image": photo_of_a_person(shop), "extraction_context": context}
    accepted = gateway.call("POST", "/v1/extract", order, key=shop.key)
    job = gateway.finished(accepted.json["job_id"], key=shop.key)
    assert job["status"] == "SUCCESS", job
    assert 1 <= len(job["outputs"]) <= 2
    for output in job["outputs"]:
        x, y, width, height = output["details"]["box"]
        assert 0 <= x < x + width <= 512 and 0 <= y < y + height <= 512
        item = Image.open(io.BytesIO(gateway.call("GET", output["url"]).body))
        assert (item.mode, item.size) == ("RGBA", (output["width"], output["height"]))
        assert item.getextrema()[3] == (0, 255)  # neither empty nor all of it
    assert shop.balance == 97


def bomb() -> bytes:
    """A PNG of a few bytes whose header claims 50,000 × 50,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


IMPOSSIBLE = {
    "a missing photo": ("extract", {"trial_image": "{own}none.jpg"}, "trial_image_not_found", "below clients/"),
    "another client's photo": ("extract", {"trial_image": "{other}a.jpg"}, "trial_image_not_found", "below clients/"),
    "a text": ("extract", {"trial_image": "{own}a.txt"}, "not_an_image", "Send a JPEG, PNG"),
    "a bomb": ("extract", {"trial_image": "{own}bomb.png"}, "image_too_large", "50 megapixels"),
    "an unknown model": ("background-generator", {"image_model": "dall-e"}, "unknown_model", "built-in"),
    "an unknown resolution": ("background-generator", {"resolution": "97K"}, "unknown_resolution", "512, 1K, 2K or 4K"),
    "an unknown ratio": ("background-generator", {"aspect_ratio": "wide"}, "unknown_aspect_ratio", "16:9"),
    "an unknown colour": ("background-generator", {"dominant_colors": ["#12"]}, "unknown_color", "terracotta"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_cannot_be_done_fails_with_what_would_work_and_is_refunded(gateway: Gateway, shop: Shop, case: str):
    workflow, changes, code, advice = IMPOSSIBLE[case]
    own, other = f"clients/{shop.client.pk}/", f"clients/{Shop.make().client.pk}/"
    for key, content in ((f"{own}a.txt", b"This is a text."), (f"{own}bomb.png", bomb()), (f"{other}a.jpg", b"x")):
        default_storage.save(key, ContentFile(content))
    spec = {"scene_type": "sweep", "mood": "calm"} if workflow == "background-generator" else {}
    for name, value in changes.items():
        spec[name] = value.format(own=own, other=other) if isinstance(value, str) else value
    accepted = gateway.call("POST", f"/v1/{workflow}", spec, key=shop.key)
    assert accepted.status == 202
    job = gateway.finished(accepted.json["job_id"], key=shop.key)
    assert (job["status"], job["error"]["code"], job["attempts"]) == ("FAILURE", code, 1)
    assert advice in job["error"]["message"]
    assert (job["credits_charged"], job["outputs"]) == (job["credits_refunded"], [])
    assert shop.balance == 100
    books_are_right(shop.client)
