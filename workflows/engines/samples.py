"""What a test key gets: the image that was made, small and marked."""

from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from workflows.engines.base import Picture

MOST_WIDTH = 512
_MARK = "TEST"


def as_sample(picture: Picture) -> Picture:
    """Return the image at most 512 pixels wide, with a mark all over it, its transparent parts included."""
    made = Image.fromarray(picture.pixels)
    image = made.convert("RGBA")
    if image.width > MOST_WIDTH:
        height = max(1, round(image.height * MOST_WIDTH / image.width))
        image = image.resize((MOST_WIDTH, height), Image.Resampling.LANCZOS)
    marks = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(marks)
    size = max(8, min(image.size) // 6)  # by the shorter side, or the letters of a belt's would lie below it
    font = ImageFont.load_default(size)
    for row, y in enumerate(range(0, image.height, 2 * size)):
        for x in range(-size * (row % 2), image.width, 4 * size):
            draw.text((x, y), _MARK, font=font, fill=(255, 255, 255, 110), stroke_width=1, stroke_fill=(0, 0, 0, 110))
    marked = Image.alpha_composite(image, marks).convert(made.mode)
    return replace(picture, pixels=np.asarray(marked))
