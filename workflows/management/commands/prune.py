import sys
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.files.storage import default_storage
from django.core.management.base import CommandError

from requestlog import retention
from studio_gateway import sign_in
from studio_gateway.commands import Command as BaseCommand
from workflows import jobs, pruning
from workflows.storage import job_folder
from workflows.webhooks import retention as webhooks


class Command(BaseCommand):
    help = (
        f"Delete request logs, events and webhook deliveries older than {retention.LOG_DAYS} days, files of jobs and "
        "uploads past their client's retention, files that no job has, and staff's ended sessions. Never jobs, ledger "
        "entries, deliveries that wait or a live attempt's files. Every worker runs it once a day; of two at "
        "once one does nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")

    def handle(self, *args: Any, **options: Any) -> None:
        self._failed = False
        try:
            if options["dry_run"]:
                self._foretell()
            else:
                self._prune()
        except OSError as error:
            raise CommandError(f"the storage cannot be read: {error}") from error
        if self._failed:
            sys.exit(1)

    def _foretell(self) -> None:
        deliveries, events = webhooks.expired_deliveries().count(), webhooks.expired_events().count()
        said = self._counts(retention.expired().count(), deliveries, events, self._keep)
        self.stdout.write(f"would delete {said}")

    def _prune(self) -> None:
        with pruning.alone() as alone:
            if not alone:
                self.stdout.write("another prune is at work")
                return
            logs, (deliveries, events) = retention.prune(), webhooks.prune()
            sign_in.forget()
            pruning.date()
            said = self._counts(logs, deliveries, events, self._delete)
            pruning.tidy()
        self.stdout.write(f"deleted {said}")

    def _counts(self, logs: int, deliveries: int, events: int, delete: Callable[..., bool]) -> str:
        """Delete files, or only name them, and return how many of everything that were."""
        erased = sum(
            delete(f"{job_folder(client_id=job.client_id, job_id=job.pk)}/", partial(jobs.erase_files, job))
            for job in pruning.expired_jobs()
        )
        uploads, orphans = (
            sum(delete(key, partial(default_storage.delete, key)) for key in keys)
            for keys in (pruning.expired_uploads(), pruning.orphans())
        )
        return (
            f"request logs: {logs}, webhook deliveries: {deliveries}, events: {events}, jobs' folders: {erased}, "
            f"uploads: {uploads}, files that no job has: {orphans}"
        )

    def _keep(self, what: str, delete: Callable[[], None]) -> bool:
        self.stdout.write(what)
        return True

    def _delete(self, what: str, delete: Callable[[], None]) -> bool:
        try:
            delete()
        except OSError as error:
            self.stderr.write(f"{what} could not be deleted: {error}")
            self._failed = True
            return False
        self.stdout.write(what)
        return True
