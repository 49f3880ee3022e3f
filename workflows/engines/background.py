"""The built-in engine of background-generator: a catalog set, rendered from words, colours and a seed."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from workflows.engines import judging, moods, palette, scenes
from workflows.engines.base import BUILT_IN, Picture, Result
from workflows.engines.camera import Camera
from workflows.engines.colors import asked_colors
from workflows.engines.moods import Mood
from workflows.engines.palette import Floats
from workflows.engines.scenes import Scene
from workflows.engines.sets import Place, build
from workflows.engines.sizes import parse_size
from workflows.engines.stage import Exposure, paint
from workflows.engines.studio import Studio

# JavaScript's numbers are exact below this, and the summary goes through them.
_SEEDS = 2**53
_MOST_TRIES = 4
# A main colour that is no farther (CIEDE2000) from one asked for shows it.
_HELD = 9.0
# What is tried where one is not shown: how much of the mood is left, and which of the seed's arrangements.
_INSTEAD = ((0.5, 0), (0.5, 2), (0.3, 3), (0.3, 4), (0.1, 5), (0.1, 6))
_PREVIEW_PIXELS = 65_000


def render(spec: Mapping[str, Any], *, default_seed: int, checkpoint: Callable[[], None] = lambda: None) -> Result:
    """Make the backdrop that a validated background-generator spec asks for.

    The same spec and seed give the same pixels, in any process and with any number of threads; `default_seed` is
    taken where the spec has none, and the summary says which seed makes the image again. `checkpoint` is called between
    the steps. Raises UnknownColor and what `checkpoint` and `parse_size` raise.

    With `eval_enabled`, an image that a metric fails is rendered again, at most three times, and the best is kept. The
    four seeds differ in their two highest bits, which the seeds of clients seldom have, so each of them leads to all:
    the one in the summary makes the same image again, evaluated or not.
    """
    cv2.setNumThreads(1)  # worker processes are the parallelism
    seed = _seed(default_seed if spec.get("seed") is None else spec["seed"])
    seeds = [seed ^ number * _SEEDS // _MOST_TRIES for number in range(_MOST_TRIES)]
    return judging.best(spec, (_rendered(spec, seed, checkpoint) for seed in seeds))


def _rendered(spec: Mapping[str, Any], seed: int, checkpoint: Callable[[], None]) -> Result:
    size = parse_size(resolution=spec.get("resolution"), aspect_ratio=spec.get("aspect_ratio"))
    asked, left_out = asked_colors(spec.get("dominant_colors") or ())
    scene = scenes.understand(spec["scene_type"])
    found_moods, mood = moods.understand(spec["mood"])
    shot = _held(_Wish(asked, scene, mood, seed), Camera(size.width, size.height), checkpoint)
    summary = {
        "engine": BUILT_IN,
        "seed": seed,
        "width": size.width,
        "height": size.height,
        "scene": {
            "set": scene.set,
            "material": scene.material,
            "shadow": next(iter(scene.shadows), None),
            "understood": list(scene.understood),
            "left_out": list(scene.left_out),
        },
        "free_box": shot.free_box,
        "mood": {"names": found_moods or [moods.DEFAULT], "understood": found_moods},
        "colors": asked or list(mood.palette[:3]),
        "colors_left_out": left_out,
        "main_colors": [{"color": color, "share": share} for color, share in shot.main_colors],
    }
    return Result(pictures=(Picture("background", shot.pixels),), summary=summary)


@dataclass(frozen=True)
class _Wish:
    """What is to be painted: the colours asked for as #rrggbb, the scene, the mood and the seed."""

    asked: list[str]
    scene: Scene
    mood: Mood
    seed: int


@dataclass(frozen=True, eq=False)
class _Shot:
    """A picture, the place for the product in its pixels, and its main colours."""

    pixels: palette.Bytes
    free_box: list[int]
    main_colors: list[tuple[str, float]]

    def missed(self, asked: list[str]) -> float:
        """Return how far (CIEDE2000) the main colours are from the one asked for that they are farthest from."""
        ask, have = palette.lab_of(asked), palette.lab_of([color for color, _ in self.main_colors])
        return float(palette.ciede2000(ask[:, None], have[None]).min(axis=1).max())


def _held(wish: _Wish, camera: Camera, checkpoint: Callable[[], None]) -> _Shot:
    """Return the shot that was wished for; with less of the mood, or its props elsewhere, where a colour were missed.

    That is looked for on small pictures, so that it takes little longer.
    """
    shot = _shot(wish, camera)
    checkpoint()
    if not wish.asked or (missed := shot.missed(wish.asked)) <= _HELD:
        return shot
    small, best, instead = camera.smaller(_PREVIEW_PIXELS), missed, None
    for share, arrangement in _INSTEAD:
        other = replace(wish, mood=moods.weakened(wish.mood, share))
        if (found := _shot(other, small, arrangement).missed(wish.asked)) < best:
            best, instead = found, (other, arrangement)
        if best <= _HELD:
            break
        checkpoint()
    if instead is None:
        return shot
    again = _shot(instead[0], camera, instead[1])
    checkpoint()
    return min(shot, again, key=lambda one: one.missed(wish.asked))


def _shot(wish: _Wish, camera: Camera, arrangement: int = 0) -> _Shot:
    mood = wish.mood
    # What the client asked for by its value is kept; a mood only nudges it.
    saturation = 1 + 0.4 * (mood.saturation - 1) if wish.asked else mood.saturation
    studio = Studio(
        camera=camera,
        mood=mood,
        scene=wish.scene,
        colors=[_saturated(palette.linear(color), saturation) for color in wish.asked or mood.palette[:3]],
        asked=bool(wish.asked),
        seed=wish.seed,
        arrangement=arrangement,
    )
    built = build(studio)
    pixels = paint(camera, built.layers, _exposure(mood), rng=studio.random("grain"))
    thumbnail = cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_AREA)
    return _Shot(pixels, _pixels_of(built.place, camera), palette.main_colors(thumbnail.reshape(-1, 3)))


def _exposure(mood: Mood) -> Exposure:
    """Return how a mood is photographed: as bright, warm and contrasty as leaves its colours what they are."""
    return Exposure(
        key=mood.key,
        contrast=0.5 + 0.9 * mood.contrast,
        cast=2 ** (0.5 * (0.5 - mood.key)) * np.array([1 + 0.05 * mood.warmth, 1, 1 - 0.12 * mood.warmth], np.float32),
        vignette=mood.vignette,
    )


def _seed(value: int) -> int:
    """Return the seed that any integer stands for: itself if it is small, else a digest of it."""
    if 0 <= value < _SEEDS:
        return value
    # hex() and not str(), which refuses integers of more than 4300 digits.
    return int.from_bytes(hashlib.sha256(hex(value).encode()).digest()[:8]) % _SEEDS


def _pixels_of(place: Place, camera: Camera) -> list[int]:
    """Return the place for the product in pixels: left, top, width and height."""
    left, right = (round(x * camera.scale + camera.width / 2) for x in (place.left, place.right))
    top, bottom = (round(y * camera.scale + camera.height / 2) for y in (place.top, place.bottom))
    return [left, top, right - left, bottom - top]


def _saturated(color: Floats, factor: float) -> Floats:
    gray = color @ palette.LUMINANCE
    return np.clip(gray + (color - gray) * np.float32(factor), 0.001, 1)
