"""A client that nobody here wrote: openapi-python-client's, made from /openapi.json as it is served."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Shop
from tests.gateway import ROOT, Gateway
from tests.helpers import books_are_right, photo_of_a_person
from workflows.models import Job


@pytest.fixture
def generated(gateway: Gateway, tmp_path: Path) -> Path:
    """The folder of the package `studio_client`, which was generated without one warning."""
    settings = tmp_path / "settings.yaml"
    settings.write_text("post_hooks: []\n")  # by default it would look for tools that tidy up
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--url", f"{gateway.url}/openapi.json"]
    options = ["--config", settings, "--meta", "none", "--output-path", tmp_path / "studio_client"]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert done.returncode == 0, done
    assert (done.stdout.split("\n"), done.stderr) == ([f"Generating {tmp_path / 'studio_client'}", ""], "")
    return tmp_path


def drive(gateway: Gateway, generated: Path, *arguments: str) -> dict[str, Any]:
    program = ROOT / "tests" / "contract" / "drive_client.py"
    env = {**os.environ, "PYTHONPATH": f"{generated}:{ROOT}"}
    done = subprocess.run(
        [sys.executable, program, gateway.url, *arguments], env=env, cwd=generated, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_it_orders_both_workflows_and_reads_what_became_of_them(gateway: Gateway, shop: Shop, generated: Path):
    seen = drive(gateway, generated, shop.key, photo_of_a_person(shop))
    for name in ("background", "extract"):
        job = seen[name]
        assert (job["status"], job["error"], len(job["outputs"])) == ("SUCCESS", None, 1)
        # It has read every field, and written each as it was sent: but for the new signatures.
        sent = gateway.call("GET", f"/v1/jobs/{job['job_id']}", key=shop.key).json
        for body in (job, sent):
            body["outputs"][0].pop("url")
            for moment in ("accepted_at", "started_at", "ended_at", "deadline_at", "files_expire_at"):
                body[moment] = body[moment].replace("Z", "+00:00")
            for entry in body["timeline"]:
                entry["at"] = entry["at"].replace("Z", "+00:00")
        assert job == sent
    assert seen["faults"] == [
        [["body", "scene_type"], "string_type"],
        [["body", "dominant_colors", 1], "string_type"],
    ]
    assert seen["refusal"] == "invalid_api_key"
    assert Job.objects.filter(client=shop.client).count() == 2
    assert shop.balance == 100 - seen["background"]["credits_charged"] - seen["extract"]["credits_charged"]
    books_are_right(shop.client)
