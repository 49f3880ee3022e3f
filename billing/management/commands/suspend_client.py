from argparse import ArgumentParser
from typing import Any

from billing.clients import find_client, suspend
from studio_gateway.commands import Command as BaseCommand
from studio_gateway.commands import positive


class Command(BaseCommand):
    help = "Refuse a client's requests from the next one on. Jobs that are open run to their end."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client_id", type=positive, metavar="CLIENT_ID")

    def handle(self, *args: Any, **options: Any) -> None:
        client = find_client(client_id=options["client_id"])
        suspend(client_id=client.pk)
        self.stdout.write(f"{client} is suspended.")
