"""Do the rows keep the promises? Run by operators, and by whoever wants to know."""

from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from workflows.models import Reconciliation
from workflows.reconcile.checks import CHECKS, COUNTS, Violation
from workflows.reconcile.fixes import FIXES

__all__ = ["Report", "Violation", "keep", "reconcile"]

# Of more violations than this the first are kept: a person reads them, and they are one row.
MOST_KEPT = 1_000


@dataclass(frozen=True)
class Report:
    """What was counted, and what was found; `fixed` holds those of the violations that are gone again."""

    checked: dict[str, int]
    violations: list[Violation]
    fixed: frozenset[Violation]

    @property
    def clean(self) -> bool:
        return len(self.fixed) == len(self.violations)

    def as_json(self, *, most: int | None = None) -> list[dict[str, Any]]:
        """The violations, or the first `most` of them, as they are printed and kept."""
        return [
            {"promise": v.promise, **v.ids, "detail": v.detail, "fixed": v in self.fixed}
            for v in self.violations[:most]
        ]


def reconcile(*, fix: bool = False) -> Report:
    """Check all promises that rows can show, in one snapshot; with `fix`, mend what can be mended and check again.

    Each fix looks again under lock and runs in a transaction of its own, so it may run beside web and workers.
    """
    checked, found = _check()
    if not (fix and found):
        return Report(checked, found, frozenset())
    for name, mend in FIXES.items():
        for violation in found:
            if violation.fix == name:
                mend(violation)
    _, left = _check()
    gone = frozenset(found) - frozenset(left)
    return Report(checked, [*found, *(violation for violation in left if violation not in found)], gone)


def keep(report: Report) -> None:
    """Keep what was found where staff see it. Raises django.db.Error where the database takes no row."""
    Reconciliation.objects.create(
        checked=report.checked,
        found=len(report.violations),
        fixed=len(report.fixed),
        violations=report.as_json(most=MOST_KEPT),
    )


def _check() -> tuple[dict[str, int], list[Violation]]:
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(COUNTS)
        assert cursor.description is not None
        checked = dict(zip([column.name for column in cursor.description], cursor.fetchone(), strict=True))
        found = [violation for check in CHECKS for violation in check.run(cursor)]
    return checked, found
