"""The built-in engines: how long they take and how much memory, and how good what they make is.

Time is the CPU's, of one core: what else runs on the machine does not count. Memory is the most that a fresh process
has had, interpreter and libraries included.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from tests.bench import Section
from tests.bench.sheets import MOODS, PALETTE_SCENES, PALETTES, SCENES, backdrop, covered, overlap, photographs
from tests.bench.site import Bench
from tests.gateway import ROOT
from workflows.engines import moods
from workflows.engines.base import EngineError, Result
from workflows.engines.colors import parse_color
from workflows.engines.extract import extract
from workflows.engines.flat_lay import draw_flat_lay
from workflows.engines.judging import judge

# VmHWM and not getrusage(), whose maximum a process inherits from who started it.
_PEAK = """
from pathlib import Path
{code}
print(int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024)
"""


def measure(bench: Bench) -> Section:
    section = Section(title="Engines")
    some = SCENES[:: 9 if bench.quick else 1]
    rounds = range(1 if bench.quick else bench.rounds)
    slowest = _slowest(section, some, rounds)
    if not bench.quick:
        section.add("4K background of that scene, CPU", [_seconds(lambda: backdrop(slowest, "warm", resolution="4K"))
                    for _ in rounds], "s", "≤ 4")  # fmt: skip
        section.add("4K background, memory", _peak(f"from tests.bench.sheets import backdrop\n"
                    f"backdrop({slowest!r}, 'warm', resolution='4K')"), "MiB", "≤ 1024")  # fmt: skip
        photo = draw_flat_lay(width=4000, height=3000)
        section.add(
            "extract, 12 megapixels, CPU",
            [_seconds(lambda: list(extract(photo, {}).pictures)) for _ in rounds],
            "s",
            "≤ 2.5",
        )
        section.add("extract, 50 megapixels, memory", _extract_peak(bench), "MiB", "≤ 1024")
    _quality_of_backdrops(section, some)
    _quality_of_cutouts(section, quick=bench.quick)
    return section


def _slowest(section: Section, scenes: tuple[str, ...], rounds: range) -> str:
    """Add the time of all scenes at 1K, and return the one that takes longest."""
    taken = {
        scene: float(
            np.median([_seconds(lambda scene=scene: backdrop(scene, "warm", resolution="1K")) for _ in rounds])
        )
        for scene in scenes
    }
    section.add("1K background, CPU, over all scenes", list(taken.values()), "s", "≤ 0.3 each")
    slowest = max(taken, key=taken.__getitem__)
    section.notes.append(f"The slowest scene at 1K is {slowest!r}.")
    section.detail["1K background by scene, CPU s"] = taken
    return slowest


def _quality_of_backdrops(section: Section, scenes: tuple[str, ...]) -> None:
    """Add the scores of the sheet of scenes, and how far the colours asked for are missed in that of palettes."""
    scores: dict[str, dict[str, float]] = {}
    passed = []
    for scene in scenes:
        for mood in MOODS:
            spec, result = backdrop(scene, mood)
            said = judge(
                result.pictures[0].pixels,
                colors=[],
                free_box=result.summary["free_box"],
                mood=moods.understand(spec["mood"])[1],
            )
            passed.append(said.passed)
            for name, score in said.scores.items():
                scores.setdefault(name, {})[f"{scene}, {mood}"] = score.value
    for name, of_images in scores.items():
        section.add(f"score {name!r}, all scenes in six moods", list(of_images.values()), "", "see docs/engines.md")
    section.add("images of these that pass at the first attempt", 100 * float(np.mean(passed)), "%")
    missed = {
        f"{scene}, {', '.join(colors)}": _missed(backdrop(scene, "natural", colors)[1], colors)
        for scene in (PALETTE_SCENES if scenes is SCENES else PALETTE_SCENES[:2])
        for colors in PALETTES
    }
    section.add("CIEDE2000 from an asked colour to the image's, worst of each", list(missed.values()), "", "≤ 10")
    section.detail |= {"scores": scores, "CIEDE2000 by image": missed}


def _missed(result: Result, colors: tuple[str, ...]) -> float:
    """Return how far the colour that is missed most is from the nearest of the image's main ones."""
    main = [entry["color"] for entry in result.summary["main_colors"]]
    return max(min(_apart(parse_color(color), one) for one in main) for color in colors)


def _apart(one: str, other: str) -> float:
    first, second = (
        rgb2lab(np.array([[[int(color[at : at + 2], 16) for at in (1, 3, 5)]]], np.uint8)) for color in (one, other)
    )
    return float(deltaE_ciede2000(first, second)[0, 0])


def _quality_of_cutouts(section: Section, *, quick: bool) -> None:
    found: dict[str, float] = {}
    for name, photo, mask in photographs():
        if quick and len(found) == 2:
            break
        try:
            found[name] = overlap(covered(extract(photo, {}), mask.shape), mask)
        except EngineError:
            found[name] = 0.0
    astronaut = found.pop("astronaut", None)
    section.add("IoU of the items, photos with known masks: mean", float(np.mean(list(found.values()))), "", "≥ 0.90")
    section.add(f"IoU of the items, {len(found)} photos", list(found.values()))
    if astronaut is not None:
        section.add("IoU of the items, the astronaut's photo", astronaut, "", "≥ 0.75")
    section.detail["IoU by photo"] = found


def _seconds(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def _peak(code: str) -> float:
    """Run code in a fresh process; return the most memory it has had, in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", _PEAK.format(code=code)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def _extract_peak(bench: Bench) -> float:
    # Enlarged and not drawn: drawing takes more memory than what is measured.
    path = bench.folder / "fifty-megapixels.jpg"
    with Image.open(BytesIO(draw_flat_lay(width=2040, height=1530))) as photo:
        photo.resize((8160, 6120)).save(path, quality=90)
    code = (
        f"from workflows.engines.extract import extract\nlist(extract(Path({str(path)!r}).read_bytes(), {{}}).pictures)"
    )
    return _peak(code)
