"""What colours are called.

The web process imports this module for dry runs, and the engines to make an order, so that both always agree.
"""

import colorsys
import re
import unicodedata
from collections.abc import Iterable

from PIL import ImageColor

from workflows.engines.base import EngineError, quoted

# What shops call colours and CSS does not; a name that both have (olive, tan) is CSS's. Of names for one colour the
# first is the one that the engines write.
SHOP_COLORS = {
    # Whites, and what is all but white
    "off-white": "#f5f2ea", "warm white": "#f8f1e4", "cool white": "#f1f4f6", "chalk": "#eeede8",
    "alabaster": "#edeae0", "porcelain": "#e9ebea", "pearl": "#eeeae2", "cream": "#f4ecd8", "eggshell": "#efe8d8",
    "bone": "#e6dfd0", "vanilla": "#f3e5b8", "buttermilk": "#f7ecc4", "parchment": "#ebe0c6", "nude": "#dfbfa8",
    # Grays
    "dove gray": "#b9b6b3", "fog": "#d6d8d8", "ash": "#b4b5b0", "heather gray": "#a5a6aa", "cement": "#a3a19b",
    "steel": "#7e868d", "pewter": "#85878a", "slate": "#5d6a75", "gunmetal": "#4b5257", "graphite": "#474a4f",
    "charcoal": "#3a3d40", "anthracite": "#303438", "off-black": "#1d1d1f", "jet black": "#0b0b0d",
    # Sands, beiges and other neutrals
    "champagne": "#ecdcc3", "oat": "#ddd0b8", "oatmeal": "#d8ccb6", "ecru": "#dfd5bd", "flax": "#dfcb9b",
    "almond": "#e9d6c0", "sand": "#d9c6a5", "biscuit": "#d9b98c", "latte": "#c9ab8b", "fawn": "#c2a27c",
    "cashmere": "#d3bca5", "stone": "#bdb4a5", "greige": "#c0b6a6", "mushroom": "#b8a99a", "driftwood": "#a58f73",
    "taupe": "#a3917f", "camel": "#c19a6b",
    # Browns
    "caramel": "#b7733f", "toffee": "#8f5b33", "tobacco": "#7a5a3a", "cinnamon": "#a6613a", "cognac": "#8f4a2b",
    "chestnut": "#75402a", "mahogany": "#4f241c", "mocha": "#8a6a54", "hazelnut": "#9e7b5b", "walnut": "#5f4535",
    "coffee": "#5c4033", "chocolate brown": "#4a2f24", "dark chocolate": "#33211a", "espresso": "#3a2a22",
    "umber": "#63503f", "bronze": "#9c7340", "copper": "#b5704a",
    # Earths and oranges
    "terracotta": "#c4704f", "terra cotta": "#c4704f", "clay": "#b5775a", "brick": "#a4513c", "rust": "#a9502b",
    "burnt orange": "#c4561d", "paprika": "#a83a24", "pumpkin": "#d9742b", "tangerine": "#f28a2e", "apricot": "#f2bd93",
    "peach": "#f5c6a5", "melon": "#f4ac8a",
    # Yellows
    "ochre": "#c48a3a", "mustard": "#cf9f35", "amber": "#d8912f", "honey": "#d9a441", "saffron": "#eeb02c",
    "marigold": "#f2a51f", "sunflower": "#f6c431", "lemon": "#f5e663", "butter": "#f5e4a3", "straw": "#dfcc84",
    # Pinks
    "blush": "#eac7c1", "baby pink": "#f3cfd4", "pale pink": "#f4dcdc", "shell pink": "#f0c9ba",
    "dusty pink": "#d5a6a5", "dusty rose": "#c48c8c", "old rose": "#b57a7d", "rose": "#d9979b",
    "rose gold": "#d3a08f", "bubblegum": "#f09bbd", "flamingo": "#f27f8c", "watermelon": "#ee5f6e",
    "raspberry": "#b3244f", "berry": "#8c2b55",
    # Reds
    "scarlet": "#d42a20", "poppy": "#e2412f", "cherry": "#b01c30", "ruby": "#9c1236", "cranberry": "#90203a",
    "garnet": "#73202c", "marsala": "#8c4a4b", "burgundy": "#6b1f33", "wine": "#64202f", "merlot": "#5e2030",
    "bordeaux": "#5c1a2b", "oxblood": "#561c20",
    # Purples
    "lilac": "#c5b0d5", "wisteria": "#b3a0d0", "heather": "#a993b5", "periwinkle": "#a3aee0", "mauve": "#a98a9f",
    "amethyst": "#8a63b0", "grape": "#5b3a78", "mulberry": "#7c2f5c", "aubergine": "#3f2337", "eggplant": "#3f2337",
    # Blues
    "ice blue": "#d3e4ec", "baby blue": "#bcd7ea", "duck egg": "#c3d8d2", "dusty blue": "#8fa5b8",
    "chambray": "#7791b3", "cerulean": "#2f8fc4", "electric blue": "#1f5cff", "cobalt": "#1f4aa0",
    "sapphire": "#1f4a8c", "royal": "#2a4db0", "denim": "#4a6485", "dark denim": "#2c3d57", "indigo blue": "#33416e",
    "petrol": "#1f5460", "peacock": "#0f6a78", "ocean": "#2a6f8f", "navy blue": "#1f2a4d", "midnight": "#1b2340",
    "ink": "#1f2a3a",
    # Greens
    "mint": "#bfe3d0", "seafoam": "#a5d8c2", "celadon": "#b4ccb4", "pistachio": "#b9cf9a", "sage": "#a8b59a",
    "sage green": "#a8b59a", "eucalyptus": "#8ba596", "matcha": "#a3b060", "apple green": "#86b53c",
    "avocado": "#6f7d3a", "olive green": "#6b6d3a", "khaki green": "#7d7a57", "army green": "#4f5338",
    "moss": "#76804f", "fern": "#5d8250", "kelly green": "#2f9a45", "jade": "#4f9f80", "emerald": "#1f7a56",
    "pine": "#2a5146", "forest": "#28472f", "hunter green": "#2f4f37", "racing green": "#123a2a",
    "bottle green": "#18453b",
}  # fmt: skip

_MOST_COLORS = 6
_LONGEST = 64
_HEX = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{4}|[0-9a-f]{6}|[0-9a-f]{8})|([0-9a-f]{3}|[0-9a-f]{6})")
# CSS Color 4: commas or spaces, and a slash before alpha. [0-9], because \d and float() take any Unicode digit.
_NUMBER = r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))"
_FUNCTION = re.compile(
    rf"(rgb|hsl)a?\( ?{_NUMBER}(%|deg)?(?: ?, ?| ){_NUMBER}(%?)(?: ?, ?| ){_NUMBER}(%?)"
    rf"(?: ?[,/] ?{_NUMBER}(%?))? ?\)"
)  # fmt: skip


class UnknownColor(EngineError):
    """There is no colour {asked}. Send it as #rgb or #rrggbb, as rgb(…) or hsl(…) with each number in its range, by
    its CSS name, such as lightblue, or by a name that shops use, such as sage, terracotta, off-white or camel."""

    code = "unknown_color"


def parse_color(text: str) -> str:
    """Return the colour that `text` names as #rrggbb. Raises UnknownColor.

    It is #rgb, #rrggbb, rgb() or hsl() as CSS writes them, a name of CSS, or one of SHOP_COLORS; case, accents, spaces,
    hyphens and "grey" for "gray" do not matter. Alpha is ignored, for a background is opaque, but what is wholly
    transparent is no colour.
    """
    wanted = " ".join(text.lower().split()) if len(text) <= _LONGEST else ""
    if (found := _NAMED.get(_key(wanted))) or (found := _by_digits(wanted)) or (found := _by_function(wanted)):
        return found
    raise UnknownColor(asked=quoted(text))


def asked_colors(texts: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the colours that an order names, as #rrggbb and each once: those that are used, and those beyond.

    Raises UnknownColor.
    """
    asked = list(dict.fromkeys(parse_color(text) for text in texts))
    return asked[:_MOST_COLORS], asked[_MOST_COLORS:]


def _key(name: str) -> str:
    # Not NFKD, to which full-width letters are letters.
    plain = "".join(one for one in unicodedata.normalize("NFD", name) if not unicodedata.combining(one))
    return re.sub(r"[ _-]", "", plain).replace("grey", "gray")


def _by_digits(text: str) -> str | None:
    if not (match := _HEX.fullmatch(text)):
        return None
    digits = match[1] or match[2]
    if len(digits) < 6:
        digits = "".join(2 * digit for digit in digits)
    return None if digits[6:] == "00" else f"#{digits[:6]}"


def _by_function(text: str) -> str | None:
    """Return the colour that rgb() or hsl() says, or None where it is none or a number is out of its range."""
    if not (match := _FUNCTION.fullmatch(text)):
        return None
    kind, first, unit, second, second_unit, third, third_unit, alpha, alpha_unit = match.groups()
    if alpha and not 0 < float(alpha) <= (100 if alpha_unit else 1):
        return None
    if kind == "rgb":
        if unit == "deg":
            return None
        levels = [
            float(number) / (100 if sign else 255)
            for number, sign in ((first, unit), (second, second_unit), (third, third_unit))
        ]
    else:
        if unit == "%":
            return None
        # From 0 to 100 also where the sign is missing, as in CSS.
        levels = [float(second) / 100, float(third) / 100]
    if not all(0 <= level <= 1 for level in levels):
        return None
    if kind == "hsl":
        levels = list(colorsys.hls_to_rgb(float(first) / 360 % 1, levels[1], levels[0]))
    return "#" + "".join(f"{round(level * 255):02x}" for level in levels)


def _hex(color: str | tuple[int, ...]) -> str:
    return color if isinstance(color, str) else "#{:02x}{:02x}{:02x}".format(*color)


_NAMED = {_key(name): color for name, color in SHOP_COLORS.items()}
_NAMED |= {_key(name): _hex(color) for name, color in ImageColor.colormap.items()}
