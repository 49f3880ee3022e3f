import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.db import Error

from studio_gateway.commands import Command as BaseCommand
from workflows.reconcile import Report, keep, reconcile


class Command(BaseCommand):
    help = "Check the promises that rows can show. Exits 1 if a violation is left."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fix", action="store_true", help="mend what can be mended, under lock")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        report = reconcile(fix=options["fix"])
        if options["json"]:
            printed = {"checked": report.checked, "violations": report.as_json()}
            self.stdout.write(json.dumps(printed, default=str))
        else:
            self._print(report)
        self._keep(report)
        if not report.clean:
            sys.exit(1)

    def _keep(self, report: Report) -> None:
        """Keep the report, once it is printed: who asks whether a database is sound may have one that takes no row."""
        self.stdout.flush()
        try:
            keep(report)
        except Error as error:
            self.stderr.write(f"The staff console will not show this: {error}")

    def _print(self, report: Report) -> None:
        self.stdout.write("checked: " + ", ".join(f"{n} {name}" for name, n in report.checked.items()))
        for violation in report.violations:
            rows = " ".join(f"{name}={value}" for name, value in violation.ids.items())
            if violation in report.fixed:
                remedy = "fixed"
            else:
                remedy = f"--fix would: {violation.fix}" if violation.fix else "needs a person"
            self.stdout.write(f"{violation.promise} {rows}: {violation.detail} [{remedy}]")
        left = len(report.violations) - len(report.fixed)
        self.stdout.write(f"{left} violation(s) left." if report.violations else "Every promise holds.")
