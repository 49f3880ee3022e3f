"""What a gateway costs that nobody uses, and how long its processes take to begin."""

import os
import time
from contextlib import ExitStack

import psutil

from tests.bench import Section
from tests.bench.accept import PATH, SPEC, shop
from tests.bench.processes import cost, postgres
from tests.bench.site import Bench
from tests.gateway import Gateway, eventually, mains
from workflows.models import WebhookEndpoint

# A supervisor looks for endpoints every two seconds; whatever begins then has settled after this.
SETTLED_SECONDS = 6
# What a supervisor starts for jobs: main, sentinel, two that work, monitor, pusher.
POOL = 6


def measure(bench: Bench) -> Section:
    section, seconds = Section(title="Idle, memory and start-up"), 1 if bench.quick else 10
    with bench.gateway("web", "worker") as gateway:
        worker = gateway.processes["worker"].pid
        client, key = shop("Shop")
        eventually(lambda: len(psutil.Process(worker).children(recursive=True)) >= POOL, what="the worker's processes")
        _add_memory(section, gateway, "as started", "< 400")
        # What they load for the first orders, they keep.
        ordered = [gateway.call("POST", PATH, SPEC, key=key).json["job_id"] for _ in range(4)]
        assert {gateway.finished(job, key=key, seconds=60)["status"] for job in ordered} == {"SUCCESS"}
        _add_idle(section, bench, gateway, "no webhook endpoint", "< 2", seconds)
        _add_memory(section, gateway, "after jobs", "< 400")
        WebhookEndpoint.objects.create(client_id=client, url="https://shop.invalid/", encrypted_secret="none")
        eventually(lambda: mains(worker, "webhooks"), what="the processes that send webhooks")
        _add_idle(section, bench, gateway, "a webhook endpoint", "", seconds)
        _add_memory(section, gateway, "after jobs and with an endpoint", "")
        _add_start_up(section, bench, gateway, client)
    return section


def _add_idle(section: Section, bench: Bench, gateway: Gateway, when: str, goal: str, seconds: int) -> None:
    time.sleep(min(seconds, SETTLED_SECONDS))
    pids = {name: process.pid for name, process in gateway.processes.items()} | {"PostgreSQL": postgres(bench.folder)}
    with ExitStack() as stack:
        costs = {name: stack.enter_context(cost(pid)) for name, pid in pids.items()}
        time.sleep(seconds)
    for name, spent in costs.items():
        share = spent.cpu / spent.seconds * 100
        section.add(f"{name} with {when}, % of a core", share, goal=goal if name == "worker" else "")


def _add_memory(section: Section, gateway: Gateway, when: str, goal: str) -> None:
    total = 0.0
    for name, process in gateway.processes.items():
        root = psutil.Process(process.pid)
        family = [each.memory_full_info() for each in (root, *root.children(recursive=True))]
        pss = sum(each.pss for each in family) / 2**20
        section.add(f"{name} {when}, {len(family)} processes, PSS, MiB", pss)
        section.detail[f"{name} {when}, MiB"] = [
            {"rss": each.rss // 2**20, "pss": each.pss // 2**20} for each in family
        ]
        total += pss
    section.add(f"web + worker {when}, PSS, MiB", total, goal=goal)


def _add_start_up(section: Section, bench: Bench, gateway: Gateway, client: int) -> None:
    took, cpu, ready = list[float](), list[float](), list[float]()
    for _ in range(bench.rounds):
        with cost(os.getpid(), alone=True) as spent:
            assert gateway.manage("create_api_key", str(client)).returncode == 0
        took.append(spent.seconds)
        cpu.append(spent.cpu)
        gateway.stop("web")
        begun = time.monotonic()
        gateway.start("web")
        ready.append(time.monotonic() - begun)
    section.add("manage.py create_api_key, s", took, goal="< 0.5")
    section.add("manage.py create_api_key, CPU, s", cpu)
    section.add("web until it answers, s", ready, goal="< 2")
