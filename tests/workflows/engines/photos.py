"""Photos of items with known masks, made from seeds: what the cut-outs' quality is measured on.

Each is drawn in linear light as a camera would see it: a surface, the light over it, the items with their cloth,
folds and shadows, then the lens's blur, the sensor's noise and JPEG.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np

from workflows.engines.garments import BAG, CAP, SCARF, T_SHIRT, TROUSERS, mirrored, rounded
from workflows.engines.materials import make
from workflows.engines.palette import linear, to_linear, to_srgb

WIDTH, HEIGHT = 800, 600


def _ellipse(x, y, wide, high, start=0.0, stop=360.0):
    turn = np.radians(np.linspace(start, stop, 40))
    return [(x + wide * np.cos(t), y + high * np.sin(t)) for t in turn]


# Outlines in half pixels around the item's own middle, y down; the right half where only that is given.
SWEATER = mirrored(
    [
        (0, -250),
        (60, -262),
        (100, -270),
        (210, -230),
        (270, -100),
        (330, 180),
        (262, 204),
        (200, 0),
        (204, 250),
        (0, 256),
    ]
)
DRESS = mirrored(
    [
        (0, -290),
        (40, -300),
        (52, -420),
        (72, -420),
        (86, -300),
        (120, -240),
        (90, -80),
        (160, 180),
        (210, 400),
        (0, 420),
    ]
)
CAMISOLE = mirrored([(0, -120), (60, -170), (66, -330), (78, -330), (86, -180), (140, -90), (150, 260), (0, 272)])
SKIRT = mirrored([(0, -210), (120, -210), (150, -60), (240, 220), (0, 240)])
SHOE = [
    (-170, -40),
    (-120, -110),
    (-80, -60),
    (-10, -30),
    (60, 10),
    (150, 36),
    (180, 70),
    (176, 100),
    (-168, 100),
    (-180, 30),
]
BELT = [(-420, -26), (360, -26), (380, -44), (440, -44), (440, 44), (380, 44), (360, 26), (-420, 26), (-436, 0)]
TOTE = mirrored([(0, -250), (70, -240), (100, -180), (110, -60), (170, -60), (180, 250), (0, 256)])
TOTE_HOLE = mirrored([(0, -228), (56, -218), (80, -172), (88, -60), (0, -60)])
HAT = [*_ellipse(0, 0, 240, 190)]
GLASSES = mirrored(
    [(0, -16), (30, -22), (60, -60), (170, -66), (196, -30), (186, 40), (120, 72), (54, 44), (30, 4), (0, 2)]
)
LENS = _ellipse(118, -2, 52, 46)
NECKLACE = _ellipse(0, 0, 190, 230)

# Worn: in half pixels from the chin's middle at a face of 100.
WORN_TOP = mirrored(
    [
        (0, 40),
        (60, 26),
        (150, 62),
        (172, 90),
        (345, 440),
        (340, 700),
        (280, 700),
        (290, 470),
        (200, 300),
        (205, 840),
        (0, 850),
    ]
)
WORN_TEE = mirrored([(0, 60), (66, 34), (150, 62), (180, 96), (292, 300), (216, 330), (190, 240), (200, 830), (0, 840)])
WORN_DRESS = mirrored(
    [(0, 130), (70, 60), (86, 30), (112, 34), (130, 150), (172, 250), (150, 500), (230, 900), (270, 1160), (0, 1180)]
)
WORN_TROUSERS = mirrored([(0, 780), (190, 780), (214, 1000), (190, 1640), (60, 1644), (40, 1060), (0, 1000)])
WORN_SKIRT = mirrored([(0, 780), (190, 780), (250, 1150), (0, 1160)])

SHAPES = {
    "worn top": (WORN_TOP, (), 2, 6),
    "worn tee": (WORN_TEE, (), 2, 6),
    "worn dress": (WORN_DRESS, (), 2, 6),
    "worn trousers": (WORN_TROUSERS, (), 2, 6),
    "worn skirt": (WORN_SKIRT, (), 2, 6),
    "t-shirt": (mirrored(T_SHIRT.outline), (), 2, 7),
    "trousers": (mirrored(TROUSERS.outline), (), 2, 7),
    "cap": (CAP.outline, (), 2, 18),
    "bag": (mirrored(BAG.outline), tuple(BAG.holes), 2, 16),
    "scarf": (mirrored(SCARF.outline), (), 0, 8),
    "sweater": (SWEATER, (), 2, 12),
    "dress": (DRESS, (), 2, 6),
    "camisole": (CAMISOLE, (), 1, 4),
    "skirt": (SKIRT, (), 2, 7),
    "shoe": (SHOE, (), 2, 22),
    "belt": (BELT, (), 1, 6),
    "tote": (TOTE, (TOTE_HOLE,), 2, 8),
    "hat": (HAT, (), 0, 26),
    "glasses": (GLASSES, (LENS, [(-x, y) for x, y in LENS]), 2, 5),
    "necklace": (NECKLACE, (_ellipse(0, 0, 180, 220),), 0, 5),
}


@dataclass(frozen=True)
class Item:
    """One item: a shape, its colours and cloth, and where it lies in pixels of the photo."""

    shape: str
    color: str
    x: float
    y: float
    size: float = 0.5
    turn: float = 0.0
    cloth: str = "plain"
    second: str = "#f4f1ea"
    shine: float = 0.0


@dataclass(frozen=True)
class Figure:
    """A person who wears the photo's items: a real head on drawn limbs, its face `size` pixels wide.

    `tone` is what the skin's light is multiplied by, `bare` which limbs are seen: arms, legs, hands.
    """

    x: float
    y: float
    size: float = 70
    tone: tuple[float, float, float] = (1.0, 1.0, 1.0)
    bare: tuple[str, ...] = ("hands",)
    flipped: bool = False


@dataclass(frozen=True)
class Photo:
    """One photo. `fall` is how much of the light is lost from the upper left to the lower right."""

    items: tuple[Item, ...]
    surface: str = "paint"
    color: str = "#e8e4dc"
    second: str = "#8f9aa3"
    fall: float = 0.2
    shadow: float = 0.45
    hard: bool = False
    noise: float = 1.0
    quality: int = 90
    size: tuple[int, int] = (WIDTH, HEIGHT)
    props: tuple[Item, ...] = field(default=())
    figure: Figure | None = None


def _plain(x, y, rng):
    return np.zeros_like(x)


def _stripes(x, y, rng):
    return (np.sin(y * (2 * np.pi / 46)) > 0.1).astype(np.float32)


def _pinstripes(x, y, rng):
    return 0.8 * (np.sin(x * (2 * np.pi / 26)) > 0.93).astype(np.float32)


def _checks(x, y, rng):
    return 0.5 * (np.sin(x * (2 * np.pi / 52)) > 0) + 0.5 * (np.sin(y * (2 * np.pi / 52)) > 0)


def _dots(x, y, rng):
    u, v = np.mod(x + 26 * (np.floor(y / 44) % 2), 52) - 26, np.mod(y, 44) - 22
    return (np.hypot(u, v) < 10).astype(np.float32)


def _floral(x, y, rng):
    shown = np.zeros_like(x)
    for _ in range(60):
        at_x, at_y, reach = rng.uniform(x.min(), x.max()), rng.uniform(y.min(), y.max()), rng.uniform(14, 34)
        turn, away = np.arctan2(y - at_y, x - at_x), np.hypot(x - at_x, y - at_y)
        shown = np.maximum(shown, away < reach * (0.6 + 0.4 * np.cos(5 * turn)))
    return shown.astype(np.float32)


def _knit(x, y, rng):
    return 0.35 + 0.35 * np.sin(x * 0.75) * np.sin(y * 0.5 + 2 * np.abs(np.sin(x * 0.375)))


def _blocks(x, y, rng):
    return (y > 0.15 * np.ptp(y)).astype(np.float32)


CLOTHS = {"plain": _plain, "stripes": _stripes, "pinstripes": _pinstripes, "checks": _checks, "dots": _dots,
          "floral": _floral, "knit": _knit, "blocks": _blocks}  # fmt: skip


def _smooth_noise(rng, shape, reach):
    small = rng.standard_normal((max(2, round(shape[0] / reach) + 2), max(2, round(shape[1] / reach) + 2)))
    return cv2.resize(small.astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)


def _ground(photo, rng):
    """Return the surface that the items lie on as linear light, shape (h, w, 3)."""
    width, height = photo.size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    first, second = linear(photo.color), linear(photo.second)
    if photo.surface == "two-tone":  # a wall and a floor
        edge = np.clip((y - 0.7 * height - 0.02 * x) / 3 + 0.5, 0, 1)[..., None]
        return first + (second - first) * edge
    if photo.surface == "rug":
        u, v = np.mod(x + y, 120) - 60, np.mod(x - y, 120) - 60
        mix = ((np.abs(u) + np.abs(v) < 50).astype(np.float32) * 0.7 + (np.hypot(u, v) < 18))[..., None]
        return first + (second - first) * np.clip(mix + 0.1 * _smooth_noise(rng, x.shape, 3)[..., None], 0, 1)
    if photo.surface == "tiles":
        joint = ((np.mod(x, 160) < 5) | (np.mod(y, 160) < 5)).astype(np.float32)[..., None]
        tone = rng.uniform(0.85, 1.1, (height // 160 + 1, width // 160 + 1)).astype(np.float32)
        tone = tone.repeat(160, axis=0).repeat(160, axis=1)[:height, :width, None]
        return first * tone + (second - first * tone) * joint
    if photo.surface == "gingham":
        mix = 0.5 * (np.mod(x, 48) < 24) + 0.5 * (np.mod(y, 48) < 24)
        return first + (second - first) * mix[..., None].astype(np.float32)
    if photo.surface == "room":  # out of focus: blobs of furniture
        light = np.zeros((height, width, 3), np.float32) + first
        for _ in range(14):
            color = linear(photo.second) * rng.uniform(0.3, 1.6) * rng.uniform(0.75, 1.25, 3)
            left, top = rng.uniform(-60, width), rng.uniform(-60, height)
            corner = (int(left + rng.uniform(50, 220)), int(top + rng.uniform(60, 260)))
            cv2.rectangle(light, (int(left), int(top)), corner, [float(c) for c in color], -1)
        return cv2.GaussianBlur(light, (0, 0), 9)
    material = make(photo.surface, rng, pixels=400)
    return first * material.at(x / 420, y / 420)


def _blurred(field, sigma):
    """Return the field blurred; a wide blur is made at reduced size, where it is quick."""
    shrink = max(1, int(sigma / 3))
    small = cv2.resize(field, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / shrink), field.shape[::-1], interpolation=cv2.INTER_CUBIC)


def _fill(shape, points):
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


_HEAD = [(154, 75), (165, 45), (190, 25), (230, 14), (265, 22), (290, 45), (300, 80), (292, 108), (277, 130),
         (271, 152), (260, 176), (240, 191), (218, 191), (196, 176), (184, 150), (177, 130), (160, 112)]  # fmt: skip
_MIDDLE, _CHIN = 224, 188
# In widths of the face from the chin's middle, and half the limb's width at both ends.
_LIMBS = {
    "neck": [((0, -0.4), (0, 0.45), 0.3, 0.36)],
    "arms": [((s * 1.15, 0.75), (s * 1.6, 2.3), 0.26, 0.2) for s in (-1, 1)]
    + [((s * 1.6, 2.3), (s * 1.5, 3.6), 0.2, 0.14) for s in (-1, 1)],
    "hands": [((s * 1.5, 3.6), (s * 1.46, 4.05), 0.15, 0.17) for s in (-1, 1)],
    "legs": [((s * 0.5, 4.4), (s * 0.45, 8.2), 0.42, 0.2) for s in (-1, 1)],
}  # fmt: skip


@cache
def _head():
    import skimage.data

    pixels = skimage.data.astronaut()
    return to_linear(pixels.astype(np.float32) / 255), _blurred(_fill(pixels.shape[:2], np.array(_HEAD, float)), 1.0)


def _draw_person(light, figure, rng):
    """Return the light with a person on it: head, neck, and the limbs that are bare."""
    shape = light.shape[:2]
    head, cover = _head()
    tone = np.array(figure.tone, np.float32)
    skin = np.median(head[120:150, 200:250].reshape(-1, 3), axis=0) * tone
    for name in ("neck", "legs", "arms", "hands"):
        if name != "neck" and name not in figure.bare:
            continue
        for start, stop, from_half, to_half in _LIMBS[name]:
            (x0, y0), (x1, y1) = start, stop
            length = np.hypot(x1 - x0, y1 - y0)
            nx, ny = (y1 - y0) / length, (x0 - x1) / length
            outline = [(x0 + nx * from_half, y0 + ny * from_half), (x1 + nx * to_half, y1 + ny * to_half)]
            outline += [(x1 - nx * to_half, y1 - ny * to_half), (x0 - nx * from_half, y0 - ny * from_half)]
            part = _fill(shape, rounded(outline, 1) * figure.size + [figure.x, figure.y])
            thick = 0.5 * (from_half + to_half) * figure.size
            inward = cv2.distanceTransform((part > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / thick
            lit = 0.55 + 0.5 * np.sqrt(np.clip(inward, 0, 1)) + 0.02 * _smooth_noise(rng, shape, 30)
            light = light + (skin * lit[..., None] - light) * part[..., None]
    scale = figure.size / 95
    mirror = -1 if figure.flipped else 1
    move = np.array([[mirror * scale, 0, figure.x - mirror * scale * _MIDDLE], [0, scale, figure.y - scale * _CHIN]])
    part = cv2.warpAffine(cover, move, shape[::-1], flags=cv2.INTER_AREA)
    pasted = cv2.warpAffine(head, move, shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return light + (pasted * tone - light) * part[..., None]


def _draw(light, item, photo, rng):
    """Return the light with the item on it, and how much of each pixel the item covers."""
    shape = light.shape[:2]
    outline, holes, smooth, thickness = SHAPES[item.shape]
    turn = np.radians(item.turn)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])

    def placed(points):
        return np.asarray(points) @ spin.T * item.size + [item.x, item.y]

    cover = _fill(shape, placed(rounded(outline, smooth)))
    for hole in holes:
        cover = cover * (1 - _fill(shape, placed(np.array(hole))))
    grid_y, grid_x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    dx, dy = (grid_x - item.x) / item.size, (grid_y - item.y) / item.size
    u, v = spin[0, 0] * dx + spin[1, 0] * dy, spin[0, 1] * dx + spin[1, 1] * dy
    thick = thickness * item.size * 2
    inward = cv2.distanceTransform((cover > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    relief = thick * (1 - np.exp(-inward / (0.9 * thick)))
    relief += 5 * item.size * _smooth_noise(rng, shape, 60 * item.size) + 3 * _smooth_noise(rng, shape, 22)
    relief = cv2.GaussianBlur(relief.astype(np.float32), (0, 0), 1.4)
    slope_x, slope_y = (
        cv2.Sobel(relief, cv2.CV_32F, 1, 0, scale=0.125),
        cv2.Sobel(relief, cv2.CV_32F, 0, 1, scale=0.125),
    )
    facing = (0.67 + 0.5 * slope_x + 0.55 * slope_y) / np.sqrt(1 + slope_x**2 + slope_y**2)
    lit = 0.35 + 0.65 * np.clip(facing, 0, 1.4) / 0.67
    mix = CLOTHS[item.cloth](u, v, rng)[..., None]
    color = linear(item.color) + (linear(item.second) - linear(item.color)) * mix
    color = color * (1 + 0.04 * rng.standard_normal((*shape, 1), dtype=np.float32))
    shown = color * lit[..., None] + item.shine * np.clip(facing[..., None] - 0.72, 0, 1)
    gloom = np.ones(shape, np.float32)
    reach = 3.2 if photo.hard else 1.1
    for far, blur, strength in ((reach, 0.35 if photo.hard else 1.3, photo.shadow), (0.35, 0.4, 0.6 * photo.shadow)):
        move = np.array([[1, 0, far * thick], [0, 1, 1.1 * far * thick]], np.float32)
        moved = cv2.warpAffine(cover, move, shape[::-1])
        gloom *= 1 - strength * _blurred(moved, max(0.8, blur * thick))
    under = light * gloom[..., None]
    return under + (np.clip(shown, 0.002, 1.2) - under) * cover[..., None], cover


@cache
def photograph(name: str):
    """Return one photo's JPEG and the masks of its items by name, shape (h, w) each."""
    photo, rng = PHOTOS[name], np.random.default_rng([7, *name.encode()])
    light = _ground(photo, rng).astype(np.float32)
    for prop in photo.props:
        light, _ = _draw(light, prop, photo, rng)
    if photo.figure:
        light = _draw_person(light, photo.figure, rng)
    covers = {}
    for number, item in enumerate(photo.items):
        light, cover = _draw(light, item, photo, rng)
        covers = {key: old * (1 - cover) for key, old in covers.items()}
        covers[f"{item.shape}-{number}"] = cover
    width, height = photo.size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = light * (1 + photo.fall * (0.5 - 0.55 * x / width - 0.6 * y / height))[..., None]
    light = cv2.GaussianBlur(light.astype(np.float32), (0, 0), 0.6)
    sigma = photo.noise * np.sqrt(6e-5 * np.maximum(light, 0) + 2e-6)
    light = light + sigma * rng.standard_normal(light.shape, dtype=np.float32)
    pixels = np.rint(to_srgb(np.clip(light, 0, 1).astype(np.float32)) * 255).astype(np.uint8)
    _, encoded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, photo.quality])
    return encoded.tobytes(), {key: cover > 0.5 for key, cover in covers.items()}


def examples() -> Iterator[tuple[str, bytes, dict[str, np.ndarray]]]:
    """Yield each photo's name, its JPEG and its items' masks."""
    for name in PHOTOS:
        yield name, *photograph(name)


_TALL = (600, 800)
PHOTOS: dict[str, Photo] = {
    "tee on white": Photo((Item("t-shirt", "#2f6d62", 400, 310, 0.75),), color="#f5f4f1"),
    "white tee on white": Photo((Item("t-shirt", "#f3f1ec", 400, 310, 0.75),), color="#dedad2", shadow=0.4),
    "ivory sweater on cream": Photo(
        (Item("sweater", "#efe6d2", 400, 300, 0.9, cloth="knit", second="#e2d6bd"),), color="#d8cdb8", fall=0.1
    ),
    "black bag on charcoal": Photo((Item("bag", "#0d0e10", 400, 320, 1.2, shine=0.12),), color="#3b3d40"),
    "navy trousers on black slate": Photo(
        (Item("trousers", "#1f2c4a", 300, 400, 0.7),), surface="concrete", color="#26272a", size=_TALL
    ),
    "three items on wood": Photo(
        (
            Item("t-shirt", "#3e5f9a", 230, 260, 0.55, -6),
            Item("cap", "#8c2f39", 590, 170, 0.6, 8),
            Item("shoe", "#f0efec", 580, 430, 0.8, 10),
        ),
        surface="wood",
        color="#b98b5e",
    ),
    "camel coat on dark wood": Photo(
        (Item("sweater", "#c69a6b", 400, 300, 0.9, 3),), surface="wood", color="#5a3d28", shadow=0.5
    ),
    "striped tee on linen": Photo(
        (Item("t-shirt", "#23365e", 400, 310, 0.72, cloth="stripes"),), surface="linen", color="#ddd2bf"
    ),
    "beige sweater on linen": Photo(
        (Item("sweater", "#c9ac8c", 400, 300, 0.85, -4, cloth="knit", second="#b99878"),),
        surface="linen",
        color="#efe9dd",
    ),
    "floral dress on plaster": Photo(
        (Item("dress", "#e9b7bd", 300, 400, 0.85, cloth="floral", second="#a4303f"),),
        surface="plaster",
        color="#cfd5d2",
        size=_TALL,
    ),
    "five items on plaster": Photo(
        (
            Item("t-shirt", "#b4532f", 190, 200, 0.45, 4),
            Item("trousers", "#34486b", 560, 300, 0.52, -5),
            Item("belt", "#4a2f1d", 200, 400, 0.36, 4, shine=0.1),
            Item("cap", "#c79a2e", 300, 520, 0.42),
            Item("scarf", "#8e3b46", 730, 260, 0.5, 5, cloth="knit", second="#b96a72"),
        ),
        surface="plaster",
        color="#e6e1d8",
    ),
    "belt and shoes on concrete": Photo(
        (
            Item("belt", "#5b3a22", 400, 140, 0.75, -5, shine=0.15),
            Item("shoe", "#26231f", 230, 400, 0.85, 6, shine=0.2),
            Item("shoe", "#26231f", 580, 410, 0.85, -8, shine=0.2),
        ),
        surface="concrete",
        color="#b3b1ac",
    ),
    "gray sweater on concrete": Photo(
        (Item("sweater", "#6d7278", 400, 300, 0.88, cloth="knit", second="#565b61"),),
        surface="concrete",
        color="#b9b7b2",
    ),
    "tote on wall and floor": Photo(
        (Item("tote", "#2e5a46", 300, 430, 1.0),), surface="two-tone", color="#e9dfd2", second="#a98765", size=_TALL
    ),
    "trousers on wall and floor": Photo(
        (Item("trousers", "#d9b44a", 300, 400, 0.7),), surface="two-tone", color="#aebfc8", second="#5d666c", size=_TALL
    ),
    "camisole with thin straps": Photo(
        (Item("camisole", "#1c1b1e", 300, 420, 1.0),), color="#d9d3cc", size=_TALL
    ),
    "satin camisole on blush": Photo(
        (Item("camisole", "#7d2436", 300, 420, 1.0, 4, shine=0.25),), color="#edcfc8", fall=0.35, size=_TALL
    ),
    "sunglasses and a hat on sand": Photo(
        (Item("hat", "#7b5b3a", 260, 280, 0.9, cloth="knit", second="#8d6c49"),
         Item("glasses", "#17181a", 620, 420, 0.7, -12)),
        surface="plaster",
        color="#e3c79b",
        hard=True,
        shadow=0.4,
    ),
    "necklace on velvet": Photo((Item("necklace", "#d9b25c", 400, 300, 0.95, shine=0.4),), color="#2b1f33"),
    "hard sun on white": Photo(
        (Item("dress", "#d2542f", 300, 400, 0.82, 5), ), color="#efece6", hard=True, shadow=0.6, size=_TALL
    ),
    "two garments in hard sun": Photo(
        (Item("skirt", "#33506e", 210, 320, 0.72, -6), Item("tote", "#e6dcc4", 590, 320, 0.85, 6)),
        color="#b9c9bd",
        hard=True,
        shadow=0.55,
    ),
    "checked skirt on rug": Photo(
        (Item("skirt", "#1d3b2f", 400, 300, 1.1, cloth="checks", second="#e8e0c8"),),
        surface="rug",
        color="#b9503f",
        second="#d8b58c",
    ),
    "black tee on gingham": Photo(
        (Item("t-shirt", "#17181b", 400, 310, 0.74),), surface="gingham", color="#f2f0ea", second="#7a9cc0"
    ),
    "green bag on tiles": Photo(
        (Item("bag", "#3d6b3f", 400, 320, 1.25, shine=0.1),), surface="tiles", color="#d8d6d0", second="#8d8b86"
    ),
    "red dress in a room": Photo(
        (Item("dress", "#b3202c", 300, 400, 0.9),), surface="room", color="#d6cfc2", second="#8a8f86", size=_TALL
    ),
    "dotted dress in a room": Photo(
        (Item("dress", "#20335c", 300, 400, 0.9, cloth="dots"),),
        surface="room",
        color="#c9c4ba",
        second="#a58f78",
        size=_TALL,
    ),
    "marble with a pinstriped skirt": Photo(
        (Item("skirt", "#2a2d38", 240, 300, 0.8, 5, cloth="pinstripes"), Item("shoe", "#c43d52", 630, 400, 0.75)),
        surface="marble",
        color="#e9e7e4",
    ),
    "noisy evening light": Photo(
        (Item("sweater", "#7c3b5e", 280, 300, 0.65, -5), Item("cap", "#cdbb8f", 630, 340, 0.6)),
        color="#6f6a63",
        fall=0.9,
        noise=5,
        quality=70,
    ),
    "crushed by JPEG": Photo(
        (Item("t-shirt", "#d98a2b", 250, 300, 0.6, cloth="blocks", second="#274060"),
         Item("trousers", "#7d8a8f", 600, 300, 0.55)),
        color="#e4e6e8",
        quality=35,
        noise=2,
    ),
    "light from a window": Photo(
        (Item("dress", "#8fae9b", 230, 380, 0.75, -4), Item("scarf", "#d8a0a0", 470, 420, 0.8)),
        color="#e9e4da",
        fall=1.2,
        size=_TALL,
    ),
    "woman in a red tee and jeans": Photo(
        (Item("worn trousers", "#33496e", 300, 170, 0.35), Item("worn tee", "#b3262e", 300, 170, 0.35)),
        color="#d5d6d8",
        size=_TALL,
        figure=Figure(300, 170, bare=("arms", "hands")),
    ),
    "woman in a summer dress": Photo(
        (Item("worn dress", "#3d7a6b", 300, 170, 0.35, cloth="floral", second="#efe2c0"),),
        color="#e9e2d8",
        size=_TALL,
        figure=Figure(300, 170, bare=("arms", "hands", "legs"), flipped=True),
    ),
    "woman in a beige sweater": Photo(
        (Item("worn trousers", "#22242a", 300, 170, 0.35),
         Item("worn top", "#cdb193", 300, 170, 0.35, cloth="knit", second="#bb9d7d")),
        color="#c9d2d6",
        size=_TALL,
        figure=Figure(300, 170),
    ),
    "woman in camel before plaster": Photo(
        (Item("worn skirt", "#2f3b33", 320, 150, 0.33), Item("worn top", "#b98a5c", 320, 150, 0.33)),
        surface="plaster",
        color="#b7bfb6",
        size=_TALL,
        figure=Figure(320, 150, 66, bare=("hands", "legs")),
    ),
    "woman in blush": Photo(
        (Item("worn dress", "#e6b9ab", 290, 180, 0.36),),
        color="#8fa3ad",
        size=_TALL,
        figure=Figure(290, 180, 72, bare=("arms", "hands", "legs")),
    ),
    "dark skin, white shirt": Photo(
        (Item("worn trousers", "#6b6f55", 300, 170, 0.35), Item("worn tee", "#f0efec", 300, 170, 0.35)),
        color="#b8b2a8",
        size=_TALL,
        figure=Figure(300, 170, tone=(0.34, 0.26, 0.22), bare=("arms", "hands")),
    ),
    "dark skin, brown dress": Photo(
        (Item("worn dress", "#5a3826", 300, 170, 0.35),),
        color="#dccfc0",
        size=_TALL,
        figure=Figure(300, 170, tone=(0.4, 0.31, 0.27), bare=("arms", "hands", "legs")),
    ),
    "woman in a room": Photo(
        (Item("worn skirt", "#d8c9a6", 300, 170, 0.35), Item("worn top", "#2d4f7c", 300, 170, 0.35, cloth="stripes")),
        surface="room",
        color="#cfc8bc",
        second="#7e8a80",
        size=_TALL,
        figure=Figure(300, 170, bare=("hands", "legs")),
    ),
    "woman at a tiled wall": Photo(
        (Item("worn trousers", "#8c3b46", 310, 180, 0.34), Item("worn tee", "#1d1e22", 310, 180, 0.34)),
        surface="tiles",
        color="#cfd8d4",
        second="#93a09b",
        size=_TALL,
        figure=Figure(310, 180, 68, bare=("arms", "hands"), flipped=True),
    ),
    "half figure before gingham": Photo(
        (Item("worn top", "#e0a526", 400, 260, 0.6),),
        surface="gingham",
        color="#e9ecef",
        second="#8bb09c",
        figure=Figure(400, 260, 120),
    ),
}  # fmt: skip
