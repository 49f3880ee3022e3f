"""From the row to the result: how soon an idle worker begins, and how many jobs that do nothing workers do."""

import json
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from django.db import connection

from studio_gateway.ids import new_ulid
from tests.bench import Section
from tests.bench.accept import PATH, SPEC, shop
from tests.bench.processes import cost, postgres
from tests.bench.site import Bench
from tests.gateway import Gateway, eventually
from tests.helpers import sql
from workflows.models import Job, WebhookEndpoint

# An engine that makes nothing; the job is one like any other.
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.faults.settings"}
NOTHING = {**SPEC, "image_model": "plant-nothing", "metadata": {"pictures": 0}}
# Jobs of so many clients, each with an endpoint; nobody sends what is written for these.
WAITING = (Path(__file__).parent / "waiting.sql").read_text()
SHOPS = 50


def measure(bench: Bench) -> Section:
    section = Section(title="Queue and worker")
    with bench.gateway("web", "worker", **SETTINGS) as gateway:
        waited = _starts(gateway, orders=5 if bench.quick else 150)
        section.add("accept to start when idle: p50, ms", statistics.median(waited), goal="≤ 25")
        section.add("accept to start when idle: p99, ms", statistics.quantiles(waited, n=100)[98], goal="≤ 100")
    for waiting in (0, 100 if bench.quick else 100_000):
        _add_rates(section, bench, waiting=waiting, seconds=2 if bench.quick else 10)
    return section


def _starts(gateway: Gateway, *, orders: int) -> list[float]:
    """Order one after another, each once the last has ended; return how long each waited for its start, in ms."""
    (client, key), chance = shop("Shop"), random.Random(1)
    for _ in range(orders + 2):  # the first two find processes that are just beginning
        job = gateway.call("POST", PATH, NOTHING, key=key).json["job_id"]
        eventually(lambda job=job: Job.objects.filter(pk=job, ended_at__isnull=False).exists(), seconds=30)
        time.sleep(chance.uniform(0.05, 0.15))  # so as not to keep step with whoever polls
    waited = "SELECT extract(epoch FROM started_at - accepted_at) * 1000 FROM workflows_job WHERE client_id = %s"
    return [float(ms) for (ms,) in sql(f"{waited} ORDER BY id OFFSET 2", client)]


def _wait(*, jobs: int) -> None:
    """Have so many jobs wait, of clients that are told of everything."""
    clients = [shop(f"Shop {number}")[0] for number in range(SHOPS)]
    for client in clients:
        WebhookEndpoint.objects.create(client_id=client, url="https://shop.invalid/", encrypted_secret="none")
    with connection.cursor() as cursor:
        values = {"clients": clients, "jobs": jobs // SHOPS, "stamp": new_ulid()[:10], "spec": json.dumps(NOTHING)}
        cursor.execute(WAITING, values)
        cursor.execute("VACUUM ANALYZE")


def _add_rates(section: Section, bench: Bench, *, waiting: int, seconds: int) -> None:
    """Count what one worker ends, and two, in each of so many seconds, while so many jobs wait beside.

    There is no supervisor, and so nobody who sends the webhooks.
    """
    with bench.gateway(**SETTINGS) as gateway:
        second = replace(gateway, processes={})
        _wait(jobs=waiting + seconds * 1_200 + 1_000)
        gateway.start("qcluster")
        try:
            for workers in (gateway,), (gateway, second):
                if not workers[-1].processes:
                    second.start("qcluster")
                _add_rate(section, bench, workers, beside=waiting, seconds=seconds)
        finally:
            second.stop()


def _add_rate(section: Section, bench: Bench, workers: Sequence[Gateway], *, beside: int, seconds: int) -> None:
    pids = [worker.processes["qcluster"].pid for worker in workers]
    ended = Job.objects.filter(status=Job.Status.SUCCESS)
    until = ended.count() + 200
    eventually(lambda: ended.count() >= until, seconds=60)
    # As autovacuum does each minute: plans that were made while there was no event read all of them.
    sql("VACUUM ANALYZE")
    begun = sql("SELECT clock_timestamp()")[0][0]
    with cost(*pids) as of_workers, cost(postgres(bench.folder)) as of_server:
        time.sleep(seconds)
    rates = [
        sql(
            "SELECT count(*) FROM workflows_job WHERE ended_at >= %s + make_interval(secs => %s)"
            " AND ended_at < %s + make_interval(secs => %s)",
            *(begun, second, begun, second + 1),
        )[0][0]
        for second in range(seconds)
    ]
    done = sum(rates)
    assert done and not Job.objects.filter(status=Job.Status.FAILURE).exists()
    assert Job.objects.filter(status=Job.Status.NOT_STARTED).exists(), "the jobs ran out"
    when = f"{'two workers' if len(workers) > 1 else 'one worker'}, {beside:,} jobs waiting"
    section.add(f"{when}: jobs/s", rates, goal="≥ 400" if len(workers) > 1 else "")
    section.add(f"{when}: CPU of the workers, ms a job", of_workers.cpu / done * 1000)
    section.add(f"{when}: CPU of PostgreSQL, ms a job", of_server.cpu / done * 1000)
    section.detail[when] = {
        "events": sql("SELECT count(*) FROM workflows_event")[0][0],
        "deliveries": sql("SELECT count(*) FROM workflows_webhookdelivery")[0][0],
    }
