"""Which files can be read as a photo. The web process imports this module, so it imports no image library."""

from typing import NamedTuple


class PhotoFormat(NamedTuple):
    """One kind of file: Pillow's name of it, and the usual end of a file's name."""

    name: str
    extension: str


# By media type, in the order in which a file is tried as each.
PHOTO_FORMATS = {
    "image/jpeg": PhotoFormat("JPEG", "jpg"),
    "image/png": PhotoFormat("PNG", "png"),
    "image/webp": PhotoFormat("WEBP", "webp"),
    "image/gif": PhotoFormat("GIF", "gif"),
    "image/tiff": PhotoFormat("TIFF", "tiff"),
    "image/bmp": PhotoFormat("BMP", "bmp"),
}
