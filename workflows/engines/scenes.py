"""What a client's `scene_type` asks for: a set, what it is made of, what stands on it, what shadow falls on it.

Each of the four is recognised by words of its own, so "marble podium in window light" is all three.
"""

from dataclasses import dataclass

from workflows.engines import words

# How the scenes are built is in sets.py, under the same names.
SETS = {
    "sweep": ("studio", "seamless", "cyclorama", "cyc", "infinity cove", "cove", "plain", "solid", "backdrop",
              "white background", "packshot"),
    "wall and floor": ("wall", "room", "interior", "corner", "loft", "living room", "bedroom", "gallery", "showroom"),
    "podium": ("plinth", "pedestal", "platform", "display", "cylinder", "riser", "stand", "stage", "geometric"),
    "tabletop": ("table", "desk", "countertop", "counter", "worktop", "shelf", "kitchen", "bench", "surface"),
    "drapery": ("drape", "draped", "curtain", "fabric", "silk", "satin", "cloth", "velvet", "textile"),
    "gradient": ("ombre", "aurora", "abstract", "blur", "blurred", "color wash", "colour wash", "mesh"),
}  # fmt: skip
MATERIALS = {
    "wood": ("wooden", "oak", "walnut", "timber", "plank", "pine", "parquet", "teak", "floorboard", "barn"),
    "marble": ("carrara", "stone slab", "travertine", "stone", "quartz", "bathroom"),
    "concrete": ("cement", "industrial", "brutalist", "urban", "screed"),
    "plaster": ("stucco", "limewash", "clay", "adobe", "microcement", "mediterranean"),
    "linen": ("canvas", "cotton", "tablecloth", "woven"),
}  # fmt: skip
SHADOWS = {
    "window": ("window light", "blind", "venetian", "sunlight", "sunlit", "sunbeam", "morning light", "window shadow",
               "windowpane"),
    "foliage": ("leaf", "leaves", "palm", "botanical", "plant", "tree", "jungle", "garden", "dappled light"),
}  # fmt: skip
PROPS = {"arch": ("arches", "archway", "niche", "doorway", "portal")}

DEFAULT = "sweep"
_SET_OF = {"wood": "tabletop", "marble": "tabletop", "linen": "tabletop", "concrete": "wall and floor",
           "plaster": "wall and floor", "window": "wall and floor", "foliage": "wall and floor",
           "arch": "wall and floor"}  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """What was understood; `understood` is empty when no word was known and the scene is the default one."""

    set: str
    material: str | None
    shadow: str | None
    arch: bool
    understood: tuple[str, ...]


def understand(text: str) -> Scene:
    """Return the scene that `text` describes; what it leaves open follows from the rest, or is a studio sweep."""
    sets, materials = words.find(text, SETS), words.find(text, MATERIALS)
    shadows, props = words.find(text, SHADOWS), words.find(text, PROPS)
    understood = (*sets, *materials, *shadows, *props)
    implied = [_SET_OF[name] for name in understood if name in _SET_OF]
    return Scene(
        # "studio" and "backdrop" stand in many texts and say the least: whatever else is named counts more.
        set=next((name for name in (*sets, *implied) if name != DEFAULT), DEFAULT),
        material=materials[0] if materials else None,
        shadow=shadows[0] if shadows else None,
        arch=bool(props),
        understood=understood,
    )
