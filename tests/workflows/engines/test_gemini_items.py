"""extract by Gemini: what is sent of a photo, and the cut-outs that its boxes and masks become."""

import base64
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from billing.models import Client
from tests import providers
from tests.providers import gemini_text, masked, picture
from tests.webhooks import Receiver
from workflows.catalogue import Order
from workflows.engines.base import EngineError, Result
from workflows.image_models import ImageModel

MODEL = ImageModel(name="ours", engine="gemini", vendor_id="gemini-v1")


@pytest.fixture
def provider(settings) -> Iterator[Receiver]:
    with providers.provider() as server:
        for name, value in providers.env(server).items():
            setattr(settings, name, value)
        yield server


def cut_out(photo: bytes, **spec: Any) -> Result:
    order = Order(
        client=Client(pk=1, name="Miller"),
        spec={"trial_image": "clients/1/miller.jpg", **spec},
        seed=1,
        model=MODEL,
        ends_at=time.monotonic() + 30,
    )
    # Here, because the SDK takes seconds to import, and each of the processes that share the tests would.
    from workflows.engines.providers.gemini_items import extract

    return extract(photo, order)


def answer(provider: Receiver, *entries: Any, fence: str = "") -> None:
    text = json.dumps(entries)
    provider.answer = lambda sent: gemini_text(f"{fence}json\n{text}\n{fence}" if fence else text)


def rotated_photo() -> bytes:
    """Return a JPEG of 400 × 200 that lies on its side, from a camera that knows where it was."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x013B] = "Miller"
    file = io.BytesIO()
    Image.open(io.BytesIO(picture(400, 200))).save(file, "JPEG", exif=exif)
    return file.getvalue()


def test_the_upright_photo_is_sent_without_its_metadata_and_the_context_as_data(provider: Receiver):
    context = {"max_items": 3, "product_name": "Cap", "product_description": "red"}
    cut_out(rotated_photo(), extraction_context=context)
    (sent,) = provider.got
    body = json.loads(sent.body)
    assert body["generationConfig"] == {"candidateCount": 1, "thinkingConfig": {"thinking_budget": 0}}
    image, words = (part for content in body["contents"] for part in content["parts"])
    data = base64.urlsafe_b64decode(image["inlineData"]["data"])
    photo = Image.open(io.BytesIO(data))
    assert (photo.format, photo.size, image["inlineData"]["mime_type"]) == ("JPEG", (200, 400), "image/jpeg")
    assert not photo.getexif() and b"Miller" not in data and b"iller" not in sent.body
    assert "at most 3." in words["text"] and '{"name": "Cap", "description": "red"}' in words["text"]


def test_a_large_photo_is_sent_small_and_cut_out_large(provider: Receiver):
    answer(provider, masked([0, 0, 1000, 500]))
    (item,) = cut_out(picture(3000, 2400)).pictures
    data = json.loads(provider.got[0].body)["contents"][0]["parts"][0]["inlineData"]["data"]
    assert Image.open(io.BytesIO(base64.urlsafe_b64decode(data))).size == (1536, 1229)
    assert item.height > 2400 and item.width > 1500


def test_a_cut_out_has_the_shape_of_its_mask_and_says_where_it_was(provider: Receiver):
    # The photo is red on the left: the ellipse lies within that half.
    answer(provider, masked([100, 50, 600, 450]), fence="```")
    result = cut_out(picture(1000, 800))
    (item,) = result.pictures
    x, y, width, height = item.details["box"]
    assert abs(x - 50) <= 4 and abs(y - 80) <= 4 and abs(width - 400) <= 8 and abs(height - 400) <= 8
    assert abs(item.details["area"] / (np.pi * 200 * 200) - 1) < 0.03
    assert item.details["label"] == "red shirt"
    (color,) = item.details["colors"]
    assert (color["color"], color["share"]) == ("#c80000", 1.0) and color["name"]
    assert item.details["category"] == "top"  # as the label says: a shirt
    assert 0.5 < item.details["score"] <= 1
    alpha = item.pixels[..., 3]
    assert alpha[0].max() == alpha[:, 0].max() == 0  # padding
    assert alpha[alpha.shape[0] // 2, alpha.shape[1] // 2] == 255
    assert (item.pixels[alpha == 0] == 0).all()
    assert ((alpha > 0) & (alpha < 255)).any()
    assert result.summary == {
        "engine": "gemini",
        "model": "ours",
        "model_version": "made-up-001",
        "photo": {"width": 1000, "height": 800},
        "items_found": 1,
        "items_returned": 1,
        "masks_unusable": 0,
        "unused": [],
    }


def test_no_more_items_than_were_asked_for_in_the_order_of_the_answer(provider: Receiver):
    answer(provider, *(masked([0, left, 900, left + 90], label=str(left)) for left in (500, 0, 300)))
    result = cut_out(
        picture(600, 600),
        extraction_context={"max_items": 2},
        runtime_config={"model": "ours", "output_format": "webp", "x": 3},
    )
    assert [item.details["label"] for item in result.pictures] == ["500", "0"]
    assert [item.name for item in result.pictures] == ["item-1", "item-2"]
    assert (result.summary["items_found"], result.summary["items_returned"]) == (3, 2)
    assert result.summary["unused"] == ["x"]


def test_runtime_config_says_how_they_are_cut_out(provider: Receiver):
    answer(provider, masked([0, 0, 500, 1000]), masked([800, 0, 900, 100], label="cap"))
    config = {"padding": 0.25, "square": True, "background": "#336699", "min_area": 0.1, "return_masks": True}
    result = cut_out(picture(400, 400), runtime_config=config)
    item, mask = result.pictures
    assert item.pixels.shape[0] == item.pixels.shape[1] and item.pixels.shape[2] == 3
    assert abs(item.width - 600) <= 4  # the ellipse is 400 × 200
    assert item.pixels[0, 0].tolist() == [0x33, 0x66, 0x99]
    assert (mask.name, mask.format, mask.pixels.shape) == ("item-1-mask", "png", (400, 400))
    assert result.summary["items_found"] == 1
    provider.got.clear()
    with pytest.raises(EngineError) as raised:
        cut_out(picture(400, 400), runtime_config={**config, "padding": "wide"})
    assert raised.value.code == "not_a_share"
    assert provider.got == []
    with pytest.raises(EngineError) as raised:
        cut_out(picture(400, 400), runtime_config={**config, "min_area": 0.9})
    assert raised.value.code == "items_too_small"


def nothing() -> bytes:
    file = io.BytesIO()
    Image.new("L", (256, 256), 90).save(file, "PNG")
    return file.getvalue()


def test_no_more_is_cut_out_than_two_photos_hold(provider: Receiver):
    answer(provider, *(masked([0, 0, 1000, 1000], label=str(number)) for number in range(20)), masked([0, 0, 9, 9]))
    result = cut_out(picture(600, 600))
    assert [item.details["label"] for item in result.pictures] == ["0", "1"]
    assert result.summary["masks_unusable"] == 19


def test_a_label_is_kept_as_far_as_a_row_can_hold_it(provider: Receiver):
    answer(provider, masked([0, 0, 500, 500], label="a\0b\ud800c" + 200 * "d"))
    (item,) = cut_out(picture(600, 600)).pictures
    assert item.details["label"] == "abc" + 95 * "d"


GOOD = masked([0, 0, 500, 500])
UNUSABLE = {
    "no object": 7,
    "no box": {**GOOD, "box_2d": None},
    "a short box": {**GOOD, "box_2d": [1, 2, 3]},
    "words for a box": {**GOOD, "box_2d": ["0", "0", "9", "9"]},
    "truth for a box": {**GOOD, "box_2d": [False, False, True, True]},
    "a box beyond": {**GOOD, "box_2d": [0, 0, 500, 1001]},
    "a box inside out": {**GOOD, "box_2d": [500, 500, 0, 0]},
    "an empty box": {**GOOD, "box_2d": [5, 5, 5, 5]},
    "an endless box": {**GOOD, "box_2d": [0, 0, float("nan"), float("inf")]},
    "a polygon": {**GOOD, "mask": [[325, 411], [327, 471], [332, 523]]},
    "tokens": {**GOOD, "mask": "<start_of_mask><seg_4><seg_20>"},
    "no base64": {**GOOD, "mask": "data:image/png;base64,?"},
    "no image": {**GOOD, "mask": "data:image/png;base64,AAAA"},
    "half an image": masked([0, 0, 500, 500], mask=picture(256, 256)[:300]),
    "a bomb": masked([0, 0, 500, 500], mask=providers.bomb()),
    "nothing in it": masked([0, 0, 500, 500], mask=nothing()),
}


@pytest.mark.parametrize("entry", UNUSABLE.values(), ids=UNUSABLE)
def test_what_cannot_be_made_out_is_left_out_and_counted(provider: Receiver, entry: Any):
    answer(provider, entry, GOOD, {**GOOD, "label": None, "extra": 1})
    result = cut_out(picture(600, 600))
    assert [item.details["label"] for item in result.pictures] == ["red shirt", ""]
    assert result.summary["masks_unusable"] == 1
    answer(provider, entry)
    with pytest.raises(EngineError) as raised:
        cut_out(picture(600, 600))
    assert (raised.value.code, raised.value.technical) == ("provider_wrong_answer", True)


@pytest.mark.parametrize("text", ["", "Here you are.", "{}", "null", '[{"box_2d"', "[" * 100_000])
def test_an_answer_that_is_no_list_is_a_technical_failure(provider: Receiver, text: str):
    provider.answer = lambda sent: gemini_text(text)
    with pytest.raises(EngineError) as raised:
        cut_out(picture(600, 600))
    assert (raised.value.code, raised.value.technical) == ("provider_wrong_answer", True)


def test_an_empty_list_is_final(provider: Receiver):
    answer(provider)
    with pytest.raises(EngineError) as raised:
        cut_out(picture(600, 600))
    assert (raised.value.code, raised.value.technical) == ("no_items_found", False)


def test_a_photo_that_is_none_is_found_before_gemini_is_asked(provider: Receiver):
    with pytest.raises(EngineError) as raised:
        cut_out(b"no photo")
    assert raised.value.code == "not_an_image"
    assert provider.got == []
