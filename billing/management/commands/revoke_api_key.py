from argparse import ArgumentParser
from typing import Any

from billing.keys import find_key, revoke_key
from studio_gateway.commands import Command as BaseCommand


class Command(BaseCommand):
    help = "Refuse an API key from the next request on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("prefix", metavar="PREFIX", help="the key's first characters, as the admin shows them")

    def handle(self, *args: Any, **options: Any) -> None:
        key = find_key(prefix=options["prefix"])
        revoke_key(key_id=key.pk)
        self.stdout.write(f"The API key {key} of {key.client} is revoked.")
