"""Loaded before Django's settings (see pyproject.toml): the tests have a data folder of their own.

It is in memory where there is room: copying a database per test is disk work, and slow on shared machines. Nothing is
switched off for it; the server still syncs.
"""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 2 * 1024**3

in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
folder = tempfile.mkdtemp(prefix="studio-gateway-tests-", dir=MEMORY if in_memory else None)
# Registered first and so run last, when the server that works in there is gone.
atexit.register(shutil.rmtree, folder, ignore_errors=True)

# Hundreds of processes are started: each would compile all that it imports.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

os.environ["STUDIO_DATA_DIR"] = folder
os.environ["WORKER_PROCESSES"] = "2"
for name in (
    "HOST",
    "PORT",
    "PUBLIC_URL",
    "SECRET_KEY",
    "ALLOWED_HOSTS",
    "DEBUG",
    "TRUSTED_PROXIES",
    "FIELD_ENCRYPTION_KEYS",
    "METRICS_TOKEN",
    "ALERT_EMAIL",
    "EMAIL_URL",
    "S3_BUCKET",
    "S3_ENDPOINT_URL",
    "GEMINI_API_KEY",
    "GEMINI_BASE_URL",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
):
    os.environ.pop(name, None)
