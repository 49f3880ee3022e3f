"""What is written about requests: in the log under their ids, in their rows, and nowhere a secret."""

import base64
import json
import logging
import re
import secrets
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.core.files.storage import default_storage

from requestlog.models import RequestLog
from studio_gateway.logs import Formatter, mask, request_id
from tests import databases
from tests.conftest import Shop
from tests.gateway import Answer, Gateway
from tests.helpers import SPEC, nothing_was_ordered, post, sql
from workflows.models import Workflow

BACKGROUND = "/v1/background-generator"
# Each new order is a bug of ours, whose message repeats what was ordered.
BUG = """
CREATE FUNCTION bug() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'we cannot do %', NEW.spec; END $$;
CREATE TRIGGER bug BEFORE INSERT ON workflows_job FOR EACH ROW EXECUTE FUNCTION bug();
"""


def base62(length: int) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


def secret_texts() -> dict[str, tuple[str, str]]:
    """Return texts as clients may paste them, each with the secret in it."""
    key, test_key, token, theirs = base62(32), base62(32), secrets.token_urlsafe(32), base62(64)
    signature = base64.b64encode(secrets.token_bytes(32)).decode()
    ours = default_storage.url("clients/1/jobs/x/1/é.png").partition("signature=")[2]
    s3 = "https://bucket.example/x.png?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-{}={}&X-Amz-Expires=3600"
    return {
        "an API key": (f"my key is sk_12345678{key}, ok?", key),
        "a test key": (f"sk_test_12345678{test_key}", test_key),
        "a key in a header": (f"Authorization: Bearer sk_12345678{key}", key),
        "an app's secret": (f"shpss_{key}", key),
        "a webhook's secret": (f"whsec_{key}{key}=", f"{key}{key}="),
        "a bearer token": (f"authorization: bearer {token}", token),
        "a signature in a header": (f"X-Shopify-Hmac-Sha256: {signature}", signature),
        "a signature alone": (signature, signature),
        "a signed URL of ours": (f"http://127.0.0.1/files/x.png?signature={ours}&x=1", ours),
        "a signed URL within another": (f"https://cdn.example/?url=x%3Fsignature%3D{ours}", ours),
        "an S3 signature": (s3.format("Signature", theirs), theirs),
        "an S3 credential": (s3.format("Credential", f"{theirs}%2F20261122"), f"{theirs}%2F20261122"),
        "an S3 session": (s3.format("Security-Token", theirs * 20), theirs * 20),
    }


TEXTS = list(secret_texts())


@pytest.fixture
def web(own_database: str, tmp_path: Path) -> Iterator[Gateway]:
    gateway = Gateway(databases.url(own_database), tmp_path)
    gateway.start("web")
    yield gateway
    gateway.stop()


def written(gateway: Gateway, answer: Answer) -> str:
    """Return what the web process wrote under the answer's id, traces included."""
    records = re.split(r"^(?=\d{4}-\d\d-\d\d \d\d:)", gateway.log("web"), flags=re.M)
    return "".join(record for record in records if f" {answer.headers['X-Request-Id']} " in record.partition("\n")[0])


def test_a_bug_is_a_500_that_says_nothing_and_its_trace_stands_in_the_log_without_secrets(web: Gateway, shop: Shop):
    sql(BUG)
    texts = {**secret_texts(), "their key": (shop.key, shop.key[11:])}
    spec = {**SPEC, "metadata": {name: text for name, (text, _) in texts.items()}}
    answer = web.call("POST", BACKGROUND, spec, key=shop.key, headers={"User-Agent": f"curl {shop.key}"})
    assert (answer.status, set(answer.json)) == (500, {"detail", "code", "request_id"})
    assert (answer.json["code"], answer.json["request_id"]) == ("internal_error", answer.headers["X-Request-Id"])
    assert answer.headers["RateLimit"] and answer.headers["RateLimit-Policy"]
    assert not re.search("cannot do|Traceback|bug|SQL", answer.body.decode(), re.I)
    nothing_was_ordered(shop)
    row = RequestLog.objects.values().get()
    assert (row["request_id"], row["status"], row["code"]) == (answer.json["request_id"], 500, "internal_error")
    trace = written(web, answer)
    assert trace.count("Traceback (most recent call last)") >= 1
    assert "we cannot do" in trace
    for name, (_, secret) in texts.items():
        assert name in trace
        assert secret not in web.log("web"), name
        assert secret not in f"{bytes(row['body']).decode()} {row}", name


def test_what_is_written_once_the_answer_is_made_bears_its_id_too(web: Gateway, shop: Shop):
    Workflow.objects.update(enabled=False)
    answers = [web.call("POST", BACKGROUND, SPEC, key=shop.key) for _ in range(3)]
    assert [answer.status for answer in answers] == [503] * 3
    assert [written(web, answer).count("Service Unavailable") for answer in answers] == [1] * 3


@pytest.mark.parametrize("path", ["/v1/jobs/%00", "/v1/no%0Athing", f"/v1/jobs/{'0' * 26}"])
def test_a_refused_read_has_no_row_and_is_a_line_under_its_id(web: Gateway, shop: Shop, path: str):
    answer = web.call("GET", path, key=shop.key)
    assert answer.status == 404
    assert not RequestLog.objects.exists()
    assert len(written(web, answer).splitlines()) == 1
    assert written(web, answer).endswith(": 404 not_found\n")


def test_a_refused_head_is_a_line_under_its_id(web: Gateway, shop: Shop):
    answer = web.call("HEAD", BACKGROUND, key=shop.key)
    assert (answer.status, answer.body) == (405, b"")
    assert "HEAD '/v1/background-generator': 405 method_not_allowed" in written(web, answer)


def line(message: str, **extra: Any) -> str:
    formatter = settings.LOGGING["formatters"]["line"]
    record = logging.makeLogRecord({"name": "x", "levelname": "INFO", "msg": message, **extra})
    return Formatter(formatter["format"], style=formatter["style"]).format(record)


def test_a_line_outside_of_requests_bears_no_id():
    before = request_id.set("0" * 26)
    assert line("hello").endswith(f" INFO x {'0' * 26} hello")
    request_id.set("")
    assert line("hello").endswith(" INFO x hello")
    request_id.reset(before)


def test_a_thread_that_has_answered_writes_for_nobody(tmp_path: Path):
    served = """
from wsgiref.util import setup_testing_defaults
from studio_gateway.logs import request_id
from studio_gateway.wsgi import application
environ = {"PATH_INFO": "/healthz"}
setup_testing_defaults(environ)
answer = application(environ, print)
print(len(request_id.get()), *answer, len(request_id.get()))
"""
    printed = Gateway("postgres:///nothing", tmp_path).manage("shell", "--verbosity=0", "--command", served)
    assert printed.stdout.splitlines()[-1] == "26 b'ok\\n' 0", printed


@pytest.mark.parametrize("name", TEXTS)
def test_a_secret_in_a_request_does_not_stand_in_its_row(db, shop: Shop, name: str):
    text, secret = secret_texts()[name]
    stars = "*" * len(secret)
    post(shop, BACKGROUND, {"metadata": [text, {text: 1}]}, HTTP_USER_AGENT=text)
    row = RequestLog.objects.get()
    body = bytes(row.body).decode()
    assert (secret in body, body.count(stars), len(body)) == (False, 2, row.body_size)
    assert row.user_agent == text.replace(secret, stars)[:200]
    post(shop, f"/v1/nothing/{quote(text)}", {})
    assert RequestLog.objects.get(status=404).path == f"/v1/nothing/{text.replace(secret, stars)}"[:512]


def test_escapes_do_not_hide_a_secret(db, shop: Shop):
    key = base62(32)
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in f"sk_12345678{key}")
    url = f"https://x.example/?X-Amz-Algorithm\\u003dx\\u0026X-Amz-Signature\\u003d{key}"
    post(shop, BACKGROUND, b'{"a": "%s", "b": "%s \\u0022"}' % (escaped.encode(), url.encode()))
    body = bytes(RequestLog.objects.get().body).decode()
    assert body.count("*" * 32) == 2
    assert key not in body
    assert list(json.loads(body)) == ["a", "b"]


def test_slashes_that_are_escaped_do_not_hide_a_signature():
    signature = base64.b64encode(b"\xff\xef" * 16).decode()
    assert "/" in signature
    assert set(mask(signature.replace("/", "\\/"))) == {"*"}


@pytest.mark.parametrize("name", ["an API key", "a test key", "a signature in a header", "an S3 session"])
def test_a_secret_that_is_cut_in_two_is_masked_too(db, shop: Shop, name: str):
    text, secret = secret_texts()[name]
    for kept in (1, 13, len(secret) - 1):
        padding = 64 * 1024 - text.index(secret) - kept
        post(shop, BACKGROUND, b" " * padding + text.encode() + b" " * 1000)
        row = RequestLog.objects.latest("request_id")
        assert bytes(row.body)[-kept - 1 :] == text[text.index(secret) - 1].encode() + b"*" * kept
        assert (len(row.body), row.body_truncated) == (64 * 1024, True)


def test_what_is_no_secret_stays_as_it_is():
    for text in (
        "sk_12345678",
        "sk_test_12345678",
        '{"task_identifier": "disk_image_of_the_bearer", "url": "https://x.example/a.jpg?v=1&w=2"}',
        "the ring bearer outfits, signature collection",
        "/v1/jobs/01M822GSS217HYARSHZBBKDR69",
        "iVBORw0KGgoAAAANSUhEUgAA" * 100 + "==",
    ):
        assert mask(text) == text
