"""docs/operations.md, as the tests read it."""

import os
import re
import secrets
import subprocess
from pathlib import Path

from studio_gateway.embedded import server
from tests.gateway import ROOT, Gateway

PAGE = (ROOT / "docs" / "operations.md").read_text()
SECRETS = {"SECRET_KEY": secrets.token_urlsafe(48), "FIELD_ENCRYPTION_KEYS": secrets.token_urlsafe(48)}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", PAGE, re.MULTILINE | re.DOTALL)


def block(language: str, holding: str) -> str:
    (found,) = [text for text in blocks(language) if holding in text]
    return found


def inline(program: str) -> str:
    """Return the command that begins with `program`, from a line of a block or from between backticks."""
    (found,) = set(re.findall(rf"(?:^|(?<=`)){program} [^`\n]*", PAGE, re.MULTILINE))
    return found


def shell(script: str, folder: Path, gateway: Gateway, **env: str) -> subprocess.CompletedProcess[str]:
    """Run commands of the page in `folder`, against the gateway's database."""
    path = f"{server.binary('psql').parent}:{os.environ['PATH']}"
    known = {**gateway.env, "PATH": path, **env}
    done = subprocess.run(["bash", "-euc", script], cwd=folder, env=known, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    return done
