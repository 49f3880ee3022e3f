"""docs/operations.md: what it quotes is looked up, and its production set-up is made."""

import configparser
import re
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import environ
import psycopg
import pytest
from django.conf import settings
from django.core.management import get_commands

from billing import models
from requestlog import retention
from studio_gateway.management.commands.up import WEB_SECONDS
from tests import databases
from tests.gateway import ROOT, Gateway, eventually
from tests.operations import PAGE, SECRETS, block, blocks, inline, shell
from workflows import supervisor
from workflows.jobs import attempts
from workflows.reconcile import checks

# Where the figures on the page stand.
CODE = (settings, attempts, checks, models, retention, supervisor)


def test_every_metric_of_the_alerts_is_served(gateway: Gateway):
    alerts = PAGE.partition("## Alerts worth having")[2].partition("## ")[0]
    names = set(re.findall(r"studio_[a-z_]+", alerts))
    assert len(names) > 5

    def missing() -> set[str]:
        served = gateway.call("GET", "/metrics").body.decode()
        return {name for name in names if not re.search(rf"^{name}[ {{]", served, re.MULTILINE)}

    eventually(lambda: not missing(), what="each is served, some once the worker has reported")


# What the page quotes


def units() -> dict[str, configparser.ConfigParser]:
    """Return systemd's units by the names of their files."""
    texts = [part for text in blocks("ini") for part in re.split(r"^(?=# /etc/systemd/)", text, flags=re.MULTILINE)]
    found = {}
    for name, text in (part.split("\n", 1) for part in texts if part.startswith("# /etc/systemd/")):
        unit = configparser.ConfigParser(interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read_string(text)
        found[Path(name).name] = unit
    return found


def test_units_let_processes_finish():
    assert set(units()) == {"studio@.service", "studio-reconcile.service", "studio-reconcile.timer"}
    service = units()["studio@.service"]["Service"]
    assert (service["KillMode"], service["Restart"], service["OOMPolicy"]) == ("mixed", "always", "continue")
    assert float(service["TimeoutStopSec"]) > max(supervisor.DRAIN_SECONDS, WEB_SECONDS) + 5
    assert service["ExecStart"].endswith("/.venv/bin/python manage.py %i")


def test_every_command_and_every_figure_on_the_page_is_the_codes():
    commands = set(re.findall(r"manage\.py ([a-z_]+)", PAGE)) | set(re.findall(r"studio@([a-z]+)", PAGE))
    commands |= set(re.findall(r"`((?:erase|revoke|suspend|set|grant|refund)_[a-z_]+)", PAGE)) | {"reconcile", "prune"}
    assert len(commands) > 10
    assert commands <= set(get_commands())
    figures = re.findall(r"([\d.]+) (s|days|MiB) \(`([A-Z_]+)`\)", PAGE)
    assert len(figures) >= 7
    for number, unit, name in figures:
        (value,) = {getattr(module, name) for module in CODE if hasattr(module, name)}
        value = value.total_seconds() if isinstance(value, timedelta) else value
        assert float(value) == float(number) * {"MiB": 1024**2}.get(unit, 1), name


def environment(folder: Path) -> dict[str, str]:
    """Return the page's `.env` as the gateway reads it."""

    class Read(environ.Env):
        ENVIRON: dict[str, str] = {}

    (folder / ".env").write_text(block("ini", "PUBLIC_URL="))
    Read.read_env(folder / ".env")
    return Read.ENVIRON


def test_the_environment_of_the_page_is_what_the_settings_read_and_shells_too(tmp_path: Path):
    env = environment(tmp_path)
    bucket = re.findall(r"^(S3_[A-Z_]+)=", block("ini", "S3_BUCKET="), re.MULTILINE)
    assert len(bucket) == 2
    script = inline("set") + "; env -0"
    said = subprocess.run(["bash", "-euc", script], cwd=tmp_path, env={}, capture_output=True, text=True).stdout
    assert env.items() <= dict(line.split("=", 1) for line in said.split("\0") if line).items()
    read = (ROOT / "studio_gateway" / "settings.py").read_text()
    for name in {*env, *bucket, *re.findall(r"`((?:WEB|WORKER)_[A-Z]+)`", PAGE), "PORT", "ALLOWED_HOSTS"}:
        assert re.search(rf'env[a-z.]*\(\s*"{name}"', read), name


@pytest.fixture
def production(django_db_setup: None, django_db_blocker, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway with the page's environment, role and database; of the latter two the names are the test's own."""
    name = f"test_production{databases.PROCESS}"
    env = environment(tmp_path)
    statements = re.sub(r"\bstudio\b", name, block("sql", "CREATE ROLE")).strip().split("\n")
    dropped = [f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"DROP ROLE IF EXISTS {name}"]
    with django_db_blocker.unblock(), databases._admin() as admin:
        for statement in [*dropped, *statements]:
            admin.execute(statement)
        password, options = re.findall(r"://studio:(.*)@.*\?(.*)", env.pop("DATABASE_URL"))[0]
        url = urlsplit(databases.url(name))._replace(netloc=f"{name}:{password}@")
        env |= {"STUDIO_DATA_DIR": str(tmp_path), **SECRETS}
        gateway = Gateway(f"{url.geturl()}&{options}", tmp_path, extra_env=env)
        yield gateway
        for statement in dropped:
            admin.execute(statement)


@pytest.mark.slow
def test_role_database_and_environment_of_the_page_are_all_it_takes(production: Gateway):
    assert production.manage("check", "--deploy", "--fail-level", "WARNING").returncode == 0
    for command in ("migrate", "staff_roles"):
        done = production.manage(command)
        assert done.returncode == 0, done
    done = production.manage("reconcile")
    assert done.returncode == 0, done
    timeout = "SHOW idle_in_transaction_session_timeout"
    with psycopg.connect(production.database_url) as connection:
        assert connection.execute(timeout).fetchone() == ("10s",)
    assert "1 row" not in shell(block("sh", "pg_stat_activity"), production.data_dir, production).stdout
