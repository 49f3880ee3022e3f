import hashlib
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from workflows.engines import moods
from workflows.engines.background import render
from workflows.engines.camera import Camera
from workflows.engines.sizes import RATIOS, parse_size
from workflows.engines.stage import FINISHED, Exposure, Layer, paint

SPEC = {"scene_type": "podium", "mood": "calm", "resolution": "320x320"}


def pixels_of(result):
    return result.pictures[0].pixels


def rgb_of(color):
    return [int(color[at : at + 2], 16) for at in (1, 3, 5)]


def test_the_image_is_of_the_size_that_was_asked_for():
    result = render({**SPEC, "resolution": "512", "aspect_ratio": "16:9"}, default_seed=1)
    (picture,) = result.pictures
    assert (picture.name, picture.width, picture.height) == ("background", 680, 384)
    assert (picture.pixels.shape, picture.pixels.dtype) == ((384, 680, 3), np.uint8)


@pytest.mark.parametrize("ratio", RATIOS)
def test_an_image_is_made_in_every_ratio(ratio):
    size = parse_size(resolution="512", aspect_ratio=ratio)
    picture = render({**SPEC, "resolution": "512", "aspect_ratio": ratio}, default_seed=1).pictures[0]
    assert (picture.width, picture.height) == (size.width, size.height)
    assert picture.pixels.std() > 2


@pytest.mark.slow
def test_the_same_spec_and_seed_give_the_same_pixels_in_any_process_with_any_threads():
    spec = {**SPEC, "scene_type": "marble podium with arch, window light", "dominant_colors": ["sage", "#fff"]}
    here = {seed: hashlib.sha256(pixels_of(render(spec, default_seed=seed))).hexdigest() for seed in (5, 6)}
    code = (
        "import hashlib, cv2; from workflows.engines.background import render\n"
        f"print(hashlib.sha256(render({spec!r}, default_seed=5).pictures[0].pixels).hexdigest())"
    )
    for threads, hashing in (("1", "1"), ("4", "2")):
        variables = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PYTHONHASHSEED": hashing}
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **variables}, capture_output=True, text=True, timeout=60
        )
        assert done.stdout.strip() == here[5], done.stderr
    assert here[5] != here[6]


def test_the_seed_in_the_summary_makes_the_image_again():
    for seed in (None, 0, 7, -7, 2**53, 10**4000, -(10**4000)):
        first = render({**SPEC, "scene_type": "wall", "seed": seed, "resolution": "64x64"}, default_seed=99)
        assert 0 <= first.summary["seed"] < 2**53
        again = render(
            {**SPEC, "scene_type": "wall", "seed": first.summary["seed"], "resolution": "64x64"}, default_seed=1
        )
        assert (pixels_of(again) == pixels_of(first)).all()
    assert render({**SPEC, "scene_type": "wall", "resolution": "64x64"}, default_seed=99).summary["seed"] == 99


@pytest.mark.parametrize("mood", moods.MOODS)
def test_every_mood_makes_an_image_of_its_own(mood):
    plain = pixels_of(render({**SPEC, "mood": "?", "resolution": "128x128"}, default_seed=3)).astype(int)
    result = render({**SPEC, "mood": mood, "resolution": "128x128"}, default_seed=3)
    assert result.summary["mood"]["understood"] == [mood]
    if mood != moods.DEFAULT:
        assert np.abs(pixels_of(result).astype(int) - plain).mean() > 2


@pytest.mark.parametrize("color", ["#0c0d10", "#3a3d40", "#a8b59a", "#f5f2ea"])
@pytest.mark.parametrize("mood", ["soft", "moody"])
def test_a_smooth_gradient_is_dithered_and_has_no_bands(color, mood):
    spec = {**SPEC, "scene_type": "studio", "mood": mood, "dominant_colors": [color], "resolution": "512x512"}
    pixels = pixels_of(render(spec, default_seed=3))
    # A band is a run of one value along a line; dithered, no run is long.
    for line in (pixels[100, :, 1], pixels[:, 300, 1], pixels[400, :, 2]):
        runs = np.diff(np.flatnonzero(np.concatenate([[True], np.diff(line.astype(int)) != 0, [True]])))
        assert runs.max() < 16
    # Nor does a step remain when the grain is averaged away: what lies between two neighbours is their mean.
    wall = cv2.blur(pixels[:200].astype(np.float32), (41, 41))[40:160:4, 40:-40:4, 1]
    assert np.abs(np.diff(wall, 2, axis=1)).max() < 0.3
    assert len(np.unique(np.round(wall % 1, 1))) >= 9


@pytest.mark.parametrize("color", ["#000000", "#ffffff"])
def test_black_and_white_are_clipped_by_no_dither(color):
    spec = {**SPEC, "scene_type": "wall", "mood": "clean", "dominant_colors": [color], "resolution": "256x256"}
    pixels = pixels_of(render(spec, default_seed=3)).astype(int)
    assert np.abs(pixels.mean() - rgb_of(color)[0]) < 12
    assert (pixels == 255 - rgb_of(color)[0]).sum() == 0  # nothing went round


def test_light_adds_up_as_light_and_not_as_numbers():
    """Half covered, two surfaces send half the light of each, which is no mean of their sRGB values."""
    camera, light = Camera(64, 64), np.ones((64, 64, 3), np.float32)
    white, black = (np.full(3, level, np.float32) for level in (0.5, 0.0))
    layers = [
        Layer("one", white, light),
        Layer("other", black, light, cover=lambda view: np.full((len(view.y), view.x.shape[1]), 0.5, np.float32)),
    ]
    exposure = Exposure(key=0.5, contrast=1.0, cast=np.ones(3, np.float32), vignette=0.0)
    pixels = paint(camera, layers, exposure, rng=np.random.default_rng(1))
    assert pixels.mean() == pytest.approx(255 * 0.5371, abs=1)  # sRGB of 0.25


def test_what_is_brighter_than_white_is_rolled_off_and_stays_apart():
    camera = Camera(256, 64)
    light = np.repeat(np.linspace(0.2, 2, 256, dtype=np.float32)[None, :, None], 64, axis=0).repeat(3, axis=2)
    layers = [Layer(FINISHED, np.ones(3, np.float32), light)]
    exposure = Exposure(key=0.5, contrast=1.0, cast=np.ones(3, np.float32), vignette=0.0)
    levels = paint(camera, layers, exposure, rng=np.random.default_rng(1)).astype(float).mean(axis=(0, 2))
    smooth = np.convolve(levels, np.ones(9) / 9, "valid")
    assert (np.diff(smooth) > -0.15).all() and smooth[-1] < 255


def test_more_colors_than_a_set_can_show_are_reported_as_left_out():
    colors = ["red", "green", "blue", "white", "black", "yellow", "pink", "teal"]
    summary = render({**SPEC, "dominant_colors": colors}, default_seed=3).summary
    assert len(summary["colors"]) == 6 and len(summary["colors_left_out"]) == 2


def test_hostile_texts_do_no_harm():
    for text in ("", "\x00", "ß" * 50_000, "podium " * 50_000, "🦄", "𝟙𝟚", "'; DROP TABLE"):
        assert render({"scene_type": text, "mood": text, "resolution": "64x64"}, default_seed=1).pictures
