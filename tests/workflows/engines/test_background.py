import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from workflows.engines import moods
from workflows.engines.background import render

SPEC = {"scene_type": "podium", "mood": "calm", "resolution": "320x320"}


def pixels_of(result):
    return result.pictures[0].pixels


def test_the_image_is_of_the_size_that_was_asked_for():
    result = render({**SPEC, "resolution": "512", "aspect_ratio": "16:9"}, default_seed=1)
    (picture,) = result.pictures
    assert (picture.name, picture.width, picture.height) == ("background", 680, 384)
    assert (picture.pixels.shape, picture.pixels.dtype) == ((384, 680, 3), np.uint8)


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


def test_a_smooth_gradient_is_dithered_and_has_no_bands():
    pixels = pixels_of(render({**SPEC, "scene_type": "studio", "resolution": "512x512"}, default_seed=3))
    # A band is a run of one value along a row; dithered, no run is long.
    row = pixels[100, :, 1].astype(int)
    runs = np.diff(np.flatnonzero(np.concatenate([[True], np.diff(row) != 0, [True]])))
    assert runs.max() < 16


def test_more_colors_than_a_set_can_show_are_reported_as_left_out():
    colors = ["red", "green", "blue", "white", "black", "yellow", "pink", "teal"]
    summary = render({**SPEC, "dominant_colors": colors}, default_seed=3).summary
    assert len(summary["colors"]) == 6 and len(summary["colors_left_out"]) == 2


def test_hostile_texts_do_no_harm():
    for text in ("", "\x00", "ß" * 50_000, "podium " * 50_000, "🦄", "𝟙𝟚", "'; DROP TABLE"):
        assert render({"scene_type": text, "mood": text, "resolution": "64x64"}, default_seed=1).pictures
