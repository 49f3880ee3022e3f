"""Contact sheets of what the built-in engines make, for people to look at: `python -m tests.bench.sheets [FOLDER]`.

`scenes` is every scene in six moods, `palettes` a few of them in eight palettes, `extractions` photos with the boxes
and the cut-outs of their items. The benchmark scores the same images (tests/bench/engines.py).
"""

import argparse
from collections.abc import Iterator, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from PIL import Image, ImageDraw, ImageFont

from tests.gateway import ROOT
from tests.workflows.engines import photos
from workflows.engines.background import render
from workflows.engines.base import Result
from workflows.engines.extract import extract

SCENES = (
    "studio sweep", "wall and floor", "podium", "steps", "tabletop", "shelf", "window light", "drapery",
    "marble table", "wooden table", "concrete wall and floor", "limewash plaster wall", "linen tablecloth",
    "paper roll", "cut paper", "arches", "water", "sand dunes", "beach", "snow", "palm leaf shadow",
    "leafy branch shadow", "bokeh", "gradient", "flat lay on stone", "sea horizon", "meadow horizon",
    "mountain horizon", "brick wall", "terrazzo table", "tiled wall", "marble podium in window light",
    "arch with plinths and palm shadow",
)  # fmt: skip
MOODS = ("bright airy", "warm", "cool", "dramatic", "luxury", "playful")
PALETTES = (
    ("white",), ("black",), ("sage", "off-white"), ("terracotta", "sand", "cream"), ("navy", "camel"),
    ("blush", "burgundy", "champagne"), ("#ffd400", "#1e90ff"), ("emerald", "gold", "ivory", "charcoal"),
)  # fmt: skip
PALETTE_SCENES = ("studio sweep", "podium", "wooden table", "drapery", "arches", "water", "gradient", "sea horizon")
_CELL, _LABEL, _GAP = 240, 26, 6
_SEED = 11


def backdrop(
    scene: str, mood: str, colors: Sequence[str] = (), *, resolution: str = "512"
) -> tuple[dict[str, Any], Result]:
    """Return the spec of one image of the sheets, and what the engine made of it."""
    spec = {"scene_type": scene, "mood": mood, "resolution": resolution, "dominant_colors": list(colors)}
    return spec, render(spec, default_seed=_SEED)


@cache
def astronaut() -> tuple[bytes, np.ndarray]:
    """Return scikit-image's photo of Eileen Collins, and the mask, drawn by hand, of what she wears and holds."""
    mask = Image.open(ROOT / "tests" / "workflows" / "engines" / "astronaut-mask.png").convert("L")
    out = BytesIO()
    Image.fromarray(skimage.data.astronaut()).save(out, "PNG")
    return out.getvalue(), np.asarray(mask) > 127


def photographs() -> Iterator[tuple[str, bytes, np.ndarray]]:
    """Yield each photo with a known mask: its name, the file, and where items are, shape (h, w)."""
    for name, photo, masks in photos.examples():
        yield name, photo, np.any(list(masks.values()), axis=0)
    yield "astronaut", *astronaut()


def covered(result: Result, shape: tuple[int, int]) -> np.ndarray:
    """Return where the photo is part of a cut-out, shape (h, w): the cut-outs laid back where they were."""
    whole = np.zeros(shape, bool)
    for picture in result.pictures:
        x, y, width, height = picture.details["box"]
        rows, columns = np.nonzero(picture.pixels[..., 3] > 127)
        cut = picture.pixels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1, 3] > 127
        whole[y : y + height, x : x + width] |= cut
    return whole


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return the intersection over the union of two masks."""
    return float((one & other).sum() / max(1, (one | other).sum()))


def scenes() -> Image.Image:
    cells = [[_thumbnail(backdrop(scene, mood)[1]) for mood in MOODS] for scene in SCENES]
    return _table(cells, rows=SCENES, columns=MOODS)


def palettes() -> Image.Image:
    cells = [[_thumbnail(backdrop(scene, "natural", colors)[1]) for colors in PALETTES] for scene in PALETTE_SCENES]
    return _table(cells, rows=PALETTE_SCENES, columns=[", ".join(colors) for colors in PALETTES])


def extractions() -> Image.Image:
    rows, names = [], []
    for name, photo, _ in [*list(photographs())[:-1:3], ("astronaut", *astronaut())]:
        result = extract(photo, {})
        seen = Image.open(BytesIO(photo)).convert("RGB")
        rows.append([_fit(seen), _fit(_boxed(seen, result)), *(_on_checks(one.pixels) for one in result.pictures[:2])])
        names.append(name)
    return _table(rows, rows=names, columns=["photo", "boxes", "the first two cut-outs", ""])


def _thumbnail(result: Result) -> Image.Image:
    return Image.fromarray(result.pictures[0].pixels).resize((_CELL, _CELL), Image.Resampling.LANCZOS)


def _fit(image: Image.Image) -> Image.Image:
    cell = Image.new("RGB", (_CELL, _CELL), "white")
    image = image.copy()
    image.thumbnail((_CELL, _CELL), Image.Resampling.LANCZOS)
    cell.paste(
        image, ((_CELL - image.width) // 2, (_CELL - image.height) // 2), image if image.mode == "RGBA" else None
    )
    return cell


def _on_checks(pixels: np.ndarray) -> Image.Image:
    squares = np.add(*(np.indices((_CELL, _CELL)) // 12)) % 2
    checks = Image.fromarray((235 - 40 * squares).astype(np.uint8)).convert("RGB")
    image = Image.fromarray(pixels)
    image.thumbnail((_CELL - 12, _CELL - 12), Image.Resampling.LANCZOS)
    checks.paste(image, ((_CELL - image.width) // 2, (_CELL - image.height) // 2), image)
    return checks


def _boxed(photo: Image.Image, result: Result) -> Image.Image:
    image = photo.copy()
    draw = ImageDraw.Draw(image)
    side = max(image.size)
    font = ImageFont.load_default(max(10, side // 22))
    for picture in result.pictures:
        x, y, width, height = picture.details["box"]
        draw.rectangle((x, y, x + width, y + height), outline="#e6007a", width=max(2, side // 160))
        colors = picture.details["colors"]
        text = f"{colors[0]['name'] if colors else ''} {picture.details['category']} {picture.details['score']:.0%}"
        draw.text(
            (x + side / 100, y + side / 100), text, font=font, fill="white", stroke_width=3, stroke_fill="#e6007a"
        )
    return image


def _table(cells: list[list[Image.Image]], *, rows: Sequence[str], columns: Sequence[str]) -> Image.Image:
    """Lay images out with the names of their columns above, and that of each row above its first image."""
    step_x, step_y = _CELL + _GAP, _CELL + _LABEL
    sheet = Image.new("RGB", (step_x * len(columns) + _GAP, step_y * len(rows) + _LABEL), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, name in enumerate(columns):
        draw.text((_GAP + column * step_x, 5), name, font=font, fill="#555")
    for row, name in enumerate(rows):
        top = _LABEL + row * step_y
        draw.text((_GAP, top + 4), name, font=font, fill="black")
        for column, cell in enumerate(cells[row]):
            sheet.paste(cell, (_GAP + column * step_x, top + _LABEL))
    return sheet


SHEETS = {"scenes": scenes, "palettes": palettes, "extractions": extractions}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sheets", description="Draw the contact sheets.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--only", choices=SHEETS)
    asked = parser.parse_args()
    for name, draw in SHEETS.items():
        if asked.only in (None, name):
            path = asked.folder / f"{name}.webp"
            draw().save(path, "WebP", quality=82, method=6)
            print(path)


if __name__ == "__main__":
    main()
