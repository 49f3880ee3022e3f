import subprocess
import sys

import numpy as np
import pytest
from PIL import ImageColor
from skimage.color import deltaE_ciede2000

from workflows.engines.base import EngineError
from workflows.engines.colors import SHOP_COLORS, asked_colors, parse_color
from workflows.engines.palette import ciede2000, color_name

# The test data of Sharma, Wu and Dalal (2005), table 1: two colours (L*, a*, b*) and their difference.
PUBLISHED = """
50 2.6772 -79.7751  50 0 -82.7485  2.0425
50 3.1571 -77.2803  50 0 -82.7485  2.8615
50 2.8361 -74.0200  50 0 -82.7485  3.4412
50 -1.3802 -84.2814  50 0 -82.7485  1.0000
50 -1.1848 -84.8006  50 0 -82.7485  1.0000
50 -0.9009 -85.5211  50 0 -82.7485  1.0000
50 0 0  50 -1 2  2.3669
50 -1 2  50 0 0  2.3669
50 2.4900 -0.0010  50 -2.4900 0.0009  7.1792
50 2.4900 -0.0010  50 -2.4900 0.0010  7.1792
50 2.4900 -0.0010  50 -2.4900 0.0011  7.2195
50 2.4900 -0.0010  50 -2.4900 0.0012  7.2195
50 -0.0010 2.4900  50 0.0009 -2.4900  4.8045
50 -0.0010 2.4900  50 0.0010 -2.4900  4.8045
50 -0.0010 2.4900  50 0.0011 -2.4900  4.7461
50 2.5 0  50 0 -2.5  4.3065
50 2.5 0  73 25 -18  27.1492
50 2.5 0  61 -5 29  22.8977
50 2.5 0  56 -27 -3  31.9030
50 2.5 0  58 24 15  19.4535
50 2.5 0  50 3.1736 0.5854  1.0000
50 2.5 0  50 3.2972 0  1.0000
50 2.5 0  50 1.8634 0.5757  1.0000
50 2.5 0  50 3.2592 0.3350  1.0000
60.2574 -34.0099 36.2677  60.4626 -34.1751 39.4387  1.2644
63.0109 -31.0961 -5.8663  62.8187 -29.7946 -4.0864  1.2630
61.2901 3.7196 -5.3901  61.4292 2.2480 -4.9620  1.8731
35.0831 -44.1164 3.7933  35.0232 -40.0716 1.5901  1.8645
22.7233 20.0904 -46.6940  23.0331 14.9730 -42.5619  2.0373
36.4612 47.8580 18.3852  36.2715 50.5065 21.2231  1.4146
90.8027 -2.0831 1.4410  91.1528 -1.6435 0.0447  1.4441
90.9257 -0.5406 -0.9208  88.6381 -0.8985 -0.7239  1.5381
6.7747 -0.2908 -2.4247  5.8714 -0.0985 -2.2286  0.6377
2.0776 0.0795 -1.1350  0.9033 -0.0636 -0.5514  0.9082
"""


@pytest.mark.parametrize(
    ("text", "color"),
    [
        ("#ABC", "#aabbcc"),
        ("abcdef", "#abcdef"),
        ("#abcd", "#aabbcc"),
        ("#12345680", "#123456"),
        ("rgb(18, 52, 86)", "#123456"),
        ("RGB(18 52 86)", "#123456"),
        ("rgb( 18,52 ,86 )", "#123456"),
        ("rgba(18, 52, 86, 0.5)", "#123456"),
        ("rgb(18 52 86 / 50%)", "#123456"),
        ("rgb(100%, 0%, 50%)", "#ff0080"),
        ("rgb(17.6 52.2 86)", "#123456"),
        ("hsl(210, 65%, 20%)", "#123354"),
        ("hsl(210deg 65% 20%)", "#123354"),
        ("hsl(-150 65 20)", "#123354"),
        ("hsla(570, 65.0%, 20%, .9)", "#123354"),
        ("hsl(0, 0%, 100%)", "#ffffff"),
        ("Light Blue", "#add8e6"),
        ("dark-slate-grey", "#2f4f4f"),
        ("rebeccapurple", "#663399"),
        ("Off White", SHOP_COLORS["off-white"]),
        ("OFFWHITE", SHOP_COLORS["off-white"]),
        ("terra-cotta", SHOP_COLORS["terracotta"]),
        ("écru", SHOP_COLORS["ecru"]),
        ("dove_grey", SHOP_COLORS["dove gray"]),
    ],
)
def test_a_color_is_understood(text, color):
    assert parse_color(text) == parse_color(f"  {text}\n") == color


@pytest.mark.parametrize("name", ImageColor.colormap)
def test_a_name_of_css_means_what_css_says(name):
    assert ImageColor.getrgb(parse_color(name)) == ImageColor.getrgb(name)


def test_the_names_of_shops_are_understood_however_they_are_written():
    for name, color in SHOP_COLORS.items():
        for text in (name, name.title(), name.upper().replace(" ", "-"), name.replace(" ", "").replace("-", " ")):
            assert parse_color(text) == color, text


@pytest.mark.parametrize(
    "color",
    ["", "example", "#12", "#12345", "#12345g", "#１２３", "#1230", "#12345600", "1234", "x" * 100_000, "sage\x00",
     "transparent", "currentcolor", "rgb(1,2)", "rgb(1,2,3,4,5)", "rgb(256,0,0)", "rgb(-1,0,0)", "rgb(101%,0%,0%)",
     "rgb(0,0,0,0)", "rgb(0 0 0 / 2)", "rgb(1deg 2 3)", "rgb(1,2,3", "rgb 1 2 3", "rgb(１,2,3)", "rgb(nan,0,0)",
     "rgb(1e2,0,0)", "rgb(" + "9" * 50 + ",0,0)", "hsl(0,101%,0%)", "hsl(0%,10%,0%)", "hsl(1,2)", "hwb(1 2 3)"],
)  # fmt: skip
def test_an_unknown_color_is_refused_with_what_works(color):
    with pytest.raises(EngineError) as refused:
        asked_colors(["white", color])
    assert refused.value.code == "unknown_color"
    assert all(word in refused.value.message for word in ("#rrggbb", "rgb(", "hsl(", "terracotta"))
    assert len(refused.value.message) < 400


def test_understanding_a_color_needs_no_image_library():
    code = "import sys, workflows.engines.colors; sys.exit(1 if {'numpy', 'cv2', 'django'} & set(sys.modules) else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_the_difference_of_colors_is_the_published_one():
    rows = np.array([line.split() for line in PUBLISHED.split("\n") if line], float)
    one, other = rows[:, :3], rows[:, 3:6]
    assert np.abs(ciede2000(one, other) - rows[:, 6]).max() < 1e-4
    assert np.abs(ciede2000(other, one) - rows[:, 6]).max() < 1e-4


def test_the_difference_is_that_of_another_implementation_for_any_colors():
    rng = np.random.default_rng(1)
    one, other = rng.uniform([0, -100, -100], [100, 100, 100], (2, 10_000, 3))
    assert np.abs(ciede2000(one, other) - deltaE_ciede2000(one, other)).max() < 1e-9
    assert ciede2000(one[:5, None], other[None, :7]).shape == (5, 7)


@pytest.mark.parametrize(
    ("color", "name"),
    [
        ("#ffffff", "white"),
        ("#050505", "black"),
        ("#828282", "gray"),
        ("#c5714e", "terracotta"),
        ("#a9b49b", "sage"),
        ("#1e2a4b", "navy blue"),
        ("#fe0101", "red"),
        ("#ffc2cd", "pink"),
        ("#f4f2e9", "off-white"),
        ("#5d402f", "coffee"),
    ],
)
def test_a_color_is_called_what_shops_call_it(color, name):
    assert color_name(color) == name


def test_a_name_that_is_given_is_understood_as_that_color():
    for color in SHOP_COLORS.values():
        assert parse_color(color_name(color)) == color
