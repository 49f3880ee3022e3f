"""What is measured: one PostgreSQL of the run's own, with a database and processes of each section's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from tests import databases
from tests.gateway import Gateway


@dataclass
class Bench:
    """A run: `rounds` of what is measured in rounds, `rows` jobs in the database that has grown.

    The embedded server, with all its settings as shipped, works in `folder`: on a disk, where a commit costs what it
    costs. It is joined by this process, and gone when this process is. `quick` only shows that a section works.
    """

    folder: Path
    rounds: int
    rows: int
    quick: bool = False

    @cached_property
    def _migrated(self) -> bool:
        """Make the migrated, empty database that all others are copies of."""
        call_command("migrate", verbosity=0)
        name = connection.settings_dict["NAME"]
        connection.close()
        databases.copy(name, databases.TEMPLATE)
        return True

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make an empty database, and let Django's connection lead there meanwhile; yields its name."""
        assert self._migrated
        name = databases.fresh()
        with databases.connected(name):
            yield name
        databases.drop(name)

    @contextmanager
    def gateway(self, *names: str, **env: str) -> Iterator[Gateway]:
        """Start processes (`web`, `worker`) on an empty database of their own; end them whatever happens."""
        with self.database() as name:
            gateway = Gateway(databases.url(name), self.folder / name, extra_env=env)
            try:
                gateway.start(*names)
                yield gateway
            finally:
                gateway.stop()
