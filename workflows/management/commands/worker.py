from typing import Any

from studio_gateway.commands import Command as BaseCommand
from workflows.supervisor import Supervisor


class Command(BaseCommand):
    help = "Run jobs until SIGTERM: supervises a qcluster of WORKER_PROCESSES processes, and sweeps."

    def handle(self, *args: Any, **options: Any) -> None:
        Supervisor().run()
