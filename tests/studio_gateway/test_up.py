"""`manage.py up` and `manage.py demo` as a newcomer runs them: an empty data folder, the embedded PostgreSQL."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.gateway import ROOT, Gateway, eventually, free_port


class Up:
    """A gateway that `manage.py up` runs in a data folder."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir, self.port = data_dir, free_port()
        self.env = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
        self.env |= {"STUDIO_DATA_DIR": str(data_dir), "PORT": str(self.port)}
        self.process = self.popen("up")
        self.said = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if "Ctrl-C" in line:
                break

    def popen(self, *args: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "manage.py", *args],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def manage(self, *args: str) -> subprocess.CompletedProcess:
        process = self.popen(*args)
        out, _ = process.communicate(timeout=120)
        return subprocess.CompletedProcess(args, process.returncode, out)

    def processes(self) -> list[psutil.Process]:
        """Return everything that works in the data folder: web, worker, qcluster, keeper and PostgreSQL."""
        found = []
        for process in psutil.process_iter():
            try:
                named = process.environ().get("STUDIO_DATA_DIR") == str(self.data_dir)
                if named or any(str(self.data_dir) in argument for argument in process.cmdline()):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=60)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    up = Up(tmp_path_factory.mktemp("up") / "var")
    yield up
    up.end()


def test_it_says_where_it_answers_and_how_to_get_in(up: Up):
    assert up.process.poll() is None, up.said
    assert f"Studio Gateway answers at http://127.0.0.1:{up.port}" in up.said
    accounts = json.loads((up.data_dir / "accounts.json").read_text())
    for secret in (accounts["api_key"], accounts["staff_password"]):
        assert secret in up.said


def test_what_it_keeps_is_readable_by_nobody_else(up: Up):
    assert stat.S_IMODE(up.data_dir.stat().st_mode) == 0o700
    for path in (up.data_dir / "accounts.json", *(up.data_dir / "secrets").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_curl_commands_that_it_prints_are_accepted(up: Up):
    commands = re.findall(r"^curl .*?(?:\n  .*?)+$", up.said, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        done = subprocess.run(["bash", "-c", f"{command} --silent --show-error"], capture_output=True, text=True)
        assert json.loads(done.stdout)["status"] == "NOT_STARTED", done


def test_the_demo_uses_the_gateway_that_runs_and_leaves_the_images(up: Up):
    demo = up.manage("demo")
    assert demo.returncode == 0, demo.stdout
    assert f"The gateway answers at http://127.0.0.1:{up.port}" in demo.stdout
    assert "trial_image_not_found" in demo.stdout
    assert "charged 8, refunded 3" in demo.stdout
    backdrop = Image.open(up.data_dir / "demo" / "background-generator" / "spring-catalogue.png")
    assert backdrop.width < backdrop.height
    items = sorted((up.data_dir / "demo" / "extract").glob("item-*.png"))
    assert len(items) >= 4
    assert all(Image.open(item).mode == "RGBA" for item in items)


def test_the_demo_takes_a_photo_of_the_users(up: Up, tmp_path: Path):
    from skimage import data

    photo = tmp_path / "person.jpg"
    Image.fromarray(data.astronaut()).save(photo)
    demo = up.manage("demo", "--photo", str(photo))
    assert demo.returncode == 0, demo.stdout
    assert "demo/photo.jpg" in demo.stdout


def test_a_photo_that_is_not_there_is_bad_use(up: Up):
    demo = up.manage("demo", "--photo", "no-such-file.jpg")
    assert demo.returncode == 1
    assert "There is no file no-such-file.jpg." in demo.stdout


def test_a_second_one_in_the_same_folder_is_refused(up: Up):
    second = up.manage("up")
    assert second.returncode == 1
    assert "A gateway runs from" in second.stdout


def test_commands_join_its_database(up: Up):
    made = json.loads(up.manage("create_client", "Cap & Co", "--credits", "7", "--json").stdout)
    assert made.keys() == {"client_id", "name", "balance", "api_key"}
    gateway = Gateway("", up.data_dir, port=up.port)
    assert gateway.call("GET", "/v1/jobs/" + "0" * 26, key=made["api_key"]).status == 404
    granted = up.manage("grant_credits", str(made["client_id"]), "5", "--reason", "goodwill")
    assert granted.stdout.endswith("+5 credits, balance 12\n")
    assert up.manage("grant_credits", str(made["client_id"]), "none", "--reason", "x").returncode == 2
    assert up.manage("grant_credits", "99999", "5", "--reason", "x").returncode == 1


def test_a_job_is_refunded_from_the_command_line_once(up: Up):
    gateway = Gateway("", up.data_dir, port=up.port)
    key = json.loads((up.data_dir / "accounts.json").read_text())["api_key"]
    order = {"scene_type": "sweep", "mood": "calm", "resolution": "512"}
    job = gateway.call("POST", "/v1/background-generator", order, key=key).json["job_id"]
    assert gateway.finished(job, key=key)["status"] == "SUCCESS"
    assert up.manage("refund_job", job, "--reason", "the colours").returncode == 0
    assert gateway.finished(job, key=key)["credits_refunded"] == 1
    again = up.manage("refund_job", job, "--reason", "the colours")
    assert (again.returncode, "refunded already" in again.stdout) == (1, True)


def test_the_books_are_right_after_all_of_that(up: Up):
    reconciled = up.manage("reconcile")
    assert (reconciled.returncode, reconciled.stdout.splitlines()[-1]) == (0, "Every promise holds.")


def var_with_photo(up: Up, tmp_path: Path) -> Path:
    """Return a data folder that only has the demo's photo: drawing it takes seconds."""
    photo = Path("storage", "clients", "1", "demo", "flat-lay.jpg")
    (tmp_path / "var" / photo).parent.mkdir(parents=True)
    shutil.copy(up.data_dir / photo, tmp_path / "var" / photo)
    return tmp_path / "var"


def test_a_kill_takes_all_of_it_along_the_next_start_finds_everything_and_sigterm_stops_it_cleanly(
    up: Up, tmp_path: Path
):
    first = Up(var_with_photo(up, tmp_path))

    def everyone_is_there() -> bool:
        names = " ".join(" ".join(process.cmdline()) for process in first.processes())
        return all(name in names for name in ("web", "worker", "qcluster", "postgres"))

    eventually(everyone_is_there, what="web, worker, qcluster and postgres run")
    key = json.loads((first.data_dir / "accounts.json").read_text())["api_key"]
    first.process.kill()
    first.process.communicate()
    eventually(lambda: not first.processes(), seconds=10, what="everything is gone")

    second = Up(first.data_dir)
    assert key in second.said
    second.process.send_signal(signal.SIGTERM)
    assert second.process.wait(40) == 0
    assert second.processes() == []


def test_when_its_worker_is_killed_it_says_so_and_stops_the_rest(up: Up, tmp_path: Path):
    first = Up(var_with_photo(up, tmp_path))
    (worker,) = [p for p in first.processes() if p.cmdline()[-1:] == ["worker"]]
    worker.kill()
    said, _ = first.process.communicate(timeout=60)
    assert first.process.returncode == 1
    assert "The worker process ended with -9; stopping." in said
    assert first.processes() == []


def test_a_port_that_is_taken_is_said_in_words(tmp_path: Path, up: Up):
    env = {**up.env, "STUDIO_DATA_DIR": str(tmp_path / "var")}
    done = subprocess.run([sys.executable, "manage.py", "up"], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{up.port}" in done.stderr
    assert "Set PORT" in done.stderr


def test_database_url_wins_over_the_embedded_server(gateway: Gateway):
    assert gateway.call("GET", "/v1/jobs/" + "0" * 26).status == 401
    assert not (gateway.data_dir / "postgres").exists()
