"""The evaluation of backdrops: images made to fail each metric, images that pass, and what is rendered again."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from skimage import data

from workflows.engines import judging, moods
from workflows.engines.background import render
from workflows.engines.base import Picture, Result
from workflows.engines.judging.scores import Score

SPEC = {"scene_type": "podium", "mood": "calm", "resolution": "512"}
SCENES = (
    "studio sweep", "wall and floor", "podium", "tabletop", "window light", "drapery", "marble", "wood", "concrete",
    "plaster", "linen", "paper arches", "water", "sand", "foliage shadow", "bokeh", "gradient", "outdoor horizon",
)  # fmt: skip


def score(metric: str, pixels: np.ndarray, **asked: Any) -> Score:
    return judging.judge(pixels, **{"colors": [], "free_box": None, "mood": None, **asked}).scores[metric]


def mood_of(text: str) -> moods.Mood:
    return moods.understand(text)[1]


def plain(color: tuple[int, int, int], size: int = 512) -> np.ndarray:
    return np.full((size, size, 3), color, np.uint8)


def gray(values: np.ndarray) -> np.ndarray:
    return np.repeat(np.clip(np.rint(values), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def ramp(darkest: float, lightest: float, size: int = 512) -> np.ndarray:
    """A slope of light from the top left to the bottom right, as floats."""
    down, across = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j]
    return darkest + (lightest - darkest) * (down + across) / 2


def dithered(values: np.ndarray) -> np.ndarray:
    return gray(values + np.random.default_rng(1).triangular(-1, 0, 1, values.shape))


def rendered(**spec: Any) -> np.ndarray:
    return render({**SPEC, **spec}, default_seed=3).pictures[0].pixels


def test_a_color_that_was_asked_for_and_is_not_there_fails_the_palette():
    pixels = plain((168, 181, 154))
    assert score("palette", pixels, colors=["#a8b59a"]).value > 0.95
    missed = score("palette", pixels, colors=["#a8b59a", "#c4704f"])
    assert not missed.passed
    assert "#c4704f is met worst: CIEDE2000 is " in missed.reason
    assert "palette" not in judging.judge(pixels, colors=[], free_box=None, mood=None).scores


def cluttered(left: int, top: int, size: int) -> np.ndarray:
    """A calm wall with a heap of small things in one place."""
    rng, pixels = np.random.default_rng(2), plain((200, 200, 200))
    for x, y, width, height, *color in rng.integers(
        (0, 0, 4, 4, 0, 0, 0), (size, size, 30, 30, 256, 256, 256), (200, 7)
    ):
        end = (min(left + size, left + x + width), min(top + size, top + y + height))
        cv2.rectangle(pixels, (int(left + x), int(top + y)), tuple(map(int, end)), tuple(map(int, color)), -1)
    return pixels


def test_clutter_where_the_product_belongs_fails_the_room_and_elsewhere_it_does_not():
    pixels = cluttered(20, 20, 150)
    in_the_way = score("room_for_product", pixels, free_box=[10, 10, 180, 180])
    assert not in_the_way.passed
    assert in_the_way.reason.startswith("Edges cover ") and "of the place left free (at most 3%)" in in_the_way.reason
    assert score("room_for_product", pixels, free_box=[250, 250, 200, 200]).value == 1
    assert score("room_for_product", pixels).value > 0.9
    assert not score("room_for_product", data.coffee()).passed  # a cup stands there
    supposed = score("room_for_product", cluttered(160, 180, 200))
    assert not supposed.passed and "the middle, where a product is supposed to stand (" in supposed.reason


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (plain((255, 255, 255)), "100.0% of it is clipped to white"),
        (plain((0, 0, 0)), "100.0% to black"),
        (plain((12, 12, 12)), "The median lightness is 3 (12 to 97)"),
        (gray(np.where(ramp(0, 1) > 0.7, 255, 150)), "18.0% of it is clipped to white"),
    ],
    ids=["white", "black", "dark", "partly blown out"],
)
def test_what_is_too_dark_too_light_or_clipped_fails_the_exposure(pixels: np.ndarray, says: str):
    found = score("exposure", pixels)
    assert not found.passed
    assert says in found.reason


def test_white_and_black_that_were_asked_for_are_well_exposed():
    assert score("exposure", plain((255, 255, 255)), colors=["#ffffff"]).value == 1
    assert score("exposure", plain((0, 0, 0)), colors=["#c4704f", "#000000"]).value == 1
    assert score("exposure", plain((150, 150, 150))).value == 1


@pytest.mark.parametrize(("size", "step"), [(256, 4), (256, 16), (512, 2), (512, 8), (2048, 1), (2048, 8)])
def test_a_gradient_in_steps_fails_the_banding_and_a_dithered_one_does_not(size: int, step: int):
    smooth = ramp(60, 140, size)
    posterised = score("banding", gray(np.rint(smooth / step) * step))
    assert not posterised.passed
    assert "False contours run through" in posterised.reason
    assert score("banding", dithered(smooth)).value == 1


def test_plain_areas_and_the_edges_of_things_are_no_bands():
    assert score("banding", plain((240, 240, 240))).value == 1
    assert score("banding", gray(np.where(ramp(0, 1) > 0.5, 90, 200))).value == 1


@pytest.mark.parametrize(
    "made", [data.astronaut, data.coffee, rendered, lambda: rendered(scene_type="paper arches", mood="dramatic")]
)
def test_a_blurred_image_fails_the_sharpness(made: Callable[[], np.ndarray]):
    pixels = made()
    assert score("sharpness", pixels).passed
    # With grain, as a camera's, which is sharp itself.
    blurred = dithered(cv2.GaussianBlur(pixels, (0, 0), 6).mean(axis=2))
    found = score("sharpness", blurred)
    assert not found.passed
    assert "Its sharpest edges are blurred by " in found.reason


def test_a_plain_sweep_has_nothing_to_be_out_of_focus():
    found = score("sharpness", rendered(scene_type="studio"))
    assert (found.value, found.reason) == (1, "It has no edges that could be out of focus.")


DARK_BLUE = dithered(ramp(20, 40)) // np.array([4, 2, 1], np.uint8)


@pytest.mark.parametrize(
    ("pixels", "asked", "colors", "says"),
    [
        (DARK_BLUE, "bright warm", [], "lightness"),
        (dithered(ramp(225, 250)), "moody", [], "lightness"),
        (plain((60, 60, 60)), "dramatic", [], "contrast"),
        (gray(np.indices((512, 512))[1] // 64 % 2 * 255.0), "soft", [], "contrast"),
        (plain((150, 170, 220)), "sunset warm", [], "warmth"),
        (plain((60, 220, 170)), "calm", [], "saturation"),
        (dithered(np.tile(np.linspace(5, 250, 512), (512, 1))), "moody", ["#777777"], "light from the right"),
    ],
    ids=["dark blue", "white", "flat", "harsh", "cool", "garish", "from the other side"],
)  # fmt: skip
def test_an_image_in_another_mood_fails_it(pixels: np.ndarray, asked: str, colors: list[str], says: str):
    found = score("mood", pixels, mood=mood_of(asked), colors=colors)
    assert not found.passed
    assert f"Of light and colour, {says}" in found.reason


def test_light_from_the_side_that_was_asked_for_is_in_the_mood():
    pixels = dithered(np.tile(np.linspace(250, 5, 512), (512, 1)))
    assert score("mood", pixels, mood=mood_of("moody"), colors=["#777777"]).passed
    assert not score("mood", pixels, mood=mood_of("modern"), colors=["#777777"]).passed


@pytest.mark.parametrize("scene_type", SCENES)
def test_what_the_built_in_engine_makes_of_ordinary_orders_passes_at_once(scene_type: str):
    palettes = itertools.cycle([[], ["sage"], ["terracotta", "off-white"], ["navy"]])
    for mood, colors in zip(("bright", "warm", "cool", "dramatic", "playful", "luxury"), palettes, strict=False):
        spec = {"scene_type": scene_type, "mood": mood, "dominant_colors": colors, "resolution": "256x256"}
        summary = render({**spec, "eval_enabled": True}, default_seed=3).summary
        found = {name: one["reason"] for name, one in summary["eval"]["scores"].items() if not one["passed"]}
        assert (found, summary["eval"]["tries"], summary["seed"]) == ({}, 1, 3), (mood, colors)


def test_the_summary_has_every_score_with_its_threshold_and_its_reason():
    spec = {**SPEC, "dominant_colors": ["sage"], "eval_enabled": True}
    said = render(spec, default_seed=3).summary["eval"]
    assert (said["passed"], said["tries"]) == (True, 1)
    assert [*said["scores"]] == ["palette", "room_for_product", "exposure", "banding", "sharpness", "mood"]
    for one in said["scores"].values():
        assert [*one] == ["score", "threshold", "passed", "reason"]
        assert 0 <= one["threshold"] <= one["score"] <= 1 and one["passed"] is True
        assert one["reason"].endswith(".")


@pytest.mark.parametrize("enabled", [None, False])
def test_nothing_is_evaluated_that_was_not_ordered_to_be(enabled: bool | None):
    assert "eval" not in render({**SPEC, "eval_enabled": enabled}, default_seed=3).summary


def test_words_that_mean_no_mood_are_not_judged():
    said = render({**SPEC, "mood": "xyzzy", "eval_enabled": True}, default_seed=3).summary["eval"]
    assert "mood" not in said["scores"]


# Rendering again


def image(color: tuple[int, int, int]) -> Result:
    return Result(pictures=(Picture("background", plain(color)),), summary={"color": color})


def test_images_are_made_until_one_passes():
    def images() -> Iterator[Result]:
        yield image((0, 0, 0))
        yield image((236, 232, 226))
        pytest.fail("one passed, and another was made")

    kept = judging.best({"mood": "xyzzy", "eval_enabled": True}, images())
    assert kept.summary["color"] == (236, 232, 226)
    assert (kept.summary["eval"]["passed"], kept.summary["eval"]["tries"]) == (True, 2)


def test_of_images_that_fail_the_one_that_fails_fewest_metrics_and_least_is_kept():
    spec = {"mood": "bright", "dominant_colors": ["#f1eee8"], "eval_enabled": True}
    black, dark, wrong, worse = (0, 0, 0), (60, 60, 60), (250, 220, 150), (250, 200, 80)
    for order in ([black, wrong, worse, dark], [dark, worse, black, wrong], [wrong, dark, worse, black]):
        kept = judging.best(spec, map(image, order))
        assert kept.summary["color"] == wrong
        assert (kept.summary["eval"]["passed"], kept.summary["eval"]["tries"]) == (False, 4)


SIX = ["red", "teal", "gold", "white", "black", "pink"]
HARD = [
    # The first image of these fails already, and they are small: those below are for engines that have become better.
    {"scene_type": "steps", "mood": "moody", "dominant_colors": SIX, "resolution": "64x64"},
    {"scene_type": "shelf", "mood": "vivid", "dominant_colors": SIX, "resolution": "64x256"},
    {"scene_type": "wood", "mood": "moody", "dominant_colors": ["lime", "magenta", "cyan"], "resolution": "256x64"},
    {"scene_type": "wall", "mood": "moody", "dominant_colors": ["navy", "gold", "blush"], "resolution": "256x64"},
    {"scene_type": "podium", "mood": "calm", "dominant_colors": SIX, "resolution": "64x64"},
    {"scene_type": "gradient", "mood": "vivid", "dominant_colors": SIX, "resolution": "64x64"},
    {"scene_type": "drapery", "mood": "cozy", "dominant_colors": SIX, "resolution": "64x512"},
]


def evaluated(spec: dict[str, Any], seed: int) -> Result:
    return render({**spec, "seed": seed, "eval_enabled": True}, default_seed=0)


@pytest.fixture(scope="module")
def hard_orders() -> dict[bool, tuple[dict[str, Any], int, Result]]:
    """An order whose first image fails and a later one passes, and one of which none passes: True and False."""
    found: dict[bool, tuple[dict[str, Any], int, Result]] = {}
    for seed, spec in itertools.product(range(20), HARD):
        kept = evaluated(spec, seed)
        if kept.summary["eval"]["tries"] > 1:
            found.setdefault(kept.summary["eval"]["passed"], (spec, seed, kept))
        if len(found) == 2:
            return found
    pytest.fail("The engine has become too good for these orders: find harder ones.")


def test_what_fails_is_rendered_again_and_the_seed_of_the_image_that_is_kept_makes_it_again(
    hard_orders: dict[bool, tuple[dict[str, Any], int, Result]],
):
    for passed, (spec, seed, kept) in hard_orders.items():
        pixels, tries = kept.pictures[0].pixels, kept.summary["eval"]["tries"]
        assert tries == 4 or (passed and 1 < tries < 4)
        first = render({**spec, "seed": seed}, default_seed=0).pictures[0].pixels
        assert (first == pixels).all() == (kept.summary["seed"] == seed)
        assert not (passed and kept.summary["seed"] == seed)
        again = evaluated(spec, kept.summary["seed"])
        assert (again.summary["seed"], again.summary["eval"]["passed"]) == (kept.summary["seed"], passed)
        for other in (evaluated(spec, seed), again, render({**spec, "seed": kept.summary["seed"]}, default_seed=0)):
            assert (other.pictures[0].pixels == pixels).all()


def test_an_order_that_nobody_waits_for_is_not_rendered_again(
    hard_orders: dict[bool, tuple[dict[str, Any], int, Result]],
):
    class Over(Exception):
        pass

    def checkpoint() -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Over

    spec, seed, _ = hard_orders[False]
    left = 3  # two of the first image, then one of the second
    with pytest.raises(Over):
        render({**spec, "seed": seed, "eval_enabled": True}, default_seed=0, checkpoint=checkpoint)


def test_judging_a_large_image_costs_little_more_than_a_small_one():
    """And finds the same: every metric looks at a copy."""
    small = judging.judge(rendered(), colors=["#c9d2cc"], free_box=None, mood=mood_of("calm"))
    large = judging.judge(rendered(resolution="2K"), colors=["#c9d2cc"], free_box=None, mood=mood_of("calm"))
    for name, one in small.scores.items():
        assert large.scores[name].value == pytest.approx(one.value, abs=0.1), name


@pytest.mark.parametrize("size", [(1, 1), (3, 90), (64, 512), (9, 9)])
def test_images_of_any_shape_are_judged(size: tuple[int, int]):
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    for box in (None, [0, 0, 1, 1]):
        said = judging.judge(pixels, colors=["#c4704f"], free_box=box, mood=mood_of("warm"))
        assert all(0 <= one.value <= 1 for one in said.scores.values())
