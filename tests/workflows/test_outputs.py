"""What a job made, as its client gets it: format, name, bytes and thumbnail of each file, wherever files live."""

import hashlib
import io
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image, ImageCms, ImageDraw

from billing.keys import create_key
from tests.conftest import Shop
from tests.gateway import ROOT, Gateway, eventually
from tests.helpers import SPEC, claimed, get, order, output, post
from tests.s3 import Bucket
from workflows import jobs
from workflows.engines.formats import FORMATS
from workflows.models import Job, Output, Workflow
from workflows.naming import MOST_BYTES, output_name, slug, thumbnail_name

BACKGROUND, EXTRACT = "/v1/background-generator", "/v1/extract"
SMALL = {**SPEC, "resolution": "96x64", "seed": 7}
CONTENT_TYPES = {"PNG": "image/png", "WEBP": "image/webp", "JPEG": "image/jpeg"}


@pytest.fixture
def formats(gateway: Gateway) -> Iterator[None]:
    """Let a test change the formats of the workflows, whose rows all tests share."""
    yield
    Workflow.objects.update(output_format="png")


def put(shop: Shop, image: Image.Image) -> str:
    """Put an image into storage where the client may read it; return its key."""
    data = io.BytesIO()
    image.save(data, "PNG")
    return default_storage.save(f"clients/{shop.client.pk}/photo.png", ContentFile(data.getvalue()))


def photo(shop: Shop, size: tuple[int, int] = (600, 500)) -> str:
    """Put a photo of two round items there."""
    image, (width, height) = Image.new("RGB", size, "white"), size
    draw = ImageDraw.Draw(image)
    draw.ellipse((width * 0.05, height * 0.1, width * 0.65, height * 0.9), fill="navy")
    draw.ellipse((width * 0.75, height * 0.3, width * 0.95, height * 0.7), fill="firebrick")
    return put(shop, image)


def cut_out(shop: Shop, size: tuple[int, int]) -> str:
    """Put one item there, with round corners, that is cut out already and reaches almost from side to side."""
    image, (width, height) = Image.new("RGBA", size), size
    box = (width * 0.01, height * 0.1, width * 0.99, height * 0.9)
    ImageDraw.Draw(image).rounded_rectangle(box, radius=height // 4, fill=(255, 240, 200))
    return put(shop, image)


def made(gateway: Gateway, shop: Shop, path: str, spec: dict[str, Any]) -> dict[str, Any]:
    accepted = gateway.call("POST", path, spec, key=shop.key)
    assert accepted.status == 202, accepted.body
    return gateway.finished(accepted.json["job_id"], key=shop.key)


def fetched(gateway: Gateway, url: str) -> tuple[Image.Image, str]:
    answer = gateway.call("GET", url)
    assert answer.status == 200
    image = Image.open(io.BytesIO(answer.body))
    image.load()
    return image, answer.headers["Content-Type"]


def opened(gateway: Gateway, output: dict[str, Any]) -> Image.Image:
    """Download an output, and assert that it is as the job says: bytes, type, size and name; and so its thumbnail."""
    answer = gateway.call("GET", output["url"])
    assert (answer.status, answer.headers["Content-Type"]) == (200, output["content_type"])
    assert int(answer.headers["Content-Length"]) == len(answer.body) == output["size"]
    assert hashlib.sha256(answer.body).hexdigest() == output["sha256"]
    image = Image.open(io.BytesIO(answer.body))
    image.load()
    assert image.size == (output["width"], output["height"])
    assert CONTENT_TYPES[image.format or ""] == output["content_type"]
    path = urllib.parse.unquote(urllib.parse.urlsplit(output["url"]).path)
    assert path.rpartition("/")[2] == output["name"]
    small, content_type = fetched(gateway, output["thumbnail_url"])
    assert (small.format, content_type) == ("WEBP", "image/webp")
    assert small.mode == image.mode
    shrink = min(1, 320 / max(image.size))
    assert all(abs(got - side * shrink) <= 1 for got, side in zip(small.size, image.size, strict=True))
    return image


def is_srgb(image: Image.Image) -> bool:
    if image.format == "PNG":
        return image.info["srgb"] == 0
    return "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"])))


def everything_is_as_asked(gateway: Gateway, shop: Shop) -> list[str]:
    """Order the same in each format, and compare; return the ids of the jobs."""
    key, images, ids = photo(shop), {}, []
    for asked, kind in ((None, "PNG"), ("png", "PNG"), (" WebP ", "WEBP"), ("JPG", "JPEG"), ("jpeg", "JPEG")):
        job = made(gateway, shop, EXTRACT, {"trial_image": key, "runtime_config": {"output_format": asked, "x": 1}})
        assert (job["status"], job["summary"]["unused"]) == ("SUCCESS", ["x"])
        ids.append(job["job_id"])
        images[kind] = [opened(gateway, output) for output in job["outputs"]]
        assert [image.format for image in images[kind]] == [kind, kind]
        extension = {"PNG": "png", "WEBP": "webp", "JPEG": "jpg"}[kind]
        assert [output["name"] for output in job["outputs"]] == [f"item-1.{extension}", f"item-2.{extension}"]
        assert all(is_srgb(image) for image in images[kind])
    for png, webp, jpeg in zip(*images.values(), strict=True):
        assert (png.mode, webp.mode, jpeg.mode) == ("RGBA", "RGBA", "RGB")
        alpha = np.asarray(png)[..., 3]
        assert (np.asarray(webp)[..., 3] == alpha).all()
        white = Image.alpha_composite(Image.new("RGBA", png.size, "white"), png).convert("RGB")
        assert (np.asarray(jpeg)[alpha == 0] >= 240).mean() > 0.98
        for lossy in (webp, jpeg):
            ground = Image.new("RGBA", png.size, "white")
            seen = np.asarray(Image.alpha_composite(ground, lossy.convert("RGBA")).convert("RGB"), int)
            assert np.abs(seen - np.asarray(white, int)).mean() < 2
    return ids


def test_cut_outs_come_in_the_format_that_was_asked_for(gateway: Gateway, shop: Shop):
    everything_is_as_asked(gateway, shop)


def test_so_they_do_from_a_bucket(gateway_on_s3: Gateway, bucket: Bucket, shop: Shop):
    ids = everything_is_as_asked(gateway_on_s3, shop)
    stored = [key for job_id in ids for key in bucket.keys(f"clients/{shop.client.pk}/jobs/{job_id}/1/")]
    assert len(stored) == 5 * 2 * 2
    types = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg"}
    for key in stored:
        kept = bucket.client.head_object(Bucket=bucket.name, Key=key)
        assert kept["ContentType"] == types[key.rpartition(".")[2]]


def test_a_workflow_has_a_format_for_orders_that_name_none(gateway: Gateway, formats: None, shop: Shop):
    before = gateway.call("POST", BACKGROUND, SMALL, key=shop.key).json["job_id"]
    for name, format in FORMATS.items():
        Workflow.objects.update(output_format=name)
        told = gateway.call("GET", "/v1/workflows", key=shop.key).json["workflows"]
        assert {workflow["output_format"] for workflow in told} == {name}
        (output,) = made(gateway, shop, BACKGROUND, SMALL)["outputs"]
        image = opened(gateway, output)
        assert (image.format, image.mode) == (format.label.upper(), "RGB")
        assert output["name"] == f"background.{format.extension}"
    spec = {"trial_image": photo(shop), "runtime_config": {"output_format": "webp"}}
    assert opened(gateway, made(gateway, shop, EXTRACT, spec)["outputs"][0]).format == "WEBP"
    spec["runtime_config"] = None
    assert opened(gateway, made(gateway, shop, EXTRACT, spec)["outputs"][0]).format == "JPEG"
    assert gateway.finished(before, key=shop.key)["outputs"][0]["name"] == "background.png"


def test_a_job_has_the_format_that_its_workflow_had_when_it_was_accepted(db, shop: Shop):
    Workflow.objects.update(output_format="webp")
    post(shop, BACKGROUND, SPEC)
    Workflow.objects.update(output_format="jpeg")
    post(shop, BACKGROUND, SPEC)
    assert list(Job.objects.order_by("id").values_list("output_format", flat=True)) == ["webp", "jpeg"]


UNKNOWN = ["gif", "", "image/png", "png\0", ".png", "x" * 5000, 7, True, ["png"], {"png": "png"}, 10**4000, 1.5]


@pytest.mark.parametrize("asked", UNKNOWN, ids=lambda asked: repr(asked)[:20] if asked != 10**4000 else "huge")
def test_a_dry_run_warns_of_a_format_that_there_is_not(db, shop: Shop, asked: Any):
    spec = {"trial_image": photo(shop), "runtime_config": {"output_format": asked}}
    if asked == "png\0":
        assert post(shop, f"{EXTRACT}?dry_run=true", spec).status_code == 422
        return
    (warning,) = post(shop, f"{EXTRACT}?dry_run=true", spec).json()["warnings"]
    assert (warning["loc"], warning["type"]) == (["body", "runtime_config", "output_format"], "unknown_output_format")
    assert "png, webp and jpeg" in warning["msg"] and len(warning["msg"]) < 250
    for known in ("PNG", "webp", "jpg", None):
        spec["runtime_config"] = {"output_format": known}
        assert post(shop, f"{EXTRACT}?dry_run=true", spec).json()["warnings"] == []


def test_a_format_that_there_is_not_fails_the_job_for_good_before_any_work(gateway: Gateway, shop: Shop):
    for asked in ("gif", ["png"]):
        spec = {"trial_image": photo(shop), "runtime_config": {"output_format": asked}}
        job = made(gateway, shop, EXTRACT, spec)
        assert (job["status"], job["attempts"], job["outputs"]) == ("FAILURE", 1, [])
        error = job["error"]
        assert (error["code"], error["retryable"]) == ("unknown_output_format", False)
        assert asked[0] in error["message"] and "png, webp and jpeg" in error["message"]
    assert shop.balance == 100


def test_what_is_too_long_for_a_format_fails_with_its_limit_and_comes_in_another(gateway: Gateway, shop: Shop):
    test = Shop(shop.client, create_key(client=shop.client, test=True)[1])
    key = cut_out(shop, (18_000, 200))
    for who in (shop, test):
        job = made(gateway, who, EXTRACT, {"trial_image": key, "runtime_config": {"output_format": "webp"}})
        assert (job["status"], job["attempts"]) == ("FAILURE", 1)
        assert job["error"]["code"] == "image_too_long_for_format"
        assert "WebP" in job["error"]["message"] and "16383" in job["error"]["message"]
    assert not list_of_files(shop)
    job = made(gateway, shop, EXTRACT, {"trial_image": key, "runtime_config": {"output_format": "jpeg"}})
    assert opened(gateway, job["outputs"][0]).width > 16_383


def list_of_files(shop: Shop) -> list[str]:
    try:
        jobs = default_storage.listdir(f"clients/{shop.client.pk}/jobs")[0]
    except FileNotFoundError:
        return []
    folders = [f"clients/{shop.client.pk}/jobs/{job}/1" for job in jobs]
    return [name for folder in folders for name in default_storage.listdir(folder)[1]]


def test_a_sample_has_the_format_and_the_name_of_what_it_is_a_sample_of(gateway: Gateway, formats: None, shop: Shop):
    test = Shop(shop.client, create_key(client=shop.client, test=True)[1])
    key = photo(shop, (1600, 1200))
    for asked, mode in (("webp", "RGBA"), ("jpeg", "RGB")):
        spec = {"trial_image": key, "runtime_config": {"output_format": asked}}
        job = made(gateway, test, EXTRACT, spec)
        image = opened(gateway, job["outputs"][0])
        assert (image.format, image.mode, image.width) == (asked.upper(), mode, 512)
    Workflow.objects.update(output_format="webp")
    (output,) = made(gateway, test, BACKGROUND, {**SMALL, "display_name": "Sofa / blue"})["outputs"]
    assert opened(gateway, output).format == "WEBP"
    assert output["name"] == "sofa-blue.webp"


# Names

NAMES = {
    "Spring catalogue": "spring-catalogue",
    "  ../..\\etc/passwd\r\n": "etc-passwd",
    ".hidden": "hidden",
    "Größe 38 – Ärmel": "größe-38-ärmel",
    "a\u0308rmel": "ärmel",
    "ساعة يد": "ساعة-يد",
    "\u202egnp.exe\u202c": "gnp-exe",
    "कुर्सी": "कुर्सी",
    "青いソファ": "青いソファ",
    "🛋️ Sofa 👩🏽‍🎨": "sofa",
    "🛋️": "",
    "!?… /// ---": "",
    "": "",
    "x" * 300: "x" * 80,
    "ab " * 100: ("ab-" * 27)[:80],
    "𠮷" * 300: "𠮷" * (MOST_BYTES // 4),
    "e" + "\u0301" * 300: "é" + "\u0301" * 79,
    "con\0": "con",
}


@pytest.mark.parametrize("text", NAMES, ids=lambda text: ascii(text)[:30])
def test_a_name_is_made_of_letters_and_digits(text: str):
    assert slug(text) == NAMES[text]


def test_a_name_has_room_in_its_column_its_key_and_any_file_system():
    longest = {"given": "", "number": 3000, "of": 3000, "extension": "webp"}
    for text in NAMES:
        name = output_name(display_name=text, **longest)
        thumbnail = thumbnail_name(name)
        assert len(name) <= Output._meta.get_field("name").max_length
        prefix = f"clients/{2**63}/jobs/{'0' * 26}/32767/"
        assert max(len(prefix + name), len(prefix + thumbnail)) <= Output._meta.get_field("key").max_length
        assert len(thumbnail.encode()) + len("_1234567") <= 255


def test_outputs_that_share_a_display_name_are_numbered():
    names = [output_name(display_name="Sofa blue", given=f"item-{n}", number=n, of=2, extension="png") for n in (1, 2)]
    assert names == ["sofa-blue-1.png", "sofa-blue-2.png"]
    names = [output_name(display_name="!", given=f"item-{n}", number=n, of=2, extension="png") for n in (1, 2)]
    assert names == ["item-1.png", "item-2.png"]


HARD = ["Sofa / blue", "../../x", "🛋️", "𠮷" * 300, "ساعة يد", "a%2Fb?c#d", "e" + "\u0301" * 300]


def named_as_asked(gateway: Gateway, shop: Shop) -> None:
    for text in HARD:
        (output,) = made(gateway, shop, BACKGROUND, {**SMALL, "display_name": text})["outputs"]
        assert output["name"] == f"{slug(text) or 'background'}.png"
        opened(gateway, output)


def test_an_output_is_saved_by_its_display_name(gateway: Gateway, shop: Shop):
    named_as_asked(gateway, shop)


def test_so_it_is_from_a_bucket(gateway_on_s3: Gateway, shop: Shop):
    named_as_asked(gateway_on_s3, shop)


# Files


def test_files_are_served_with_their_type_and_to_head_without_a_body(gateway: Gateway, shop: Shop):
    job = made(gateway, shop, EXTRACT, {"trial_image": photo(shop), "runtime_config": {"output_format": "webp"}})
    output = job["outputs"][0]
    for url, size in ((output["url"], output["size"]), (output["thumbnail_url"], None)):
        whole, head = gateway.call("GET", url), gateway.call("HEAD", url)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == whole.headers["Content-Length"] == str(size or len(whole.body))
        for answer in (whole, head):
            assert answer.headers["Content-Type"] == "image/webp"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
    # The signature of an output does not open its thumbnail.
    path = output["thumbnail_url"].partition("?")[0]
    assert gateway.call("GET", f"{path}?{output['url'].partition('?')[2]}").status == 404
    assert gateway.call("GET", path).status == 404


def test_the_types_of_files_hang_on_no_table_of_the_machine():
    setup = "import mimetypes; mimetypes.knownfiles.clear(); import django; django.setup(); import workflows.storage"
    code = f"{setup}; print(*[mimetypes.guess_type(f'a.{{name}}')[0] for name in ('png', 'webp', 'jpg')])"
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "studio_gateway.settings"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["image/png", "image/webp", "image/jpeg"], done.stderr


def test_the_thumbnail_of_a_cut_out_keeps_its_alpha_without_a_dark_fringe(gateway: Gateway, shop: Shop):
    (output,) = made(gateway, shop, EXTRACT, {"trial_image": cut_out(shop, (1000, 800))})["outputs"]
    opened(gateway, output)
    small, _ = fetched(gateway, output["thumbnail_url"])
    assert max(small.size) == 320
    pixels = np.asarray(small)
    alpha = pixels[..., 3]
    assert (alpha == 0).any() and (alpha == 255).any()
    edge = pixels[(alpha > 60) & (alpha < 200)]
    assert len(edge) and np.median(edge[:, 0]) > 235


# URLs


def good_until(url: str) -> float:
    """Return when a presigned URL expires, by the clock that it was signed by."""
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    signed = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return signed.timestamp() + int(query["X-Amz-Expires"])


def test_whenever_a_url_of_a_bucket_was_told_it_has_half_its_life_left_while_the_etag_holds(
    db, shop: Shop, bucket: Bucket, settings
):
    life = settings.OUTPUT_URL_SECONDS = 4
    options = {**bucket.storage["OPTIONS"], "querystring_expire": life}
    settings.STORAGES = {**settings.STORAGES, "default": {**bucket.storage, "OPTIONS": options}}
    attempt = claimed(order(shop))
    folder = f"clients/{shop.client.pk}/jobs/{attempt.job.pk}/1"
    for name in ("sofa.png", "sofa.thumbnail.webp"):
        default_storage.save(f"{folder}/{name}", ContentFile(b"x"))
    files = {"key": f"{folder}/sofa.png", "thumbnail_key": f"{folder}/sofa.thumbnail.webp"}
    assert jobs.succeed(attempt, outputs=[output(attempt, **files)], summary={})

    def read(etag: str = "") -> Any:
        return get(shop, f"/v1/jobs/{attempt.job.pk}", HTTP_IF_NONE_MATCH=etag)

    def urls(answer: Any) -> list[str]:
        (told,) = answer.json()["outputs"]
        return [told["url"], told["thumbnail_url"]]

    before = read().headers["ETag"]
    eventually(lambda: read(before).status_code == 200, what="the ETag changes")
    etag, kept = read().headers["ETag"], urls(read())
    unchanged_at = 0.0

    def changed() -> bool:
        nonlocal unchanged_at
        moment = time.time()
        if read(etag).status_code == 200:
            return True
        unchanged_at = moment
        kept.extend(urls(read()))
        return False

    eventually(changed, what="it changes again")
    assert len(set(kept)) > 2
    for url in kept:
        assert good_until(url) - unchanged_at >= life / 2
    assert min(good_until(url) for url in kept) - unchanged_at < life / 2 + 1  # it was near
    with urllib.request.urlopen(kept[1], timeout=10) as got:
        assert (got.read(), got.headers["Content-Type"]) == (b"x", "image/webp")
