import subprocess
import sys

import pytest

from workflows.engines.base import EngineError
from workflows.engines.sizes import PIXEL_CLASSES, RATIOS, Size, parse_size


@pytest.mark.parametrize(
    ("resolution", "aspect_ratio", "size"),
    [
        (None, None, Size(1024, 1024, "1K")),
        ("", "  ", Size(1024, 1024, "1K")),
        ("512", None, Size(512, 512, "512")),
        ("1k", "16:9", Size(1368, 768, "1K")),
        (" 2K ", "3:4", Size(1776, 2368, "2K")),
        ("4K", "1:1", Size(4096, 4096, "4K")),
        ("4k", "8:1", Size(11584, 1448, "4K")),
        ("1024", "1:1", Size(1024, 1024, "1K")),
        ("4096", None, Size(4096, 4096, "4K")),
        ("1200x1600", None, Size(1200, 1600, "2K")),
        ("1200 X 1600", "3:4", Size(1200, 1600, "2K")),
        ("1024×1024", None, Size(1024, 1024, "1K")),
        ("1K", "1.91:1", Size(1416, 744, "1K")),
        ("1K", "3/4", Size(888, 1184, "1K")),
        ("64x64", None, Size(64, 64, "512")),
        ("64x512", None, Size(64, 512, "512")),
    ],
)
def test_a_size_is_understood(resolution, aspect_ratio, size):
    assert parse_size(resolution=resolution, aspect_ratio=aspect_ratio) == size


@pytest.mark.parametrize("name", PIXEL_CLASSES)
@pytest.mark.parametrize("ratio", RATIOS)
def test_a_size_written_out_costs_what_its_name_costs(name, ratio):
    named = parse_size(resolution=name, aspect_ratio=ratio)
    written = parse_size(resolution=f"{named.width}x{named.height}", aspect_ratio=ratio)
    assert written == named
    assert named.width % 8 == named.height % 8 == 0
    assert named.width * named.height == pytest.approx(PIXEL_CLASSES[name], rel=0.025)
    across, down = map(int, ratio.split(":"))
    assert named.width / named.height == pytest.approx(across / down, rel=0.03)


@pytest.mark.parametrize(
    ("width", "pixel_class"), [(512, "512"), (540, "1K"), (1024, "1K"), (1100, "2K"), (2100, "4K"), (4096, "4K")]
)
def test_the_class_is_the_smallest_that_holds_the_pixels(width, pixel_class):
    assert parse_size(resolution=f"{width}x{width}", aspect_ratio=None).pixel_class == pixel_class


@pytest.mark.parametrize(
    "resolution",
    ["example", "8K", "0", "-1", "777", "63x63", "0x0", "4200x4200", "12289x1400", "100x900", "1024x", "x", "1e3",
     "９" * 3, "１０２４x１０２４", "٤K", "9" * 10_000, "1x" * 5_000, "1024x-1024", "1024x1024x1024", "\x00", "1.5K"],
)  # fmt: skip
def test_an_unknown_resolution_is_refused_with_what_there_is(resolution):
    with pytest.raises(EngineError) as refused:
        parse_size(resolution=resolution, aspect_ratio=None)
    assert refused.value.code == "unknown_resolution"
    assert "512, 1K, 2K or 4K" in refused.value.message
    assert len(refused.value.message) < 400
    assert not refused.value.technical


@pytest.mark.parametrize(
    "aspect_ratio",
    ["example", "0:0", "1:0", "0:1", "-1:1", "1:9", "9:1", "1", "1:", ":", "1:1:1", "１:１", "9" * 10_000 + ":1",
     "nan:1", "1e9:1", "0.0:1", "inf:inf"],
)  # fmt: skip
def test_an_unknown_aspect_ratio_is_refused_with_what_there_is(aspect_ratio):
    with pytest.raises(EngineError) as refused:
        parse_size(resolution=None, aspect_ratio=aspect_ratio)
    assert refused.value.code == "unknown_aspect_ratio"
    assert "16:9" in refused.value.message
    assert len(refused.value.message) < 400


def test_a_resolution_that_contradicts_the_aspect_ratio_is_refused():
    with pytest.raises(EngineError) as refused:
        parse_size(resolution="1024x1024", aspect_ratio="16:9")
    assert refused.value.code == "contradictory_size"


def test_sizes_and_errors_import_no_image_library():
    code = (
        "import sys, workflows.engines.base, workflows.engines.sizes;"
        "sys.exit(1 if {'numpy', 'cv2', 'PIL', 'django'} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
