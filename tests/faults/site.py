"""A site of its own: PostgreSQL, a web process and two workers, all of which may be killed and come back."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil

from tests.faults.postgres import Postgres
from tests.gateway import ROOT, Gateway, eventually, mains

WEB = "web"
WORKERS = ("worker-1", "worker-2")
DRAINED_WITHIN = 40.0  # a worker has 30 s for its running jobs


@dataclass(frozen=True)
class Account:
    """A client of the site, with the secret of its key."""

    id: int
    name: str
    key: str


class Site(Gateway):
    """A gateway in `folder`, whose processes know the engines of tests/faults/plant."""

    def __init__(self, folder: Path, *, settings: str = "tests.faults.settings") -> None:
        self.postgres = Postgres(folder / "postgres")
        titles = [str(ROOT / "tests/faults/titles"), *filter(None, [os.environ.get("PYTHONPATH")])]
        super().__init__(
            self.postgres.url,
            folder / "data",
            extra_env={
                "DJANGO_SETTINGS_MODULE": settings,
                "PYTHONPATH": os.pathsep.join(titles),
                "WORKER_PROCESSES": "2",
                "WEB_PROCESSES": "1",
            },
        )

    def set_up(self, *, time_limit: timedelta, deadline: timedelta) -> None:
        """Make the database, with short limits for every workflow, and start all processes."""
        self.data_dir.mkdir(parents=True)
        self.postgres.start()
        self._must("migrate", "--verbosity=0")
        self.limits(time_limit=time_limit, deadline=deadline)
        self.start(WEB, *WORKERS)

    def limits(self, *, time_limit: timedelta, deadline: timedelta) -> None:
        """Change every workflow's limits, for orders from now on."""
        self.postgres.run("UPDATE workflows_workflow SET time_limit = %s, deadline = %s", time_limit, deadline)

    def account(self, name: str, *, credits: int, max_open_jobs: int = 1000, jobs_per_minute: int = 10**6) -> Account:
        made = json.loads(self._must("create_client", name, f"--credits={credits}", "--json"))
        self.postgres.run(
            "UPDATE billing_client SET max_open_jobs = %s, jobs_per_minute = %s WHERE id = %s",
            max_open_jobs,
            jobs_per_minute,
            made["client_id"],
        )
        return Account(made["client_id"], name, made["api_key"])

    def start(self, *names: str) -> None:
        """Start processes by name; `worker-2` is another `manage.py worker`."""
        for name in names:
            with (self.data_dir / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "manage.py", name.partition("-")[0]],
                    cwd=ROOT,
                    env=self.env,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        if WEB in names:
            eventually(self.is_up, seconds=40, what="the web process answers")

    def kill(self, name: str) -> None:
        """SIGKILL the group of a process that `start` started."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def terminate(self, *names: str) -> None:
        """SIGTERM processes at once, and wait for all of them; raises subprocess.TimeoutExpired."""
        processes = [self.processes.pop(name) for name in names]
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(DRAINED_WITHIN)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise

    def main(self, worker: str) -> psutil.Process | None:
        """Return the main process of a worker's qcluster that makes images, if it has one at the moment."""
        with contextlib.suppress(psutil.Error, KeyError):
            return next(iter(mains(self.processes[worker].pid, "jobs")), None)
        return None

    def sentinel(self, worker: str) -> psutil.Process | None:
        with contextlib.suppress(psutil.Error):
            return next(iter(main.children() if (main := self.main(worker)) else []), None)
        return None

    def pool(self, worker: str, role: str) -> list[psutil.Process]:
        """Return a qcluster's processes of one role: idle, processing, monitor or pusher."""
        with contextlib.suppress(psutil.Error):
            if sentinel := self.sentinel(worker):
                return [process for process in sentinel.children() if process.name() == role]
        return []

    def process_at(self, job: str) -> psutil.Process | None:
        """Return the process of a job's latest attempt, where its engine wrote it down and it is still there."""
        with contextlib.suppress(OSError, psutil.Error):
            process = psutil.Process(int((self.data_dir / "plant" / job).read_text().splitlines()[-1]))
            return process if self._is_member(process) else None
        return None

    def members(self) -> list[psutil.Process]:
        """Return every process that runs with the site's data folder."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if self._is_member(process):
                    found.append(process)
        return found

    def _is_member(self, process: psutil.Process) -> bool:
        return process.environ().get("STUDIO_DATA_DIR") == str(self.data_dir)

    def end(self) -> list[str]:
        """Stop web and workers as an operator does, and the database last; return what was left behind."""
        try:
            self.terminate(*self.processes)
            with contextlib.suppress(AssertionError):
                eventually(lambda: not self.members(), seconds=5)
            return [" ".join(process.cmdline()) for process in self.members()]
        finally:
            self.end_at_once()

    def end_at_once(self) -> None:
        """SIGKILL whatever runs, and stop the database."""
        for process in self.members():
            with contextlib.suppress(psutil.Error):
                process.kill()
        for started in self.processes.values():
            started.wait()
        self.processes.clear()
        if self.postgres.running:
            with contextlib.suppress(OSError, psutil.Error):  # it is gone already, or did not start
                self.postgres.resume()
                self.postgres.stop("immediate")

    def manage_json(self, *args: str) -> Any:
        """Return what a command says as JSON, also where it found something."""
        done = self.manage(*args)
        assert done.returncode in (0, 1) and done.stdout, done
        return done.returncode, json.loads(done.stdout)

    @property
    def margin(self) -> timedelta:
        """How long past its deadline the product lets a job be open."""
        code = "from workflows.jobs.sweeping import MARGIN\nprint(MARGIN.total_seconds())"
        return timedelta(seconds=float(self._must("shell", "--verbosity=0", "--command", code)))

    def _must(self, *args: str) -> str:
        done = self.manage(*args)
        assert done.returncode == 0, done
        return done.stdout
