"""The accept path: orders over HTTP, and pgbench writing the same rows with no framework at all, turn by turn."""

import json
import os
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack

from billing.clients import create_client
from billing.models import Client
from tests.bench import Section
from tests.bench.load import Load, load, order
from tests.bench.pgbench import pgbench
from tests.bench.processes import cost, postgres, statements
from tests.bench.site import Bench
from tests.gateway import Gateway

PATH = "/v1/background-generator"
SPEC = {
    "scene_type": "podium",
    "mood": "warm and calm",
    "dominant_colors": ["sage", "off-white"],
    "display_name": "Summer sale",
    "resolution": "1K",
    "aspect_ratio": "4:5",
    "pilot_brand": "Cap & Co",
    "metadata": {"sku": "CAP-0042", "collection": "summer", "note": "keep the floor plain and the shadow soft"},
}
CLIENTS = 300
CONNECTIONS = 16
SECONDS = 4
LOADS = (("many clients", slice(None), "≥ 0.33"), ("one client", slice(1), "≥ 0.17"))
COUNTED = 10


def measure(bench: Bench) -> Section:
    clients, seconds = (3, 1) if bench.quick else (CLIENTS, SECONDS)
    section, figures = Section(title="Accept path"), defaultdict[str, list[float]](list)
    with bench.gateway("web") as gateway:
        shops = [shop(f"Shop {number}") for number in range(clients)]
        body = json.dumps(SPEC).encode()
        requests = [order(path=PATH, key=key, body=body, port=gateway.port) for _, key in shops]
        ids = range(shops[0][0], shops[-1][0] + 1)
        web, others = gateway.processes["web"].pid, {"PostgreSQL": postgres(bench.folder), "the load": os.getpid()}

        def over_http(who: slice, seconds: float = seconds) -> Load:
            return load(port=gateway.port, requests=requests[who], connections=CONNECTIONS, seconds=seconds, status=202)

        def bare(who: slice) -> Load:
            # So many each, where it is only to be seen that it works: on a busy machine a second is none too long.
            amount = {"orders": COUNTED} if bench.quick else {"seconds": SECONDS}
            return pgbench(clients=ids[who], spec=SPEC, connections=CONNECTIONS, **amount)

        def turn(what: str, run: Callable[[slice], Load], which: slice, of: dict[str, int]) -> float:
            with ExitStack() as stack:
                spent = {whose: stack.enter_context(cost(pid, alone=pid == os.getpid())) for whose, pid in of.items()}
                got = run(which)
            told = {
                "orders/s": got.rate,
                "p50, ms": statistics.median(got.latencies),
                "p99, ms": statistics.quantiles(got.latencies, n=100)[98],
            }
            for whose, each in spent.items():
                told[f"CPU of {whose}, ms an order"] = each.cpu / len(got.latencies) * 1000
            for figure, value in told.items():
                figures[f"{what}: {figure}"].append(value)
            return got.rate

        over_http(slice(None), seconds=1)  # warms up
        for _ in range(bench.rounds):
            for who, which, _ in LOADS:
                ours = turn(f"web, {who}", over_http, which, {"the web": web, **others})
                figures[f"{who}: web/pgbench"].append(ours / turn(f"pgbench, {who}", bare, which, others))
        section.detail["statements"] = sent = _sent(gateway, bench, key=shops[0][1])
    goals = {f"{who}: web/pgbench": goal for who, _, goal in LOADS}
    for what, values in figures.items():
        section.add(what, values, goal=goals.get(what, ""))
    section.add("statements an order", sum(sent.values()))
    return section


def shop(name: str) -> tuple[int, str]:
    """Make a client that may order as fast as it can; return its id and its key."""
    client, key = create_client(name=name, credits=1_000_000_000)
    Client.objects.filter(pk=client.pk).update(max_open_jobs=1_000_000, jobs_per_minute=1_000_000)
    return client.pk, key


def _sent(gateway: Gateway, bench: Bench, *, key: str) -> dict[str, float]:
    """Return what the database is asked to do for an order, and how often."""
    with statements(bench.folder) as said:
        for _ in range(COUNTED):
            assert gateway.call("POST", PATH, SPEC, key=key).status == 202
    return {begins: count / COUNTED for begins, count in Counter(" ".join(each.split()[:4]) for each in said).items()}
