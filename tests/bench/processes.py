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
def cost(pid: int, *, alone: bool = False) -> Iterator[Cost]:
    """Measure what a process uses meanwhile, with the processes below it or `alone`.

    What a process used that has ended is counted as its parent's, who waited for it.
    """
    spent = Cost()
    began, before = time.monotonic(), _cpu(pid, alone=alone)
    yield spent
    spent.cpu, spent.seconds = _cpu(pid, alone=alone) - before, time.monotonic() - began


def _cpu(pid: int, *, alone: bool) -> float:
    root, total = psutil.Process(pid), 0.0
    for process in [root, *([] if alone else root.children(recursive=True))]:
        with suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])  # user and system, its own and that of children which have ended
    return total


@contextmanager
def statements(data_dir: Path) -> Iterator[list[str]]:
    """Collect what the embedded server is asked to do meanwhile by others than this process, BEGIN and COMMIT too."""
    log, said = data_dir / "postgres" / "server.log", list[str]()
    with connection.cursor() as cursor:
        _log_statements(cursor, "all")
        start = log.stat().st_size
        yield said
        text = log.read_bytes()[start:].decode()
        _log_statements(cursor, "none")
    for pid, statement in re.findall(r"^.* \[(\d+)\] LOG:  (?:statement|execute \S+): *(.*(?:\n\t.*)*)", text, re.M):
        if int(pid) != connection.connection.info.backend_pid:
            said.append(" ".join(statement.split()))


def _log_statements(cursor: Any, which: str) -> None:
    cursor.execute(f"ALTER SYSTEM SET log_statement = '{which}'")
    cursor.execute("SELECT pg_reload_conf()")

    def known() -> bool:
        cursor.execute("SHOW log_statement")
        return bool(cursor.fetchone()[0] == which)

    eventually(known)
