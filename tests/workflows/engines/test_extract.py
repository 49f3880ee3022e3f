import hashlib
import json
import os
import struct
import subprocess
import sys
import zlib
from io import BytesIO

import numpy as np
import pytest
import skimage.data
from PIL import Image

from workflows.engines.base import EngineError
from workflows.engines.extract import extract
from workflows.engines.flat_lay import draw_flat_lay, draw_flat_lay_with_masks


@pytest.fixture(scope="module")
def flat_lay():
    return draw_flat_lay_with_masks(seed=7)


@pytest.fixture(scope="module")
def small_photo():
    """A flat lay of 360 × 270 as pixels."""
    return np.asarray(Image.open(BytesIO(draw_flat_lay(seed=3, width=360, height=270))))


def encoded(pixels, kind="PNG", **options):
    stream = BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(stream, kind, **options)
    return stream.getvalue()


def placed(picture, shape):
    """Return the cut-out's mask where it lies on the photo."""
    x, y, width, height = picture.details["box"]
    alpha = picture.pixels[..., 3] > 127
    rows, columns = np.nonzero(alpha)
    whole = np.zeros(shape, bool)
    cut = alpha[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert cut.shape == (height, width)
    whole[y : y + height, x : x + width] = cut
    return whole


def boxes(result):
    return [picture.details["box"] for picture in result.pictures]


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def png_header(width, height):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


WORN_AS = {"t-shirt": "top", "trousers": "bottom", "cap": "headwear", "bag": "bag", "scarf": "accessory"}


@pytest.mark.parametrize("seed", [7, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (8, 9))])
def test_each_garment_of_a_flat_lay_is_an_item_of_its_own(seed):
    photo, masks = draw_flat_lay_with_masks(seed=seed)
    result = extract(photo, {})
    found = [placed(picture, (1200, 1600)) for picture in result.pictures]
    best = {name: max(overlap(mask, one) for one in found) for name, mask in masks.items()}
    assert len(found) == len(masks) == 5
    assert min(best.values()) > 0.85, best
    assert np.mean(list(best.values())) >= 0.90, best
    for picture, mine in zip(result.pictures, found, strict=True):
        name = max(masks, key=lambda name: overlap(masks[name], mine))
        assert picture.details["category"] == WORN_AS[name]
        assert 0.4 < picture.details["score"] <= 1
    areas = [picture.details["area"] for picture in result.pictures]
    assert areas == sorted(areas, reverse=True)


def test_what_the_context_describes_comes_first(flat_lay):
    photo, masks = flat_lay
    context = {"max_items": 1, "product_name": "Winter scarf", "product_description": "in forest green"}
    result = extract(photo, {"extraction_context": context})
    (picture,) = result.pictures
    assert overlap(placed(picture, (1200, 1600)), masks["scarf"]) > 0.85
    assert result.summary["items_found"] == 5
    json.dumps([result.summary, picture.details])


def test_unknown_runtime_config_is_reported_as_unused(small_photo):
    result = extract(encoded(small_photo), {"runtime_config": {"b": 1, "output_format": "png", "a": None}})
    assert result.summary["unused"] == ["a", "b"]


def test_a_huge_max_items_is_no_harm(small_photo):
    assert len(extract(encoded(small_photo), {"extraction_context": {"max_items": 10**30}}).pictures) == 5


def test_what_is_cut_away_is_gone(flat_lay):
    for picture in extract(flat_lay[0], {}).pictures:
        pixels = picture.pixels
        assert not pixels[pixels[..., 3] == 0].any()
        assert 0.1 < (pixels[..., 3] > 127).mean() < 0.99


def test_a_real_photo_of_a_person_gives_items():
    photo = encoded(skimage.data.astronaut())
    first, second = extract(photo, {}), extract(photo, {})
    assert first.pictures and len(first.pictures) == len(second.pictures)
    for picture, again in zip(first.pictures, second.pictures, strict=True):
        assert picture.details == again.details and (picture.pixels == again.pixels).all()
        alpha = picture.pixels[..., 3]
        assert alpha.any() and not (alpha == 255).all()


@pytest.mark.slow
def test_extraction_is_the_same_in_any_process_with_any_threads(flat_lay, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(flat_lay[0])
    code = (
        "import hashlib, pathlib, sys; from workflows.engines.extract import extract\n"
        "pictures = extract(pathlib.Path(sys.argv[1]).read_bytes(), {}).pictures\n"
        "print(hashlib.sha256(b''.join(picture.pixels.tobytes() for picture in pictures)).hexdigest())"
    )
    here = hashlib.sha256(
        b"".join(picture.pixels.tobytes() for picture in extract(flat_lay[0], {}).pictures)
    ).hexdigest()
    for threads in ("1", "4"):
        variables = {"OMP_NUM_THREADS": threads, "OPENCV_FOR_THREADS_NUM": threads, "OPENBLAS_NUM_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], env={**os.environ, **variables}, capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip
        assert done.stdout.strip() == here, done.stderr


def test_the_drawn_photo_is_the_same_for_the_same_seed():
    assert draw_flat_lay(seed=4, width=320, height=240) == draw_flat_lay(seed=4, width=320, height=240)
    assert draw_flat_lay(seed=4, width=320, height=240) != draw_flat_lay(seed=5, width=320, height=240)


def variants(pixels):
    """The same photo in every form that a client may send it in."""
    image = Image.fromarray(pixels)
    gray = np.asarray(image.convert("L"))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise, for viewing
    frames = [image, Image.new("RGB", image.size)]
    return {
        "jpeg": encoded(image, "JPEG", quality=92),
        "cmyk": encoded(image.convert("CMYK"), "JPEG", quality=92),
        "gray": encoded(image.convert("L"), "JPEG", quality=92),
        "palette": encoded(image.quantize(64), "PNG"),
        "palette with transparency": encoded(image.quantize(64), "PNG", transparency=b"\xff" * 64),
        "opaque alpha": encoded(image.convert("RGBA"), "PNG"),
        "gray alpha": encoded(image.convert("LA"), "PNG"),
        "16 bit": encoded(Image.fromarray(gray.astype(np.uint16) * 257), "PNG"),
        "32 bit": encoded(Image.fromarray(gray.astype(np.int32) * 257), "TIFF"),
        "float": encoded(Image.fromarray(gray.astype(np.float32) / 255), "TIFF"),
        "animated gif": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "animated webp": encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], quality=90),
        "webp": encoded(image, "WEBP", quality=90),
        "bmp": encoded(image, "BMP"),
        "turned": encoded(image, "JPEG", quality=92, exif=exif),
        "broken exif": encoded(image, "JPEG", quality=92, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff\xff"),
    }


@pytest.mark.slow
def test_every_form_of_a_photo_is_read(small_photo):
    for form, data in variants(small_photo).items():
        result = extract(data, {})
        assert len(result.pictures) >= 4, form
        size = (result.summary["photo"]["width"], result.summary["photo"]["height"])
        assert size == ((270, 360) if form == "turned" else (360, 270)), form


def test_boxes_are_those_of_the_upright_photo(small_photo):
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    lying = encoded(np.ascontiguousarray(small_photo[::-1, ::-1]), "PNG", exif=exif)
    upright = extract(encoded(small_photo), {})
    assert boxes(extract(lying, {})) == boxes(upright)


def test_an_alpha_of_its_own_is_believed():
    pixels = np.full((200, 300, 4), 255, np.uint8)
    pixels[..., 3] = 0
    pixels[50:150, 40:120, 3] = 255
    (picture,) = extract(encoded(pixels), {}).pictures
    assert picture.details["box"] == [40, 50, 80, 100]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not_an_image"),
        (b"This is a text file.", "not_an_image"),
        (b"\x89PNG\r\n\x1a\n", "not_an_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n", "not_an_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_an_image"),
        (b"BM" + b"\xff" * 60, "not_an_image"),
        (png_header(50_000, 50_000), "image_too_large"),
        (png_header(2**31 - 1, 2**31 - 1), "image_too_large"),
        (png_header(8_000, 6_251), "image_too_large"),
        (png_header(400, 300), "damaged_image"),
        (png_header(1, 1), "image_too_small"),
        (png_header(10_000, 3), "image_too_small"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_what_is_no_usable_image_is_refused_with_a_reason(data, code):
    with pytest.raises(EngineError) as refused:
        extract(data, {})
    assert refused.value.code == code
    assert refused.value.message.endswith(".") and not refused.value.technical


def test_a_truncated_photo_is_refused(flat_lay):
    with pytest.raises(EngineError) as refused:
        extract(flat_lay[0][: len(flat_lay[0]) // 2], {})
    assert refused.value.code == "damaged_image"
    assert "JPEG" in refused.value.message


@pytest.mark.parametrize("color", [(255, 255, 255), (0, 0, 0), (120, 60, 200)])
def test_a_uniform_image_has_no_items(color):
    with pytest.raises(EngineError) as refused:
        extract(encoded(Image.new("RGB", (200, 160), color)), {})
    assert refused.value.code == "no_items_found"
    assert "plain surface" in refused.value.message


def test_an_all_transparent_image_has_no_items():
    pixels = np.random.default_rng(1).integers(0, 255, (100, 100, 4), np.uint8)
    pixels[..., 3] = 0
    with pytest.raises(EngineError) as refused:
        extract(encoded(pixels), {})
    assert refused.value.code == "no_items_found"


def odd_images():
    rng = np.random.default_rng(5)
    ramp = np.linspace(0, 255, 300, dtype=np.uint8)
    checks = (np.indices((256, 256)).sum(axis=0) // 16 % 2 * 255).astype(np.uint8)
    yield rng.integers(0, 255, (300, 400, 3), np.uint8)
    yield np.repeat(np.tile(ramp, (200, 1))[..., None], 3, axis=2)
    yield np.repeat(checks[..., None], 3, axis=2)
    yield rng.integers(0, 255, (32, 10_000, 3), np.uint8)
    yield np.full((33, 32, 3), 7, np.uint8)
    yield rng.integers(0, 2, (64, 64, 3), np.uint8) * 255
    for _ in range(6):
        canvas = np.full((int(rng.integers(32, 400)), int(rng.integers(32, 400)), 3), rng.integers(0, 255, 3), np.uint8)
        top, left = rng.integers(0, canvas.shape[0]), rng.integers(0, canvas.shape[1])
        canvas[top : top + rng.integers(1, 300), left : left + rng.integers(1, 300)] = rng.integers(0, 255, 3)
        yield canvas


def test_odd_images_give_items_or_say_that_there_are_none():
    for pixels in odd_images():
        try:
            assert extract(encoded(pixels), {}).pictures
        except EngineError as refused:
            assert refused.code == "no_items_found"


@pytest.mark.slow
def test_damaged_bytes_never_crash(small_photo):
    rng = np.random.default_rng(11)
    for form, data in variants(small_photo).items():
        for _ in range(3):
            broken = bytearray(data)
            for at in rng.integers(0, min(len(broken), 600), 12):
                broken[at] = int(rng.integers(256))
            try:
                extract(bytes(broken), {})
            except EngineError as refused:
                assert refused.code in ("not_an_image", "damaged_image", "image_too_large", "image_too_small",
                                        "no_items_found"), form  # fmt: skip
