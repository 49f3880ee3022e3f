"""Do the rows keep the promises? Run by operators, and by whoever wants to know."""

from dataclasses import dataclass

from django.db import connection, transaction

from workflows.reconcile.checks import CHECKS, COUNTS, Violation
from workflows.reconcile.fixes import FIXES

__all__ = ["Report", "Violation", "reconcile"]


@dataclass(frozen=True)
class Report:
    """What was counted, and what was found; `fixed` holds those of the violations that are gone again."""

    checked: dict[str, int]
    violations: list[Violation]
    fixed: frozenset[Violation]

    @property
    def clean(self) -> bool:
        return len(self.fixed) == len(self.violations)


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


def _check() -> tuple[dict[str, int], list[Violation]]:
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(COUNTS)
        assert cursor.description is not None
        checked = dict(zip([column.name for column in cursor.description], cursor.fetchone(), strict=True))
        found = [violation for check in CHECKS for violation in check.run(cursor)]
    return checked, found
