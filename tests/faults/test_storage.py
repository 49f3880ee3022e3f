"""Storage that is away, broken or full: a technical failure, tried again, done once it is back, and no half a file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.conftest import Shop
from tests.faults.cluster import PlantJob, crew, limits
from tests.gateway import Gateway, eventually
from tests.helpers import books_are_right
from workflows.engines.flat_lay import draw_flat_lay
from workflows.models import Job


@contextmanager
def file_in_its_place(folder: Path) -> Iterator[None]:
    """Put a file where a folder was: neither can anything be made below it, nor read."""
    aside = folder.with_name(f"{folder.name}-aside")
    folder.rename(aside)
    folder.touch()
    try:
        yield
    finally:
        folder.unlink()
        aside.rename(folder)


def clients_folder(gateway: Gateway, shop: Shop) -> Path:
    folder = gateway.data_dir / "storage" / f"clients/{shop.client.pk}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_a_job_whose_files_cannot_be_stored_is_done_once_they_can(plant: Gateway, shop: Shop):
    crew(plant)
    job = PlantJob(plant, shop)
    job.running()
    with file_in_its_place(clients_folder(plant, shop)):
        job.go()
        eventually(lambda: "waiting" in job.kinds, what="the attempt fails")
    job.succeeded(attempt=2)
    assert job.kinds == ["started", "waiting", "started", "succeeded"]


def test_a_job_whose_files_can_never_be_stored_is_refunded(plant: Gateway, shop: Shop):
    limits(max_attempts=2)
    with file_in_its_place(clients_folder(plant, shop)):
        job = PlantJob(plant, shop, "quick")
        job.failed("internal_error", attempt=2)
    assert job.kinds == ["started", "waiting", "started", "failed"]


def ordered(plant: Gateway, shop: Shop, key: str) -> Callable[[], Job]:
    answer = plant.call("POST", "/v1/extract", {"trial_image": key}, key=shop.key)
    assert answer.status == 202
    return lambda: Job.objects.get(pk=answer.json["job_id"])


def test_a_photo_that_cannot_be_read_for_a_while_is_read_by_the_next_attempt(plant: Gateway, shop: Shop):
    photo = clients_folder(plant, shop) / "photo.png"
    photo.symlink_to(photo)  # whoever opens it is told so: ELOOP
    drawn = photo.with_name("drawn.png")
    drawn.write_bytes(draw_flat_lay(width=640, height=480))
    job = ordered(plant, shop, f"clients/{shop.client.pk}/photo.png")
    eventually(lambda: job().events.filter(kind="waiting").exists(), what="the attempt fails")
    # At once: an attempt that finds none would be the last.
    drawn.replace(photo)
    eventually(lambda: job().status not in Job.OPEN, what="it ends")
    assert (job().status, job().attempt) == (Job.Status.SUCCESS, 2)
    books_are_right(shop.client)


def test_a_job_that_finds_the_disk_full_leaves_no_half_a_file_and_is_done_once_there_is_room(
    plant: Gateway, shop: Shop
):
    # The limit stands in for the disk: the kernel writes as much as there is room for, and then refuses.
    room = 20
    workers = crew(plant).workers
    job = PlantJob(plant, shop, pictures=2)
    job.running()
    before = workers[0].rlimit(psutil.RLIMIT_FSIZE)
    for worker in workers:
        worker.rlimit(psutil.RLIMIT_FSIZE, (room, before[1]))
    job.go()
    eventually(lambda: "waiting" in job.kinds, what="the attempt fails")
    eventually(lambda: not job.files(), what="what it wrote is taken away")  # right after the row was written
    for worker in workers:
        worker.rlimit(psutil.RLIMIT_FSIZE, before)
    job.succeeded(attempt=2)
    assert len(job.files()) == 4  # each with its thumbnail
