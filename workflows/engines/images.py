"""Reading the images of strangers."""

import contextlib
import warnings
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

from workflows.engines.base import EngineError
from workflows.engines.palette import Bytes
from workflows.engines.photo_formats import PHOTO_FORMATS

MOST_PIXELS = 50_000_000
SMALLEST_SIDE = 32


class NotAnImage(EngineError):
    """The trial image is not an image that can be read. Send a JPEG, PNG, WebP, GIF, TIFF or BMP file."""

    code = "not_an_image"


class ImageTooLarge(EngineError):
    """The trial image has {width} x {height} pixels, which is more than 50 megapixels. Send a smaller one."""

    code = "image_too_large"


class ImageTooSmall(EngineError):
    """The trial image has {width} x {height} pixels. Send one with at least 32 pixels on each side."""

    code = "image_too_small"


class DamagedImage(EngineError):
    """The trial image is a {format} file, but a damaged or incomplete one. Upload it again."""

    code = "damaged_image"


def read_photo(data: bytes) -> tuple[Bytes, Bytes | None]:
    """Return the upright sRGB pixels of an image, shape (h, w, 3), and its alpha, shape (h, w), if it has any.

    Of an animation it is the first frame. Raises NotAnImage, ImageTooLarge, ImageTooSmall or DamagedImage; what is
    too large is refused by its header, before a pixel of it is decoded.
    """
    with warnings.catch_warnings(action="ignore"):  # what Pillow warns of is decided here, by what can be decoded
        return _read(data)


def _read(data: bytes) -> tuple[Bytes, Bytes | None]:
    image = _open(data)
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise ImageTooLarge(width=width, height=height)
    if min(width, height) < SMALLEST_SIDE:
        raise ImageTooSmall(width=width, height=height)
    try:
        image.load()
        upright = image
        with contextlib.suppress(Exception):  # a camera's broken metadata is no reason to refuse its photo
            upright = ImageOps.exif_transpose(image)
        has_alpha = upright.has_transparency_data
        if upright.mode.startswith(("I", "F")):
            upright = _eight_bits(upright)
        pixels = np.asarray(upright.convert("RGBA" if has_alpha else "RGB"))
    except MemoryError:  # the machine's fault, not the file's
        raise
    # Pillow's decoders raise nearly anything on a damaged file: OSError, SyntaxError, ValueError, struct.error …
    except Exception as error:
        raise DamagedImage(format=image.format) from error
    return np.ascontiguousarray(pixels[..., :3]), np.ascontiguousarray(pixels[..., 3]) if has_alpha else None


def _open(data: bytes) -> Image.Image:
    # Image.open() warns of a bomb, or raises, by a limit that is global to the process; the formats' own openers
    # read the header alone and leave the judgement to us.
    Image.init()
    for known in PHOTO_FORMATS.values():
        factory, accept = Image.OPEN[known.name]
        accepted = accept is None or accept(data[:16])
        if accepted and not isinstance(accepted, str):
            try:
                return factory(BytesIO(data), "")
            except Exception as error:
                raise NotAnImage from error
    raise NotAnImage


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return an image of 16 or 32 bits, or of floats, as gray bytes; Pillow's own conversion would clip it."""
    values = np.nan_to_num(np.asarray(image, np.float64), posinf=0.0, neginf=0.0)
    full = max(values.max(), 65535.0 if image.mode.startswith("I") and values.max() > 255 else 1.0)
    return Image.fromarray(np.clip(values * (255 / full), 0, 255).astype(np.uint8))
