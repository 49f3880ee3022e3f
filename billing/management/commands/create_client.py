import json
from argparse import ArgumentParser
from typing import Any

from billing.clients import create_client
from studio_gateway.commands import Command as BaseCommand
from studio_gateway.commands import positive


class Command(BaseCommand):
    help = "Make a client with one API key. The key is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--credits", type=positive, metavar="N", help="grant this many to begin with")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        client, secret = create_client(name=options["name"], credits=options["credits"] or 0)
        made = {"client_id": client.pk, "name": client.name, "balance": client.balance, "api_key": secret}
        if options["json"]:
            self.stdout.write(json.dumps(made))
        else:
            for key, value in made.items():
                self.stdout.write(f"{key:<10} {value}")
            self.stdout.write("The API key is not shown again.")
