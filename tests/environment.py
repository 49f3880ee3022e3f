"""Loaded before Django's settings (see pyproject.toml): the tests have a data folder of their own."""

import os
from pathlib import Path

os.environ["STUDIO_DATA_DIR"] = str(Path(__file__).parent.parent / "var" / "test")
os.environ["WORKER_PROCESSES"] = "2"
for name in ("HOST", "PORT", "PUBLIC_URL", "SECRET_KEY", "ALLOWED_HOSTS", "DEBUG"):
    os.environ.pop(name, None)
