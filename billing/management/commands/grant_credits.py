import getpass
from argparse import ArgumentParser
from typing import Any

from billing import ledger
from studio_gateway.commands import Command as BaseCommand
from studio_gateway.commands import positive


class Command(BaseCommand):
    help = "Give a client credits. The same --reference never grants twice."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client_id", type=positive, metavar="CLIENT_ID")
        parser.add_argument("credits", type=positive, metavar="N")
        parser.add_argument("--reason", required=True, metavar="TEXT")
        parser.add_argument("--reference", default="", metavar="ID", help="an order or invoice number")

    def handle(self, *args: Any, **options: Any) -> None:
        entry = ledger.grant(
            client_id=options["client_id"],
            credits=options["credits"],
            reason=options["reason"],
            reference=options["reference"],
            actor=getpass.getuser(),
        )
        self.stdout.write(f"{entry.id}: {entry.amount:+d} credits, balance {entry.balance_after}")
