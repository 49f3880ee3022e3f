"""What is understood of an extraction context, and what it brings to the front."""

import pytest

from tests.workflows.engines.outfits import Photo, checked, striped
from workflows.engines.extract import extract
from workflows.engines.shop_words import GARMENTS, MATERIALS
from workflows.engines.wishes import category_in, wishes


def understood(name: str | None = None, description: str | None = None) -> dict[str, list[str]]:
    return wishes({"product_name": name, "product_description": description}).summary()


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("White leather sneakers", "footwear"),
        ("CHELSEA BOOTS", "footwear"),
        ("High-top trainers", "footwear"),
        ("Slim-fit stretch jeans", "bottom"),
        ("Pleated midi skirt", "bottom"),
        ("Denim jacket", "outerwear"),
        ("T-shirt dress with pockets", "dress"),
        ("Denim shirt dress", "dress"),
        ("Tie-dye T-Shirt", "top"),
        ("Cap sleeve blouse", "top"),
        ("Top-handle handbag", "bag"),
        ("Merino scarves", "accessory"),
        ("Baseball cap", "headwear"),
        ("Bucket hat", "headwear"),
        ("Bucket bag", "bag"),
        ("Belt bag", "bag"),
        ("Accessories", "accessory"),
        ("Ceramic vase", None),
        ("", None),
    ],
)
def test_garment_words_have_a_category(name: str, category: str | None):
    assert category_in(name) == category


def test_every_word_of_the_vocabulary_is_understood_as_its_own_category():
    for category, words in GARMENTS.items():
        for word in words:
            assert category_in(f"a {word.upper()}, new") == category, word
    for material, words in MATERIALS.items():
        for word in (material, *words):
            assert understood(word)["material_words"] == [material], word


def test_the_name_counts_and_the_description_says_what_it_does_not():
    assert understood("Terracotta jumper", "Chunky knit. Pairs well with white sneakers and jeans.") == {
        "color_words": ["terracotta"],
        "garment_words": ["jumper"],
        "material_words": ["knit"],
    }
    linen = understood("Linen trousers, denim jacket")
    assert (linen["color_words"], linen["material_words"]) == (["denim"], ["linen", "denim"])
    assert understood(None, None) == {"color_words": [], "garment_words": [], "material_words": []}
    assert understood("x" * 10_000, "\0 🧦 ثوب")["garment_words"] == []


RED, NAVY, SAND = (178, 48, 44), (38, 48, 92), (196, 160, 100)


@pytest.fixture(scope="module")
def cloths() -> bytes:
    """A photo of five towels, each a little larger than the next."""
    photo = Photo(width=1000, height=300)
    cloths = (SAND, striped(NAVY, SAND, width=14), checked(NAVY, SAND, width=14), NAVY, RED)
    for number, cloth in enumerate(cloths):
        x, more = 30 + 195 * number, 40 - 8 * number
        photo.wear([(x, 60), (x + 150, 60), (x + 150, 200 + more), (x, 200 + more)], cloth=cloth)
    return photo.taken()


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("", 0),
        ("red towel", 4),
        ("navy, plain", 3),
        ("striped", 1),
        ("plaid", 2),
        ("striped in navy", 1),
        ("denim", 3),
        ("a towel of silk", 0),
    ],
)
def test_what_the_words_describe_comes_first_and_then_the_largest(cloths: bytes, asked: str, first: int):
    result = extract(cloths, {"extraction_context": {"product_name": asked}})
    assert len(result.pictures) == 5
    columns = [(picture.details["box"][0] - 30) / 195 for picture in result.pictures]
    assert round(columns[0]) == first
    areas = [picture.details["area"] for picture in result.pictures]
    if first == 0:
        assert areas == sorted(areas, reverse=True)
