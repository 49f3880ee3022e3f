from collections import Counter
from functools import cache

import cv2
import numpy as np
import pytest
from django.conf import settings

from workflows.engines import moods, words
from workflows.engines.background import render
from workflows.engines.camera import STAGE, Camera
from workflows.engines.light import Rig, unhidden
from workflows.engines.moods import MOODS, understand
from workflows.engines.palette import ciede2000, lab, lab_of_light, linear, main_colors

GRAY = "#b5b0a8"


@cache
def seen(mood, *colors, scene="wall"):
    """Return L*a*b* of a small set in a mood, without grain."""
    spec = {"scene_type": scene, "mood": mood, "resolution": "160x160", "dominant_colors": colors}
    pixels = render(spec, default_seed=3).pictures[0].pixels
    return lab(cv2.resize(pixels, (40, 40), interpolation=cv2.INTER_AREA))


def lightness(mood, *colors):
    return seen(mood, *colors)[..., 0].mean()


def contrast(mood, *colors):
    return seen(mood, *colors, scene="podium")[..., 0].std()


def warmth(mood, *colors):
    return seen(mood, *colors)[..., 2].mean()


def saturation(mood, *colors):
    return np.hypot(*np.moveaxis(seen(mood, *colors)[..., 1:], 2, 0)).mean()


def test_there_are_many_moods_and_each_word_is_of_one():
    assert len(MOODS) >= 28
    count = Counter(tuple(words.tokens(word)) for name, mood in MOODS.items() for word in (name, *mood.synonyms))
    assert count.most_common(1)[0][1] == 1
    for name, mood in MOODS.items():
        for word in (name, *mood.synonyms):
            assert understand(f"A {word.upper()} look!")[0] == [name], word


def test_of_several_moods_each_is_as_strong_as_alone():
    found, mood = understand("warm and dramatic")
    assert found == ["warm", "dramatic"]
    assert mood.warmth == MOODS["warm"].warmth and mood.contrast == MOODS["dramatic"].contrast
    assert mood.palette == MOODS["warm"].palette
    assert MOODS["dramatic"].azimuth < mood.azimuth < MOODS["warm"].azimuth
    # What pulls both ways meets between.
    assert MOODS["airy"].key < understand("airy but moody")[1].key < MOODS["moody"].key
    for name in MOODS:
        for other in MOODS:
            both = understand(f"{name}, {other}")[1]
            assert 0 <= both.softness <= 1 and 0 <= both.contrast <= 1 and 0 < both.key < 1 and -1 <= both.warmth <= 1
            assert 5 <= both.elevation <= 85 and 0 <= both.vignette <= 1


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("not dark", []),
        ("warm, but not too dark", ["warm"]),
        ("not only warm but bright", ["warm", "bright"]),
        ("no drama, never moody: calm", ["calm"]),
        ("soft light without a romantic touch", ["soft"]),
        ("nothing", []),
    ],
)
def test_what_is_negated_does_not_count(text, names):
    assert understand(text)[0] == names


@pytest.mark.parametrize("colors", [(), (GRAY,)], ids=["own", "asked"])
def test_moods_are_as_light_as_they_say(colors):
    least = 2 if colors else 8
    for mood in ("airy", "bright"):
        assert lightness(mood, *colors) > lightness("calm", *colors) + least
    for mood in ("dramatic", "moody", "night", "candlelit"):
        assert lightness(mood, *colors) < lightness("clean", *colors) - 2 * least


@pytest.mark.parametrize("colors", [(), (GRAY,)], ids=["own", "asked"])
def test_moods_are_as_warm_as_they_say(colors):
    cold, plain, warm = (
        ("cool", "winter", "night", "overcast"),
        ("clean",),
        ("warm", "golden hour", "sunset", "candlelit"),
    )
    blues = [[warmth(mood, *colors) for mood in group] for group in (cold, plain, warm)]
    assert max(blues[0]) < blues[1][0] - 1 and blues[1][0] + 1 < min(blues[2])


@pytest.mark.parametrize("colors", [(), (GRAY, "#e5ddd0")], ids=["own", "asked"])
def test_moods_are_as_contrasty_as_they_say(colors):
    flat, hard = ("airy", "soft", "overcast", "calm"), ("dramatic", "golden hour", "bold", "modern")
    assert 1.25 * max(contrast(mood, *colors) for mood in flat) < min(contrast(mood, *colors) for mood in hard)


def test_moods_are_as_saturated_as_they_say():
    color = "#4a7fa5"
    muted, strong = ("vintage", "overcast", "industrial"), ("energetic", "bold", "tropical")
    assert max(saturation(mood, color) for mood in muted) < saturation("natural", color)
    assert saturation("natural", color) < min(saturation(mood, color) for mood in strong)


@pytest.mark.parametrize(
    "mood", [name for name, mood in MOODS.items() if abs(mood.azimuth) >= 40 and mood.contrast >= 0.6 and not mood.spot]
)
@pytest.mark.parametrize("colors", [(), (GRAY,)], ids=["own", "asked"])
def test_the_wall_is_lighter_where_the_light_comes_from(mood, colors):
    wall = seen(mood, *colors)[:20, :, 0]
    left, right = wall[:, :12].mean(), wall[:, -12:].mean()
    assert abs(left - right) > 1.5
    assert (right > left) == (MOODS[mood].azimuth > 0)


def test_a_low_sun_throws_longer_shadows_than_a_high_one():
    box = np.array([[x, y, STAGE + z] for x in (0, 0.1) for y in (0, 0.3) for z in (0, 0.1)], np.float32)

    def shaded(mood):
        return 1 - unhidden(Camera(200, 200), Rig.of(MOODS[mood]).key, [box], level=0.0).mean()

    assert shaded("golden hour") > 1.3 * shaded("natural") > 1.3 * 1.3 * shaded("tropical") > 0


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize("colors", [("#f4f1ea", "#c4704f", "#101214"), ("#1f2a4d", "#808080", "#ff2020")])
def test_no_mood_takes_a_color_away(mood, colors):
    spec = {"scene_type": "podium", "mood": mood, "dominant_colors": colors, "resolution": "96x96"}
    pixels = render(spec, default_seed=5).pictures[0].pixels
    main = np.array([lab_of_light(linear(color)) for color, _ in main_colors(pixels.reshape(-1, 3))])
    for color in colors:
        assert ciede2000(lab_of_light(linear(color)), main).min() <= 10, color


def test_the_guide_lists_the_moods():
    guide = " ".join((settings.BASE_DIR / "docs/guide.md").read_text().split())
    assert [name for name in MOODS if f"`{name}`" not in guide] == []


def test_hostile_moods_are_read_in_no_time():
    for text in ("not " * 100_000, "no" + " " * 1_000_000, "no too " * 100_000, "warm" * 100_000):
        assert moods.understand(text)[1].palette
