"""What an outfit is parted into, and what is left whole."""

import cv2
import numpy as np
import pytest

from tests.workflows.engines.outfits import Photo, checked, outfit, striped
from workflows.engines.extract import extract

RED, NAVY, GREEN, SAND, BLACK = (178, 48, 44), (38, 48, 92), (64, 96, 60), (196, 160, 100), (34, 34, 37)  # fmt: skip

OUTFITS = {
    "plain": {"top": RED, "bottom": NAVY, "shoes": BLACK},
    "short sleeves": {"top": (88, 58, 122), "bottom": SAND, "shoes": (84, 48, 36), "sleeves": False},
    "a striped top": {"top": striped((200, 190, 178), NAVY), "bottom": GREEN, "shoes": (122, 70, 38)},
    "a checked top": {"top": checked(RED, BLACK), "bottom": (110, 130, 170), "shoes": (120, 84, 40)},
    "a top with a patch": {"top": GREEN, "bottom": BLACK, "shoes": (160, 40, 40), "patch": (232, 208, 80)},
    "without shoes": {"top": (226, 190, 60), "bottom": (52, 76, 120)},
}


def placed(picture, shape):
    x, y, width, height = picture.details["box"]
    whole = np.zeros(shape, bool)
    alpha = picture.pixels[..., 3] > 127
    rows, columns = np.nonzero(alpha)
    whole[y : y + height, x : x + width] = alpha[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return whole


@pytest.mark.parametrize("name", OUTFITS)
def test_garments_of_clearly_different_colours_are_items_of_their_own(name: str):
    photo, masks = outfit(**OUTFITS[name])
    pictures = list(extract(photo, {}).pictures)
    found = {picture.details["category"]: placed(picture, (600, 420)) for picture in pictures}
    assert found.keys() == masks.keys()
    for category, mask in masks.items():
        assert (found[category] & mask).sum() / (found[category] | mask).sum() > 0.8, category
    # No pixel belongs to two of them.
    assert sum(one.astype(int) for one in found.values()).max() == 1


WHOLE = {
    "all black": {"top": BLACK, "bottom": (37, 37, 40)},
    "stripes from top to bottom": {"top": striped(RED, SAND), "bottom": striped(RED, SAND)},
    "stripes down": {"top": striped(NAVY, SAND, across=False), "bottom": striped(NAVY, SAND, across=False)},
    "checks": {"top": checked(GREEN, SAND), "bottom": checked(GREEN, SAND)},
    "a patch": {"top": GREEN, "bottom": GREEN, "patch": (232, 208, 80)},
}


@pytest.mark.parametrize("name", WHOLE)
def test_one_cloth_is_one_item(name: str):
    assert len(extract(outfit(**WHOLE[name])[0], {}).pictures) == 1


def test_a_block_of_colour_does_not_tear_a_shirt_or_a_scarf():
    photo = Photo(width=600, height=420)
    photo.wear(
        [(30, 60), (90, 30), (190, 30), (250, 60), (230, 120), (205, 110), (205, 190), (75, 190), (75, 110), (50, 120)],
        cloth=BLACK,
    )
    photo.wear([(75, 190), (205, 190), (205, 300), (75, 300)], cloth=RED)
    photo.wear([(400, 40), (460, 40), (460, 200), (400, 200)], cloth=NAVY)
    photo.wear([(400, 200), (460, 200), (460, 390), (400, 390)], cloth=SAND)
    assert len(extract(photo.taken(), {}).pictures) == 2


def test_light_that_falls_off_parts_nothing():
    photo = Photo()
    photo.wear([(150, 60), (270, 60), (280, 540), (140, 540)], cloth=(170, 90, 70))
    photo.pixels *= np.linspace(1.15, 0.5, 600)[:, None, None]
    assert len(extract(photo.taken(), {}).pictures) == 1


def test_the_same_outfit_is_parted_alike_at_any_size():
    photo, _ = outfit(**OUTFITS["plain"])
    small = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    for scale in (0.6, 2.5):
        data = cv2.imencode(".png", cv2.resize(small, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC))[1]
        result = extract(data.tobytes(), {})
        assert sorted(picture.details["category"] for picture in result.pictures) == ["bottom", "footwear", "top"]


def shoes(first: tuple[int, int, int], second: tuple[int, int, int], *, apart: int) -> bytes:
    """Return a photo of two shoes from the side, toe to toe, and a bag."""
    photo = Photo(width=1300, height=500)
    side = [(0, 4), (30, 8), (70, 0), (88, 20), (140, 45), (205, 55), (230, 72), (228, 90), (3, 90), (-6, 54)]
    middle = 650
    for color, way in ((first, -1), (second, 1)):
        photo.wear([(middle + way * (apart / 2 + 230 - x), 60 + y) for x, y in side], cloth=color)
    photo.wear([(300, 280), (560, 280), (560, 440), (300, 440)], cloth=NAVY)
    return photo.taken()


def test_two_shoes_that_are_alike_are_one_item():
    result = extract(shoes(RED, (186, 56, 50), apart=30), {})
    pair = next(picture for picture in result.pictures if picture.details["category"] == "footwear")
    assert (len(result.pictures), pair.details["box"][2] > 450) == (2, True)
    assert pair.details["area"] > 24_000


@pytest.mark.parametrize(("other", "apart"), [((60, 90, 60), 30), ((186, 56, 50), 500)])
def test_shoes_of_two_colours_or_far_from_each_other_are_two(other: tuple[int, int, int], apart: int):
    result = extract(shoes(RED, other, apart=apart), {})
    assert [picture.details["category"] for picture in result.pictures].count("footwear") == 2
