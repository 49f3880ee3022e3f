import argparse
import getpass
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from studio_gateway.errors import DomainError


class Command(BaseCommand):
    """A management command: exits 0 on success, 1 where the domain refused, 2 on bad use."""

    # They take longer than most commands; `manage.py check` and `up` run them.
    requires_system_checks: list[str] = []

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except DomainError as error:
            raise CommandError(str(error)) from error


def secret_from_stdin() -> str:
    """Return the secret that standard input holds; at a terminal it is asked for, without an echo."""
    return getpass.getpass("Secret: ") if sys.stdin.isatty() else sys.stdin.read().strip()


def natural(text: str) -> int:
    """An argparse type: a whole number from 0 on, which a bigint holds."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a whole number of at most 18 digits")
    return int(text)


def positive(text: str) -> int:
    """An argparse type: a whole number from 1 on, which a bigint holds."""
    if not (number := natural(text)):
        raise argparse.ArgumentTypeError("0 is not a whole number from 1 on")
    return number
