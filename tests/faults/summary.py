"""What came of a campaign, for people and for programs."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.faults.promises import Promise


@dataclass(frozen=True)
class Struck:
    """One fault: when, in seconds from the first order, how long it took, and what it hit; None where nothing was."""

    name: str
    at: float
    seconds: float
    hit: str | None


@dataclass(frozen=True, kw_only=True)
class Summary:
    seed: int
    seconds: float
    orders: int
    answers: dict[str, int]
    unanswered: int
    jobs: dict[str, int]
    attempts: int
    refunds: int
    struck: list[Struck]
    promises: dict[str, Promise]
    longest_seconds: float
    allowed_seconds: float
    orphan_files: int
    orphan_processes: list[str]

    @property
    def violations(self) -> list[str]:
        broken = [f"{name}: {what}" for name, promise in self.promises.items() for what in promise.violations]
        return broken + [f"left behind: {process}" for process in self.orphan_processes]

    @property
    def kept(self) -> bool:
        return not self.violations

    @property
    def faults(self) -> dict[str, int]:
        """How often each fault hit something."""
        return dict(sorted(Counter(struck.name for struck in self.struck if struck.hit).items()))

    @property
    def text(self) -> str:
        """The summary in Markdown."""
        totals = {
            "seed": self.seed,
            "seconds of load": f"{self.seconds:g}",
            "orders sent": self.orders,
            "jobs": sum(self.jobs.values()),
            "attempts": self.attempts,
            "refunds": self.refunds,
            "faults that hit": sum(self.faults.values()),
            "longest from accept to end": f"{self.longest_seconds:g} s of {self.allowed_seconds:g} s allowed",
            "orders given up unanswered": self.unanswered,
            "files that no output names": self.orphan_files,
            "processes left behind": len(self.orphan_processes),
            "violations": len(self.violations),
        }
        promises = {
            name: f"{promise.counted} | {len(promise.violations)}" for name, promise in sorted(self.promises.items())
        }
        parts = [
            f"## Seed {self.seed}, {self.seconds:g} s: {'every promise kept' if self.kept else 'BROKEN'}",
            _table("what | count", totals),
            _table("promise | checked | violations", promises),
            _table("answer | times", self.answers),
            _table("job ended in | times", self.jobs),
            _table("fault | times", self.faults),
        ]
        if self.violations:
            parts.append("\n".join(f"- {violation}" for violation in self.violations[:200]))
        return "\n\n".join(parts) + "\n"

    def write(self, folder: Path) -> Path:
        """Write it as Markdown, and with every fault as JSON; return the former's path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"seed-{self.seed}-{self.seconds:g}s.md"
        path.write_text(self.text)
        path.with_suffix(".json").write_text(json.dumps(asdict(self) | {"faults": self.faults}, indent=1))
        return path


def _table(head: str, rows: dict[str, object] | dict[str, int] | dict[str, str]) -> str:
    columns = head.count("|") + 1
    lines = [f"| {head} |", "|" + " --- |" * columns, *(f"| {name} | {value} |" for name, value in rows.items())]
    return "\n".join(lines)
