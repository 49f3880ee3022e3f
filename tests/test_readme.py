"""Every command in the README is run: make's by CI, the others here, as they stand there."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.gateway import ROOT, Gateway

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def session() -> list[tuple[str, str]]:
    """Return the commands of the session with the answers that stand below them."""
    steps: list[tuple[str, str]] = []
    for line in "".join(blocks("console")).splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], ""))
        else:
            steps[-1] = (steps[-1][0], steps[-1][1] + line)
    return steps


@pytest.fixture
def local(gateway: Gateway, tmp_path: Path) -> Path:
    """A folder in which the README's session can be run: the demo client's key lies where `make run` puts it."""
    made = json.loads(gateway.manage("create_client", "Demo shop", "--credits", "100", "--json").stdout)
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "accounts.json").write_text(json.dumps(made))
    return tmp_path


def test_the_session_goes_as_it_stands(gateway: Gateway, local: Path):
    (_, _), (order, accepted), (read, job), (refuse, refused) = steps = session()
    promised = json.loads(accepted)

    def run(command: str) -> dict:
        command = command.replace("http://127.0.0.1:8000", gateway.url)
        done = subprocess.run(["bash", "-ec", f"{steps[0][0]}\n{command}"], cwd=local, capture_output=True, text=True)
        assert done.returncode == 0, done
        return json.loads(done.stdout)

    got = run(order)
    assert list(got) == list(promised)
    assert (got["status"], got["credits_cost"]) == (promised["status"], promised["credits_cost"])
    key = json.loads((local / "var" / "accounts.json").read_text())["api_key"]
    gateway.finished(got["job_id"], key=key)
    finished, shown = run(read.replace(promised["job_id"], got["job_id"])), json.loads(job)
    assert list(finished) == list(shown)
    assert (finished["status"], finished["attempts"]) == (shown["status"], shown["attempts"])
    assert list(finished["outputs"][0]) == list(shown["outputs"][0])
    assert run(refuse) == json.loads(refused)


def test_the_operators_commands_succeed(gateway: Gateway):
    made = json.loads(gateway.manage("create_client", "First", "--json").stdout)
    for line in blocks("sh")[1].splitlines():
        program, script, *arguments = shlex.split(line)
        assert (program, script) == (".venv/bin/python", "manage.py")
        if arguments[0] in ("grant_credits", "create_api_key"):
            arguments[1] = str(made["client_id"])
        done = gateway.manage(*arguments)
        assert done.returncode == 0, done


def test_ci_runs_the_two_commands_and_the_checks():
    script = (ROOT / ".ci" / "run").read_text()
    makefile = (ROOT / "Makefile").read_text()
    assert blocks("sh")[0].split("\n")[:2] == ["make demo", "make run"]
    for target in ("demo", "test", "lint"):
        assert re.search(rf"^make {target}$", script, re.MULTILINE)
    # `make run` is `manage.py up`, which tests/studio_gateway/test_up.py runs.
    assert re.search(r"^run: .*\n\t\$\(BIN\)/python manage.py up$", makefile, re.MULTILINE)


def test_every_place_on_the_map_is_there():
    for cell in re.findall(r"^\| (`.*?) \|", README, re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", cell):
            known = [ROOT / name, ROOT / "workflows" / name]
            assert any(path.exists() for path in known), name
