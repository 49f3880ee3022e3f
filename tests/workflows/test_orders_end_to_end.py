"""Orders from the POST to the images, through real processes."""

import hashlib
import io
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from billing.keys import create_key
from tests.conftest import Shop
from tests.gateway import Gateway
from tests.helpers import books_are_right, photo_of_a_person
from tests.providers import bomb
from workflows.engines.flat_lay import draw_flat_lay


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


def test_cut_outs_and_masks_come_as_runtime_config_asks_for_them(gateway: Gateway, shop: Shop):
    _, test_key = create_key(client=shop.client, test=True)
    photo = draw_flat_lay(seed=7, width=1000, height=750)
    key = default_storage.save(f"clients/{shop.client.pk}/flat.jpg", ContentFile(photo))
    config = {"output_format": "webp", "return_masks": True, "padding": 0.25, "square": True, "background": "sage"}
    context = {"max_items": 2, "product_name": "Trousers", "product_description": "Goes with any T-shirt."}
    order = {"trial_image": key, "runtime_config": {**config, "shadow": True}, "extraction_context": context}
    for bearer in (shop.key, test_key):
        accepted = gateway.call("POST", "/v1/extract", order, key=bearer)
        job = gateway.finished(accepted.json["job_id"], key=bearer)
        assert job["status"] == "SUCCESS", job
        assert [output["name"] for output in job["outputs"]] == [
            "item-1.webp", "item-1-mask.png", "item-2.webp", "item-2-mask.png"]  # fmt: skip
        assert job["outputs"][0]["details"]["category"] == "bottom"
        assert job["summary"]["garment_words"] == ["trousers"]
        assert (job["summary"]["items_returned"], job["summary"]["unused"]) == (2, ["shadow"])
        for item, mask in zip(job["outputs"][::2], job["outputs"][1::2], strict=True):
            images = [Image.open(io.BytesIO(gateway.call("GET", output["url"]).body)) for output in (item, mask)]
            assert [(image.format, image.mode) for image in images] == [("WEBP", "RGB"), ("PNG", "L")]
            assert [output["content_type"] for output in (item, mask)] == ["image/webp", "image/png"]
            assert item["width"] == item["height"]
            assert mask["details"] == {"mask_of": item["name"].partition(".")[0]}
            small = Image.open(io.BytesIO(gateway.call("GET", mask["thumbnail_url"]).body))
            assert (small.format, small.size) == ("WEBP", (320, 240))
            if bearer == shop.key:
                x, y, width, height = item["details"]["box"]
                assert abs(item["width"] - 1.5 * max(width, height)) <= 10  # and its soft edge
                corner = images[0].getpixel((3, 3))
                assert max(abs(one - other) for one, other in zip(corner, (0xA8, 0xB5, 0x9A), strict=True)) <= 4
                assert (mask["width"], mask["height"]) == (1000, 750)
                assert images[1].point(lambda value: 255 * (value > 127)).getbbox() == (x, y, x + width, y + height)
            else:
                assert item["width"] == mask["width"] == 512
    assert shop.balance == 97


IMPOSSIBLE = {
    "a missing photo": ("extract", {"trial_image": "{own}none.jpg"}, "trial_image_not_found", "below clients/"),
    "another client's photo": ("extract", {"trial_image": "{other}a.jpg"}, "trial_image_not_found", "below clients/"),
    "a text": ("extract", {"trial_image": "{own}a.txt"}, "not_an_image", "Send a JPEG, PNG"),
    "a bomb": ("extract", {"trial_image": "{own}bomb.png"}, "image_too_large", "50 megapixels"),
    "an unknown model": ("background-generator", {"image_model": "dall-e"}, "unknown_model", "built-in"),
    "an unknown resolution": ("background-generator", {"resolution": "97K"}, "unknown_resolution", "512, 1K, 2K or 4K"),
    "an unknown ratio": ("background-generator", {"aspect_ratio": "wide"}, "unknown_aspect_ratio", "16:9"),
    "a padding too wide": ("extract", {"runtime_config": {"padding": 2}}, "not_a_share", "from 0 to 0.5"),
    "an unknown colour": ("background-generator", {"dominant_colors": ["#12"]}, "unknown_color", "terracotta"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_cannot_be_done_fails_with_what_would_work_and_is_refunded(gateway: Gateway, shop: Shop, case: str):
    workflow, changes, code, advice = IMPOSSIBLE[case]
    own, other = f"clients/{shop.client.pk}/", f"clients/{Shop.make().client.pk}/"
    for key, content in ((f"{own}a.txt", b"This is a text."), (f"{own}bomb.png", bomb()), (f"{other}a.jpg", b"x")):
        default_storage.save(key, ContentFile(content))
    spec: dict[str, Any] = {"scene_type": "sweep", "mood": "calm"} if workflow == "background-generator" else {}
    if "runtime_config" in changes:
        spec["trial_image"] = photo_of_a_person(shop)
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
