"""What processes cost, as /proc tells."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from django.db import connection

from tests.gateway import eventually


@dataclass
class Cost:
    cpu: float = 0.0  # seconds
    seconds: float = 0.0


def postgres(data_dir: Path) -> int:
    """Return the process id of the embedded server of a data folder."""
    return int((data_dir / "postgres" / "cluster" / "postmaster.pid").read_text().splitlines()[0])


@contextmanager
def cost(*pids: int, alone: bool = False) -> Iterator[Cost]:
    """Measure what processes use meanwhile, with the processes below them or `alone`.

    What a process used that has ended is counted as its parent's, who waited for it.
    """
    spent = Cost()
    began, before = time.monotonic(), sum(_cpu(pid, alone=alone) for pid in pids)
    yield spent
    spent.cpu = sum(_cpu(pid, alone=alone) for pid in pids) - before
    spent.seconds = time.monotonic() - began


def _cpu(pid: int, *, alone: bool) -> float:
    root, total = psutil.Process(pid), 0.0
    for process in [root, *([] if alone else root.children(recursive=True))]:
        with suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])  # user and system, its own and that of children which have ended
    return total


@contextmanager
def statements(data_dir: Path) -> Iterator[list[str]]:
    """Collect what the embedded server is asked for meanwhile, in Django's database and by other processes.

    BEGIN and COMMIT too. The server logs everybody's statements for as long.
    """
    log, said = data_dir / "postgres" / "server.log", list[str]()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), pg_backend_pid()")
        database, here = cursor.fetchone()
        try:
            _set(cursor, log_line_prefix="%p of %d ", log_statement="all")
            start = log.stat().st_size
            yield said
            text = log.read_bytes()[start:].decode()
        finally:
            _set(cursor, log_line_prefix=None, log_statement=None)
    told = re.compile(rf"^(\d+) of {database} LOG:  (?:statement|execute \S+): *(.*(?:\n\t.*)*)", re.M)
    said += [" ".join(statement.split()) for pid, statement in told.findall(text) if int(pid) != here]


def _set(cursor: Any, **settings: str | None) -> None:
    """Change settings of the server, None back to what they were, and wait until they are in force."""
    cursor.execute("SELECT pg_conf_load_time()")
    (loaded,) = cursor.fetchone()
    for name, value in settings.items():
        cursor.execute(f"ALTER SYSTEM RESET {name}" if value is None else f"ALTER SYSTEM SET {name} = '{value}'")
    cursor.execute("SELECT pg_reload_conf()")

    def known() -> bool:
        cursor.execute("SELECT pg_conf_load_time() > %s", [loaded])
        return bool(cursor.fetchone()[0])

    eventually(known)
