"""What the extract engine takes an outline for."""

import collections

import numpy as np
import pytest

from tests.workflows.engines.silhouettes import SILHOUETTES, silhouette
from workflows.engines.categories import CATEGORIES, RULES, Guess, guess
from workflows.engines.shapes import shape_of

NOWHERE = (0, 0, 10, 10)


def guessed(mask: np.ndarray, **known) -> Guess:
    return guess(shape_of(mask), NOWHERE, **known)


def test_most_outlines_are_taken_for_what_they_are_and_none_mostly_for_another():
    right = collections.Counter()
    scores: dict[bool, list[float]] = {True: [], False: []}
    seeds = range(12)
    for name, (_, category) in SILHOUETTES.items():
        for seed in seeds:
            said = guessed(silhouette(name, seed))
            assert said.category in CATEGORIES and 0 <= said.score <= 1
            right[name] += said.category == category
            scores[said.category == category].append(said.score)
    total = len(seeds) * len(SILHOUETTES)
    assert sum(right.values()) / total >= 0.9, right
    assert min(right.values()) >= len(seeds) / 3, right
    # A score says something: wrong guesses have lower ones.
    assert np.mean(scores[True]) > np.mean(scores[False]) + 0.2


def test_each_category_has_a_rule_but_other():
    assert {rule.category for rule in RULES} == {*CATEGORIES} - {"other"}
    assert len({rule.kind for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("seed", range(5))
def test_a_blot_is_other_or_hardly_believed(seed: int):
    rng = np.random.default_rng(seed)
    rough = rng.random((9, 9))
    said = guessed(np.kron(rough, np.ones((20, 20))) > np.median(rough))
    assert said.category == "other" or said.score < 0.5


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 3), (700, 2)])
def test_the_smallest_masks_have_a_category(size: tuple[int, int]):
    assert guessed(np.ones(size, bool)).category in CATEGORIES


def test_what_is_thinner_than_can_be_measured_has_a_category():
    specks = np.zeros((4000, 4000), bool)
    specks[0, 0] = specks[-1, -1] = specks[2000, 7] = True
    assert guessed(specks).category in CATEGORIES
    assert guessed(np.eye(900, dtype=bool)).category in CATEGORIES


# A box of 300 × 200 pixels, a face of 100 × 120, and how far below the face's upper end it lies.
WORN = {"headwear": -80, "top": 150, "bottom": 520, "footwear": 1080}


@pytest.mark.parametrize("category", WORN)
def test_where_it_is_worn_says_what_it_may_be(category: str):
    box = (400, 1000 + WORN[category], 300, 150 if category in ("headwear", "footwear") else 500)
    blot = np.ones((60, 60), bool)
    said = guess(shape_of(blot), box, faces=((500, 1000, 100, 120),))
    assert said.category == category
    # Of somebody who stands far away it says nothing.
    assert guess(shape_of(blot), box, faces=((5000, 1000, 100, 120),)) == guess(shape_of(blot), box)
