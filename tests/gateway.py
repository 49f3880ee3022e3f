"""A gateway as an operator runs it: web and worker as processes of their own, spoken to over HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parent.parent


def eventually(condition: Callable[[], Any], *, seconds: float = 20, what: str = "") -> Any:
    """Return the first truthy answer of `condition`; fail when there is none within `seconds`."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what or condition}"
        time.sleep(0.02)
    return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def mains(worker: int, name: str) -> list[psutil.Process]:
    """Return the main process of a worker's qcluster `jobs` or `webhooks`, if it has one at the moment."""
    return [child for child in psutil.Process(worker).children() if child.cmdline()[-2:] == ["--name", name]]


@dataclass
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Gateway:
    database_url: str
    data_dir: Path
    port: int = field(default_factory=free_port)
    extra_env: dict[str, str] = field(default_factory=dict)
    root: Path = ROOT
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        ours = {"STUDIO_DATA_DIR": str(self.data_dir), "PORT": str(self.port), "DATABASE_URL": self.database_url}
        return {**os.environ, **ours, **self.extra_env}

    def manage(self, *args: str, **kwargs: Any) -> subprocess.CompletedProcess:
        command = [sys.executable, "manage.py", *args]
        return subprocess.run(
            command, cwd=self.root, env=self.env, capture_output=True, text=True, timeout=60, **kwargs
        )

    def start(self, *names: str) -> None:
        for name in names:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            with (self.data_dir / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "manage.py", name],
                    cwd=self.root,
                    env=self.env,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        if "web" in names:
            eventually(self.is_up, what="the web process answers")

    def is_up(self) -> bool:
        try:
            return self.call("GET", "/healthz").status == 200
        except OSError:
            return False

    def stop(self, *names: str) -> None:
        for name in names or list(self.processes):
            process = self.processes.pop(name)
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise

    def log(self, name: str) -> str:
        return (self.data_dir / f"{name}.log").read_text()

    def call(
        self, method: str, path: str, body: Any = None, *, key: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request; `body` is sent as it is where it is bytes, else as JSON."""
        sent = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = path if path.startswith("http") else self.url + path
        request = urllib.request.Request(url, method=method, data=data, headers={**sent, **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())

    def finished(self, job_id: str, *, key: str, seconds: float = 40) -> dict[str, Any]:
        """Wait until a job has ended and return it as its client sees it."""

        def ended() -> Any:
            job = self.call("GET", f"/v1/jobs/{job_id}", key=key).json
            return job if job["status"] in ("SUCCESS", "FAILURE") else None

        return eventually(ended, seconds=seconds, what=f"job {job_id} ends")
