"""What a metric says, and what all of them say together."""

from dataclasses import dataclass
from typing import Any

THRESHOLD = 0.5


@dataclass(frozen=True)
class Score:
    """How good an image is in one respect, 0 to 1, with the figure that it comes from as one sentence."""

    value: float
    reason: str

    @property
    def passed(self) -> bool:
        return self.value >= THRESHOLD


def falling(value: float, *, good: float, bad: float) -> float:
    """Return 1 for what is no worse than `good`, 0 from `bad` on, and the line between them, to three places."""
    return round(min(1.0, max(0.0, (bad - value) / (bad - good))), 3)


@dataclass(frozen=True)
class Evaluation:
    """All the scores of one image, by the names of their metrics."""

    scores: dict[str, Score]

    @property
    def passed(self) -> bool:
        return all(score.passed for score in self.scores.values())

    @property
    def rank(self) -> tuple[int, float]:
        """Of two images, the one with the higher rank is better: more metrics passed, then the higher lowest score."""
        values = [score.value for score in self.scores.values()]
        return sum(score.passed for score in self.scores.values()), min(values)

    def told(self, *, tries: int) -> dict[str, Any]:
        """Return what the summary of a job says, after so many images."""
        scores = {
            name: {"score": score.value, "threshold": THRESHOLD, "passed": score.passed, "reason": score.reason}
            for name, score in self.scores.items()
        }
        return {"passed": self.passed, "tries": tries, "scores": scores}
