import getpass
from argparse import ArgumentParser
from typing import Any

from studio_gateway.commands import Command as BaseCommand
from workflows import jobs


class Command(BaseCommand):
    help = "Refund a job that succeeded: in full, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("job_id", metavar="JOB_ID")
        parser.add_argument("--reason", required=True, metavar="TEXT")
        parser.add_argument("--by", default=getpass.getuser(), metavar="NAME", help="who refunds (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        job = jobs.refund(job_id=options["job_id"], reason=options["reason"], actor=options["by"])
        self.stdout.write(f"{job.id}: {job.credits_cost} credits refunded to client {job.client_id}")
