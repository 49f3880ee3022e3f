"""The garments of the drawn flat lay: their outlines, cloths, seams and folds.

Coordinates are pixels of a 1600 × 1200 photo around each garment's own middle, y down.
"""

from dataclasses import dataclass, field

import numpy as np

from workflows.engines.palette import Floats

Path = list[tuple[float, float]]


@dataclass(frozen=True)
class Garment:
    """One garment. `outline` is half of it where `mirrored`, the right one; outlines with `smooth` are rounded off.

    `holes` let the surface be seen, `shades` are parts (darker or lighter by a factor), `seams` are stitched lines,
    `folds` are (x, y, degrees, length, width, height) of the soft ridges that cloth lies in.
    """

    name: str
    at: tuple[float, float]
    outline: Path
    cloth: str  # a weave of flat_lay.py
    colors: tuple[str, ...]
    mirrored: bool = True
    smooth: int = 2
    thickness: float = 7.0
    holes: list[Path] = field(default_factory=list)
    shades: list[tuple[Path, float]] = field(default_factory=list)
    seams: list[Path] = field(default_factory=list)
    folds: list[tuple[float, float, float, float, float, float]] = field(default_factory=list)


def mirrored(half: Path) -> Path:
    return half + [(-x, y) for x, y in reversed(half) if x]


def _ellipse(x: float, y: float, wide: float, high: float, start: float = 0, stop: float = 360) -> Path:
    turn = np.radians(np.linspace(start, stop, 48))
    return [(float(x + wide * np.cos(t)), float(y + high * np.sin(t))) for t in turn]


def rounded(path: Path, times: int) -> Floats:
    """Return the closed path, shape (n, 2), its corners cut `times` times (Chaikin 1974)."""
    points = np.array(path, np.float32)
    for _ in range(times):
        after = np.roll(points, -1, axis=0)
        points = np.stack([0.78 * points + 0.22 * after, 0.22 * points + 0.78 * after], axis=1).reshape(-1, 2)
    return points


def curved(path: Path, *, steps: int = 10) -> Floats:
    """Return an open path drawn smoothly through all its points, shape (n, 2) (Catmull and Rom 1974)."""
    points = np.array([path[0], *path, path[-1]], np.float32)
    t = np.linspace(0, 1, steps, endpoint=False, dtype=np.float32)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(points, points[1:], points[2:], points[3:], strict=False)
    ]
    return np.concatenate([*pieces, points[-1:]])


T_SHIRT = Garment(
    name="t-shirt",
    at=(425, 430),
    outline=[(0, -330), (62, -334), (88, -338), (196, -300), (232, -276), (348, -118), (346, -108), (252, -48),
             (244, -52), (205, -106), (200, -60), (196, 120), (204, 318), (196, 330), (90, 336), (0, 338)],
    cloth="jersey",
    colors=("#b4532f", "#2f6d62", "#3e5f9a"),
    shades=[(_ellipse(0, -333, 78, 15), 0.62), (_ellipse(0, -330, 74, 52, 0, 180), 0.55)],
    seams=[_ellipse(0, -330, 76, 55, 2, 178), _ellipse(0, -330, 96, 74, 4, 176), [(-204, 312), (0, 320), (204, 312)],
           [(205, -106), (214, -190), (222, -284)], [(-205, -106), (-214, -190), (-222, -284)],
           [(338, -128), (240, -62)], [(-338, -128), (-240, -62)]],
    folds=[(-90, 30, 68, 230, 26, 9), (70, 120, 100, 260, 30, 8), (150, -130, 130, 130, 20, 9),
           (-160, -120, 45, 130, 20, 9), (20, 240, 20, 160, 24, 6), (-110, 230, 120, 120, 22, 7),
           (280, -150, 52, 80, 14, 6), (-280, -150, 128, 80, 14, 6), (0, -160, 95, 130, 34, 5)],
)  # fmt: skip
TROUSERS = Garment(
    name="trousers",
    at=(1095, 600),
    outline=[(0, -500), (112, -496), (114, -452), (146, -350), (158, -220), (166, 120), (150, 500), (146, 506),
             (36, 508), (32, 502), (26, 100), (14, -180), (0, -214)],
    cloth="denim",
    colors=("#34486b", "#4a4f57", "#5b4636"),
    shades=[([(-112, -500), (112, -500), (113, -456), (-113, -456)], 0.9)],
    seams=[[(-114, -454), (0, -450), (114, -454)], [(0, -450), (2, -330), (-14, -250), (0, -222)],
           [(20, -450), (24, -330), (12, -262), (0, -240)], [(60, -452), (76, -404), (130, -380)],
           [(-60, -452), (-76, -404), (-130, -380)], [(38, 486), (149, 482)], [(-38, 486), (-149, 482)],
           [(96, -330), (104, 100), (94, 480)], [(-96, -330), (-104, 100), (-94, 480)]],
    folds=[(60, -270, 20, 120, 20, 9), (-62, -262, 160, 120, 20, 9), (92, 60, 12, 90, 20, 8), (-92, 40, 168, 90, 20, 8),
           (96, 110, 172, 80, 16, 7), (-96, 130, 10, 80, 16, 7), (90, 330, 92, 180, 22, 6), (-90, 330, 88, 180, 22, 6)],
)  # fmt: skip
CAP = Garment(
    name="cap",
    at=(650, 985),
    outline=[(-146, 62), (-150, -10), (-118, -92), (-56, -132), (4, -142), (64, -130), (122, -86), (146, -10),
             (150, 32), (214, 58), (236, 88), (228, 108), (170, 110), (96, 88), (0, 74), (-90, 78)],
    cloth="twill",
    colors=("#c79a2e", "#8c2f39", "#56633a"),
    mirrored=False,
    thickness=18,
    shades=[([(150, 32), (224, 58), (244, 88), (236, 112), (176, 112), (96, 88), (20, 74), (80, 46)], 0.84)],
    seams=[[(4, -140), (34, -60), (42, 64)], [(4, -140), (-74, -70), (-98, 70)], [(4, -140), (104, -70), (132, 30)],
           [(24, 70), (84, 48), (150, 36)], [(40, 78), (110, 64), (186, 74), (220, 96)]],
    folds=[(-40, -20, 80, 120, 40, 8), (70, -40, 70, 90, 30, 7), (-110, 10, 95, 70, 22, 7)],
)  # fmt: skip
BAG = Garment(
    name="bag",
    at=(285, 990),
    outline=[(0, -190), (56, -182), (92, -146), (100, -92), (150, -90), (162, -78), (176, 108), (164, 126), (0, 130)],
    cloth="leather",
    colors=("#7d4a2b", "#23262b", "#6d1f2d"),
    thickness=16,
    holes=[_ellipse(0, -92, 74, 70, 180, 360)],
    shades=[([(-164, -88), (164, -88), (168, -10), (60, 40), (0, 50), (-60, 40), (-168, -10)], 1.12),
            (_ellipse(0, 40, 15, 11), 2.6)],
    seams=[[(-168, -10), (-60, 40), (0, 50), (60, 40), (168, -10)], [(-160, 108), (0, 116), (160, 108)],
           [(-150, -78), (0, -76), (150, -78)]],
    folds=[(-80, 80, 100, 60, 30, 4), (90, 70, 80, 60, 30, 4)],
)  # fmt: skip
_FRINGE = [(x + dx, 352 + dy) for x in range(68, 0, -17) for dx, dy in ((0, -22), (-1, 0), (-10, 1), (-11, -22))]
SCARF = Garment(
    name="scarf",
    at=(1440, 520),
    outline=[(0, -330), *[(x, -y) for x, y in reversed(_FRINGE)], (72, -326), (74, -100), (68, 120), (72, 326),
             *_FRINGE, (0, 330)],
    cloth="knit",
    colors=("#8e3b46", "#3f5a4c", "#c07a3a"),
    smooth=0,
    thickness=10,
    shades=[([(-80, y), (80, y), (80, y + 26), (-80, y + 26)], 1.75) for y in (-290, -240, 214, 264)],
    folds=[(-20, -140, 88, 180, 18, 8), (26, 90, 93, 200, 18, 8)],
)  # fmt: skip
GARMENTS = (T_SHIRT, TROUSERS, CAP, BAG, SCARF)
