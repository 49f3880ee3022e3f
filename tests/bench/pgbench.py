"""pgbench, which comes with the embedded server, writing what an order over HTTP writes (order.sql)."""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from django.db import connection

from studio_gateway.embedded.server import binary
from studio_gateway.ids import new_ulid
from tests.bench.load import Load

SCRIPT = Path(__file__).parent / "order.sql"


def pgbench(*, clients: range, spec: dict[str, Any], connections: int, seconds: int = 0, orders: int = 0) -> Load:
    """Order for one of `clients` after another, for so many seconds or so many times, on the database of Django."""
    params, body = connection.get_connection_params(), json.dumps(spec)
    # Of the time of those that the web process makes, so that indexes grow at their right ends.
    values = {"stamp": new_ulid()[:10], "n": 0, "first": clients[0], "last": clients[-1], "body": body}
    login = {"HOST": params["host"], "PORT": params["port"], "USER": params["user"], "PASSWORD": params["password"]}
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(str(binary("pgbench")), "--no-vacuum", "--protocol=prepared", f"--file={SCRIPT}", "--random-seed=1"),
            *("--log", f"--log-prefix={folder}/log", f"--client={connections}"),
            f"--transactions={orders}" if orders else f"--time={seconds}",
            *(f"--define={name}={value}" for name, value in {**values, "size": len(body.encode())}.items()),
            params["dbname"],
        ]
        env = {**os.environ, **{f"PG{name}": value for name, value in login.items()}}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=seconds + 60)
        failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
        if done.returncode or not failed or failed[1] != "0":
            raise RuntimeError(f"pgbench: {done.stderr or done.stdout}")
        log = "".join(file.read_text() for file in Path(folder).iterdir())
    latencies = [int(line.split()[2]) / 1000 for line in log.splitlines()]
    rate = re.search(r"tps = ([\d.]+)", done.stdout)
    assert rate is not None
    return Load(seconds=len(latencies) / float(rate[1]), latencies=latencies)
