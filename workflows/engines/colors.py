"""What colours are called.

The web process imports this module for dry runs, and the engines to make an order, so that both always agree.
"""

import re
from collections.abc import Iterable

from PIL import ImageColor

from workflows.engines.base import EngineError, quoted

# What shops call colours and CSS does not; a name that both have (olive, tan) is CSS's.
SHOP_COLORS = {
    "amber": "#d8912f", "apricot": "#f2bd93", "blush": "#eac7c1", "bone": "#e6dfd0", "bordeaux": "#5c1a2b",
    "bottle green": "#18453b", "brick": "#a4513c", "bronze": "#9c7340", "burgundy": "#6b1f33", "camel": "#c19a6b",
    "caramel": "#b7733f", "celadon": "#b4ccb4", "champagne": "#ecdcc3", "charcoal": "#3a3d40", "clay": "#b5775a",
    "cobalt": "#1f4aa0", "cognac": "#8f4a2b", "copper": "#b5704a", "cream": "#f4ecd8", "denim": "#4a6485",
    "duck egg": "#c3d8d2", "dusty pink": "#d5a6a5", "dusty rose": "#c48c8c", "ecru": "#dfd5bd",
    "eggshell": "#efe8d8", "emerald": "#1f7a56", "forest": "#28472f", "forest green": "#28472f",
    "graphite": "#474a4f", "greige": "#c0b6a6", "ice blue": "#d3e4ec", "indigo blue": "#33416e", "ink": "#1f2a3a",
    "jade": "#4f9f80", "lilac": "#c5b0d5", "mauve": "#a98a9f", "merlot": "#5e2030", "midnight": "#1b2340",
    "mint": "#bfe3d0", "mocha": "#8a6a54", "mushroom": "#b8a99a", "mustard": "#cf9f35", "nude": "#dfbfa8",
    "oat": "#ddd0b8", "oatmeal": "#d8ccb6", "ochre": "#c48a3a", "off-white": "#f5f2ea", "off white": "#f5f2ea",
    "oxblood": "#561c20", "peach": "#f5c6a5", "pearl": "#eeeae2", "petrol": "#1f5460", "pistachio": "#b9cf9a",
    "powder blue": "#b5cbdc", "rose": "#d9979b", "rose gold": "#d3a08f",
    "royal": "#2a4db0", "rust": "#a9502b", "sage": "#a8b59a", "sage green": "#a8b59a", "sand": "#d9c6a5",
    "sapphire": "#1f4a8c", "slate": "#5d6a75", "stone": "#bdb4a5", "taupe": "#a3917f", "terracotta": "#c4704f",
    "terra cotta": "#c4704f", "warm white": "#f8f1e4", "wine": "#64202f",
}  # fmt: skip

_MOST_COLORS = 6
_HEX = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{6})")


class UnknownColor(EngineError):
    """There is no colour {asked}. Send it as #rgb or #rrggbb, by its CSS name, such as lightblue, or by a name
    that shops use, such as sage, terracotta, off-white, camel or navy."""

    code = "unknown_color"


def parse_color(text: str) -> str:
    """Return the colour that `text` names as #rrggbb. Raises UnknownColor."""
    wanted = " ".join(text.lower().split()) if len(text) <= 40 else ""
    if digits := _HEX.fullmatch(wanted):
        return "#" + (digits[1] if len(digits[1]) == 6 else "".join(2 * digit for digit in digits[1]))
    for name in (wanted, wanted.replace("_", " ").replace("-", " ")):
        if found := SHOP_COLORS.get(name) or ImageColor.colormap.get(name.replace(" ", "").replace("grey", "gray")):
            return found if isinstance(found, str) else "#{:02x}{:02x}{:02x}".format(*found)
    raise UnknownColor(asked=quoted(text))


def asked_colors(texts: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the colours that an order names, as #rrggbb and each once: those that are used, and those beyond.

    Raises UnknownColor.
    """
    asked = list(dict.fromkeys(parse_color(text) for text in texts))
    return asked[:_MOST_COLORS], asked[_MOST_COLORS:]
