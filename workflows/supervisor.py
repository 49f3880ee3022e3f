"""`manage.py worker`: one qcluster or two, watched and replaced, and the sweep."""

import logging
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.db.models import F, Max, Q
from django.db.models.functions import Now

from studio_gateway.prepared import prepared_cursor
from studio_gateway.processes import block_signals, kill, spawn, wait_for_signal
from workflows import jobs
from workflows.models import Job, JobEvent, Worker
from workflows.webhooks.watching import DeliveryWatch

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 2.0
# `manage.py prune` is run so often, for the first time at a random moment of the first day: however often workers are
# restarted, each runs it once a day on average, and never all at once.
PRUNE_SECONDS = 24 * 3600.0
# A cluster with an idle worker that lets a due job wait this long is wedged.
STALL_SECONDS = 10.0
# How long running jobs and requests of webhooks may go on after SIGTERM; what is not done then is another worker's next
# attempt.
DRAIN_SECONDS = 30.0
# A cluster that does not end after SIGTERM although nothing of its has been running for as long never will.
IDLE_SECONDS = 6.0
# All of a worker's row is written, also when it began: a process of its name and number may have been killed before.
# The row of one that was killed is kept for a day.
REPORT = """
WITH forgotten AS (
    DELETE FROM workflows_worker WHERE seen_at < statement_timestamp() - interval '1 day' AND name <> %(name)s
)
INSERT INTO workflows_worker (name, started_at, seen_at, sweeps, swept_jobs, cluster_restarts)
VALUES (%(name)s, statement_timestamp() - %(age)s::interval, statement_timestamp(), %(sweeps)s, %(swept_jobs)s,
        %(cluster_restarts)s)
ON CONFLICT (name) DO UPDATE
   SET started_at = excluded.started_at, seen_at = excluded.seen_at, sweeps = excluded.sweeps,
       swept_jobs = excluded.swept_jobs, cluster_restarts = excluded.cluster_restarts
"""


class Cluster:
    """A qcluster in a process group of its own, replaced whole when it ends or stands still.

    A killed worker process can take the queue's lock with it, and a killed sentinel leaves the rest running headless;
    neither shows in the processes that are left. So what is watched is progress: `moves` tells whether it began
    something since it was last asked, or had no need to.
    """

    def __init__(self, name: str, *, worker: str, moves: Callable[[], bool]) -> None:
        self._name, self._worker, self._moves = name, worker, moves
        self._start()

    def _start(self) -> None:
        self._started_at = self._moving_at = time.monotonic()
        self.process: subprocess.Popen[bytes] = spawn(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "qcluster", "--name", self._name],
            env={"STUDIO_WORKER": self._worker, "Q_CLUSTER_NAME": self._name},
        )

    def excuse(self) -> None:
        """Begin to wait for progress anew."""
        self._moving_at = time.monotonic()

    def replaced(self) -> bool:
        """Start another where this one ended, or has not moved for STALL_SECONDS although it should have."""
        if self._moves():
            self.excuse()
        wedged = time.monotonic() - self._moving_at > STALL_SECONDS
        # Code that cannot be imported ends it at once, and again and again.
        at_once = time.monotonic() - self._started_at < SWEEP_SECONDS
        if not wedged and (at_once or self.process.poll() is None):
            return False
        logger.critical("the cluster %s; starting another: %s", "stands still" if wedged else "ended", self._name)
        kill(self.process)
        self._start()
        return True


class Supervisor:
    """Runs the clusters that make images and send webhooks, sweeps and prunes."""

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._prune_at = time.monotonic() + random.uniform(0, PRUNE_SECONDS)
        self._pruning: subprocess.Popen[bytes] | None = None
        self._seen_event = 0
        self._deliveries = DeliveryWatch(self.name)
        self._began_at = time.monotonic()
        self._counts = {"sweeps": 0, "swept_jobs": 0, "cluster_restarts": 0}

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; then drain and return."""
        block_signals()
        clusters = [Cluster("jobs", worker=self.name, moves=self._moves)]
        ended = 0
        # After a full sweep the next one begins at once.
        while wait_for_signal(0 if ended >= jobs.SWEEP_LIMIT else SWEEP_SECONDS) not in (signal.SIGTERM, signal.SIGINT):
            self._prune()
            try:
                ended = self._sweep()
                # Its processes are not had for nothing: they come with the first endpoint.
                if len(clusters) == 1 and self._deliveries.are_wanted():
                    clusters.append(Cluster("webhooks", worker=self.name, moves=self._deliveries.moves))
                for cluster in clusters:
                    self._counts["cluster_restarts"] += cluster.replaced()
                self._report()
            except Error:
                logger.exception("no sweep: the database is away")
                connection.close()
                ended = 0
                for cluster in clusters:
                    cluster.excuse()
        self._drain(*(cluster.process for cluster in clusters))
        try:
            Worker.objects.filter(name=self.name).delete()
        except Error:
            logger.exception("the worker's row stays for a day: the database is away")

    def _report(self) -> None:
        """Write this worker's row anew, whether it is there or not; forget workers that were killed long ago."""
        age = timedelta(seconds=time.monotonic() - self._began_at)
        values: dict[str, Any] = {"name": self.name, "age": age, **self._counts}
        with prepared_cursor() as cursor:
            cursor.execute(REPORT, values)

    def _sweep(self) -> int:
        ended = jobs.sweep()
        if ended:
            logger.warning("sweep: %s job(s) failed and refunded", ended)
        self._counts["sweeps"] += 1
        self._counts["swept_jobs"] += ended
        return ended

    def _drain(self, *clusters: "subprocess.Popen[bytes]") -> None:
        """Let what runs finish, and go on sweeping: this may be the only worker, or all of them drain at once.

        A cluster some of whose processes died may wait for ever for its queue to be emptied: it is killed when nothing
        has been running here for IDLE_SECONDS.
        """
        for cluster in clusters:
            cluster.terminate()
        busy_at = time.monotonic()
        end = busy_at + DRAIN_SECONDS
        while time.monotonic() < min(end, busy_at + IDLE_SECONDS):
            if all(cluster.poll() is not None for cluster in clusters):
                break
            wait_for_signal(SWEEP_SECONDS)
            try:
                self._sweep()
                busy = bool(self._running() or self._deliveries.sending())
            except Error:
                logger.exception("no sweep: the database is away")
                connection.close()
                busy = True  # for all that is known
            if busy:
                busy_at = time.monotonic()
        for cluster in clusters:
            kill(cluster)

    def _moves(self) -> bool:
        """Tell whether no job is waiting, or this worker began one since something was last waiting, or is busy."""
        if not self._waiting():
            return True
        newest = JobEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0
        moving = JobEvent.objects.filter(pk__gt=self._seen_event, pk__lte=newest, worker=self.name).exists()
        self._seen_event = newest
        return moving or self._busy()

    def _waiting(self) -> bool:
        # Not by `due_at`: a wedged cluster's own pusher may go on reserving the job.
        lately = Now() - timedelta(seconds=SWEEP_SECONDS)
        return Job.objects.filter(
            Q(lease_until=None) | Q(lease_until__lte=lately),
            status__in=Job.OPEN,
            run_after__lte=lately,
            attempt__lt=F("max_attempts"),
            deadline_at__gt=Now(),
            cancel_requested_at=None,
        ).exists()

    def _busy(self) -> bool:
        return self._running() >= settings.WORKER_PROCESSES

    def _running(self) -> int:
        return Job.objects.filter(lease_until__gt=Now(), worker=self.name).count()

    def _prune(self) -> None:
        """Have `manage.py prune` run beside this process when it is time to, and collect the one that has ended."""
        if self._pruning:
            self._pruning.poll()
        if time.monotonic() >= self._prune_at:
            self._prune_at += PRUNE_SECONDS
            self._pruning = spawn([sys.executable, str(settings.BASE_DIR / "manage.py"), "prune"])
