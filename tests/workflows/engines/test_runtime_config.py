"""What runtime_config makes of the cut-outs."""

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from workflows.engines.base import EngineError, Result
from workflows.engines.extract import extract

SIZE = (600, 400)
LARGE, SMALL = (50, 40, 350, 240), (420, 260, 520, 340)  # corners of two ellipses


@pytest.fixture(scope="module")
def photo() -> bytes:
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse(LARGE, fill="navy")
    draw.ellipse(SMALL, fill="firebrick")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def cut_out(photo: bytes, **config: Any) -> Result:
    return extract(photo, {"runtime_config": config})


def test_by_default_a_little_room_is_left_around_an_item(photo: bytes):
    first, second = cut_out(photo).pictures
    for picture, (left, top, right, bottom) in ((first, LARGE), (second, SMALL)):
        assert np.allclose(picture.details["box"], [left, top, right - left, bottom - top], atol=3)
        pad = round(0.02 * max(picture.details["box"][2:]))
        alpha = picture.pixels[..., 3]
        assert (
            not alpha[:pad].any() and not alpha[:, :pad].any() and not alpha[-pad:].any() and not alpha[:, -pad:].any()
        )
        assert alpha[pad].any() and alpha[:, pad].any() and alpha[-pad - 1].any() and alpha[:, -pad - 1].any()


@pytest.mark.parametrize("padding", [0, 0.0, 0.1, 0.5])
def test_padding_is_a_share_of_the_longer_side(photo: bytes, padding: float):
    picture = cut_out(photo, padding=padding).pictures[0]
    _, _, wide, high = picture.details["box"]
    more = 2 * round(padding * max(wide, high))
    assert wide + more <= picture.width <= wide + more + 6
    assert high + more <= picture.height <= high + more + 6


def test_a_square_has_the_item_in_its_middle(photo: bytes):
    for picture in cut_out(photo, square=True, padding=0.1).pictures:
        assert picture.width == picture.height
        rows, columns = (np.flatnonzero((picture.pixels[..., 3] > 127).any(axis=axis)) for axis in (1, 0))
        assert abs(rows[0] - (picture.height - 1 - rows[-1])) <= 2
        assert abs(columns[0] - (picture.width - 1 - columns[-1])) <= 2
    plain = cut_out(photo, square=False).pictures[0]
    assert plain.width > 1.3 * plain.height


@pytest.mark.parametrize(("asked", "color"), [("sage", "a8b59a"), ("#FFF", "ffffff"), ("Off White", "f5f2ea")])
def test_a_background_is_a_colour_below_the_item(photo: bytes, asked: str, color: str):
    clear, ground = cut_out(photo, padding=0.2).pictures[0], cut_out(photo, padding=0.2, background=asked).pictures[0]
    assert ground.pixels.shape == (*clear.pixels.shape[:2], 3)
    alpha = clear.pixels[..., 3]
    assert (ground.pixels[alpha == 0] == list(bytes.fromhex(color))).all()
    assert (ground.pixels[alpha == 255] == clear.pixels[alpha == 255][:, :3]).all()
    below = Image.new("RGBA", (clear.width, clear.height), f"#{color}")
    expected = np.asarray(Image.alpha_composite(below, Image.fromarray(clear.pixels)).convert("RGB"), int)
    assert np.abs(ground.pixels - expected).max() <= 1


@pytest.mark.parametrize("asked", [None, "transparent", " Transparent "])
def test_none_and_transparent_are_the_default(photo: bytes, asked: str | None):
    assert cut_out(photo, background=asked).pictures[0].pixels.shape[2] == 4


def test_what_is_smaller_than_the_minimum_area_is_left_out(photo: bytes):
    shares = [picture.details["area"] / (SIZE[0] * SIZE[1]) for picture in cut_out(photo).pictures]
    assert len(cut_out(photo, min_area=shares[1] * 0.99).pictures) == 2
    result = cut_out(photo, min_area=shares[1] * 1.01)
    assert (len(result.pictures), result.summary["items_found"]) == (1, 1)
    with pytest.raises(EngineError) as refused:
        cut_out(photo, min_area=0.5)
    assert refused.value.code == "items_too_small"
    assert "0.5" in refused.value.message and "min_area" in refused.value.message


def test_a_minimum_area_of_nothing_finds_what_is_left_out_as_a_crumb():
    image = Image.new("RGB", (1200, 900), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((100, 100, 800, 800), fill="navy")
    draw.ellipse((1000, 400, 1030, 430), fill="firebrick")
    file = io.BytesIO()
    image.save(file, "PNG")
    assert len(cut_out(file.getvalue()).pictures) == 1
    assert len(cut_out(file.getvalue(), min_area=0).pictures) == 2


def test_each_mask_follows_its_item_and_has_the_size_of_the_photo(photo: bytes):
    result = cut_out(photo, return_masks=True, background="red", output_format="jpeg")
    assert [picture.name for picture in result.pictures] == ["item-1", "item-1-mask", "item-2", "item-2-mask"]
    assert [picture.format for picture in result.pictures] == [None, "png", None, "png"]
    assert (result.summary["items_found"], result.summary["items_returned"]) == (2, 2)
    for item, mask in zip(result.pictures[::2], result.pictures[1::2], strict=True):
        assert mask.details == {"mask_of": item.name}
        assert (mask.width, mask.height) == SIZE
        assert mask.pixels.shape == SIZE[::-1]
        x, y, wide, high = item.details["box"]
        rows, columns = np.nonzero(mask.pixels > 127)
        assert (columns.min(), rows.min()) == (x, y)
        assert (columns.max() + 1 - x, rows.max() + 1 - y) == (wide, high)
        assert len(rows) == item.details["area"]
        assert mask.pixels.max() == 255
    one = extract(photo, {"runtime_config": {"return_masks": True}, "extraction_context": {"max_items": 1}})
    assert len(one.pictures) == 2


def test_keys_that_are_not_known_are_told_and_null_is_as_good_as_nothing(photo: bytes):
    known = dict.fromkeys(("model", "output_format", "padding", "square", "background", "min_area", "return_masks"))
    result = cut_out(photo, **known, Padding=7, shadow=None)
    assert result.summary["unused"] == ["Padding", "shadow"]
    assert len(result.pictures) == 2
    json.dumps([result.summary, *(picture.details for picture in result.pictures)])


SHARES = [-0.01, True, False, "0.1", "", [], {}, [0.1], float("nan"), float("inf"), 10**400, -(10**400)]
WRONG = [
    *(("padding", value, "not_a_share") for value in (*SHARES, 0.51, 3)),
    *(("min_area", value, "not_a_share") for value in (*SHARES, 1.01, 40)),
    *((key, value, "not_a_flag") for key in ("square", "return_masks") for value in (0, 1, "true", "", [], {}, 0.0)),
    *(
        ("background", value, "unknown_color")
        for value in ("greenish", "", 7, True, [], ["red"], {}, "#12", "x" * 9999)
    ),
]


@pytest.mark.parametrize(("key", "value", "code"), WRONG, ids=lambda value: repr(value)[:12])
def test_a_value_that_is_none_is_refused_with_what_would_do(photo: bytes, key: str, value: Any, code: str):
    with pytest.raises(EngineError) as refused:
        cut_out(photo, **{key: value})
    assert (refused.value.code, refused.value.technical) == (code, False)
    assert len(refused.value.message) < 300
    if code != "unknown_color":
        assert f"runtime_config.{key}" in refused.value.message


@pytest.mark.slow
def test_a_canvas_is_no_larger_than_a_photo_may_be():
    # 8000 × 6000 with room on all sides and square would be 256 megapixels.
    pixels = np.zeros((6000, 8000, 4), np.uint8)
    pixels[20:-20, 20:-20] = (200, 60, 30, 255)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    (picture,) = cut_out(file.getvalue(), padding=0.5, square=True).pictures
    assert picture.width == picture.height
    assert 49_000_000 < picture.width * picture.height <= 50_000_000
    rows, columns = (np.flatnonzero((picture.pixels[..., 3] > 127).any(axis=axis)) for axis in (1, 0))
    assert abs(len(columns) / picture.width - 0.5) < 0.01 and abs(len(rows) / len(columns) - 0.75) < 0.01
    assert np.abs(picture.pixels[picture.pixels[..., 3] > 0][:, :3].astype(int) - (200, 60, 30)).max() <= 2
