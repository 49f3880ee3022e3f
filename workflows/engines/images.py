"""Reading the images of strangers."""

import contextlib
import warnings
from collections.abc import Iterator
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms, ImageOps
from PIL.TiffImagePlugin import BITSPERSAMPLE, PLANAR_CONFIGURATION, TiffImageFile

from workflows.engines.base import EngineError
from workflows.engines.palette import Bytes, Floats
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


class UnreadableTiff(EngineError):
    """The trial image is a TIFF file of 16 bits whose colours lie in planes of their own, which cannot be read. Save it
    interleaved, or as a PNG."""

    code = "unreadable_tiff"


class DamagedImage(EngineError):
    """The trial image is a {format} file, but a damaged or incomplete one. Upload it again."""

    code = "damaged_image"


def read_photo(data: bytes) -> tuple[Bytes, Bytes | None]:
    """Return the upright sRGB pixels of an image, shape (h, w, 3), and its alpha, shape (h, w), if it has any.

    Of an animation it is the first frame. Raises NotAnImage, ImageTooLarge, ImageTooSmall, UnreadableTiff or
    DamagedImage; what is too large is refused by its header, before a pixel of it is decoded.
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
        if _is_in_deep_planes(image):
            raise UnreadableTiff
        image.load()
        with contextlib.suppress(Exception):  # a camera's broken metadata is no reason to refuse its photo
            ImageOps.exif_transpose(image, in_place=True)
        has_alpha = image.has_transparency_data
        upright: Image.Image = _in_srgb(image, "RGBA" if has_alpha else "RGB")
        return _pixels(upright), _pixels(upright.getchannel("A")) if has_alpha else None
    except (MemoryError, UnreadableTiff):  # the first is the machine's fault, not the file's
        raise
    # Pillow's decoders raise nearly anything on a damaged file: OSError, SyntaxError, ValueError, struct.error …
    except Exception as error:
        raise DamagedImage(format=image.format) from error


def _is_in_deep_planes(image: Image.Image) -> bool:
    """Return whether it is a file that Pillow reads without a word, and wrongly."""
    return (
        isinstance(image, TiffImageFile)
        and image.tag_v2.get(PLANAR_CONFIGURATION) == 2
        and len(image.tag_v2[BITSPERSAMPLE]) > 1
        and max(image.tag_v2[BITSPERSAMPLE]) > 8
    )


def _in_srgb(image: Image.Image, mode: str) -> Image.Image:
    """Return the image in sRGB, as the profile that it carries says; without one it is taken to be that already."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    elif image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        image = image.convert(mode)
    if profile:
        # A broken profile, or one of another kind of colours than the file's, is left aside, as browsers do.
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
            given = ImageCms.ImageCmsProfile(BytesIO(profile))
            if "srgb" not in ImageCms.getProfileDescription(given).lower():
                target = "RGBA" if image.mode == "RGBA" else "RGB"
                changed = ImageCms.profileToProfile(
                    image, given, ImageCms.createProfile("sRGB"), outputMode=target, inPlace=target == image.mode
                )
                image = changed or image
    return image if image.mode == mode else image.convert(mode)


def _pixels(image: Image.Image) -> Bytes:
    """Return an image's bytes without its alpha, a few rows at a time: a second copy of a large photo is too much."""
    bands = () if image.mode == "L" else (3,)
    pixels = np.empty((image.height, image.width, *bands), np.uint8)
    for top, rows in _strips(image):
        pixels[top : top + rows.height] = np.asarray(rows)[..., :3] if bands else np.asarray(rows)
    return pixels


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    height = max(1, 4_000_000 // image.width)
    for top in range(0, image.height, height):
        yield top, image.crop((0, top, image.width, min(image.height, top + height)))


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

    def values(rows: Image.Image) -> Floats:
        return np.nan_to_num(np.asarray(rows).astype(np.float64), posinf=0.0, neginf=0.0)

    brightest = max(values(rows).max() for _, rows in _strips(image))
    full = max(brightest, 65535.0 if image.mode.startswith("I") and brightest > 255 else 1.0)
    gray = Image.new("L", image.size)
    for top, rows in _strips(image):
        gray.paste(Image.fromarray(np.clip(values(rows) * (255 / full), 0, 255).astype(np.uint8)), (0, top))
    return gray
