import struct
import subprocess
import sys
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image, ImageCms

from workflows.engines.base import EngineError
from workflows.engines.images import read_photo


@pytest.fixture(scope="module")
def photo():
    return skimage.data.astronaut()[60:260, 100:400].copy()


def encoded(image, kind, **options):
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def deep(pixels, suffix):
    """Return pixels with 16 bits for each colour, as a file of the kind that the suffix names."""
    wide = pixels.astype(np.uint16) * 257
    order = [2, 1, 0, 3][: pixels.shape[2]]
    return cv2.imencode(suffix, np.ascontiguousarray(wide[..., order]))[1].tobytes()


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_a_colour_are_read(photo, suffix):
    pixels, alpha = read_photo(deep(photo, suffix))
    assert (pixels == photo).all() and alpha is None


def test_sixteen_bits_a_colour_with_alpha_are_read(photo):
    clear = np.tile(np.linspace(0, 255, photo.shape[1]).astype(np.uint8), (photo.shape[0], 1))
    pixels, alpha = read_photo(deep(np.dstack([photo, clear]), ".png"))
    assert (pixels == photo).all() and (alpha == clear).all()


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_photo_is_turned_upright(photo, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    undone = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.swapaxes(0, 1),
              6: np.rot90, 7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: lambda a: np.rot90(a, -1)}  # fmt: skip
    lying = Image.fromarray(np.ascontiguousarray(undone[turn](photo)))
    assert (read_photo(encoded(lying, "PNG", exif=exif))[0] == photo).all()


def test_inks_are_read_as_light(photo):
    """Adobe's programs, and Pillow like them, store the inks of a JPEG inverted."""
    data = encoded(Image.fromarray(photo).convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in data[:40]
    assert np.abs(read_photo(data)[0].astype(int) - photo).mean() < 2


def display_p3():
    """Return a profile with the wider primaries of Display P3 and the curve of sRGB, which they share."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    primaries = {b"rXYZ": (0.51512, 0.2412, -0.00105), b"gXYZ": (0.29198, 0.69225, 0.04189),
                 b"bXYZ": (0.1571, 0.06657, 0.78407)}  # fmt: skip
    for index in range(struct.unpack_from(">I", profile, 128)[0]):
        name, offset, _ = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        if name in primaries:
            struct.pack_into(">3i", profile, offset + 8, *(round(value * 65536) for value in primaries[name]))
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "Wide".encode("utf-16-be"))


def test_colours_of_a_wider_space_become_srgb():
    wide = np.full((40, 40, 3), (200, 100, 50), np.uint8)
    for mode, kind in (("RGB", "PNG"), ("RGBA", "PNG"), ("RGB", "TIFF"), ("RGB", "WEBP")):
        data = encoded(
            Image.fromarray(wide).convert(mode),
            kind,
            icc_profile=display_p3(),
            **({"lossless": True} if kind == "WEBP" else {}),
        )
        # By the matrix from Display P3 to sRGB in linear light.
        assert np.abs(read_photo(data)[0][20, 20].astype(int) - (214, 95, 34)).max() <= 3, (mode, kind)


def test_a_profile_that_is_broken_or_of_other_colours_is_left_aside(photo):
    image = Image.fromarray(photo)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (b"nonsense", display_p3()[:200], lab):
        assert (read_photo(encoded(image, "PNG", icc_profile=profile))[0] == photo).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_many_frames_the_first_is_read(photo, kind):
    frames = [Image.fromarray(photo), *(Image.new("RGB", (300, 200), (0, 0, shade)) for shade in range(200))]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert np.abs(read_photo(data)[0].astype(int) - photo).mean() < 12


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(*extra, after=()):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(65 * 64)))
    return b"".join([b"\x89PNG\r\n\x1a\n", header, *extra, data, *after, chunk(b"IEND", b"")])


def bombs():
    deflated = zlib.compress(bytes(300_000_000), 9)
    text = chunk(b"zTXt", b"Comment\0\0" + deflated)
    yield png(text)
    yield png(after=[text])
    yield png(*[text] * 3)
    yield png(chunk(b"iCCP", b"icc\0\0" + deflated))
    yield png(chunk(b"iTXt", b"Comment\0\1\0\0\0" + deflated))
    yield png(chunk(b"tEXt", b"Comment\0" + bytes(5_000_000)))
    yield png(*[chunk(b"tEXt", b"k%d\0" % number + bytes(900_000)) for number in range(90)])


def try_bombs():
    """Read each bomb, and print how much memory that took at most, in bytes."""
    import resource

    made = list(bombs())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for data in made:
        try:
            pixels, _ = read_photo(data)
            assert pixels.shape == (64, 64, 3)
        except EngineError as refused:
            assert refused.code in ("not_an_image", "damaged_image")
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)


def in_a_fresh_process(code, *arguments):
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.slow
def test_what_swells_when_it_is_read_takes_little_memory():
    code = "from tests.workflows.engines.test_images import try_bombs; try_bombs()"
    assert in_a_fresh_process(code) < 100_000_000


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_fifty_megapixels_are_cut_out_within_one_gibibyte(tmp_path, suffix):
    from workflows.engines.flat_lay import draw_flat_lay

    small = cv2.imdecode(np.frombuffer(draw_flat_lay(), np.uint8), cv2.IMREAD_COLOR)
    path = tmp_path / f"large{suffix}"
    cv2.imwrite(str(path), cv2.resize(small, (8164, 6123), interpolation=cv2.INTER_CUBIC))
    code = (
        "import pathlib, resource, sys; from workflows.engines.extract import extract\n"
        "assert len(extract(pathlib.Path(sys.argv[1]).read_bytes(), {}).pictures) == 5\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"
    )
    assert in_a_fresh_process(code, str(path)) < 2**30


@pytest.mark.parametrize("planes", [False, True])
def test_a_tiff_of_sixteen_bits_is_read_right_or_refused(planes):
    colors = (np.indices((60, 80)).sum(axis=0)[..., None] * np.array([400, 300, 200])).astype(np.uint16)
    stream = BytesIO()
    tifffile.imwrite(
        stream, np.moveaxis(colors, -1, 0) if planes else colors, photometric="rgb",
        planarconfig="separate" if planes else "contig",
    )  # fmt: skip
    if planes:
        with pytest.raises(EngineError) as refused:
            read_photo(stream.getvalue())
        assert refused.value.code == "unreadable_tiff"
    else:
        pixels, _ = read_photo(stream.getvalue())
        assert np.abs(pixels - colors / 257).max() <= 1
