"""People without heads or hands: outfits of cloths, as photos with the mask of each garment."""

import io
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

Color = tuple[int, int, int]
Cloth = Color | Callable[[int, int], np.ndarray]


def striped(first: Color, second: Color, *, width: int = 22, across: bool = True) -> Cloth:
    def cloth(high: int, wide: int) -> np.ndarray:
        odd = (np.indices((high, wide))[0 if across else 1] // width) % 2
        return np.where(odd[..., None] == 1, np.array(second), np.array(first)).astype(np.float32)

    return cloth


def checked(first: Color, second: Color, *, width: int = 20) -> Cloth:
    def cloth(high: int, wide: int) -> np.ndarray:
        y, x = np.indices((high, wide)) // width
        return np.where(((x + y) % 2)[..., None] == 1, np.array(second), np.array(first)).astype(np.float32)

    return cloth


class Photo:
    """A photo that garments are drawn on, each as a polygon with folds."""

    def __init__(self, *, width: int = 420, height: int = 600, ground: Color = (226, 224, 220), seed: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.pixels = np.full((height, width, 3), ground, np.float32)

    def wear(self, *outlines: list[tuple[float, float]], cloth: Cloth) -> np.ndarray:
        """Draw one garment; return its mask."""
        high, wide = self.pixels.shape[:2]
        mask = np.zeros((high, wide), np.uint8)
        cv2.fillPoly(mask, [np.array(points, np.int32) for points in outlines], (255,), cv2.LINE_AA)
        color = cloth(high, wide) if callable(cloth) else np.full((high, wide, 3), cloth, np.float32)
        folds = cv2.GaussianBlur(self.rng.normal(0, 1, (high, wide)).astype(np.float32), (0, 0), 12)
        share = mask[..., None] / 255
        shade = (1 + 0.07 * folds / folds.std())[..., None]
        self.pixels = self.pixels * (1 - share) + color * shade * share
        return mask > 127

    def taken(self) -> bytes:
        seen = cv2.GaussianBlur(self.pixels, (0, 0), 0.7) + self.rng.normal(0, 2, self.pixels.shape)
        file = io.BytesIO()
        Image.fromarray(np.clip(seen, 0, 255).astype(np.uint8)).save(file, "PNG")
        return file.getvalue()


def outfit(
    *,
    top: Cloth,
    bottom: Cloth,
    shoes: Cloth | None = None,
    patch: Color | None = None,
    sleeves: bool = True,
    seed: int = 1,
) -> tuple[bytes, dict[str, np.ndarray]]:
    """Return the photo of a top, trousers and shoes that touch, and the mask of each."""
    photo, x = Photo(seed=seed), 210
    legs = [(x - 42, 240), (x + 42, 240), (x + 52, 300), (x + 57, 520), (x + 18, 520), (x + 3, 325), (x - 3, 325),
            (x - 18, 520), (x - 57, 520), (x - 52, 300)]  # fmt: skip
    arm = [(x + 90, 275), (x + 70, 282), (x + 53, 170)] if sleeves else [(x + 76, 172), (x + 55, 180)]
    half = [(x + 18, 100), (x + 60, 112), *arm, (x + 50, 275)]
    masks = {"bottom": photo.wear(legs, cloth=bottom)}
    masks["top"] = photo.wear([*half, *((2 * x - px, py) for px, py in reversed(half))], cloth=top)
    if patch:
        photo.wear([(x - 27, 155), (x + 27, 155), (x + 27, 210), (x - 27, 210)], cloth=patch)
    masks["bottom"] &= ~masks["top"]
    if shoes:
        sides = [[(x + s * 16, 515), (x + s * 60, 515), (x + s * 70, 545), (x + s * 14, 545)] for s in (-1, 1)]
        masks["footwear"] = photo.wear(*sides, cloth=shoes)
        masks["bottom"] &= ~masks["footwear"]
    return photo.taken(), masks
