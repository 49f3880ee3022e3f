"""Files: a client reads only its own, and whoever holds a signed URL reads exactly the file it was signed for (P10)."""

import os
import re
import urllib.parse
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.signing import TimestampSigner

from tests.conftest import Shop
from tests.gateway import Gateway
from tests.helpers import order, post
from tests.http_client import HttpClient
from workflows import storage
from workflows.catalogue import DEFINITIONS, Order
from workflows.engines.base import EngineError
from workflows.models import Job, Output
from workflows.storage import TrialImageNotFound, TrialImageTooLarge, read_trial_image


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, settings) -> Path:
    """Files of the test's own, and a secret beside them that no key may reach."""
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "storage"
    folder.mkdir()
    storages = {k: dict(v) for k, v in settings.STORAGES.items()}
    storages["default"]["OPTIONS"] = {"location": folder, "base_url": "http://testserver/files/"}
    settings.STORAGES = storages
    return folder


def stored(key: str, data: bytes = b"photo") -> str:
    assert default_storage.save(key, ContentFile(data)) == key
    return key


def get(url: str):
    return HttpClient().get(url)


def body(answer) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


# A client's own images


def test_a_client_reads_below_its_own_prefix(db, shop: Shop):
    key = stored(f"clients/{shop.client.pk}/photos/a.jpg")
    assert read_trial_image(client=shop.client, key=key) == b"photo"


def test_a_client_reads_below_the_prefixes_that_staff_gave_it(db, shop: Shop):
    shop.client.storage_prefixes = ["shared/looks/"]
    assert read_trial_image(client=shop.client, key=stored("shared/looks/a.jpg")) == b"photo"
    with pytest.raises(TrialImageNotFound):
        read_trial_image(client=shop.client, key=stored("shared/other/a.jpg"))


FOREIGN = {
    "another client's": "clients/{other}/photos/a.jpg",
    "a client whose number begins alike": "clients/{own}0/a.jpg",
    "another folder": "shared/a.jpg",
    "the root": "a.jpg",
    "up and over": "clients/{own}/../{other}/photos/a.jpg",
    "up to the secret": "clients/{own}/../../../secret.txt",
    "up within": "clients/{own}/x/../photos/a.jpg",
    "a dot": "clients/{own}/./photos/a.jpg",
    "a double slash": "clients/{own}//photos/a.jpg",
    "a trailing slash": "clients/{own}/photos/a.jpg/",
    "an absolute path": "/etc/passwd",
    "an absolute path after the prefix": "clients/{own}//etc/passwd",
    "backslashes": "clients\\{own}\\photos\\a.jpg",
    "backslashes up": "clients/{own}/..\\..\\secret.txt",
    "a NUL": "clients/{own}/photos/a.jpg\x00.png",
    "only a NUL": "\x00",
    "empty": "",
    "a slash": "/",
    "the prefix": "clients/{own}/",
    "the prefix without its slash": "clients/{own}",
    "a folder": "clients/{own}/photos",
    "below a file": "clients/{own}/photos/a.jpg/b.jpg",
    "another case": "Clients/{own}/photos/a.jpg",
    "percent signs": "clients/{own}/%2e%2e/%2e%2e/secret.txt",
    "a URL": "file:///etc/passwd",
    "a home": "~/a.jpg",
    "a name too long for any file": "clients/{own}/" + "x" * 300,
    "a path too long for any file": "clients/{own}/" + "x/" * 5000 + "x",
    "a surrogate": "clients/{own}/\udc80.jpg",
    "braces": "clients/{own}/{{key}}{{0}}.jpg",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_not_a_clients_own_is_not_found_whether_it_is_there_or_not(db, shop: Shop, name: str):
    other = Shop.make()
    own, others = shop.client.pk, other.client.pk
    key = FOREIGN[name].format(own=own, other=others)
    answers = []
    with pytest.raises(TrialImageNotFound) as without:
        read_trial_image(client=shop.client, key=key)
    answers.append((without.value.code, without.value.message, without.value.technical))
    for there in (f"clients/{others}/photos/a.jpg", f"clients/{own}0/a.jpg", "shared/a.jpg", "a.jpg"):
        stored(there)
    if name not in ("the prefix without its slash",):
        stored(f"clients/{own}/photos/a.jpg")
    with pytest.raises(TrialImageNotFound) as with_files:
        read_trial_image(client=shop.client, key=key)
    answers.append((with_files.value.code, with_files.value.message, with_files.value.technical))
    assert answers[0] == answers[1]
    assert answers[0][0] == "trial_image_not_found"
    assert answers[0][2] is False  # another attempt would find nothing either
    assert f"clients/{own}/" in answers[0][1]
    assert len(answers[0][1]) < 1000


def test_a_photo_beyond_the_limit_is_not_read(db, shop: Shop, monkeypatch):
    monkeypatch.setattr(storage, "MAX_PHOTO_BYTES", 10)
    fits = stored(f"clients/{shop.client.pk}/fits", b"x" * 10)
    large = stored(f"clients/{shop.client.pk}/large", b"x" * 11)
    assert len(read_trial_image(client=shop.client, key=fits)) == 10
    with pytest.raises(TrialImageTooLarge, match="11 bytes; at most 10"):
        read_trial_image(client=shop.client, key=large)


def test_an_unreadable_storage_is_a_technical_failure_and_not_a_missing_image(db, shop: Shop, own_folder: Path):
    key = stored(f"clients/{shop.client.pk}/a.jpg")
    path = own_folder / key
    path.unlink()
    os.mkfifo(path)  # a file that cannot be sized or read in peace
    path.unlink()
    path.symlink_to(path)  # a loop: ELOOP
    with pytest.raises(OSError, match="symbolic links"):
        read_trial_image(client=shop.client, key=key)


def test_an_order_for_another_clients_image_fails_like_one_for_a_missing_image(db, shop: Shop):
    other = Shop.make()
    keys = [stored(f"clients/{other.client.pk}/there.jpg"), f"clients/{other.client.pk}/gone.jpg"]
    messages = []
    for key in keys:
        answer = post(shop, "/v1/extract", {"trial_image": key})
        assert answer.status_code == 202  # nothing is looked up before the charge
        job = Job.objects.get(pk=answer.json()["job_id"])
        with pytest.raises(EngineError) as caught:
            DEFINITIONS["extract"].engines["built-in"].perform(Order(client=shop.client, spec=job.spec, seed=1))
        messages.append(caught.value.message.replace(key, "KEY"))
    assert messages[0] == messages[1]


# Signed URLs


def parts(url: str) -> tuple[str, str]:
    path, _, query = url.removeprefix("http://testserver").partition("?signature=")
    return path, query


def test_a_signed_url_opens_its_file(db):
    answer = get(default_storage.url(stored("clients/1/jobs/x/1/a b%2F?ü.png")))
    assert answer.status_code == 200
    assert body(answer) == b"photo"
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_url_of_an_output_is_signed(db, shop: Shop):
    job = order(shop)
    key = stored(f"clients/{shop.client.pk}/jobs/{job.pk}/1/a.png")
    output = Output(job=job, position=0, name="a.png", key=key)
    assert get(output.url).status_code == 200
    assert re.fullmatch(r"http://testserver/files/clients/\d+/jobs/\w{26}/1/a\.png\?signature=[\w.:-]+", output.url)


def test_a_url_without_with_another_or_with_a_tampered_signature_is_a_404(db):
    key = stored("clients/1/a.png")
    path, signature = parts(default_storage.url(key))
    assert get(f"{path}?signature={signature}").status_code == 200
    stamp, mac = signature.split(".")
    bad = [
        "",
        "x",
        ".",
        "..",
        "...",
        stamp,
        mac,
        f"{stamp}.",
        f".{mac}",
        f"{stamp}.{mac[:-1]}",
        f"{stamp}.{mac}x",
        f"{stamp}.{mac.swapcase()}",
        f"{stamp[:-1]}{'0' if stamp[-1] != '0' else '1'}.{mac}",
        f"zzzzzz.{mac}",
        f"{mac}.{stamp}",
        "%00",
        "%ff%fe",
        "é" * 1000,
        TimestampSigner().sign(key).removeprefix(f"{key}:"),  # another salt
        TimestampSigner(salt="workflows.storage", key="another", sep=".").sign(key).removeprefix(f"{key}."),
    ]
    for wrong in bad:
        answer = get(f"{path}?signature={wrong}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), wrong
    assert get(path).status_code == 404


def test_a_url_expires(db, settings):
    url = default_storage.url(stored("clients/1/a.png"))
    assert get(url).status_code == 200
    settings.OUTPUT_URL_SECONDS = -1
    assert get(url).status_code == 404


def test_a_url_holds_for_an_hour_by_default():
    assert settings.OUTPUT_URL_SECONDS == 3600


def test_a_url_opens_no_other_file(db):
    keys = [
        stored(key)
        for key in (
            "clients/1/a.png",
            "clients/1/a",
            "clients/2/a.png",
            "clients/1/v1.2",
            "clients/1/v1",
        )
    ]
    for signed in keys:
        _, signature = parts(default_storage.url(signed))
        for other in keys:
            # What is cut from the one key is tried at the front of the signature, too.
            cut = signed.removeprefix(other).lstrip(".") if signed.startswith(other) else ""
            for tried in {signature, f"{cut}.{signature}", urllib.parse.quote(f"{cut}.{signature}")}:
                answer = get(f"/files/{other}?signature={tried}")
                assert answer.status_code == (200 if (other, tried) == (signed, signature) else 404), (signed, other)


@pytest.mark.parametrize(
    "path",
    [
        "/files/",
        "/files/../secret.txt",
        "/files/%2e%2e/secret.txt",
        "/files/..%2fsecret.txt",
        "/files/clients/%2e%2e/%2e%2e/secret.txt",
        "/files//etc/passwd",
        "/files/%2fetc/passwd",
        "/files/..%5c..%5csecret.txt",
        "/files/%00",
        "/files/a%00.png",
        "/files/%ff",
        "/files/" + "x" * 5000,
    ],
)
def test_no_path_leads_out_of_the_folder(db, path: str):
    stored("clients/1/a.png")
    for signature in ("", "x", parts(default_storage.url("clients/1/a.png"))[1]):
        assert get(f"{path}?signature={signature}").status_code == 404


@pytest.mark.parametrize("key", ["../secret.txt", "clients/../../secret.txt", "/etc/passwd", "clients", "gone"])
def test_even_a_good_signature_does_not_lead_out_of_the_folder(db, key: str):
    stored("clients/1/a.png")
    signature = storage._signer.sign(key).removeprefix(f"{key}.")
    assert get(f"/files/{urllib.parse.quote(key, safe='')}?signature={signature}").status_code in (400, 404)


def test_files_are_served_by_a_running_web_process_to_the_holder_of_the_url_alone(gateway: Gateway, shop: Shop):
    spec = {"scene_type": "podium", "mood": "calm", "resolution": "512"}
    job_id = gateway.call("POST", "/v1/background-generator", spec, key=shop.key).json["job_id"]
    url = gateway.finished(job_id, key=shop.key)["outputs"][0]["url"]
    assert url.startswith(f"{gateway.url}/files/clients/{shop.client.pk}/")
    assert gateway.call("GET", url).status == 200
    assert gateway.call("GET", url[:-1] + ("A" if url[-1] != "A" else "B")).status == 404
    assert gateway.call("GET", url.partition("?")[0], key=shop.key).status == 404
    for path in ("/files/../accounts.json", "/files/%2e%2e/accounts.json", "/files/%00", "/static/%00", "/static/../x"):
        assert gateway.call("GET", path).status in (400, 404)
