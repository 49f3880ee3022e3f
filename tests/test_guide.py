"""The code of docs/guide.md, run as it stands there: no block is left out."""

import base64
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from standardwebhooks.webhooks import Webhook

from tests.conftest import Shop
from tests.gateway import ROOT, Answer, Gateway, eventually, free_port
from tests.webhooks import endpoint, receiver
from workflows.engines.flat_lay import draw_flat_lay
from workflows.models import Job


class Block(NamedTuple):
    chapter: str
    language: str
    code: str


def blocks() -> Iterator[Block]:
    chapter = ""
    guide = (ROOT / "docs" / "guide.md").read_text()
    for heading, language, code in re.findall(r"^## (.*)$|^```(\w+)\n((?s:.*?))^```$", guide, re.MULTILINE):
        chapter = heading or chapter
        if language:
            yield Block(chapter, language, code)


VERIFY = "Verify a webhook"
# The code of a language goes on from step to step, but for receivers, which are programs of their own.
STEPS = {
    language: [block.code for block in blocks() if block.language == language and block.chapter != VERIFY]
    for language in ("sh", "python", "js", "json")
}
LIBRARY, BY_HAND, SERVER = (block.code for block in blocks() if block[:2] == (VERIFY, "python"))
(NODE_SERVER,) = (block.code for block in blocks() if block[:2] == (VERIFY, "js"))
(OPENSSL,) = (block.code for block in blocks() if block[:2] == (VERIFY, "sh"))
RECEIVERS = {"library": LIBRARY + SERVER, "by hand": BY_HAND + SERVER, "node": NODE_SERVER}

FILES = {"python": "app.py", "js": "app.mjs"}
PROGRAMS = {".py": [sys.executable, "-u"], ".mjs": ["node"], ".sh": ["bash", "-e", "-o", "pipefail"]}


def test_no_block_is_left_out():
    assert sum(map(len, STEPS.values())) + 5 == len(list(blocks()))
    assert (ROOT / "docs" / "guide.md").read_text().count("```") == 2 * len(list(blocks()))


def command(folder: Path, name: str, code: str) -> list[str]:
    file = folder / name
    file.write_text(code)
    return [*PROGRAMS[file.suffix], str(file)]


def environment(gateway: Gateway, shop: Shop, **more: str) -> dict[str, str]:
    # Nothing of the tests' own: what a snippet needs, it says.
    return {"PATH": os.environ["PATH"], "STUDIO_URL": gateway.url, "STUDIO_KEY": shop.key, **more}


@contextmanager
def unreliable(gateway: Gateway) -> Iterator[str]:
    """Stand before the gateway: the first answer to a background is lost, and instead of the next there is a 503."""
    orders = iter(["lost", "unavailable"])

    class Front(BaseHTTPRequestHandler):
        def do(self) -> None:
            fate = next(orders, "") if self.path == "/v1/background-generator" else ""
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: value for name, value in self.headers.items() if name != "Host"}
            if fate == "unavailable":
                answer = Answer(503, {"Retry-After": "0"}, b"<h1>503</h1>")
            else:
                answer = gateway.call(self.command, self.path, body or None, headers=headers)
            if fate == "lost":
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in ("connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Front)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
    assert list(orders) == []


@pytest.mark.parametrize("language", FILES)
def test_a_program_of_all_steps_uploads_orders_waits_and_orders_again(
    gateway: Gateway, shop: Shop, tmp_path: Path, language: str
):
    (tmp_path / "photo.jpg").write_bytes(draw_flat_lay(width=800, height=600))
    program = command(tmp_path, FILES[language], "\n\n".join(STEPS[language]))
    with unreliable(gateway) as url:
        env = environment(gateway, shop, STUDIO_URL=url)
        done = subprocess.run(program, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "SUCCESS"
    extract, background = Job.objects.filter(client=shop.client).order_by("pk")
    assert (extract.workflow, extract.status) == ("extract", "SUCCESS")
    assert (background.workflow, background.status) == ("background-generator", "SUCCESS")
    for output in gateway.call("GET", f"/v1/jobs/{extract.pk}", key=shop.key).json["outputs"]:
        assert (tmp_path / output["name"]).read_bytes() == gateway.call("GET", output["url"]).body
    if language == "python":  # what was pulled until then
        assert f"job.succeeded {extract.pk}" in done.stdout
        follow = gateway.call("GET", f"/v1/events?after={(tmp_path / 'events.next').read_text()}", key=shop.key)
        assert {event["data"]["job_id"] for event in follow.json["events"]} == {background.pk}


def test_the_shells_commands_succeed(gateway: Gateway, tmp_path: Path):
    options = ["--credits", "10", "--shop-domain", "guide.myshopify.com", "--json"]
    made = json.loads(gateway.manage("create_client", "Guide", *options).stdout)
    (tmp_path / ".curlrc").write_text("silent\nshow-error\nfail-with-body\n")
    known = {"PATH": os.environ["PATH"], "CURL_HOME": str(tmp_path)}
    known |= {"STUDIO_URL": gateway.url, "STUDIO_KEY": made["api_key"]}
    known |= {"SHOP": "guide.myshopify.com", "SHOPIFY_SECRET": made["shopify_secret"]}
    shown = [json.loads(code) for code in STEPS["json"]]
    ordered = set()
    with receiver() as got:
        known["HOOK_URL"] = got.url
        for code in STEPS["sh"]:
            is_order = "Idempotency-Key" in code or "Shopify" in code
            for _ in range(1 + is_order):  # the second time it is the same order
                run = command(tmp_path, "step.sh", code)
                done = subprocess.run(run, cwd=tmp_path, env=known, capture_output=True, text=True)
                assert (done.returncode, done.stderr) == (0, ""), code
                answer = json.JSONDecoder().raw_decode(done.stdout)[0] if done.stdout else {}
                if is_order:
                    ordered.add(answer["job_id"])
                    assert answer.keys() == shown[0].keys()
                ids = [name for name in ("job_id", "endpoint_id", "delivery_id") if name in answer]
                known |= {name.removesuffix("_id").upper(): answer[name] for name in ids}
            if is_order:  # what follows reads it, lists it, and erases it
                gateway.finished(known["JOB"], key=made["api_key"])
        tests = [sent for sent in got.waits_for(2) if b"endpoint.test" in sent.body]
        assert len({sent.id for sent in tests}) == 1  # it was replayed
    assert set(Job.objects.filter(client_id=made["client_id"]).values_list("pk", flat=True)) == ordered
    assert len(ordered) == 2
    announced = {"content_type": "image/jpeg", "size": 204288}
    upload = gateway.call("POST", "/v1/uploads", announced, key=made["api_key"]).json
    assert upload.keys() == shown[1].keys()
    assert upload["headers"] == shown[1]["headers"]


@contextmanager
def listening(run: list[str], env: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("w") as output:
        process = subprocess.Popen(run, env=env, stdout=output, stderr=output)
    try:
        eventually(lambda: not socket.socket().connect_ex(("127.0.0.1", int(env["HOOK_PORT"]))), what="it listens")
        yield
    finally:
        process.terminate()
        process.wait(10)


def signed(secret: str, body: bytes, *, at: datetime | None = None) -> dict[str, str]:
    at = at or datetime.now(UTC)
    signature = Webhook(secret).sign("msg_1", at, body.decode())
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


def wrong_ones(secret: str, body: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    """Yield what was changed on its way, signed by somebody else, signed long ago, or not at all."""
    genuine = signed(secret, body)
    yield genuine, body.replace(b"job.failed", b"job.succeed")
    yield {**genuine, "webhook-id": "msg_2"}, body
    yield {**genuine, "webhook-timestamp": str(int(genuine["webhook-timestamp"]) + 1)}, body
    yield {**genuine, "webhook-signature": "v1," + base64.b64encode(b"x" * 32).decode()}, body
    yield {**genuine, "webhook-signature": "v1,"}, body
    yield signed("whsec_" + base64.b64encode(b"x" * 32).decode(), body), body
    yield signed(secret, body, at=datetime.now(UTC) - timedelta(hours=1)), body
    yield {}, body


def test_each_receiver_takes_what_the_gateway_sends_and_nothing_that_was_tampered_with(
    gateway: Gateway, shop: Shop, tmp_path: Path
):
    ports, secrets = {name: free_port() for name in RECEIVERS}, {}
    spec = {"scene_type": "podium", "mood": "calm", "resolution": "97K"}
    with ExitStack() as stack, receiver() as recorder:
        for name, code in RECEIVERS.items():
            _, secrets[name] = endpoint(gateway, shop, f"http://127.0.0.1:{ports[name]}/hooks", "job.failed")
            port = {"HOOK_PORT": str(ports[name]), "STUDIO_WEBHOOK_SECRET": secrets[name]}
            run = command(tmp_path, f"{name}.{'mjs' if name == 'node' else 'py'}", code)
            stack.enter_context(listening(run, environment(gateway, shop, **port), tmp_path / f"{name}.log"))
        _, recorded = endpoint(gateway, shop, recorder.url, "job.failed")
        job_id = gateway.call("POST", "/v1/background-generator", spec, key=shop.key).json["job_id"]
        (sent,) = recorder.waits_for(1)
        for name in RECEIVERS:
            log = tmp_path / f"{name}.log"
            eventually(lambda log=log: f"job.failed {job_id}" in log.read_text(), what=f"{name} takes it")
            hook = f"http://127.0.0.1:{ports[name]}/hooks"
            assert gateway.call("POST", hook, sent.body, headers=signed(secrets[name], sent.body)).status == 204
            rotated = signed(secrets[name], sent.body)
            rotated["webhook-signature"] = "v1,b3RoZXI= " + rotated["webhook-signature"]
            assert gateway.call("POST", hook, sent.body, headers=rotated).status == 204
            for headers, body in wrong_ones(secrets[name], sent.body):
                assert gateway.call("POST", hook, body, headers=headers).status == 400, (name, headers)
            assert log.read_text().count(job_id) == 3

    def openssl(headers: dict[str, str], body: bytes) -> tuple[int, str]:
        (tmp_path / "body.json").write_bytes(body)
        values = {name.upper().replace("-", "_"): headers.get(name, "") for name in signed(recorded, b"")}
        env = environment(gateway, shop, STUDIO_WEBHOOK_SECRET=recorded, **values)
        run = command(tmp_path, "verify.sh", OPENSSL)
        done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.stderr == ""
        return done.returncode, done.stdout

    assert openssl(sent.headers, sent.body) == (0, "genuine\n")
    assert (
        openssl({**sent.headers, "webhook-signature": f"v1,b3RoZXI= {sent.headers['webhook-signature']}"}, sent.body)[0]
        == 0
    )
    for headers, body in wrong_ones(recorded, sent.body):
        if time.time() - int(headers.get("webhook-timestamp", time.time())) < 300:  # it looks at no clock
            assert openssl(headers, body) == (1, "not genuine\n"), headers
