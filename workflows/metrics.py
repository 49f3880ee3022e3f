"""What /metrics tells, all of it from the database: each web process of each host tells the same."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models.functions import Now
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from workflows.models import Job, JobEvent, Worker

# A worker that has not reported for this long does not count; it does so every two seconds.
SILENT = timedelta(seconds=15)
# How far back events are counted. To Prometheus the midnight is a restart, which its functions allow for.
TODAY = "since 00:00 UTC, when this begins anew"

# Not by `due_at`: brokers that reserve a job again and again, and never begin it, would hide it.
OPEN_JOBS = """
SELECT status, count(*), max(statement_timestamp() - GREATEST(run_after, lease_until))
                         FILTER (WHERE attempt < max_attempts AND deadline_at > statement_timestamp()
                                   AND cancel_requested_at IS NULL)
  FROM workflows_job WHERE status IN ('NOT_STARTED', 'IN_PROGRESS') GROUP BY status
"""
EVENTS_TODAY = """
SELECT kind, count(*) FROM workflows_jobevent
 WHERE at >= date_trunc('day', statement_timestamp(), 'UTC') GROUP BY kind
"""


class Figures(Collector):
    """Reads the database anew for each scrape. Raises django.db.Error where it is away."""

    def collect(self) -> Iterator[Metric]:
        yield from _open_jobs()
        yield from _events()
        yield from _workers()


def _open_jobs() -> Iterator[Metric]:
    rows = _rows(OPEN_JOBS)
    counts = {status: count for status, count, _ in rows}
    # Negative for what will be due: a pause, or a lease.
    oldest = max((age for _, _, age in rows if age), default=timedelta())
    jobs = GaugeMetricFamily("studio_jobs_open", "Open jobs.", labels=["status"])
    for status in Job.OPEN:
        jobs.add_metric([status], counts.get(status, 0))
    yield jobs
    yield GaugeMetricFamily(
        "studio_oldest_due_job_age_seconds",
        "For how long the job that waits longest could have been begun by any worker; 0 where none waits.",
        value=max(0.0, oldest.total_seconds()),
    )


def _events() -> Iterator[Metric]:
    counts = dict(_rows(EVENTS_TODAY))

    def counted(kind: JobEvent.Kind) -> int:
        return int(counts.get(kind, 0))

    yield CounterMetricFamily(
        "studio_attempts_started", f"Attempts begun {TODAY}.", value=counted(JobEvent.Kind.STARTED)
    )
    yield CounterMetricFamily(
        "studio_attempts_retried",
        f"Attempts that failed for technical reasons and were to be followed by another, {TODAY}.",
        value=counted(JobEvent.Kind.WAITING),
    )
    ended = CounterMetricFamily("studio_jobs_ended", f"Jobs that ended {TODAY}.", labels=["status"])
    ended.add_metric([Job.Status.SUCCESS], counted(JobEvent.Kind.SUCCEEDED))
    ended.add_metric([Job.Status.FAILURE], counted(JobEvent.Kind.FAILED))
    yield ended
    refunds = CounterMetricFamily("studio_refunds", f"Refunds {TODAY}.", labels=["cause"])
    refunds.add_metric(["failure"], counted(JobEvent.Kind.FAILED))  # one transaction, and P3
    refunds.add_metric(["staff"], counted(JobEvent.Kind.REFUNDED))
    yield refunds


def _workers() -> Iterator[Metric]:
    workers = list(Worker.objects.filter(seen_at__gt=Now() - SILENT).order_by("name"))
    yield GaugeMetricFamily(
        "studio_workers", f"Workers that reported within the last {SILENT.seconds} s.", value=len(workers)
    )
    counters = {
        "sweeps": "Sweeps of a worker since it started.",
        "swept_jobs": "Jobs that a worker's sweeps failed and refunded since it started.",
        "cluster_restarts": "Times that a worker replaced its cluster since it started.",
    }
    for name, means in counters.items():
        counter = CounterMetricFamily(f"studio_worker_{name}", means, labels=["worker"])
        for worker in workers:
            counter.add_metric([worker.name], getattr(worker, name))
        yield counter


def _rows(statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()
