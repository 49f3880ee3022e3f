"""Worker processes that are killed, stopped, wedged or told to end: the job gets done, and nobody is left behind."""

import os
import signal
from collections.abc import Callable
from datetime import timedelta

import psutil
import pytest

from tests.conftest import Shop
from tests.faults.cluster import Crew, PlantJob, cluster, crew, dead, limits, reconciled
from tests.gateway import Gateway, eventually
from tests.helpers import books_are_right, lapse, sql
from workflows.models import Job


def kill(*processes: psutil.Process) -> None:
    for process in processes:
        process.send_signal(signal.SIGKILL)


def the_next_job_gets_done(plant: Gateway, shop: Shop, *, seconds: float = 40) -> None:
    PlantJob(plant, shop, "quick").succeeded(seconds=seconds)


def test_a_worker_killed_mid_job_is_replaced_and_its_job_running_again_within_15_seconds(plant: Gateway, shop: Shop):
    crew(plant)
    job = PlantJob(plant, shop)
    job.running()
    os.kill(job.pids[0], signal.SIGKILL)
    job.running(attempt=2, seconds=15)
    crew(plant)
    job.go()
    job.succeeded(attempt=2)
    assert job.kinds == ["started", "started", "succeeded"]


@pytest.mark.slow
def test_a_killed_cluster_is_replaced_and_its_job_run_again(plant: Gateway, shop: Shop):
    crew(plant)
    job = PlantJob(plant, shop)
    job.running()
    kill(*cluster(plant))
    job.running(attempt=2, seconds=15)
    job.go()
    job.succeeded(attempt=2)


@pytest.mark.parametrize(
    "whom",
    [
        pytest.param(lambda crew: crew.workers[:1], id="worker"),
        pytest.param(lambda crew: [crew.monitor], id="monitor", marks=pytest.mark.slow),
        pytest.param(lambda crew: [crew.pusher], id="pusher", marks=pytest.mark.slow),
        pytest.param(lambda crew: [crew.sentinel], id="sentinel"),
        pytest.param(lambda crew: [crew.main], id="main"),
        pytest.param(lambda crew: crew.everyone, id="everyone"),
    ],
)
def test_after_an_idle_process_was_killed_the_next_job_gets_done(
    plant: Gateway, shop: Shop, whom: Callable[[Crew], list[psutil.Process]]
):
    before = crew(plant)
    killed = whom(before)
    kill(*killed)
    eventually(lambda: all(dead(process.pid) for process in killed), what="they are dead")
    the_next_job_gets_done(plant, shop)
    now = crew(plant)
    # What works without its sentinel or main goes on headless: none of it may be left.
    assert before.gone() or (now.main, now.sentinel) == (before.main, before.sentinel)


def test_a_cluster_whose_idle_workers_took_the_queues_lock_with_them_is_replaced(plant: Gateway, shop: Shop):
    kill(*crew(plant).workers)
    the_next_job_gets_done(plant, shop)


def test_a_killed_supervisor_leaves_no_process_and_another_takes_over(plant: Gateway, shop: Shop):
    orphans = crew(plant)
    job = PlantJob(plant, shop)
    job.running()
    plant.processes["worker"].kill()
    plant.processes.pop("worker").wait()
    eventually(orphans.gone, seconds=5, what="the cluster is gone")
    lapse(job.row)  # rather than wait for it
    plant.start("worker")
    job.running(attempt=2)
    job.go()
    job.succeeded(attempt=2)


def test_sigterm_to_the_supervisor_lets_the_running_job_finish(plant: Gateway, shop: Shop):
    everyone = crew(plant)
    job = PlantJob(plant, shop)
    job.running()
    supervisor = plant.processes.pop("worker")
    supervisor.terminate()
    job.go()
    assert supervisor.wait(30) == 0
    job.succeeded(seconds=1)
    eventually(everyone.gone, seconds=5, what="nobody is left")


def test_sigterm_to_the_qclusters_main_lets_the_running_job_finish_and_another_takes_over(plant: Gateway, shop: Shop):
    before = crew(plant)
    job = PlantJob(plant, shop)
    job.running()
    before.main.terminate()
    job.go()
    job.succeeded()
    eventually(before.gone, what="the old cluster is gone")
    the_next_job_gets_done(plant, shop)


@pytest.mark.slow
def test_while_a_worker_drains_it_goes_on_sweeping_and_it_does_not_wait_for_what_stands_still(
    plant: Gateway, shop: Shop
):
    limits(deadline=timedelta(seconds=2))
    for process in crew(plant).workers:
        process.suspend()
    job = PlantJob(plant, shop)
    supervisor = plant.processes.pop("worker")
    supervisor.terminate()
    assert supervisor.wait(25) == 0
    job.failed("deadline_exceeded", attempt=0, seconds=1)


def test_sigterm_to_the_whole_group_loses_an_attempt_and_no_job(plant: Gateway, shop: Shop):
    before = crew(plant)
    job = PlantJob(plant, shop)
    job.running()
    os.killpg(before.main.pid, signal.SIGTERM)
    eventually(lambda: dead(job.pids[0]), what="the worker is gone")
    lapse(job.row)  # rather than wait for it
    job.running(attempt=2, seconds=40)
    eventually(before.gone, what="the old cluster is gone")
    job.go()
    job.succeeded(attempt=2)


@pytest.mark.slow
def test_sigterm_to_everyone_loses_an_attempt_and_no_job(plant: Gateway, shop: Shop):
    before = crew(plant)
    job = PlantJob(plant, shop)
    job.running()
    supervisor = plant.processes.pop("worker")
    for process in (psutil.Process(supervisor.pid), *before.everyone):
        process.terminate()
    assert supervisor.wait(40) == 0
    eventually(before.gone, seconds=5, what="nobody is left")
    plant.start("worker")
    job.running(attempt=2)
    job.go()
    job.succeeded(attempt=2)


@pytest.mark.slow
def test_sigterm_ends_a_worker_whose_monitor_took_the_results_lock_with_it(plant: Gateway, shop: Shop):
    before = crew(plant)
    kill(before.monitor)
    the_next_job_gets_done(plant, shop)
    before = crew(plant)
    supervisor = plant.processes.pop("worker")
    supervisor.terminate()
    assert supervisor.wait(40) == 0
    eventually(before.gone, seconds=5, what="nobody is left")


def test_a_worker_stopped_past_its_lease_and_woken_finds_its_result_dropped(plant: Gateway, shop: Shop):
    crew(plant)
    job = PlantJob(plant, shop, pictures=1500)  # each with its thumbnail
    job.running()
    sleeper = psutil.Process(job.pids[0])
    job.go()
    eventually(job.files, what="its first file")
    sleeper.suspend()
    eventually(lambda: sleeper.status() == psutil.STATUS_STOPPED, what="it stands still")
    stored = len(job.files())
    assert (job.row.status, job.row.attempt) == (Job.Status.IN_PROGRESS, 1)
    try:
        lapse(job.row)  # rather than wait for it
        job.succeeded(attempt=2)
        assert len(job.files()) == stored + 3000
    finally:
        sleeper.resume()
    eventually(lambda: len(job.files()) == 3000, what="the late files are gone")
    job.succeeded(attempt=2)
    assert job.kinds == ["started", "started", "succeeded"]


def test_at_its_deadline_a_running_job_is_refunded_and_what_comes_late_is_dropped(plant: Gateway, shop: Shop):
    limits(deadline=timedelta(seconds=3))
    everyone = crew(plant)
    job = PlantJob(plant, shop, "stubborn")
    job.running()
    job.failed("deadline_exceeded", seconds=3 + 30)
    job.go()
    # The fence stops what the engine made. To drain is to have seen to that.
    plant.stop("worker")
    eventually(everyone.gone, seconds=5, what="nobody is left")
    job.failed("deadline_exceeded")


def test_connections_cut_by_the_server_are_made_anew(plant: Gateway, shop: Shop):
    crew(plant)
    sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    the_next_job_gets_done(plant, shop, seconds=30)


def test_after_all_of_it_the_books_reconcile(plant: Gateway, shop: Shop):
    books_are_right(shop.client)
    reconciled(plant)
