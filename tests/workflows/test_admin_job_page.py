"""The page of one job: all that is known of it, from whomever it came."""

import re

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from billing.models import ApiKey, Client
from requestlog.models import RequestLog
from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.console import HOSTILE, fail, order, signed_in, succeed
from tests.helpers import claimed, lapse, output, sql
from tests.s3 import Bucket
from workflows import jobs
from workflows.models import Event, Job, JobEvent, Output, WebhookDelivery, WebhookEndpoint


def page(job: Job) -> str:
    return f"/admin/workflows/job/{job.pk}/"


def shown(job: Job) -> str:
    """The page's HTML, each run of white space as one space."""
    answer = signed_in().get(f"{page(job)}change/")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def text(html: str) -> str:
    """What people read of it."""
    return " ".join(re.sub("<[^>]+>", " ", html).split())


def made(job: Job, *, details: list[dict] | None = None, summary: dict | None = None, **names: str) -> Job:
    attempt = claimed(job, worker=names.pop("worker", "w"))
    outputs = [
        output(attempt, number, details=each, name=names.get("name", f"item-{number}.png"))
        for number, each in enumerate(details or [{}])
    ]
    assert jobs.succeed(attempt, outputs=outputs, summary=summary or {})
    job.refresh_from_db()
    return job


def extracted(shop: Shop, *, key: str, photo: object = None, boxes: tuple[object, ...] = ()) -> Job:
    job = order(shop.client)
    Job.objects.filter(pk=job.pk).update(workflow="extract", spec={"trial_image": key})
    return made(job, details=[{"box": box} for box in boxes], summary={"photo": photo})


def dated(job: Job, *seconds: float) -> None:
    """Let the job's events have come so many seconds after its acceptance."""
    for event, after in zip(job.events.order_by("id"), seconds, strict=True):
        sql(
            "UPDATE workflows_jobevent SET at = %s::timestamptz + make_interval(secs => %s) WHERE id = %s",
            job.accepted_at,
            after,
            event.pk,
        )


def test_a_failure_is_told_first_with_its_code_its_message_and_what_went_back(db, shop: Shop):
    said = text(shown(fail(order(shop.client), message="There is no such model.")))
    assert said.index("unknown_ model There is no such model.") < said.index("What was ordered")
    assert "CHARGE -3 97" in said
    assert "REFUND +3 100" in said
    assert "failed: unknown_model" in said
    assert "Refund: it was refunded already." in said
    assert "Cancel: it has ended." in said


def test_the_timeline_tells_attempts_workers_and_how_long_each_took(db, shop: Shop):
    job = order(shop.client)
    fail(job, technical=True, message="The provider was away.")
    Job.objects.update(run_after=job.accepted_at)
    claimed(job, worker="host-2:7")
    lapse(job)
    made(job, worker="host-3:8")
    dated(job, 0.25, 12.5, 75.5, 100.5, 3700.5)
    said = text(shown(job))
    assert "Waited 1 min 3 s" in said
    assert "Ran 1 h 0 min" in said
    for moment in (
        "after 0.25 s of waiting attempt 1 of 3, test",
        "after 12.2 s of running attempt 1 of 3, test unknown_model: The provider was away.",
        "after 1 min 3 s of waiting attempt 2 of 3, host-2:7",
        "after 25.0 s of running, until its worker was lost attempt 3 of 3, host-3:8",
        "after 1 h 0 min of running attempt 3 of 3, host-3:8",
    ):
        assert moment in said


def test_an_open_job_says_until_when_and_what_cannot_be_done_yet(db, shop: Shop):
    job = order(shop.client)
    job.refresh_from_db()
    said = text(shown(job))
    assert f"Fails unless done by {job.deadline_at:%Y-%m-%d %H:%M:%S} UTC" in said
    assert "Refund: it is still open; it is refunded by itself if it fails." in said
    assert "Run again: it is still open." in said
    assert "Ran " not in said.split("What was ordered")[0]


def test_an_extract_shows_the_photo_with_its_boxes_beside_the_cut_outs(db, shop: Shop, storage):
    key = default_storage.save(f"clients/{shop.client.pk}/uploads/a photo.jpg", ContentFile(b"jpeg"))
    job = extracted(shop, key=key, photo={"width": 400, "height": 1000}, boxes=([100, 250, 50, 500], [0, 0, 400, 1000]))
    html = shown(job)
    assert f'<img src="http://files/clients/{shop.client.pk}/uploads/a%20photo.jpg?signature=' in html
    assert 'style="aspect-ratio: 400 / 1000"' in html
    for number, place in (
        (1, "left: 25.0000%; top: 25.0000%; width: 12.5000%; height: 50.0000%"),
        (2, "left: 0.0000%; top: 0.0000%; width: 100.0000%; height: 100.0000%"),
    ):
        assert re.search(f'<a class="box" href="#output-{number}"[^>]* style="{place}"', html)
        assert f'<li id="output-{number}">' in html


def test_what_an_item_was_taken_for_stands_below_it_and_masks_are_not_numbered(db, shop: Shop, storage):
    key = default_storage.save(f"clients/{shop.client.pk}/uploads/a.jpg", ContentFile(b"jpeg"))
    colors = [{"color": "#a8b59a", "name": "sage", "share": 0.9}, {"color": "#1b2340", "name": 7, "share": 0.1}]
    item = {"box": [0, 0, 4, 4], "category": "outerwear", "score": 0.625, "colors": colors}
    details = [
        item,
        {"mask_of": "item-1"},
        {"box": [2, 2, 2, 2], "category": "bag", "score": None},
        {"mask_of": "item-2"},
    ]
    job = order(shop.client)
    Job.objects.filter(pk=job.pk).update(workflow="extract", spec={"trial_image": key})
    html = shown(made(job, details=details, summary={"photo": {"width": 4, "height": 4}}))
    said = text(html)
    assert "outerwear, 62% sure sage 90% #a8b59a #1b2340 10%" in said
    assert re.search("mask.of item-1", said)
    assert re.findall('<a class="box" href="(#output-[0-9])" aria-label="([0-9]):', html) == [
        ("#output-1", "1"), ("#output-3", "2")]  # fmt: skip
    assert re.findall('<li id="(output-[0-9])">', html) == [f"output-{number}" for number in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("clients/{own}/uploads/gone.jpg", "There is no image"),
        ("clients/0/uploads/a.jpg", "There is no image"),
        ("clients/{own}/../0/a.jpg", "There is no image"),
    ],
)
def test_a_photo_that_is_gone_or_was_never_the_clients_is_not_linked_to(db, shop: Shop, storage, key: str, why: str):
    default_storage.save("clients/0/uploads/a.jpg", ContentFile(b"jpeg"))
    job = extracted(shop, key=key.format(own=shop.client.pk), photo={"width": 4, "height": 4}, boxes=([0, 0, 4, 4],))
    html = shown(job)
    assert f"It cannot be shown: {why}" in text(html)
    assert "http://files/clients/0/" not in html
    assert 'class="box"' not in html


def test_a_photo_in_object_storage_is_shown_from_there(db, shop: Shop, bucket: Bucket):
    key = default_storage.save(f"clients/{shop.client.pk}/uploads/a.jpg", ContentFile(b"jpeg"))
    html = shown(extracted(shop, key=key))
    assert re.search(f'<img src="{bucket.endpoint}/studio/{key}[?][^"]*X-Amz-Signature=', html)
    default_storage.delete(key)
    html = shown(extracted(shop, key=key))
    assert "It cannot be shown: There is no image" in text(html)
    assert f"{key}?" not in html


def test_a_storage_that_is_away_takes_the_photo_and_not_the_page(db, shop: Shop, away):
    job = extracted(shop, key=f"clients/{shop.client.pk}/uploads/a.jpg")
    away()
    assert "It cannot be shown: the storage is away." in text(shown(job))


@pytest.mark.parametrize(
    ("photo", "box"),
    [
        (None, [1, 2, 3, 4]),
        ({"width": 0, "height": 5}, [1, 2, 3, 4]),
        ({"width": "1px;color:red", "height": 5}, [1, 2, 3, 4]),
        ({"width": 5, "height": 5}, ["0%;color:red", 2, 3, 4]),
        ({"width": 5, "height": 5}, [1, 2, 3]),
        ({"width": 5, "height": 5}, "1234"),
    ],
)
def test_boxes_that_cannot_be_placed_are_left_out(db, shop: Shop, storage, photo: object, box: object):
    key = default_storage.save(f"clients/{shop.client.pk}/a.jpg", ContentFile(b"jpeg"))
    html = shown(extracted(shop, key=key, photo=photo, boxes=(box,)))
    assert 'class="box"' not in html
    assert "color:red" not in "".join(re.findall('style="[^"]*"', html))


def test_the_colours_asked_for_stand_beside_the_colours_measured(db, shop: Shop):
    spec = {"dominant_colors": ["sage", "#C4704F", "no colour"]}
    measured = [{"color": "#a4b097", "share": 0.79}, {"color": "red;x:y", "share": 1}, "#010203", 7]
    html = shown(made(order(shop.client, spec=spec), summary={"main_colors": measured}))
    said = text(html)
    assert "Colours asked for sage #a8b59a #C4704F #c4704f no colour (not known) Colours measured" in said
    assert "Colours measured #a4b097 79% #010203" in said
    colours = re.findall('style="background-color: ([^"]*)"', html)
    assert colours == ["#a8b59a", "#c4704f", "#a4b097", "#010203"]


def test_the_scores_are_told_with_their_thresholds_and_reasons(db, shop: Shop):
    scores = {
        "mood": {"score": 0.91, "threshold": 0.5, "passed": True, "reason": "It is warm."},
        "room_for_product": {"score": 0.25, "threshold": 0.5, "passed": False, "reason": "Edges cover 9.0%."},
        "of another shape": 7,
    }
    job = made(
        order(shop.client, spec={"eval_enabled": True}),
        summary={"eval": {"passed": False, "tries": 4, "scores": scores}},
    )
    said = text(shown(job))
    assert "Scores, of the best of 4 images Metric Score Threshold State Reason" in said
    assert "mood 0.91 0.5 passed It is warm." in said
    assert "room for product 0.25 0.5 failed Edges cover 9.0%." in said
    assert "Asked for, and there are none." not in said


def test_scores_that_were_asked_for_and_never_came_are_missed(db, shop: Shop):
    assert "Scores Asked for, and there are none." in text(shown(made(order(shop.client, spec={"eval_enabled": True}))))
    for job in (
        made(order(shop.client, spec={"eval_enabled": False})),
        order(shop.client, spec={"eval_enabled": True}),
    ):
        assert "Scores" not in text(shown(job))


def test_the_spec_is_in_the_contracts_order_and_its_long_parts_are_folded(db, shop: Shop):
    spec = {"metadata": {"note": "x" * 400}, "mood": "calm", "scene_type": "podium", "pilot_brand": "b"}
    html = shown(order(shop.client, spec=spec))
    assert html.index("<dt>scene_type</dt><dd>podium</dd>") < html.index("<dt>mood</dt><dd>calm</dd>")
    assert "<dt>metadata</dt><dd><details><summary>Show</summary>" in html


def test_it_links_its_request_or_says_what_became_of_it(db, shop: Shop):
    job = order(shop.client)
    RequestLog.objects.update(remote_addr="192.0.2.7", user_agent="shop/1", api_key_prefix="sk_test")
    html = shown(job)
    assert f'href="/admin/requestlog/requestlog/{job.request_id}/change/"' in html
    said = text(html)
    assert "POST /v1/background-generator from 192.0.2.7 was answered with 202 after 4 ms." in said
    assert "key sk_test…" in said
    RequestLog.objects.all().delete()
    assert f"{job.request_id}: its log is no longer kept." in text(shown(job))


def test_a_run_again_and_what_it_runs_again_link_each_other(db, shop: Shop):
    old = fail(order(shop.client))
    new = jobs.run_again(job_id=old.pk, actor="ada")
    before, after = shown(old), shown(new)
    assert re.search(f'Was run again as</dt> <dd><a class="text-link" href="{page(new)}change/">', before)
    assert "Run again: it is being run again" in text(before)
    assert re.search(f'Run again of</dt><dd><a class="text-link" href="{page(old)}change/">', after)
    assert "It was made by staff; there was no request." in text(after)


def deliveries(job: Job, count: int) -> list[WebhookDelivery]:
    event = Event.objects.create(client=job.client, job=job, type="job.succeeded", sequence=99, body="{}")
    return [
        WebhookDelivery.objects.create(
            id=new_ulid(),
            client=job.client,
            event=event,
            endpoint=WebhookEndpoint.objects.create(client=job.client, url=f"https://h{number}.test/{HOSTILE}"),
            attempts=number,
            gave_up_at=job.accepted_at,
        )
        for number in range(count)
    ]


def test_its_webhook_deliveries_are_shown_and_of_many_the_first(db, shop: Shop):
    job, other = order(shop.client), order(shop.client)
    delivery, _ = deliveries(job, 1)[0], deliveries(other, 1)
    html = shown(job)
    assert f'href="/admin/workflows/webhookdelivery/{delivery.pk}/change/"' in html
    assert f'href="/admin/workflows/webhookendpoint/{delivery.endpoint_id}/change/"' in html
    assert html.count("/admin/workflows/webhookdelivery/0") == 1
    assert "All of them" not in html

    WebhookDelivery.objects.all().delete()
    Event.objects.all().delete()
    deliveries(job, 51)
    html = shown(job)
    assert html.count("/admin/workflows/webhookdelivery/0") == 50
    link = re.search('href="([^"]*)" class="text-link">All of them', html)
    assert link
    listed = signed_in().get(link[1]).context["cl"].result_list
    assert {one.event.job_id for one in listed} == {job.pk}
    assert len(listed) == 50


def test_what_was_erased_is_said_to_be(db, shop: Shop, storage):
    job = made(order(shop.client, spec={"mood": "calm"}))
    jobs.erase(job_id=job.pk, client=shop.client)
    said = text(shown(job))
    assert "It was erased at" in said
    assert "The files are gone since" in said
    assert "Run again: it was erased, and with it what was ordered." in said
    assert "calm" not in said


def test_nothing_of_it_is_a_form_and_there_is_nothing_to_save(db, shop: Shop):
    html = shown(succeed(order(shop.client)))
    assert 'id="submit-row"' not in html
    assert "job_form" not in html


def test_whatever_others_wrote_is_shown_as_text(db, shop: Shop, storage):
    spec = {
        **dict.fromkeys(("image_model", "resolution", "scene_type", "mood", "display_name", "pilot_brand"), HOSTILE),
        **{"dominant_colors": [HOSTILE], "metadata": {HOSTILE: HOSTILE * 20}, "on_technical_failure": "fallback"},
    }
    Client.objects.update(name=HOSTILE)
    ApiKey.objects.update(prefix=HOSTILE[:16])
    job = order(shop.client, spec=spec)
    Job.objects.filter(pk=job.pk).update(idempotency_key=HOSTILE, order_digest="x")
    fail(job, message=HOSTILE, technical=True)
    Job.objects.filter(pk=job.pk).update(run_after=job.accepted_at)
    details = {"colors": [{"color": HOSTILE, "share": HOSTILE}], "box": [HOSTILE] * 4}
    scores = {HOSTILE: dict.fromkeys(("score", "threshold", "passed", "reason"), HOSTILE)}
    summary = {"main_colors": [HOSTILE], "eval": {"tries": HOSTILE, "scores": scores}}
    made(job, details=[details], summary=summary, name=HOSTILE, worker=HOSTILE)
    jobs.refund(job_id=job.pk, reason=HOSTILE, actor=HOSTILE)
    RequestLog.objects.update(
        method=HOSTILE[:10], path=HOSTILE, remote_addr=HOSTILE, user_agent=HOSTILE, api_key_prefix=HOSTILE[:16]
    )
    deliveries(job, 1)
    extract = extracted(shop, key=f"clients/{shop.client.pk}/{HOSTILE}", photo={"width": HOSTILE, "height": HOSTILE})
    failed = fail(order(shop.client, spec=spec), message=HOSTILE)
    Job.objects.filter(pk=failed.pk).update(error_code=HOSTILE)
    for each in (job, extract, failed):
        html = shown(each)
        assert "&lt;script&gt;alert(1)" in html
        for markup in ("<script>alert(1)", "<img src=x", "onerror=alert(2)>", "<script>alert("):
            assert markup not in html


def test_the_page_costs_the_same_for_one_of_each_and_for_many(db, shop: Shop, django_assert_max_num_queries):
    job = succeed(order(shop.client))
    browser = signed_in()
    browser.get(f"{page(job)}change/")
    with django_assert_max_num_queries(14) as few:
        browser.get(f"{page(job)}change/")
    for position in range(1, 20):
        original = Output.objects.order_by("pk").first()
        original.pk, original.position, original.key = None, position, f"{original.key}{position}"
        original.save()
        JobEvent.objects.create(job=job, kind="waiting", attempt=1)
        again = order(shop.client, cost=0)
        RequestLog.objects.filter(pk=again.request_id).delete()
        Job.objects.filter(pk=again.pk).update(rerun_of=job, request_id=None)
    deliveries(job, 60)
    with django_assert_max_num_queries(len(few.captured_queries)):
        html = browser.get(f"{page(job)}change/").content.decode()
    assert html.count('class="thumbnail"') == 20
    assert html.count("/admin/workflows/webhookdelivery/0") == 50
