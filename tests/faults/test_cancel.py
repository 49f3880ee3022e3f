"""Jobs that are cancelled while real workers run them, and what their engines notice of it."""

from typing import Any

from tests.conftest import Shop
from tests.faults.cluster import PlantJob, crew, reconciled
from tests.gateway import Gateway, eventually
from tests.helpers import sql


def cancel(job: PlantJob) -> Any:
    return job.gateway.call("POST", f"/v1/jobs/{job.id}/cancel", key=job.shop.key)


def test_an_engine_stops_at_its_next_step_once_its_job_is_cancelled(plant: Gateway, shop: Shop):
    job = PlantJob(plant, shop, "waits")
    job.running()
    answer = cancel(job)
    assert (answer.status, answer.json["status"]) == (202, "IN_PROGRESS")
    job.failed("cancelled", seconds=15)
    assert job.kinds == ["started", "cancelling", "failed"]
    # Its worker is free again, and was not killed for it.
    (pid,) = job.pids
    assert pid in {process.pid for process in crew(plant).workers}
    assert shop.balance == 100


def test_of_an_engine_that_does_not_stop_the_job_ends_all_the_same_and_its_files_are_dropped(
    plant: Gateway, shop: Shop
):
    job = PlantJob(plant, shop, "stubborn")
    job.running()
    assert cancel(job).status == 202
    sql("UPDATE workflows_job SET lease_until = now() WHERE id = %s", job.id)  # rather than wait for its end
    job.failed("cancelled")
    job.go()
    PlantJob(plant, shop, "quick").succeeded()
    PlantJob(plant, shop, "quick").succeeded()  # by the other worker, or by the one that was so stubborn
    eventually(lambda: not job.files(), what="what came late is dropped")
    assert job.pids and job.row.status == "FAILURE"
    reconciled(plant)


def test_a_job_that_waits_behind_others_is_cancelled_at_once(plant: Gateway, shop: Shop):
    ahead = [PlantJob(plant, shop, "waits") for _ in range(2)]
    for job in ahead:
        job.running()
    behind = PlantJob(plant, shop, "quick")
    answer = cancel(behind)
    assert (answer.status, answer.json["error"]["code"]) == (200, "cancelled")
    for job in ahead:
        job.go()
        job.succeeded()
    assert behind.pids == []
    behind.failed("cancelled", attempt=0)
