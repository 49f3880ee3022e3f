"""From pixels to the bytes of a file. All are sRGB; the files say so, or have a format that means it by itself."""

import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageColor

from workflows.engines.formats import Format
from workflows.engines.palette import Bytes

# The longer side of a thumbnail, in pixels.
THUMBNAIL_SIDE = 320
# Of what was made 99 values in 100 are at most 5 of 255 away; half as many bytes again bring them hardly nearer. Alpha
# is lossless: the edge of a cut-out is what it is bought for. More effort than 2 takes thrice the time and saves 2 %.
_WEBP = {"quality": 90, "alpha_quality": 100, "method": 2}
# Shops resize and encode it once more, so above what eyes would need; colour at full size (4:4:4), or the red edge of a
# product would fray.
_JPEG = {"quality": 92, "subsampling": 0}
_ROWS = 256


def encode(pixels: Bytes, *, format: Format) -> bytes:
    """Return pixels, shape (h, w), (h, w, 3) or (h, w, 4), as a file. JPEG takes no alpha: see `on_ground`."""
    if format.name == "png":
        return _png(pixels)
    out = BytesIO()
    options = _WEBP if format.name == "webp" else _JPEG
    Image.fromarray(pixels).save(out, format.label, icc_profile=_SRGB, **options)
    return out.getvalue()


def thumbnail(pixels: Bytes) -> bytes:
    """Return a small WebP, which is sRGB unless it says otherwise; never enlarged, with alpha where there is some."""
    image = Image.fromarray(pixels)
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    out = BytesIO()
    image.save(out, "WebP", quality=80)
    return out.getvalue()


def on_ground(pixels: Bytes, color: str) -> Bytes:
    """Return pixels as they look on a ground of this colour (#rrggbb), shape (h, w, 3); what has no alpha as it is."""
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return pixels
    ground = ImageColor.getrgb(color)
    seen = np.full((*pixels.shape[:2], 3), ground, np.uint8)
    for top in range(0, len(pixels), _ROWS):  # in bands: of 50 megapixels there is no room for another copy
        band, below = pixels[top : top + _ROWS], seen[top : top + _ROWS]
        alpha = band[..., 3]
        cv2.copyTo(cv2.cvtColor(band, cv2.COLOR_RGBA2RGB), alpha, below)
        soft = (alpha > 0) & (alpha < 255)
        share = alpha[soft].astype(np.uint32)[:, None]
        below[soft] = (band[soft][:, :3] * share + np.array(ground, np.uint32) * (255 - share) + 127) // 255
    return seen


def _png(pixels: Bytes) -> bytes:
    """Return a PNG with an sRGB chunk (perceptual intent)."""
    if pixels.ndim == 2:
        order, strategy = None, cv2.IMWRITE_PNG_STRATEGY_RLE
    elif pixels.shape[2] == 4:
        order, strategy = cv2.COLOR_RGBA2BGRA, cv2.IMWRITE_PNG_STRATEGY_RLE
    else:
        # A dithered picture hardly repeats itself: searching it for repeats costs twice the time and saves nothing.
        order, strategy = cv2.COLOR_RGB2BGR, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, strategy]
    _, encoded = cv2.imencode(".png", pixels if order is None else cv2.cvtColor(pixels, order), options)
    data = encoded.tobytes()
    body = b"sRGB\x00"
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    after_header = 33  # the signature (8), and IHDR with its length, type and checksum (25)
    return data[:after_header] + chunk + data[after_header:]


def _srgb() -> bytes:
    """Return the profile of sRGB, the same at any time: Little CMS writes the date into it."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    date = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    return profile[:24] + date + profile[36:]


_SRGB = _srgb()
