import os
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management.base import CommandError

from studio_gateway import running
from studio_gateway.commands import Command as BaseCommand
from studio_gateway.demo import Shop
from studio_gateway.local import Accounts, accounts, demo_photo
from studio_gateway.processes import spawn, stop

START_SECONDS = 60.0
STOP_SECONDS = 60.0


class Command(BaseCommand):
    help = "Order both workflows over HTTP, wait for the images, save them in the data folder, and print the receipt."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--photo", type=Path, help="a photo to cut the items out of (default: one drawn here)")

    def handle(self, *args: Any, **options: Any) -> None:
        photo: Path | None = options["photo"]
        if photo is not None and not photo.is_file():
            raise CommandError(f"There is no file {photo}.")
        with self._gateway() as url:
            made = accounts()
            shop = Shop(url=url, api_key=made.api_key, folder=settings.DATA_DIR / "demo", say=self._say)
            backdrop = {
                "scene_type": "podium in a studio",
                "mood": "warm, soft morning light",
                "dominant_colors": ["sage", "off-white"],
                "resolution": "1K",
                "aspect_ratio": "4:5",
                "seed": 7,
                "display_name": "Spring catalogue",
            }
            items = {"trial_image": _store(made, photo) if photo else demo_photo(made)}
            impossible = {"trial_image": f"clients/{made.client_id}/demo/no-such-photo.jpg"}
            accepted = [
                shop.order("background-generator", backdrop),
                shop.order("extract", items),
                shop.order("extract", impossible),
            ]
            jobs = []
            for order in accepted:
                jobs.append(shop.wait(order))
                shop.save(jobs[-1])
            shop.receipt(jobs)
        ended = [job["status"] for job in jobs]
        if ended != ["SUCCESS", "SUCCESS", "FAILURE"]:
            raise CommandError(f"The jobs ended in {', '.join(ended)}; two successes and a failure were due.")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    @contextmanager
    def _gateway(self) -> Iterator[str]:
        """Use the gateway that runs from the data folder, or run one for as long as this takes."""
        if running.find(settings.DATA_DIR) is not None:
            yield self._wait_until_found()
            return
        log = settings.DATA_DIR / "demo" / "gateway.log"
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        port = str(settings.PORT) if "PORT" in os.environ else _free_port()
        with log.open("wb") as output:
            up = spawn([sys.executable, str(settings.BASE_DIR / "manage.py"), "up"], env={"PORT": port}, output=output)
        try:
            yield self._wait_until_found(up, log)
        finally:
            stop(up, seconds=STOP_SECONDS)

    def _wait_until_found(self, up: "subprocess.Popen[bytes] | None" = None, log: Path | None = None) -> str:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and (up is None or up.poll() is None):
            if url := running.find(settings.DATA_DIR):
                self._say(f"The gateway answers at {url}")
                return url
            time.sleep(0.1)
        said = log.read_text()[-2000:] if log else ""
        raise CommandError(f"The gateway did not start. {said}")


def _store(made: Accounts, photo: Path) -> str:
    """Put a photo of the user's where the demo client may read it; return its key."""
    key = f"clients/{made.client_id}/demo/photo{photo.suffix.lower()}"
    default_storage.delete(key)
    return default_storage.save(key, ContentFile(photo.read_bytes()))


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
