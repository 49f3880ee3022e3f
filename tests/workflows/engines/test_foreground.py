import hashlib
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from tests.workflows.engines import photos
from workflows.engines.foreground import look
from workflows.engines.images import read_photo
from workflows.engines.matting import decontaminate, refined

MASK = Path(__file__).parent / "astronaut-mask.png"  # drawn by hand


@pytest.fixture(autouse=True)
def one_thread():
    cv2.setNumThreads(1)


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def agreement(name):
    """Return how well what is told from the background agrees with where the photo's items are, 0 to 1."""
    data, masks = photos.photograph(name)
    return overlap(look(read_photo(data)[0]).alpha > 127, np.any(list(masks.values()), axis=0))


@pytest.mark.parametrize(
    "name",
    [
        "white tee on white",
        "beige sweater on linen",
        "hard sun on white",
        "woman in a beige sweater",
        "dark skin, brown dress",
        "half figure before gingham",
    ],
)
def test_what_is_worn_or_shown_is_told_from_all_else(name):
    assert agreement(name) > 0.9


@pytest.mark.slow
def test_the_items_of_the_made_photos_are_found_at_least_nine_tenths_right():
    found = {name: agreement(name) for name in photos.PHOTOS}
    assert len(found) >= 24
    assert np.mean(list(found.values())) >= 0.93, found
    assert np.percentile(list(found.values()), 10) >= 0.8, found


def test_what_a_real_person_wears_is_told_from_skin_hair_and_the_things_behind():
    seen = look(skimage.data.astronaut())
    worn = cv2.imread(str(MASK), cv2.IMREAD_GRAYSCALE) > 127
    assert overlap(seen.alpha > 127, worn) > 0.85
    (face,) = seen.faces
    x, y, width, height = face
    assert x < 225 < x + width and y < 130 < y + height
    assert (seen.alpha[25:140, 165:285] > 0).mean() < 0.01  # hair and face


@pytest.mark.parametrize(
    "change", ["darker", *(pytest.param(change, marks=pytest.mark.slow) for change in ("mirrored", "larger"))]
)
def test_a_person_is_found_in_other_light_and_size(change):
    photo, worn = skimage.data.astronaut(), cv2.imread(str(MASK), cv2.IMREAD_GRAYSCALE)
    if change == "mirrored":
        photo, worn = np.ascontiguousarray(photo[:, ::-1]), worn[:, ::-1]
    if change == "darker":
        photo = np.rint(photo * [0.75, 0.68, 0.6]).astype(np.uint8)
    if change == "larger":
        photo, worn = cv2.resize(photo, (1200, 1200)), cv2.resize(worn, (1200, 1200))
    assert overlap(look(photo).alpha > 127, worn > 127) > 0.8


def test_no_face_is_seen_where_there_is_none():
    for photo in (skimage.data.coffee(), read_photo(photos.photograph("dotted dress in a room")[0])[0]):
        assert look(photo).faces == ()


def test_a_bag_is_open_under_its_handle_and_straps_are_whole():
    data, _ = photos.photograph("tote on wall and floor")
    assert look(read_photo(data)[0]).alpha[290, 300] == 0
    data, masks = photos.photograph("camisole with thin straps")
    straps = masks["camisole-0"].copy()
    straps[300:] = False
    assert (look(read_photo(data)[0]).alpha[straps] > 127).mean() > 0.95


def composite(soft):
    """Return a mixture of cloth and background as a camera sees it, and both of its parts, and how much is cloth."""
    y, x = np.mgrid[0:300, 0:300].astype(np.float32)
    away = np.hypot(x - 150, y - 150) + 12 * np.cos(7 * np.arctan2(y - 150, x - 150))
    share = np.clip((90 - away) / soft + 0.5, 0, 1)[..., None]
    cloth = np.stack([150 + 40 * np.sin(x / 25), 40 + 20 * np.cos(y / 30), 60 + 0 * x], axis=-1)
    behind = np.stack([60 + 0.2 * x, 170 + 0.1 * y, 90 + 0 * x], axis=-1)
    noise = np.random.default_rng(2).normal(0, 1.5, cloth.shape)
    return np.clip(np.rint(share * cloth + (1 - share) * behind + noise), 0, 255).astype(np.uint8), cloth, share


@pytest.mark.parametrize("soft", [2, 8])
def test_a_cut_out_brings_nothing_of_its_background_along(soft):
    photo, cloth, share = composite(soft)
    alpha = np.rint(share[..., 0] * 255).astype(np.uint8)
    edge = (alpha > 12) & (alpha < 243)
    clean = decontaminate(photo, alpha)
    assert (clean[~edge & (alpha == 255)] == photo[~edge & (alpha == 255)]).all()
    for canvas in (0.0, 255.0):
        wanted = share * cloth + (1 - share) * canvas
        before = np.abs(share * photo + (1 - share) * canvas - wanted)[edge].mean()
        after = np.abs(share * clean + (1 - share) * canvas - wanted)[edge].mean()
        assert after < 2.5 < before and after < 0.25 * before


def test_alpha_follows_the_photos_own_edge():
    photo, _, share = composite(3)
    mask = (cv2.resize(share[..., 0], (75, 75), interpolation=cv2.INTER_AREA) > 0.5).astype(np.uint8)
    alpha = refined(photo, mask) / 255
    assert np.abs(alpha - share[..., 0]).mean() < 0.01
    blocks = cv2.resize(mask, (300, 300), interpolation=cv2.INTER_NEAREST)
    assert np.abs(alpha - share[..., 0]).mean() < 0.4 * np.abs(blocks - share[..., 0]).mean()


@pytest.mark.slow
def test_a_person_is_cut_out_alike_in_any_process_with_any_threads():
    code = (
        "import hashlib, skimage.data; from workflows.engines.foreground import look\n"
        "print(hashlib.sha256(look(skimage.data.astronaut()).alpha.tobytes()).hexdigest())"
    )
    made = set()
    for threads in ("1", "4"):
        variables = {"OMP_NUM_THREADS": threads, "OPENCV_FOR_THREADS_NUM": threads, "OPENBLAS_NUM_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **variables}, capture_output=True, text=True, timeout=120
        )
        made.add(done.stdout)
    assert made == {hashlib.sha256(look(skimage.data.astronaut()).alpha.tobytes()).hexdigest() + "\n"}, done.stderr
