import json
from argparse import ArgumentParser
from typing import Any

from billing import shopify
from billing.clients import create_client
from studio_gateway.commands import Command as BaseCommand
from studio_gateway.commands import natural, secret_from_stdin


class Command(BaseCommand):
    help = "Make a client with one API key. Its secrets are shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--credits", type=natural, default=0, metavar="N", help="grant this many to begin with")
        parser.add_argument(
            "--shop-domain", action="append", default=[], metavar="D", help="a Shopify shop of the client's; repeatable"
        )
        parser.add_argument(
            "--shopify-secret-stdin",
            action="store_true",
            help="read the app's client secret from standard input; without it one is made, where a shop is named",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        shopify_secret = None
        if options["shopify_secret_stdin"]:
            shopify_secret = secret_from_stdin()
        elif options["shop_domain"]:
            shopify_secret = shopify.new_secret()
        client, secret = create_client(
            name=options["name"],
            credits=options["credits"],
            shop_domains=options["shop_domain"],
            shopify_secret=shopify_secret,
        )
        made = {"client_id": client.pk, "name": client.name, "balance": client.balance, "api_key": secret}
        if shopify_secret is not None:
            made["shopify_secret"] = shopify_secret
        if options["json"]:
            self.stdout.write(json.dumps(made))
        else:
            for key, value in made.items():
                self.stdout.write(f"{key:<14} {value}")
            self.stdout.write("Secrets are not shown again.")
