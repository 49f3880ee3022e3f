"""What is printed and written: a Markdown table for each section, and all of it as JSON."""

import json
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
import psutil

from studio_gateway.embedded.server import binary
from tests.bench import Row, Section
from tests.gateway import ROOT

FOLDER = ROOT / "var" / "bench"


def machine() -> dict[str, str]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "CPU": f"{_cpu()}, {psutil.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load before": f"{psutil.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        "PostgreSQL": _said(str(binary("postgres")), "--version").split()[-1],
        "Django": django.get_version(),
        "commit": _said("git", "describe", "--always", "--dirty", "--abbrev=12"),
    }


def markdown(section: Section) -> str:
    lines = [f"### {section.title}", "", "| | median | min – max | goal |", "| --- | ---: | ---: | ---: |"]
    lines += [_line(row) for row in section.rows]
    return "\n".join([*lines, *("\n" + note for note in section.notes)]) + "\n"


def write(machine: dict[str, str], sections: dict[str, Section], folder: Path = FOLDER) -> None:
    """Write bench.json and bench.md of `sections`, by name."""
    folder.mkdir(parents=True, exist_ok=True)
    described = "".join(f"- {name}: {value}\n" for name, value in machine.items())
    told = [described, *(markdown(section) for section in sections.values())]
    (folder / "bench.md").write_text("\n".join(told))
    data: dict[str, Any] = {"machine": machine, "sections": {name: _plain(each) for name, each in sections.items()}}
    (folder / "bench.json").write_text(json.dumps(data, indent=1) + "\n")


def _line(row: Row) -> str:
    spread = f"{_number(min(row.values))} – {_number(max(row.values))}" if len(row.values) > 1 else ""
    return f"| {row.what} | {_number(row.median)} {row.unit} | {spread} | {row.goal} |"


def _number(value: float) -> str:
    """Write three digits that count, and all before the point."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _plain(section: Section) -> dict[str, Any]:
    rows = [
        {"what": row.what, "median": row.median, "values": list(row.values), "unit": row.unit, "goal": row.goal}
        for row in section.rows
    ]
    return {"title": section.title, "rows": rows, "notes": section.notes, "detail": section.detail}


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _said(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
