"""Test keys: the same paths as any key's, for nothing, with small and marked images."""

import io
import json
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from PIL import Image, ImageDraw

from billing.keys import create_key
from billing.models import Client, LedgerEntry
from requestlog.models import RequestLog
from tests.conftest import Shop
from tests.console import signed_in
from tests.gateway import Gateway
from tests.helpers import FAILURE, SPEC, books_are_right, claimed, get, order, post, refused, refused_by, sql
from workflows import jobs
from workflows.engines.base import Picture
from workflows.engines.samples import as_sample
from workflows.models import Job

BACKGROUND, EXTRACT = "/v1/background-generator", "/v1/extract"
Pixels = np.ndarray[Any, Any]


def trial(shop: Shop) -> Shop:
    """The same client with a test key."""
    return Shop(shop.client, create_key(client=shop.client, test=True)[1])


def test_a_test_key_says_what_it_is_and_as_much_of_it_is_kept_as_of_any(db, shop: Shop):
    key, secret = create_key(client=shop.client, test=True)
    assert secret.startswith("sk_test_")
    assert (key.prefix, len(key.prefix)) == (secret[:16], 16)
    assert len(secret) - len("sk_test_") == len(shop.key) - len("sk_")


def test_an_order_with_a_test_key_is_free_and_booked_as_such(db, shop: Shop):
    test = trial(shop)
    answer = post(test, BACKGROUND, {**SPEC, "resolution": "4K"})
    assert (answer.status_code, answer.json()["credits_cost"], answer.headers["X-Credits-Charged"]) == (202, 0, "0")
    job = Job.objects.get()
    assert (job.is_test, job.credits_cost, job.charge.kind, job.charge.amount) == (True, 0, "CHARGE", 0)
    assert RequestLog.objects.get().api_key_prefix == test.key[:16]
    assert (shop.balance, shop.client.open_jobs) == (100, 1)
    books_are_right(shop.client)
    assert post(shop, BACKGROUND, SPEC).json()["credits_cost"] == 2
    seen = [get(reader, f"/v1/jobs/{job.pk}").json() for reader in (shop, test)]
    assert [(job["test"], job["credits_charged"]) for job in seen] == [(True, 0)] * 2


def test_without_a_credit_only_a_test_key_orders(db):
    shop = Shop.make(credits=0)
    refused(post(shop, BACKGROUND, SPEC), 402, "insufficient_credits")
    assert post(trial(shop), BACKGROUND, SPEC).status_code == 202
    assert (shop.balance, shop.client.ledger_seq) == (0, 1)
    books_are_right(shop.client)


def test_a_test_key_does_not_get_past_the_limits(db, shop: Shop):
    test = trial(shop)
    Client.objects.update(max_open_jobs=2, jobs_per_minute=3)
    assert [post(key, BACKGROUND, SPEC).status_code for key in (test, shop, test)] == [202, 202, 429]
    Client.objects.update(max_open_jobs=9)
    assert [post(key, BACKGROUND, SPEC).status_code for key in (test, test)] == [202, 429]


def test_one_idempotency_key_is_not_for_a_test_and_for_an_order(db, shop: Shop):
    test = trial(shop)
    for first, second in ((test, shop), (shop, test)):
        name = first.key[:8]
        assert post(first, BACKGROUND, SPEC, HTTP_IDEMPOTENCY_KEY=name).status_code == 202
        answer = post(second, BACKGROUND, SPEC, HTTP_IDEMPOTENCY_KEY=name)
        assert answer.status_code == 422
        assert [fault["loc"] for fault in answer.json()["detail"]] == [["header", "Idempotency-Key"]]
        assert post(first, BACKGROUND, SPEC, HTTP_IDEMPOTENCY_KEY=name).headers["Idempotent-Replayed"] == "true"
    assert (Job.objects.count(), shop.balance) == (2, 98)


def test_a_test_that_fails_is_refunded_nothing(own_database, shop: Shop):
    test = trial(shop)
    failing, succeeding = (post(test, BACKGROUND, SPEC).json()["job_id"] for _ in range(2))
    jobs.fail(claimed(Job.objects.get(pk=failing)), **FAILURE, technical=False)
    jobs.succeed(claimed(Job.objects.get(pk=succeeding)), outputs=[], summary={})
    jobs.refund(job_id=succeeding, reason="goodwill", actor="ann")
    entries = LedgerEntry.objects.exclude(kind="GRANT").order_by("seq").values_list("kind", "amount", "reference")
    assert list(entries) == [
        ("CHARGE", 0, failing),
        ("CHARGE", 0, succeeding),
        ("REFUND", 0, failing),
        ("REFUND", 0, succeeding),
    ]
    assert (shop.balance, shop.client.open_jobs) == (100, 0)
    books_are_right(shop.client)
    out = io.StringIO()
    call_command("reconcile", "--json", stdout=out)
    assert json.loads(out.getvalue())["violations"] == []


def test_a_test_that_costs_something_is_refused_by_the_database(db, shop: Shop):
    job = order(shop)
    with refused_by("job_test_is_free"):
        sql("UPDATE workflows_job SET is_test = true WHERE id = %s", job.pk)


def test_staff_see_that_a_job_is_a_test(db, shop: Shop):
    browser = signed_in()
    for key, is_test in ((trial(shop), True), (shop, False)):
        job = post(key, BACKGROUND, SPEC).json()["job_id"]
        page = browser.get(f"/admin/workflows/job/{job}/change/").content.decode()
        assert (">test order<" in page) == is_test


# The images


def pixels(gateway: Gateway, output: dict[str, Any]) -> Pixels:
    image = Image.open(io.BytesIO(gateway.call("GET", output["url"]).body))
    assert image.size == (output["width"], output["height"])
    return np.asarray(image)


def made(gateway: Gateway, path: str, spec: dict[str, Any], *shops: Shop) -> list[dict[str, Any]]:
    """Order the same with each key and return the one output of each."""
    accepted = [gateway.call("POST", path, spec, key=shop.key).json["job_id"] for shop in shops]
    done = [gateway.finished(job_id, key=shop.key) for job_id, shop in zip(accepted, shops, strict=True)]
    assert [job["status"] for job in done] == ["SUCCESS"] * len(shops), done
    assert [job["test"] for job in done] == [shop.key.startswith("sk_test_") for shop in shops]
    return [output for job in done for output in job["outputs"]]


def marked(image: Pixels, sample: Pixels) -> Pixels:
    """Tell for each pixel of a sample whether it differs visibly from the image that was made."""
    size = (sample.shape[1], sample.shape[0])
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    return np.abs(small.astype(int) - sample).max(axis=2) > 20


def all_over(mark: Pixels) -> bool:
    """Tell whether there is some of the mark in each third, both ways: none can be cropped out of a sample whole."""
    return all(cell.any() for rows in np.array_split(mark, 3) for cell in np.array_split(rows, 3, axis=1))


def test_a_test_makes_the_same_background_small_and_marked(gateway: Gateway, shop: Shop):
    spec = {**SPEC, "resolution": "800x600", "seed": 7}
    live, test = made(gateway, BACKGROUND, spec, shop, trial(shop))
    assert (live["width"], live["height"], test["width"], test["height"]) == (800, 600, 512, 384)
    assert test["content_type"] == "image/png"
    image, sample = pixels(gateway, live), pixels(gateway, test)
    assert image.shape[2] == sample.shape[2] == 3
    mark = marked(image, sample)
    assert all_over(mark)
    assert 0.02 < mark.mean() < 0.5  # the image is still to be seen
    assert shop.balance == 98


def test_a_small_background_is_marked_and_not_enlarged(gateway: Gateway, shop: Shop):
    spec = {**SPEC, "resolution": "96x64", "seed": 7}
    live, test = made(gateway, BACKGROUND, spec, shop, trial(shop))
    assert (test["width"], test["height"]) == (live["width"], live["height"]) == (96, 64)
    assert all_over(marked(pixels(gateway, live), pixels(gateway, test)))


def test_a_test_cuts_the_same_items_out_small_and_marked_where_they_are_transparent_too(gateway: Gateway, shop: Shop):
    photo, data = Image.new("RGB", (1000, 800), "white"), io.BytesIO()
    ImageDraw.Draw(photo).ellipse((100, 100, 900, 700), fill="navy")
    photo.save(data, "PNG")
    key = default_storage.save(f"clients/{shop.client.pk}/item.png", ContentFile(data.getvalue()))
    live, test = made(gateway, EXTRACT, {"trial_image": key}, shop, trial(shop))
    assert live["width"] > test["width"] == 512
    assert live["details"] == test["details"]
    image, sample = pixels(gateway, live), pixels(gateway, test)
    assert image.shape[2] == sample.shape[2] == 4
    mark = marked(image, sample)
    assert all_over(mark)
    small = np.asarray(Image.fromarray(image).resize((sample.shape[1], sample.shape[0])))
    cut_away = small[..., 3] == 0
    assert (sample[..., 3][cut_away] > 50).mean() > 0.02  # to be seen, on whatever it is laid
    assert mark[small[..., 3] == 255].mean() > 0.02
    assert shop.balance == 97


@pytest.mark.parametrize("size", [(900, 12), (12, 900), (512, 24), (64, 64), (32, 2048), (3000, 40)])
def test_the_mark_is_on_images_of_any_shape(size: tuple[int, int]):
    sample = as_sample(Picture("item-1", np.zeros((size[1], size[0], 4), np.uint8)))
    assert sample.width == min(size[0], 512)
    assert (sample.pixels[..., 3] > 20).mean() > 0.05
