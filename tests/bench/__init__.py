"""How fast the gateway is, in sections that can be measured alone: `python -m tests.bench [SECTION …]`.

A section is a module with a function `measure(bench: Bench) -> Section`, and an entry in SECTIONS. It is imported only
when it is measured, and Django is set up by then. `bench` (tests/bench/site.py) has what was asked for (`rounds`,
`rows`) and brings the one PostgreSQL of the run once somebody touches it; what needs neither leaves it alone.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

SECTIONS = {
    "accept": "tests.bench.accept",
    "queue": "tests.bench.queue",
    "idle": "tests.bench.idle",
    "growth": "tests.bench.growth",
    "engines": "tests.bench.engines",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure: the median of its `values`, of which there is one for each round."""

    what: str
    values: Sequence[float]
    unit: str = ""
    goal: str = ""  # in words, such as "≤ 25"

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(kw_only=True)
class Section:
    """Figures that belong together; `notes` are sentences below their table, `detail` is for the JSON file alone."""

    title: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    detail: dict[str, Any] = field(default_factory=dict)

    def add(self, what: str, values: float | Sequence[float], unit: str = "", goal: str = "") -> None:
        """Add a figure: one value, or one for each round."""
        values = values if isinstance(values, Sequence) else [values]
        self.rows.append(Row(what=what, values=values, unit=unit, goal=goal))
