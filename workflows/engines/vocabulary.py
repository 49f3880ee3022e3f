"""The words of scenes: what each set, material, land and shadow is called, and which parts of a scene it is."""

from dataclasses import dataclass, field
from typing import Literal

Part = Literal["backdrop", "ground", "stand"]


@dataclass(frozen=True)
class Set:
    """A kind of scene. `parts` are what it is for certain; the rest is by default, unless other words say more.

    A `flat` one fills the picture when nothing else is named.
    """

    words: tuple[str, ...]
    parts: dict[Part, str] = field(default_factory=dict)
    backdrop_by_default: str = "wall"
    ground_by_default: str | None = "floor"
    flat: bool = False
    land: str | None = None


@dataclass(frozen=True)
class Stuff:
    """A material. `suits`: the parts that are made of it, the likeliest first."""

    words: tuple[str, ...]
    suits: tuple[Part, ...] = ("stand", "ground", "backdrop")


DEFAULT = "sweep"

SETS = {
    "sweep": Set(("studio", "seamless", "cyclorama", "cyc", "infinity cove", "infinity wall", "cove", "plain", "solid",
                  "backdrop", "white background", "plain background", "packshot", "studio sweep", "limbo",
                  "isolated", "photo studio"), {"backdrop": "sweep"}),
    "wall and floor": Set(("room", "interior", "corner", "loft", "living room", "bedroom", "gallery", "showroom",
                           "hallway", "apartment", "wall with floor", "empty room", "home", "house", "office"),
                          {"backdrop": "wall"}),
    "podium": Set(("plinth", "pedestal", "platform", "display", "cylinder", "riser", "stand", "stage", "geometric",
                   "display stand", "product stand", "pillar", "column", "dais", "round base", "geometric shape"),
                  {"stand": "podium"}, backdrop_by_default="sweep"),
    "steps": Set(("stair", "stairs", "staircase", "stairway", "step", "tier", "tiered", "terrace", "stepped", "block",
                  "cube", "stacked block"), {"stand": "steps"}),
    "tabletop": Set(("table", "desk", "countertop", "counter", "worktop", "bench", "surface", "kitchen",
                     "kitchen counter", "workbench", "bar", "table top", "counter top", "dining table", "bathroom",
                     "bathroom counter", "vanity", "cafe", "restaurant", "ledge", "board"),
                    {"ground": "table"}, ground_by_default="table"),
    "tablecloth": Set(("draped table", "cloth covered table", "table cloth", "covered table", "draped plinth",
                       "banquet", "linen table", "cloth table"),
                      {"ground": "cloth"}, ground_by_default="cloth"),
    "shelf": Set(("shelves", "shelve", "wall shelf", "floating shelf", "rack", "mantel", "mantelpiece", "bookshelf",
                  "bookcase"),
                 {"ground": "shelf"}, ground_by_default="shelf"),
    "drapery": Set(("drape", "draped", "curtain", "fabric", "silk", "satin", "cloth", "velvet", "textile", "fold",
                    "draping", "hanging cloth", "hanging fabric", "chiffon", "voile", "theater curtain"),
                   {"backdrop": "drapery"}),
    "paper": Set(("paper roll", "roll", "paper backdrop", "seamless paper", "rolled paper", "colorama", "savage",
                  "cardboard", "paper sweep", "background paper", "poster board", "folded paper", "curved paper",
                  "paper sheet"),
                 {"backdrop": "paper"}),
    "cut paper": Set(("paper cut", "papercut", "paper layer", "layered paper", "cut paper layer", "paper art",
                      "paper craft", "papercraft", "paper wave", "layer", "layered", "collage", "kirigami", "cutout",
                      "wave"),
                     {"backdrop": "cut paper"}, ground_by_default=None, flat=True),
    "arches": Set(("arch", "archway", "arched", "niche", "doorway", "portal", "alcove", "vault", "arcade", "colonnade",
                   "arched door", "arched niche"), {"backdrop": "arches"}),
    "water": Set(("pool", "ripple", "caustic", "aqua", "wet", "lake", "pond", "swimming pool", "water surface",
                  "splash", "river", "water ripple", "shallow water", "underwater", "liquid"), {"ground": "water"}),
    "sand": Set(("dune", "desert", "sandy", "sahara", "sand dune", "zen garden", "sand ripple"),
                {"ground": "sand"}, backdrop_by_default="dunes"),
    "beach": Set(("seaside", "coast", "shore", "seashore", "coastal", "sandy beach", "tropical beach"),
                 {"ground": "sand", "backdrop": "horizon"}, land="sea"),
    "snow": Set(("winter", "snowy", "ice", "frost", "frosty", "snowfall", "arctic", "icy", "christmas",
                 "winter landscape"),
                {"ground": "snow"}, backdrop_by_default="winter"),
    "bokeh": Set(("fairy light", "string light", "blurry light", "blurred light", "light spot", "city light",
                  "defocused", "out of focus", "night light", "christmas light", "sparkle", "glitter", "lens blur",
                  "nightlife", "party"),
                 {"backdrop": "bokeh"}, ground_by_default="table"),
    "horizon": Set(("outdoor", "outdoors", "sky", "cloud", "cloudy", "landscape", "outside", "panorama", "nature",
                    "view", "open air", "rooftop", "balcony", "heaven", "skyline"), {"backdrop": "horizon"}),
    "flat lay": Set(("flatlay", "overhead", "top view", "top down", "from above", "bird eye", "birds eye", "knolling",
                     "flat surface", "texture", "textured background"),
                    {"backdrop": "flat lay"}, ground_by_default=None, flat=True),
    "gradient": Set(("ombre", "aurora", "abstract", "blur", "blurred", "color wash", "colour wash", "mesh",
                     "gradient mesh", "duotone", "colour gradient", "color gradient", "fade", "holographic"),
                    {"backdrop": "gradient"}, ground_by_default=None, flat=True),
}  # fmt: skip

MATERIALS = {
    "wood": Stuff(("wooden", "oak", "walnut", "timber", "plank", "pine", "parquet", "teak", "floorboard", "barn",
                   "hardwood", "birch", "ash wood", "beech", "bamboo", "rustic wood", "driftwood", "mahogany",
    "cedar")), "marble": Stuff(("carrara", "calacatta", "quartz", "quartzite", "onyx", "marbled", "alabaster")),
    "concrete": Stuff(("cement", "industrial", "brutalist", "urban", "screed", "beton", "garage", "warehouse",
                       "grey wall"),
                      ("backdrop", "ground", "stand")),
    "plaster": Stuff(("stucco", "limewash", "clay", "adobe", "microcement", "mediterranean", "lime wash", "tadelakt",
                      "santorini", "rendered", "whitewash", "venetian plaster"), ("backdrop", "ground", "stand")),
    "linen": Stuff(("canvas", "cotton", "woven", "burlap", "jute", "muslin", "hessian"), ("ground", "backdrop")),
    "brick": Stuff(("brickwork", "brick wall", "exposed brick", "masonry"), ("backdrop", "stand", "ground")),
    "tiles": Stuff(("tile", "tiled", "zellige", "ceramic", "subway tile", "mosaic", "spa"), ("backdrop", "ground",
    "stand")), "panelling": Stuff(("paneling", "panelled", "paneled", "wainscot", "wainscoting", "moulding",
                        "molding", "boiserie", "parisian", "wall panel", "haussmann"), ("backdrop",)),
    "terrazzo": Stuff(("granite", "speckled", "confetti")),
    "travertine": Stuff(("limestone", "sandstone", "roman", "tuscan")),
    "stone": Stuff(("slate", "rock", "stone slab", "rocky", "basalt", "cliff", "lava", "stony")),
}  # fmt: skip

SHADOWS = {
    "window": ("window light", "blind", "venetian", "venetian blind", "sunlight", "sunlit", "sunbeam", "morning light",
               "window shadow", "windowpane", "shutter", "sun ray", "sunray", "sunshine", "golden hour light",
    "light beam"), "palm": ("palm leaf", "palm leaves", "palm tree", "palm shadow", "frond", "jungle",
             "tropical leaf", "tropical leaves", "tropical", "monstera", "coconut", "fern"),
    "foliage": ("leaf", "leaves", "botanical", "plant", "tree", "garden", "dappled light", "dappled", "branch",
                "branches", "foliage shadow", "leaf shadow", "plant shadow", "tree shadow", "olive branch",
                "eucalyptus", "forest", "shadow overlay", "greenery"),
}  # fmt: skip

LANDS = {
    "sea": ("ocean", "seascape", "by the sea", "sea view", "marine"),
    "field": ("meadow", "grass", "lawn", "countryside", "prairie", "pasture", "park", "lavender field", "hill",
              "valley", "vineyard"),
    "mountains": ("mountain", "alp", "alpine", "peak", "mountain range"),
}  # fmt: skip

# Of "marble wall and wooden floor": which part the material before it belongs to.
PART_WORDS = {"wall": ("wall background", "backsplash"), "floor": ("ground", "flooring"), "top": ("base",)}

# What a word that is no set makes of the scene when no set is named.
IMPLIED = {
    "wood": "tabletop", "marble": "tabletop", "travertine": "podium", "terrazzo": "tabletop", "stone": "tabletop",
    "linen": "tablecloth", "concrete": "wall and floor", "plaster": "wall and floor", "brick": "wall and floor",
    "tiles": "wall and floor", "panelling": "wall and floor", "window": "wall and floor", "palm": "wall and floor",
    "foliage": "wall and floor", "sea": "horizon", "field": "horizon", "mountains": "horizon", "wall": "wall and floor",
    "floor": "wall and floor",
}  # fmt: skip
