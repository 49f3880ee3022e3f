"""Photos that clients bring: signed by POST /v1/uploads, sent by PUT, ordered by their keys."""

import contextlib
import http.client
import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from billing.keys import create_key
from requestlog.models import RequestLog
from tests import databases
from tests.conftest import Shop
from tests.gateway import Answer, Gateway, eventually
from tests.helpers import get, nothing_was_ordered, post, refused, sql
from tests.http_client import HttpClient
from tests.s3 import Bucket
from tests.wire import CHUNKED, LAST_CHUNK, answer_on, ask, chunks, connected, received
from tests.wire import refused as refused_on_the_wire
from workflows.engines.flat_lay import draw_flat_lay
from workflows.storage import MAX_PHOTO_BYTES

UPLOADS = "/v1/uploads"
MIB = 1024 * 1024
PHOTO = b"\x89PNG" + bytes(range(256)) * 40


@dataclass
class Upload:
    """An upload of a client's through a running gateway, and where its file will be."""

    gateway: Gateway
    key: str
    url: str
    headers: dict[str, str]

    @classmethod
    def of(cls, gateway: Gateway, shop: Shop, *, size: int = len(PHOTO), content_type: str = "image/png") -> "Upload":
        answer = gateway.call("POST", UPLOADS, {"content_type": content_type, "size": size}, key=shop.key)
        assert answer.status == 201, answer
        return cls(gateway, *(answer.json[name] for name in ("key", "url", "headers")))

    @property
    def path(self) -> Path:
        return self.gateway.data_dir / "storage" / self.key

    @property
    def files(self) -> list[str]:
        """What there is of it: its file, and parts of it."""
        return sorted(path.name for path in self.path.parent.glob(f"{self.path.name}*"))

    def put(self, body: bytes = PHOTO, url: str = "", **headers: str) -> Answer:
        return self.gateway.call("PUT", url or self.url, body, headers={**self.headers, **headers})

    def head(self, *lines: str) -> bytes:
        """Return the head of its PUT; `lines` stand in the place of the usual ones of their names."""
        usual = [f"Host: 127.0.0.1:{self.gateway.port}", *(f"{name}: {value}" for name, value in self.headers.items())]
        named = {line.partition(":")[0] for line in lines}
        kept = [line for line in usual if line.partition(":")[0] not in named]
        target = self.url.removeprefix(self.gateway.url)
        return "\r\n".join(
            [f"PUT {target} HTTP/1.1", *kept, *(line for line in lines if line[-1] != ":"), "", ""]
        ).encode()


# POST /v1/uploads


def test_an_upload_is_signed_and_nothing_is_written_but_the_log(db, shop: Shop):
    before = timezone.now()
    answer = post(shop, UPLOADS, {"content_type": "image/webp", "size": 12345, "unknown": 1})
    body = answer.json()
    assert answer.status_code == 201, body
    assert re.fullmatch(rf"clients/{shop.client.pk}/uploads/[0-9A-Z]{{26}}\.webp", body["key"])
    assert body["method"] == "PUT"
    assert body["headers"] == {"Content-Type": "image/webp", "Content-Length": "12345"}
    assert f"/files/{body['key']}?signature=" in body["url"]
    life = datetime.fromisoformat(body["expires_at"]) - before
    assert timedelta(minutes=14, seconds=58) < life <= timedelta(minutes=15, seconds=2)
    assert (RequestLog.objects.get().status, RequestLog.objects.get().client_id) == (201, shop.client.pk)
    assert not default_storage.exists(f"clients/{shop.client.pk}")
    assert post(shop, UPLOADS, {"content_type": "image/webp", "size": 12345}).json()["key"] != body["key"]
    nothing_was_ordered(shop)


@pytest.mark.parametrize(
    ("content_type", "extension"),
    [("image/jpeg", "jpg"), ("image/png", "png"), ("image/gif", "gif"), ("image/tiff", "tiff"), ("image/bmp", "bmp")],
)
def test_the_key_ends_like_a_file_of_its_type(db, shop: Shop, content_type: str, extension: str):
    for size in (1, MAX_PHOTO_BYTES):
        answer = post(shop, UPLOADS, {"content_type": content_type, "size": size})
        assert answer.json()["key"].endswith(f".{extension}")


FAULTS: dict[str, tuple[Any, dict[str, str]]] = {
    "nothing": ({}, {"content_type": "missing", "size": "missing"}),
    "no object": ([], {"": "model_attributes_type"}),
    "null": ({"content_type": None, "size": None}, {"content_type": "string_type", "size": "int_type"}),
    "wrong types": ({"content_type": 1, "size": "5"}, {"content_type": "string_type", "size": "int_type"}),
    "no photo": ({"content_type": "image/svg+xml", "size": 0}, {"content_type": "enum", "size": "greater_than_equal"}),
    "a parameter": ({"content_type": "image/png; q=1", "size": 1.5}, {"content_type": "enum", "size": "int_type"}),
    "another case": (
        {"content_type": "IMAGE/PNG", "size": MAX_PHOTO_BYTES + 1},
        {"content_type": "enum", "size": "less_than_equal"},
    ),
    "far too much": ({"content_type": "", "size": 10**30}, {"content_type": "blank", "size": "less_than_equal"}),
    "NUL": ({"content_type": "image/png\0", "size": True}, {"content_type": "string_unicode", "size": "int_type"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_no_photo_is_refused(db, shop: Shop, name: str):
    body, faults = FAULTS[name]
    answer = post(shop, UPLOADS, body)
    assert answer.status_code == 422
    found = {".".join(map(str, fault["loc"][1:])): fault["type"] for fault in answer.json()["detail"]}
    assert found == faults


def test_an_unknown_type_is_told_what_there_is(db, shop: Shop):
    (fault,) = post(shop, UPLOADS, {"content_type": "image/avif", "size": 1}).json()["detail"]
    types = ("jpeg", "png", "webp", "gif", "tiff", "bmp")
    assert fault["msg"] == f"Input should be {' or '.join(repr(f'image/{name}') for name in types)}"


def test_whoever_may_read_may_upload(db, shop: Shop):
    body = {"content_type": "image/png", "size": 5}
    refused(post(None, UPLOADS, body), 401, "missing_api_key")
    refused(post(shop, UPLOADS, b"{}", content_type="text/plain"), 415, "unsupported_media_type")
    _, test_key = create_key(client=shop.client, test=True)
    assert post(Shop(shop.client, test_key), UPLOADS, body).status_code == 201
    answer = get(shop, UPLOADS)
    assert (answer.status_code, answer.json()["code"], answer.headers["Allow"]) == (405, "method_not_allowed", "POST")
    sql("UPDATE billing_client SET suspended_at = now() WHERE id = %s", shop.client.pk)
    refused(post(shop, UPLOADS, body), 403, "client_suspended")


# The photo itself, while storage is local


def test_an_uploaded_photo_is_cut_out(gateway: Gateway, shop: Shop):
    photo = draw_flat_lay(width=480, height=360)
    upload = Upload.of(gateway, shop, size=len(photo))
    answer = upload.put(photo)
    assert (answer.status, answer.body) == (200, b"")
    assert (upload.path.read_bytes(), upload.files) == (photo, [upload.path.name])
    accepted = gateway.call("POST", "/v1/extract", {"trial_image": upload.key}, key=shop.key)
    assert gateway.finished(accepted.json["job_id"], key=shop.key)["status"] == "SUCCESS"
    assert not RequestLog.objects.filter(path__startswith="/files/").exists()


def test_another_clients_upload_is_as_good_as_missing(gateway: Gateway, shop: Shop):
    upload, other = Upload.of(gateway, shop), Shop.make()
    messages = []
    for _ in range(2):
        accepted = gateway.call("POST", "/v1/extract", {"trial_image": upload.key}, key=other.key)
        job = gateway.finished(accepted.json["job_id"], key=other.key)
        messages.append((job["error"]["code"], job["error"]["message"]))
        assert upload.put().status in (200, 409)
    assert messages[0] == messages[1]
    assert messages[0][0] == "trial_image_not_found"


REFUSALS: dict[str, tuple[dict[str, str], int, str]] = {
    "another type": ({"Content-Type": "image/jpeg"}, 415, "upload_wrong_type"),
    "the type with a parameter": ({"Content-Type": "image/png; q=1"}, 415, "upload_wrong_type"),
    "no type": ({"Content-Type": ""}, 415, "upload_wrong_type"),
    "a byte more": ({"Content-Length": str(20 * MIB + 1)}, 400, "upload_wrong_size"),
    "a byte less": ({"Content-Length": str(20 * MIB - 1)}, 400, "upload_wrong_size"),
    "nothing": ({"Content-Length": "0"}, 400, "upload_wrong_size"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_was_not_signed_is_refused_unread_and_a_large_body_gets_its_answer(
    gateway: Gateway, shop: Shop, name: str
):
    headers, status, code = REFUSALS[name]
    upload = Upload.of(gateway, shop, size=20 * MIB)
    sent = {**upload.headers, **headers}
    wire = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    with contextlib.closing(wire):
        wire.request("PUT", upload.url, b" " * int(sent["Content-Length"]), sent)
        refused_on_the_wire(received(wire.getresponse()), status, code)
    assert upload.files == []


def test_a_refusal_comes_before_the_body(gateway: Gateway, shop: Shop):
    upload = Upload.of(gateway, shop)
    with connected(gateway) as wire:
        wire.sendall(upload.head(f"Content-Length: {len(PHOTO) + 1}"))
        refused_on_the_wire(answer_on(wire), 400, "upload_wrong_size")
    with connected(gateway) as wire:
        wire.sendall(upload.head("Expect: 100-continue"))
        assert wire.recv(MIB).startswith(b"HTTP/1.1 100 Continue")
        wire.sendall(PHOTO)
        answer = answer_on(wire)
        assert answer is not None and answer.status == 200
    with connected(gateway) as wire:
        wire.sendall(upload.head("Expect: 100-continue"))
        refused_on_the_wire(answer_on(wire), 409, "upload_exists")


def test_a_body_without_a_length_is_refused(gateway: Gateway, shop: Shop):
    upload = Upload.of(gateway, shop)
    for lines in (["Content-Length:", CHUNKED.decode()], [CHUNKED.decode()]):
        answer = ask(gateway, upload.head(*lines) + chunks(PHOTO) + LAST_CHUNK)
        refused_on_the_wire(answer, 400, "upload_wrong_size")
    refused_on_the_wire(ask(gateway, upload.head("Content-Length:")), 400, "upload_wrong_size")
    assert upload.files == []


def test_of_a_body_that_breaks_off_nothing_stays_and_it_can_be_sent_again(gateway: Gateway, shop: Shop):
    upload = Upload.of(gateway, shop)
    refused_on_the_wire(ask(gateway, upload.head() + PHOTO[:-1], ends=True), 400, "body_incomplete")
    assert upload.files == []
    with connected(gateway) as wire:
        wire.sendall(upload.head() + PHOTO[:-1])
        eventually(lambda: upload.files, what="the upload begins")
    eventually(lambda: not upload.files, what="the part is deleted")
    assert upload.put().status == 200
    assert upload.path.read_bytes() == PHOTO


def test_what_is_sent_behind_the_body_is_not_part_of_it(gateway: Gateway, shop: Shop):
    upload = Upload.of(gateway, shop)
    answer = ask(gateway, upload.head() + PHOTO + b"more")
    assert answer is not None and answer.status == 200
    assert upload.path.read_bytes() == PHOTO


def test_a_url_is_used_once(gateway: Gateway, shop: Shop):
    upload = Upload.of(gateway, shop)
    assert upload.put().status == 200
    answer = upload.put(PHOTO[::-1])
    refused_on_the_wire(answer, 409, "upload_exists")
    assert upload.path.read_bytes() == PHOTO


def test_of_two_at_once_one_wins(gateway: Gateway, shop: Shop):
    upload, bodies = Upload.of(gateway, shop), (PHOTO, PHOTO[::-1])
    with connected(gateway) as one, connected(gateway) as other:
        for wire, body in zip((one, other), bodies, strict=True):
            wire.sendall(upload.head() + body[:-1])
        eventually(lambda: len(upload.files) == 2, what="both have begun")
        for wire, body in zip((one, other), bodies, strict=True):
            wire.sendall(body[-1:])
        answers = [answer_on(wire) for wire in (one, other)]
    assert sorted(answer.status for answer in answers if answer) == [200, 409]
    for answer, body in zip(answers, bodies, strict=True):
        assert answer is not None
        if answer.status == 200:
            assert (upload.path.read_bytes(), upload.files) == (body, [upload.path.name])
        else:
            refused_on_the_wire(answer, 409, "upload_exists")


def test_the_signature_holds_for_this_key_and_for_writing_alone(gateway: Gateway, shop: Shop):
    upload, other = Upload.of(gateway, shop), Upload.of(gateway, shop)
    signature = upload.url.partition("=")[2]
    payload, _, mac = signature.partition(".")
    for wrong in ("", "x", ".", payload, f"{payload}.", f".{mac}", f"{payload}x.{mac}", f"{signature}x", "%ff%00"):
        answer = upload.put(url=f"{upload.url.partition('=')[0]}={wrong}")
        refused_on_the_wire(answer, 404, "not_found")
    refused_on_the_wire(upload.put(url=upload.url.replace(upload.key, other.key)), 404, "not_found")
    refused_on_the_wire(upload.put(url=upload.url.partition("?")[0]), 404, "not_found")
    assert upload.files == other.files == []
    assert upload.put().status == 200
    # What was signed to be written is not read by that, nor what was signed to be read written.
    assert gateway.call("GET", upload.url).status == 404
    refused_on_the_wire(gateway.call("GET", upload.url), 404, "not_found")


def test_the_url_of_an_output_takes_nothing(db):
    url = default_storage.url("clients/1/uploads/x.png")
    answer = HttpClient().put(url, PHOTO, content_type="image/png")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_it_needs_no_cookie_and_has_no_other_methods(db):
    url, headers = default_storage.upload_url("clients/1/uploads/y.png", content_type="image/png", size=1, seconds=9)
    http = HttpClient(enforce_csrf_checks=True)
    for method in ("POST", "PATCH", "DELETE", "OPTIONS", "BREW"):
        answer = http.generic(method, url, b"x", headers=headers)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, PUT")
        assert answer.json()["code"] == "method_not_allowed"
    assert http.put(url, b"x", headers=headers, content_type="image/png").status_code == 200


def test_a_url_expires(db):
    for seconds, status in ((-1, 410), (0, 410), (60, 200)):
        url, headers = default_storage.upload_url(
            "clients/1/uploads/z.png", content_type="image/png", size=1, seconds=seconds
        )
        answer = HttpClient().put(url, b"x", headers=headers, content_type="image/png")
        assert answer.status_code == status
        assert status == 200 or answer.json()["code"] == "upload_expired"


@pytest.fixture
def two_threads(own_database: str, tmp_path: Path) -> Iterator[Gateway]:
    """A web process that takes one upload at a time."""
    gateway = Gateway(
        databases.url(own_database), tmp_path / "gateway", extra_env={"WEB_PROCESSES": "1", "WEB_THREADS": "2"}
    )
    gateway.start("web")
    yield gateway
    gateway.stop()


def test_a_slow_upload_holds_up_nobody_else(two_threads: Gateway, shop: Shop):
    upload, other = Upload.of(two_threads, shop), Upload.of(two_threads, shop)
    with connected(two_threads) as wire:
        wire.sendall(upload.head() + PHOTO[:-1])
        eventually(lambda: upload.files, what="the upload begins")
        for _ in range(3):
            busy = other.put()
            refused_on_the_wire(busy, 429, "too_many_uploads")
            assert int(busy.headers["Retry-After"]) > 0
            assert two_threads.call("GET", "/v1/credits", key=shop.key).status == 200
    eventually(lambda: upload.files == [], what="nothing is kept of what broke off")
    assert eventually(lambda: (answer := other.put()).status != 429 and answer).status == 200
    assert upload.put().status == 200


def test_64_mib_pass_through_little_memory(gateway: Gateway, shop: Shop):
    upload = Upload.of(gateway, shop, size=MAX_PHOTO_BYTES)
    part = upload.path.parent

    def arrived() -> int:
        return sum(path.stat().st_size for path in part.glob(f"{upload.path.name}*"))

    processes = psutil.Process(gateway.processes["web"].pid).children()
    before = sum(process.memory_info().rss for process in processes)
    with connected(gateway) as wire:
        wire.sendall(upload.head() + b" " * (MAX_PHOTO_BYTES - 1))
        eventually(lambda: arrived() > MAX_PHOTO_BYTES - MIB, what="nearly all has arrived")
        assert sum(process.memory_info().rss for process in processes) - before < 16 * MIB
        wire.sendall(b" ")
        answer = answer_on(wire)
        assert answer is not None and answer.status == 200
    assert upload.path.stat().st_size == MAX_PHOTO_BYTES
    upload.path.unlink()


# Where storage is a bucket


def test_a_photo_goes_to_the_bucket_and_is_cut_out(gateway_on_s3: Gateway, bucket: Bucket, shop: Shop):
    photo = draw_flat_lay(width=480, height=360)
    upload = Upload.of(gateway_on_s3, shop, size=len(photo))
    assert upload.headers == {"Content-Type": "image/png", "Content-Length": str(len(photo)), "If-None-Match": "*"}
    url = urllib.parse.urlsplit(upload.url)
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{bucket.endpoint}/{bucket.name}/{upload.key}"
    query = {name: value for name, (value,) in urllib.parse.parse_qs(url.query).items()}
    assert query["X-Amz-Expires"] == "900"
    # S3 refuses a request whose signed headers are not those that were signed.
    assert set(query["X-Amz-SignedHeaders"].split(";")) == {
        "content-length",
        "content-type",
        "host",
        "if-none-match",
    }
    assert upload.put(photo).status == 200
    stored = bucket.client.get_object(Bucket=bucket.name, Key=upload.key)
    assert (stored["ContentType"], stored["Body"].read()) == ("image/png", photo)
    accepted = gateway_on_s3.call("POST", "/v1/extract", {"trial_image": upload.key}, key=shop.key)
    assert gateway_on_s3.finished(accepted.json["job_id"], key=shop.key)["status"] == "SUCCESS"
    again = upload.put(photo[::-1])
    assert (again.status, b"PreconditionFailed" in again.body) == (412, True)


def test_beside_a_bucket_nothing_is_taken(gateway_on_s3: Gateway, shop: Shop):
    answer = gateway_on_s3.call("PUT", f"/files/clients/{shop.client.pk}/uploads/x.png?signature=x", PHOTO)
    refused_on_the_wire(answer, 404, "not_found")
