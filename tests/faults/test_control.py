"""The control: under the same campaign a naive finish breaks its promises, and both judges say so.

If either stayed silent here, its silence about the gateway would mean nothing.
"""

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.faults.campaign import Campaign
from tests.faults.faults import FAULTS, Hit
from tests.faults.naive.finish import CONSTRAINTS, PAUSE_SECONDS
from tests.faults.site import WORKERS, Site
from tests.gateway import eventually

TIME_LIMIT, DEADLINE = timedelta(seconds=5), timedelta(seconds=40)


def unguarded(site: Site) -> None:
    """Drop what the database would refuse a naive finish with; then let a worker come late while there is no load."""
    for table, names in CONSTRAINTS.items():
        for name in names:
            site.postgres.run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    site.postgres.run("DROP INDEX ledger_one_refund")
    site.kill("worker-2")  # whose sweep would refund the job a second time, and leave it failed
    come_late(site)
    site.start("worker-2")


def come_late(site: Site) -> None:
    """Stop a worker at a job that would succeed, let the sweep fail and refund the job, and wake the worker."""
    account = site.account("Late", credits=100)
    site.limits(time_limit=timedelta(seconds=30), deadline=DEADLINE)  # it shall not strike meanwhile
    spec = {"scene_type": "podium", "mood": "calm", "image_model": "plant-slow", "metadata": {"seconds": 1}}
    job = site.call("POST", "/v1/background-generator", spec, key=account.key).json["job_id"]

    def holds(condition: str) -> Callable[[], Any]:
        return lambda: site.postgres.run(f"SELECT 1 FROM workflows_job WHERE id = %s AND {condition}", job)

    process = eventually(lambda: site.process_at(job), what="it runs")
    process.suspend()
    site.postgres.run("UPDATE workflows_job SET lease_until = now(), max_attempts = attempt WHERE id = %s", job)
    eventually(holds("refund_id IS NOT NULL"), what="the sweep refunds it")
    process.resume()
    eventually(holds("status = 'SUCCESS'"), what="it succeeds all the same")
    site.limits(time_limit=TIME_LIMIT, deadline=DEADLINE)


def killed_before_the_refund(site: Site, rng: Random) -> Hit:
    """Kill every cluster and supervisor when a job has failed and is not yet refunded."""
    unpaid = (
        "SELECT id FROM workflows_job WHERE status = 'FAILURE' AND refund_id IS NULL"
        f" AND ended_at > clock_timestamp() - make_interval(secs => {PAUSE_SECONDS / 2})"
    )
    ((job,), *_) = eventually(lambda: site.postgres.run(unpaid), what="a job has failed")
    for worker in WORKERS:
        if main := site.main(worker):
            os.killpg(main.pid, signal.SIGKILL)
        site.kill(worker)
    site.start(*WORKERS)
    return f"job {job}"


FAULTS_HERE = {
    "killed before the refund": killed_before_the_refund,
    "running job handed out again": FAULTS["running job handed out again"],
}


@pytest.mark.slow
def test_a_naive_finish_is_found_out(tmp_path: Path):
    campaign = Campaign(
        tmp_path / "site",
        seed=1,
        seconds=8,
        time_limit=TIME_LIMIT,
        deadline=DEADLINE,
        settings="tests.faults.naive.settings",
        faults=FAULTS_HERE,
        prepare=unguarded,
        drain=timedelta(seconds=2),
    )
    summary = campaign.run()
    judged = {violation.partition(":")[0] for violation in summary.promises["reconcile"].violations}
    assert {"P3", "P4"} <= judged, summary.text
    assert summary.promises["P3"].violations and summary.promises["P4"].violations, summary.text
    assert not summary.kept
