"""What a job's images look like on its page: the pictures, the boxes they were cut from, and their colours."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.files.storage import default_storage
from django.utils.safestring import SafeString

from studio_gateway.admin import label, readable
from workflows.engines.base import EngineError
from workflows.engines.colors import parse_color
from workflows.models import Job, Output
from workflows.storage import check_trial_image

HEX = re.compile(r"#[0-9a-f]{6}")
# A client may send thousands.
MOST_SWATCHES = 24
COLOURS = {"passed": "success", "failed": "danger"}


@dataclass(frozen=True, kw_only=True)
class Swatch:
    """A colour beside what it is called; `color` is #rrggbb, or empty where nobody knows the name."""

    name: str
    color: str


@dataclass(frozen=True, kw_only=True)
class Box:
    """Where on the photo an output was cut from, in percent of the photo's sides."""

    left: str
    top: str
    width: str
    height: str


@dataclass(frozen=True, kw_only=True)
class Score:
    """What the evaluation of an image said in one respect."""

    name: str
    score: str
    threshold: str
    passed: SafeString
    reason: str


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One output as it is shown; its number ties it to its box on the photo. `guess` is what an engine takes it for."""

    number: int
    output: Output
    url: str | None
    thumbnail_url: str | None
    box: Box | None
    guess: str
    colors: list[Swatch]
    details: SafeString | None


@dataclass(frozen=True, kw_only=True)
class Photo:
    """The trial image of an extract order: its URL, or else why there is none; its size as the engine measured it."""

    key: str
    url: str
    why_not: str
    width: int
    height: int


def pictures(job: Job, outputs: list[Output]) -> list[Picture]:
    width, height = _photo_size(job)
    shown: list[Picture] = []
    boxes = 0
    for output in outputs:
        output.job = job
        url = output.url
        details = output.details if isinstance(output.details, dict) else {}
        box = _box(details.get("box"), width=width, height=height)
        boxes += box is not None  # a mask has none, and the items are numbered without gaps
        shown.append(
            Picture(
                number=boxes,
                output=output,
                url=url,
                thumbnail_url=output.thumbnail_url or url,
                box=box,
                guess=_guess(details),
                colors=measured(details.get("colors")),
                details=readable(details) if details else None,
            )
        )
    return shown


def photo(job: Job) -> Photo | None:
    """Return the photo that was ordered from; None where the job has none."""
    key = job.spec.get("trial_image")
    if not isinstance(key, str):
        return None
    url, why_not = "", ""
    try:
        check_trial_image(client=job.client, key=key)
        url = default_storage.url(key)
    except EngineError as error:
        why_not = f"It cannot be shown: {error.message}"
    except OSError:
        why_not = "It cannot be shown: the storage is away."
    width, height = _photo_size(job)
    return Photo(key=key, url=url, why_not=why_not, width=width, height=height)


def asked(job: Job) -> list[Swatch]:
    """Return the colours that were ordered, in the client's words."""
    names = job.spec.get("dominant_colors")
    return [_named(str(name)) for name in names[:MOST_SWATCHES]] if isinstance(names, list) else []


def measured(found: Any) -> list[Swatch]:
    """Return the colours that an engine says it found, each with its share, as it wrote them: {color, name, share}."""
    return list(_measured(found)) if isinstance(found, list) else []


def scores(said: Any) -> list[Score]:
    """Return what the `eval` of a job's summary says of each metric."""
    found = said.get("scores") if isinstance(said, dict) else None
    return [
        Score(
            name=name.replace("_", " "),
            score=str(one.get("score")),
            threshold=str(one.get("threshold")),
            passed=label("passed" if one.get("passed") is True else "failed", COLOURS),
            reason=str(one.get("reason")),
        )
        for name, one in (found.items() if isinstance(found, dict) else ())
        if isinstance(one, dict)
    ]


def _measured(found: list[Any]) -> Iterator[Swatch]:
    for one in found[:MOST_SWATCHES]:
        color, share = (one.get("color"), one.get("share")) if isinstance(one, dict) else (one, None)
        if isinstance(color, str) and HEX.fullmatch(color):
            named = one.get("name") if isinstance(one, dict) else None
            name = named if isinstance(named, str) else color
            yield Swatch(name=f"{name} {share:.0%}" if isinstance(share, int | float) else name, color=color)


def _guess(details: dict[str, Any]) -> str:
    """Return what an engine took an item for, and how sure it was."""
    category, score = details.get("category"), details.get("score")
    if not isinstance(category, str):
        return ""
    return f"{category}, {score:.0%} sure" if isinstance(score, int | float) else category


def _named(name: str) -> Swatch:
    try:
        return Swatch(name=name, color=parse_color(name))
    except EngineError:
        return Swatch(name=name, color="")


def _photo_size(job: Job) -> tuple[int, int]:
    """Return the size of the upright photo, which boxes are measured on; zeros where the engine did not say."""
    size = job.summary.get("photo")
    width, height = (size.get("width"), size.get("height")) if isinstance(size, dict) else (0, 0)
    if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
        return width, height
    return 0, 0


def _box(box: Any, *, width: int, height: int) -> Box | None:
    if not (isinstance(box, list) and len(box) == 4 and all(isinstance(side, int | float) for side in box) and width):
        return None
    return Box(
        left=f"{100 * box[0] / width:.4f}",
        top=f"{100 * box[1] / height:.4f}",
        width=f"{100 * box[2] / width:.4f}",
        height=f"{100 * box[3] / height:.4f}",
    )
