import hashlib
import struct
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from workflows.engines.encoding import encode, on_ground, thumbnail
from workflows.engines.formats import FORMATS, TooLongForFormat, check_sides

MADE = """
import hashlib
import numpy as np
from workflows.engines.encoding import encode, thumbnail
from workflows.engines.formats import FORMATS
pixels = np.random.default_rng(7).integers(0, 256, (70, 90, 3), np.uint8)
files = [*(encode(pixels, format=format) for format in FORMATS.values()), thumbnail(pixels)]
print(*(hashlib.sha256(file).hexdigest() for file in files))
"""


def test_the_same_pixels_give_the_same_bytes_in_any_process():
    pixels = np.random.default_rng(7).integers(0, 256, (70, 90, 3), np.uint8)
    files = [*(encode(pixels, format=format) for format in FORMATS.values()), thumbnail(pixels)]
    here = [hashlib.sha256(file).hexdigest() for file in files]
    done = subprocess.run([sys.executable, "-c", MADE], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == here, done.stderr


@pytest.mark.parametrize("name", ["webp", "jpeg"])
def test_a_profile_does_not_say_when_it_was_made(name: str):
    image = Image.open(BytesIO(encode(np.zeros((1, 1, 3), np.uint8), format=FORMATS[name])))
    assert struct.unpack(">6H", image.info["icc_profile"][24:36]) == (2000, 1, 1, 0, 0, 0)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_makes_the_longest_side_that_is_told(name: str):
    format = FORMATS[name]
    check_sides(width=format.most_side, height=1, format=format)
    assert encode(np.zeros((1, format.most_side, 3), np.uint8), format=format)
    for width, height in ((format.most_side + 1, 1), (1, format.most_side + 1)):
        with pytest.raises(TooLongForFormat, match=str(format.most_side)):
            check_sides(width=width, height=height, format=format)


def test_what_shows_through_is_white():
    pixels = np.array([[[0, 0, 0, 0], [10, 20, 30, 255], [0, 0, 0, 51]]], np.uint8)
    assert on_ground(pixels, "#ffffff").tolist() == [[[255, 255, 255], [10, 20, 30], [204, 204, 204]]]
