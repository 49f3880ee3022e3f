from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from studio_gateway.commands import Command as BaseCommand
from studio_gateway.commands import positive
from workflows.erasure import erase_client


class Command(BaseCommand):
    help = (
        "Suspend a client and erase for good what it sent and was sent: images, photos, specs, logged bodies and "
        "addresses, webhook endpoints, events. Its ledger stays, and that there were its jobs, when and for how much. "
        "Refused while it has open jobs. Files outside clients/CLIENT_ID/ stay, such as those below its other storage "
        "prefixes. What was broken off is finished by running it again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client_id", type=positive, metavar="CLIENT_ID")

    def handle(self, *args: Any, **options: Any) -> None:
        client_id = options["client_id"]
        try:
            erased = erase_client(client_id=client_id)
        except OSError as error:
            raise CommandError(
                f"All but the files is erased, and the storage failed: {error}. Run it again."
            ) from error
        self.stdout.write(
            f"client {client_id} is suspended; erased jobs: {erased.jobs}, request logs: {erased.request_logs}, "
            f"events: {erased.events}, webhook endpoints: {erased.endpoints}, and all files below clients/{client_id}/"
        )
