"""What processes load and keep: what they need not wait for, and memory that they share or give back."""

import json
import subprocess
import sys
from pathlib import Path

import psutil

from tests import databases
from tests.conftest import Shop
from tests.faults.cluster import crew
from tests.gateway import ROOT, Gateway, eventually, mains
from tests.webhooks import endpoint

# `manage.py` as it is, and what it has imported at its end.
MANAGE = """
import gc, json, runpy, sys
runpy.run_path("manage.py", run_name="__main__")
print(json.dumps({"modules": sorted(sys.modules), "frozen": gc.get_freeze_count(), "collects": gc.isenabled()}))
"""
# Libraries and code of the web process, of the console and of the engines, each of which takes long to import.
NOT_NEEDED = {
    "PIL",
    "boto3",
    "cryptography",
    "cv2",
    "drf_spectacular.openapi",
    "granian",
    "markdown_it",
    "numpy",
    "pygments",
    "requests",
    "rest_framework.serializers",
    "studio_gateway.urls",
    "workflows.admin",
    "workflows.catalogue",
}


def test_a_command_imports_nothing_that_only_others_need_and_looks_through_none_of_it(
    own_database: str, shop: Shop, tmp_path: Path
):
    env = Gateway(databases.url(own_database), tmp_path).env
    command = [sys.executable, "-c", MANAGE, "create_api_key", str(shop.client.pk)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert "billing.models" in told["modules"]
    assert NOT_NEEDED & set(told["modules"]) == set()
    assert told["collects"] and told["frozen"] > 50_000


def image_libraries(process: psutil.Process) -> set[str]:
    """Return which of the libraries that engines compute with are in a process's memory."""
    paths = [mapped.path for mapped in process.memory_maps()]
    return {name for name in ("cv2", "numpy", "PIL") if any(f"/site-packages/{name}/" in path for path in paths)}


def test_the_image_libraries_are_loaded_once_for_all_workers_and_nowhere_else(gateway: Gateway, shop: Shop):
    endpoint(gateway, shop, "http://127.0.0.1:9/")
    jobs = crew(gateway)
    # Before it forked, since no job ever runs there; and what has threads cannot be forked safely.
    assert image_libraries(jobs.main) == {"cv2", "numpy", "PIL"}
    assert jobs.main.num_threads() == 1

    supervisor = gateway.processes["worker"].pid
    (webhooks,) = eventually(lambda: mains(supervisor, "webhooks"), what="there is a cluster that sends webhooks")
    eventually(webhooks.children, what="it has begun")
    assert image_libraries(webhooks) == image_libraries(psutil.Process(supervisor)) == set()


# Many blocks, each too small to be a mapping of its own, and the last one keeps the heap from becoming smaller.
FREED = """
import ctypes, psutil
from studio_gateway.processes import give_back_memory

libc, size = ctypes.CDLL(None), 100_000
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
blocks = [libc.malloc(size) for _ in range(500)]
for block in blocks:
    ctypes.memset(block, 1, size)
for block in blocks[:-1]:
    libc.free(block)
held = psutil.Process().memory_info().rss
give_back_memory()
print((held - psutil.Process().memory_info().rss) / (len(blocks) * size))
"""


def test_memory_that_was_freed_is_given_back():
    done = subprocess.run([sys.executable, "-c", FREED], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0.9
