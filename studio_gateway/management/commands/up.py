import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from studio_gateway import running
from studio_gateway.commands import Command as BaseCommand
from studio_gateway.local import Accounts, accounts, demo_photo
from studio_gateway.processes import block_signals, spawn, stop, wait_for_signal
from studio_gateway.roles import set_roles
from workflows.supervisor import DRAIN_SECONDS

WEB_SECONDS = 15.0
MANAGE = str(settings.BASE_DIR / "manage.py")


class Command(BaseCommand):
    help = "Run it all: the database if it is the embedded one, migrations, web and worker, until SIGTERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            holder = running.hold(settings.DATA_DIR)
        except running.AlreadyRunning:
            raise CommandError(f"A gateway runs from {settings.DATA_DIR} already.") from None
        self._check_port()
        block_signals()
        call_command("check")
        call_command("migrate", verbosity=0, interactive=False)
        set_roles()
        made = accounts() if settings.LOCAL else None
        photo = demo_photo(made) if made else ""
        web = spawn([sys.executable, MANAGE, "web"])
        worker = spawn([sys.executable, MANAGE, "worker"])
        try:
            if self._answers(web):
                running.announce(holder, url=settings.PUBLIC_URL)
                self._welcome(made, photo)
                self._watch(web, worker)
        finally:
            web.terminate()
            worker.terminate()
            stop(web, seconds=WEB_SECONDS)
            stop(worker, seconds=DRAIN_SECONDS + 5)
            os.close(holder)

    def _check_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.HOST, settings.PORT))
            except OSError as error:
                where = f"{settings.HOST}:{settings.PORT}"
                raise CommandError(f"Cannot listen on {where}: {error.strerror}. Set PORT to a free one.") from error

    def _answers(self, web: "subprocess.Popen[bytes]") -> bool:
        """Wait until the web process answers. False: somebody asked to stop meanwhile."""
        url = f"http://{settings.HOST}:{settings.PORT}/healthz"
        while wait_for_signal(0.05) not in (signal.SIGTERM, signal.SIGINT):
            if web.poll() is not None:
                raise CommandError("The web process ended before it answered.")
            with suppress(OSError, urllib.error.URLError), urllib.request.urlopen(url, timeout=2):
                return True
        return False

    def _watch(self, web: "subprocess.Popen[bytes]", worker: "subprocess.Popen[bytes]") -> None:
        """Wait until somebody asks to stop. Raises CommandError where a process ends by itself."""
        while True:
            # Before the wait: its signal may have come while the web process was waited for.
            for name, process in (("web", web), ("worker", worker)):
                if process.poll() is not None:
                    raise CommandError(f"The {name} process ended with {process.returncode}; stopping.")
            if wait_for_signal() != signal.SIGCHLD:
                return

    def _welcome(self, made: Accounts | None, photo: str) -> None:
        self.stdout.write(f"\nStudio Gateway answers at {settings.PUBLIC_URL}\n")
        if made is not None:
            background = {"scene_type": "podium", "mood": "warm and calm", "dominant_colors": ["sage", "off-white"]}
            self.stdout.write(
                f"\n  staff console  {settings.PUBLIC_URL}/admin/   {made.staff_user} / {made.staff_password}"
                f"\n  API key        {made.api_key}   (client {made.client_id})"
                f"\n  both are kept in {settings.DATA_DIR / 'accounts.json'}"
                f"\n\nOrder a background:\n\n{_curl(made, 'background-generator', background)}"
                f"\n\nCut the items out of a photo:\n\n{_curl(made, 'extract', {'trial_image': photo})}\n\n"
            )
        self.stdout.write("Ctrl-C stops it.\n\n")
        self.stdout.flush()


def _curl(made: Accounts, workflow: str, spec: dict[str, Any]) -> str:
    return (
        f"curl {settings.PUBLIC_URL}/v1/{workflow} \\\n"
        f"  --header 'Authorization: Bearer {made.api_key}' \\\n"
        f"  --header 'Content-Type: application/json' \\\n"
        f"  --data {shlex.quote(json.dumps(spec))}"
    )
