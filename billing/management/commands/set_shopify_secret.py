import json
from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from billing import shopify
from studio_gateway.commands import Command as BaseCommand
from studio_gateway.commands import positive, secret_from_stdin


class Command(BaseCommand):
    help = (
        "Let a client's Shopify app sign with another secret, read from standard input; where that is empty, one is "
        "made and shown this once. The secret before it holds on until the next one is set."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client_id", type=positive, metavar="CLIENT_ID")
        parser.add_argument(
            "--shop-domain", action="append", default=[], metavar="D", help="one more shop of the client's; repeatable"
        )
        parser.add_argument("--retire-previous", action="store_true", help="the secret before it stops at once")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        client_id, secret = options["client_id"], secret_from_stdin() or shopify.new_secret()
        with transaction.atomic():
            shopify.set_secret(client_id=client_id, secret=secret, retire_previous=options["retire_previous"])
            for domain in options["shop_domain"]:
                shopify.add_shop(client_id=client_id, domain=domain)
        if options["json"]:
            self.stdout.write(json.dumps({"client_id": client_id, "shopify_secret": secret}))
        else:
            self.stdout.write(f"shopify_secret {secret}\nThe secret is not shown again.")
