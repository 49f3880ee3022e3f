from collections.abc import Callable
from typing import Any

from django.conf import settings
from granian import Granian
from granian.constants import Interfaces

from studio_gateway.commands import Command as BaseCommand
from studio_gateway.processes import die_with_parent


def load_application(target: str) -> Callable[..., Any]:
    """Load the WSGI application in a process that granian has just made, and which shall end with granian."""
    die_with_parent()
    from studio_gateway.wsgi import application

    return application


class Command(BaseCommand):
    help = "Serve the API and the admin on HOST:PORT until SIGTERM."

    def handle(self, *args: Any, **options: Any) -> None:
        server = Granian(
            "studio_gateway.wsgi:application",
            address=settings.HOST,
            port=settings.PORT,
            interface=Interfaces.WSGI,
            workers=settings.WEB_PROCESSES,
            blocking_threads=settings.WEB_THREADS,
            respawn_failed_workers=True,
            workers_kill_timeout=10,
            log_level="warning",
        )
        server.serve(target_loader=load_application)
