"""What a client's `scene_type` asks for: what is behind, what lies below, what stands on it, of which material, in
which shadow.

Each is recognised by words of its own, so "marble podium by the sea in window light" is all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from workflows.engines import words
from workflows.engines.vocabulary import DEFAULT, IMPLIED, LANDS, MATERIALS, PART_WORDS, SETS, SHADOWS, Part

VOCABULARY: Mapping[str, tuple[str, ...]] = {
    **{name: one.words for name, one in SETS.items()},
    **{name: one.words for name, one in MATERIALS.items()},
    **SHADOWS,
    **LANDS,
    **PART_WORDS,
}
_PART_OF = {"wall": "backdrop", "floor": "ground", "top": "ground"}
# Backdrops and grounds that are of some stuff already.
_BACKDROPS_OF_ANY, _GROUNDS_OF_ANY = ("sweep", "wall", "arches"), ("floor", "table", "shelf")


@dataclass(frozen=True)
class Scene:
    """What was understood; `understood` is empty when no word was known and the scene is the default one.

    `materials` maps the parts "backdrop", "ground" and "stand" to what they are made of, where the text says so.
    `left_out` holds what was understood and does not go with the rest.
    """

    set: str
    backdrop: str
    ground: str | None
    stand: str | None = None
    land: str | None = None
    materials: dict[str, str] = field(default_factory=dict)
    shadows: tuple[str, ...] = ()
    understood: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def material(self) -> str | None:
        """The material that was mentioned first of those that the scene shows."""
        return next((name for name in self.understood if name in self.materials.values()), None)


def understand(text: str) -> Scene:
    """Return the scene that `text` describes; what it leaves open follows from the rest, or is a studio sweep."""
    understood = words.find(text, VOCABULARY)
    sets = [name for name in understood if name in SETS]
    implied = [IMPLIED[name] for name in understood if name in IMPLIED]
    # "studio" and "backdrop" stand in many texts and say the least: whatever else is named counts more.
    strong = [name for name in sets if name != DEFAULT] or implied[:1] or [DEFAULT]
    # Paper that is named beside another backdrop is what that is made of.
    if len(strong) > 1 and any("backdrop" in SETS[name].parts for name in strong if name != "paper"):
        strong = [name for name in strong if name != "paper"]
    lands = [name for name in understood if name in LANDS]
    # A desert and a winter landscape have horizons of their own, which are no sea's.
    if not lands and {"sand", "snow"} & set(strong):
        strong = [name for name in strong if name != "horizon"]
    # A wall that is named is one, and so is a land.
    named = [*strong, *(["horizon"] if lands else []), *(["wall and floor"] if "wall" in understood else [])]
    parts: dict[Part, str] = {}
    left_out: list[str] = []
    for name in dict.fromkeys(named):
        free = {part: value for part, value in SETS[name].parts.items() if part not in parts}
        parts |= free
        if not free and name in sets:
            left_out.append(name)
    first = SETS[strong[0]]
    lower = next((SETS[name] for name in strong if "ground" in SETS[name].parts), first)
    backdrop = parts.get("backdrop") or lower.backdrop_by_default
    ground = parts.get("ground") or (first.ground_by_default if len(parts) == 1 or not first.flat else "floor")
    if backdrop == "horizon" and "ground" not in parts:
        ground = "table"
    stand = parts.get("stand")
    materials = _placed(understood, backdrop, ground, stand)
    left_out += [name for name in understood if name in MATERIALS and name not in materials.values()]
    land = (lands[0] if lands else first.land) if backdrop == "horizon" else None
    return Scene(
        set=strong[0],
        backdrop=backdrop,
        ground=ground,
        stand=stand,
        land=land,
        materials=materials,
        shadows=tuple(name for name in understood if name in SHADOWS),
        understood=tuple(understood),
        left_out=(*left_out, *(name for name in lands if name != land)),
    )


def _placed(understood: list[str], backdrop: str, ground: str | None, stand: str | None) -> dict[str, str]:
    """Return which part each material goes to: the one named right after it, else the first that suits it."""
    free = [
        *(["stand"] if stand else []),
        *(["ground"] if ground in _GROUNDS_OF_ANY else []),
        *(["backdrop"] if backdrop in _BACKDROPS_OF_ANY or ground is None else []),
    ]
    placed: dict[str, str] = {}
    later: list[str] = []
    for name, following in zip(understood, [*understood[1:], ""], strict=False):
        if name not in MATERIALS:
            continue
        part = _part(following)
        if part in free and part not in placed:
            placed[part] = name
        else:
            later.append(name)
    for name in later:
        for part in MATERIALS[name].suits:
            if part in free and part not in placed:
                placed[part] = name
                break
    return placed


def _part(name: str) -> str | None:
    """Return the part of a scene that a word of it names."""
    if name in SETS:
        return next((part for part in ("stand", "ground", "backdrop") if part in SETS[name].parts), None)
    return _PART_OF.get(name)
