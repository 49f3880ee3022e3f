"""Measure, print and write: `make bench`, or `python -m tests.bench [--rounds N] [--rows N] [SECTION …]`."""

import argparse
import atexit
import importlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import django

from tests.bench import SECTIONS, Section, report
from tests.bench.report import FOLDER
from tests.bench.site import Bench


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure how fast the gateway is.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=10_000, help="jobs in the database whose growth is measured")
    asked = parser.parse_args()
    if unknown := set(asked.sections) - SECTIONS.keys():
        parser.error(f"There is no section {', '.join(sorted(unknown))}.")

    # Ends what was started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="run-", dir=FOLDER)
    # Registered before the server is joined, and so run when it is gone.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    import tests.environment  # noqa: F401 — the gateway's defaults, whatever this environment says

    os.environ |= {"STUDIO_DATA_DIR": folder, "DATABASE_URL": "", "DJANGO_SETTINGS_MODULE": "studio_gateway.settings"}
    django.setup()
    bench = Bench(Path(folder), rounds=asked.rounds, rows=asked.rows)
    machine, measured = report.machine(), dict[str, Section]()
    for name in asked.sections or SECTIONS:
        measured[name] = importlib.import_module(SECTIONS[name]).measure(bench)
        print(report.markdown(measured[name]), flush=True)
        report.write(machine, measured)  # each time: what is broken off leaves what it has
    print(f"written to {FOLDER}/bench.md and bench.json")


if __name__ == "__main__":
    main()
