import json
from argparse import ArgumentParser
from typing import Any

from billing.clients import find_client
from billing.keys import create_key
from studio_gateway.commands import Command as BaseCommand
from studio_gateway.commands import positive


class Command(BaseCommand):
    help = "Make another API key for a client. It is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client_id", type=positive, metavar="CLIENT_ID")
        parser.add_argument("--test", action="store_true", help="a test key: its orders are free, their images marked")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        client = find_client(client_id=options["client_id"])
        key, secret = create_key(client=client, test=options["test"])
        if options["json"]:
            self.stdout.write(json.dumps({"client_id": client.pk, "prefix": key.prefix, "api_key": secret}))
        else:
            self.stdout.write(f"{secret}\nThis key of {client} is not shown again.")
