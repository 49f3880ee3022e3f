import sys
from argparse import ArgumentParser
from typing import Any

from django.core.files.storage import default_storage

from requestlog import retention
from studio_gateway.commands import Command as BaseCommand
from workflows import pruning


class Command(BaseCommand):
    help = (
        f"Delete request logs older than {retention.LOG_DAYS} days, and files that no job has. Never jobs, ledger "
        "entries or a live attempt's files. Every worker runs it once a day; of two at once one does nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            files = list(map(self._say, pruning.orphans()))
            self.stdout.write(f"would delete {retention.expired().count()} request log(s) and {len(files)} file(s)")
            return
        with pruning.alone() as alone:
            if not alone:
                self.stdout.write("another prune is at work")
                return
            logs = retention.prune()
            deleted = [self._delete(key) for key in pruning.orphans()]
        self.stdout.write(f"deleted {logs} request log(s) and {sum(deleted)} file(s)")
        if not all(deleted):
            sys.exit(1)

    def _say(self, key: str) -> str:
        self.stdout.write(key)
        return key

    def _delete(self, key: str) -> bool:
        try:
            default_storage.delete(key)
        except OSError as error:
            self.stderr.write(f"{key} could not be deleted: {error}")
            return False
        self._say(key)
        return True
