"""docs/engines.md: what it says of adding an engine and a workflow, done word for word to a copy of the project."""

import io
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests import databases
from tests.conftest import Shop
from tests.gateway import ROOT, Gateway
from tests.helpers import SPEC, books_are_right

BLOCKS = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "engines.md").read_text(), re.DOTALL | re.MULTILINE)
LATEST = max(path.stem for path in (ROOT / "workflows" / "migrations").glob("0*.py"))


def test_one_of_each_takes_less_than_sixty_lines():
    assert len(BLOCKS) == 3
    assert sum(len(block.splitlines()) for block in BLOCKS) < 60


@pytest.fixture
def gateway(django_db_setup: None, django_db_blocker, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway of a copy of the project to which the page was done; Django's connection here is its database's."""
    project = tmp_path / "project"
    for name in ("manage.py", "studio_gateway", "billing", "requestlog", "workflows", "templates", "docs"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        project.mkdir(exist_ok=True)
        copy(ROOT / name, project / name)
    engines, entries, migration = BLOCKS
    (project / "workflows/engines/swatches.py").write_text(engines)
    with (project / "workflows/catalogue.py").open("a") as catalogue:
        catalogue.write(entries)
    (project / "workflows/migrations/0099_swatch_card.py").write_text(migration.replace("the_latest", LATEST))
    with django_db_blocker.unblock():
        name = databases.fresh()
        gateway = Gateway(databases.url(name), tmp_path / "data", root=project)
        migrated = gateway.manage("migrate")
        assert migrated.returncode == 0, migrated.stderr
        gateway.start("web", "worker")
        with databases.connected(name):
            yield gateway
        gateway.stop()
        databases.drop(name)


def image(gateway: Gateway, shop: Shop, path: str, spec: dict[str, object], *, credits: int) -> Image.Image:
    accepted = gateway.call("POST", path, spec, key=shop.key)
    assert accepted.status == 202, accepted.body
    job = gateway.finished(accepted.json["job_id"], key=shop.key)
    assert (job["status"], job["credits_charged"]) == ("SUCCESS", credits), job
    return Image.open(io.BytesIO(gateway.call("GET", job["outputs"][0]["url"]).body))


def test_what_was_added_is_ordered_paid_for_documented_and_refunded(gateway: Gateway, shop: Shop):
    plain = {**SPEC, "image_model": "plain", "dominant_colors": ["red"], "aspect_ratio": "2:1", "resolution": "512"}
    made = image(gateway, shop, "/v1/background-generator", plain, credits=1)
    assert made.getcolors() == [(made.width * made.height, (255, 0, 0))]
    made = image(gateway, shop, "/v1/swatch-card", {"colors": ["red", "#00f"]}, credits=1)
    assert (made.size, made.getpixel((0, 0)), made.getpixel((255, 255))) == ((256, 256), (255, 0, 0), (0, 0, 255))
    failing = gateway.call("POST", "/v1/swatch-card", {"colors": ["moonish"]}, key=shop.key).json["job_id"]
    assert gateway.finished(failing, key=shop.key)["error"]["code"] == "unknown_color"
    assert gateway.call("POST", "/v1/swatch-card", {"colors": "red"}, key=shop.key).status == 422
    assert shop.balance == 98
    books_are_right(shop.client)
    models = gateway.call("GET", "/v1/models", key=shop.key).json["models"]
    assert {("background-generator", "plain"), ("swatch-card", "built-in")} <= {
        (model["workflow"], model["model"]) for model in models
    }
    told = gateway.call("GET", "/v1/workflows", key=shop.key).json["workflows"]
    (card,) = (workflow for workflow in told if workflow["name"] == "swatch-card")
    assert card["spec"]["required"] == ["colors"]
    assert "/v1/swatch-card" in gateway.call("GET", "/openapi.json").json["paths"]


def test_nothing_of_the_project_was_touched_but_the_catalogue(gateway: Gateway):
    compared = subprocess.run(
        ["diff", "--recursive", "--brief", "--exclude=__pycache__", "--exclude=.*", ROOT / "workflows", "workflows"],
        cwd=gateway.root,
        capture_output=True,
        text=True,
    )
    lines = compared.stdout.splitlines()
    assert [line for line in lines if line.startswith("Files")] == [
        f"Files {ROOT}/workflows/catalogue.py and workflows/catalogue.py differ"
    ]
    assert sum(line.startswith("Only in workflows") for line in lines) == len(lines) - 1 == 2
