"""A shop's app, from uploading a photo to reconciling the bill: HTTP, a receiver on loopback, and nothing else.

    python tests/a_shop.py URL KEY [PHOTO] [--patient]

It needs a gateway that may call this machine (one that runs locally), the library `standardwebhooks`, and a client with
a few credits. What it did is printed; it exits with 1 where anything is not as it was promised.

Its receiver fails the first two deliveries of one event. The third follows by itself after five minutes; unless it is
`--patient`, the shop does not wait for that, and has the event replayed.
"""

import argparse
import hashlib
import json
import struct
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from standardwebhooks.webhooks import Webhook

TYPES = ["job.started", "job.succeeded", "job.failed", "job.refunded"]
PHOTOS = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
WAIT_SECONDS = 120.0
PATIENT_SECONDS = 400.0


class Wrong(Exception):
    """Something is not as it was promised."""


def check(holds: Any, what: str) -> None:
    if not holds:
        raise Wrong(what)


def same(what: str, **values: Any) -> None:
    first, *others = values.values()
    check(all(value == first for value in others), f"{what}: {values}")


def until(condition: Callable[[], Any], what: str, *, seconds: float = WAIT_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)


class Answer:
    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def fetch(url: str, *, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return Answer(refusal.code, refusal.headers, refusal.read())


class Gateway:
    """The API, as one key sees it."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: Any = None, *, expect: int = 200, **headers: str) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        answer = fetch(self.url + path, method=method, body=data, headers={**self.headers, **headers})
        check(answer.status == expect, f"{method} {path} answered {answer.status}: {answer.body[:500]!r}")
        return answer

    def pages(self, path: str, name: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a list, newest first, page after page."""
        cursor = ""
        while cursor is not None:
            page = self.call("GET", f"{path}?limit=50{cursor and f'&cursor={cursor}'}").json
            yield from page[name]
            cursor = page["next"]

    def events(self, after: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Pull all events after a cursor; return them with the cursor of what follows."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.call("GET", f"/v1/events?limit=100{f'&after={after}' if after else ''}").json
            if not page["events"]:
                return found, after
            found, after = found + page["events"], page["next"]


class Receiver:
    """Where the shop is told: it verifies what arrives, and fails the first event of one type twice."""

    def __init__(self, *, fails: str) -> None:
        self.secret = ""
        self.received: dict[str, dict[str, Any]] = {}
        self.failed: list[str] = []
        self.bodies: dict[str, set[bytes]] = {}
        self.forged = 0
        receiver = self

        class Hooks(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(receiver.answer(self.headers, body, fails))
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Hooks)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, headers: Any, body: bytes, fails: str) -> int:
        try:
            event = Webhook(self.secret).verify(body, headers)
        except Exception:
            self.forged += 1
            return 400
        message_id = headers["webhook-id"]
        self.bodies.setdefault(message_id, set()).add(body)
        if event["type"] == fails and set(self.failed) <= {message_id} and len(self.failed) < 2:
            self.failed.append(message_id)
            return 500
        self.received[message_id] = event
        return 204

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def a_photo() -> bytes:
    """Return a PNG of a red shirt on a pale table."""
    width, height = 640, 480

    def pixel(x: int, y: int) -> bytes:
        body = 220 <= x < 420 and 110 <= y < 400
        sleeves = 150 <= x < 490 and 110 <= y < 190
        return bytes((178 + x * y % 9, 38, 46 + x % 7)) if body or sleeves else bytes((232, 228 + y % 3, 220 + x % 3))

    rows = b"".join(b"\0" + b"".join(pixel(x, y) for x in range(width)) for y in range(height))

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Shop:
    """One visit to the gateway, step by step."""

    def __init__(self, gateway: Gateway, receiver: Receiver) -> None:
        self.gateway, self.receiver = gateway, receiver
        self.visit, self.day = uuid.uuid4().hex, datetime.now(UTC).date()
        self.before = gateway.call("GET", "/v1/credits").json
        self.last_entry = next((entry["seq"] for entry in gateway.pages("/v1/credits/entries", "entries")), 0)
        self.usage_before = self.usage()
        _, self.cursor = gateway.events(None)
        self.charged: dict[str, int] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.endpoint_id = ""

    def usage(self) -> dict[str, Any]:
        return self.gateway.call("GET", "/v1/usage?group_by=workflow").json

    def upload(self, photo: bytes, content_type: str) -> str:
        told = {"content_type": content_type, "size": len(photo)}
        upload = self.gateway.call("POST", "/v1/uploads", told, expect=201).json
        put = fetch(upload["url"], method=upload["method"], body=photo, headers=upload["headers"])
        check(put.status == 200, f"the upload was answered with {put.status}: {put.body[:500]!r}")
        print(f"uploaded a photo of {len(photo)} bytes: {upload['key']}")
        return str(upload["key"])

    def listen(self) -> None:
        body = {"url": self.receiver.url, "event_types": TYPES}
        made = self.gateway.call("POST", "/v1/webhook-endpoints", body, expect=201).json
        self.receiver.secret, self.endpoint_id = made["secret"], made["endpoint_id"]
        print(f"listening at {self.receiver.url}, endpoint {self.endpoint_id}")

    def order(self, workflow: str, spec: dict[str, Any]) -> str:
        """Order twice with one key, as if the first answer had been lost; return the job's id."""
        name = {"Idempotency-Key": f"{self.visit}-{len(self.charged)}"}
        first, again = (
            self.gateway.call("POST", f"/v1/{workflow}", spec, expect=202, **name) for _ in ("ordered", "lost")
        )
        job_id: str = first.json["job_id"]
        same("an order that is sent again is the same job", first=job_id, again=again.json["job_id"])
        check(again.headers["X-Credits-Charged"] == "0", "an order that is sent again was charged again")
        self.charged[job_id] = int(first.headers["X-Credits-Charged"])
        same("the price", header=self.charged[job_id], body=first.json["credits_cost"])
        print(f"ordered {workflow}: {job_id}, {self.charged[job_id]} credits")
        return job_id

    def wait(self, job_id: str, status: str) -> None:
        """Poll as the answers say until the job is over."""
        path, etag, end = f"/v1/jobs/{job_id}", "", time.monotonic() + WAIT_SECONDS
        while True:
            answer = fetch(self.gateway.url + path, headers={**self.gateway.headers, "If-None-Match": etag})
            check(answer.status in (200, 304), f"{path} answered {answer.status}: {answer.body[:500]!r}")
            if answer.status == 200 and answer.json["status"] in ("SUCCESS", "FAILURE"):
                break
            check(time.monotonic() < end, f"job {job_id} is not over after {WAIT_SECONDS:.0f} s")
            etag = answer.headers["ETag"]
            time.sleep(int(answer.headers["Retry-After"]))
        job = self.jobs[job_id] = answer.json
        same(f"job {job_id} ends in {status}", wanted=status, got=job["status"])
        print(f"{job['workflow']} {job_id}: {status} {job['error'] or ''}")

    def download(self, job_id: str) -> None:
        job = self.jobs[job_id]
        check(job["outputs"], f"job {job_id} has no outputs")
        for output in job["outputs"]:
            file = fetch(output["url"])
            check(file.status == 200, f"{output['url']} answered {file.status}")
            same("the size of a file", told=output["size"], got=len(file.body))
            same("the SHA-256 of a file", told=output["sha256"], got=hashlib.sha256(file.body).hexdigest())
            same("the type of a file", told=output["content_type"], got=file.headers["Content-Type"])
            small = fetch(output["thumbnail_url"])
            same("the type of a thumbnail", told="image/webp", got=small.headers["Content-Type"])
            print(f"downloaded {output['name']}: {output['width']}×{output['height']}, {output['size']} bytes, as told")

    def hear(self, *, patient: bool) -> None:
        """Wait for all webhooks, one of which fails twice, and compare them with the events that are pulled."""
        receiver = self.receiver
        until(lambda: len(receiver.failed) == 2, "one event fails twice")
        late = receiver.failed[0]
        deliveries = [
            delivery
            for delivery in self.gateway.pages("/v1/webhook-deliveries", "deliveries")
            if (delivery["event_id"], delivery["endpoint_id"]) == (late, self.endpoint_id)
        ]
        check(len(deliveries) == 1, f"{late} has one delivery: {deliveries}")
        path = f"/v1/webhook-deliveries/{deliveries[0]['delivery_id']}"
        until(lambda: len(self.gateway.call("GET", path).json["log"]) == 2, "both failures are in the log")
        if not patient:
            self.gateway.call("POST", f"{path}/replay", expect=202)
        until(lambda: late in receiver.received, "it comes a third time", seconds=PATIENT_SECONDS)
        until(lambda: self.gateway.call("GET", path).json["status"] == "delivered", "the third is in the log")
        log = self.gateway.call("GET", path).json["log"]
        same("the delivery log", told=[each["status"] for each in log], got=[500, 500, 204])
        print(f"{late} was delivered after two failures{' by itself' if patient else ', replayed'}")

        def mine() -> dict[str, Any]:
            pulled = self.gateway.events(self.cursor)[0]
            return {each.pop("id"): each for each in pulled if each["data"].get("job_id") in self.jobs}

        wanted = sorted((job_id, kind) for job_id, job in self.jobs.items() for kind in _told_of(job))
        until(lambda: len(mine()) >= len(wanted), "all events can be pulled")
        until(lambda: receiver.received.keys() >= mine().keys(), "all webhooks arrive")
        pulled = mine()
        same("webhooks and events", webhooks=receiver.received, events=pulled)
        same("what is told", wanted=wanted, got=sorted((e["data"]["job_id"], e["type"]) for e in pulled.values()))
        check(receiver.forged == 0, f"{receiver.forged} requests were not signed")
        check(all(len(bodies) == 1 for bodies in receiver.bodies.values()), "an event has one body, however often sent")
        print(f"{len(pulled)} webhooks verified, and the same {len(pulled)} events pulled")

    def reconcile(self) -> None:
        """Compare the shop's own sum with every place where the gateway tells it."""
        charged = sum(self.charged.values())
        receipts = [job["receipt"] for job in self.jobs.values()]
        refunded = sum(job["credits_refunded"] for job in self.jobs.values())
        same("charged", own=charged, receipts=sum(receipt["charged"] for receipt in receipts))
        same("refunded", own=refunded, receipts=sum(receipt["refunded"] for receipt in receipts))
        check(0 < refunded < charged, "one order was refunded, and others were not")

        after = self.gateway.call("GET", "/v1/credits").json
        same("the balance", own=self.before["balance"] - charged + refunded, credits=after["balance"])
        same("open jobs", before=self.before["open_jobs"], after=after["open_jobs"])

        entries = []
        for entry in self.gateway.pages("/v1/credits/entries", "entries"):
            if entry["seq"] <= self.last_entry:
                break
            entries.append(entry)
        amounts = {entry["entry_id"]: entry["amount"] for entry in entries}
        own = {receipt["charge_entry_id"]: -receipt["charged"] for receipt in receipts}
        own |= {receipt["refund_entry_id"]: receipt["refunded"] for receipt in receipts if receipt["refund_entry_id"]}
        same("the ledger's entries", own=own, entries=amounts)
        same("the last entry", ledger=entries[0]["balance_after"], credits=after["balance"])

        if datetime.now(UTC).date() == self.day:  # else the sums of the day have begun anew
            usage, earlier = self.usage()["total"], self.usage_before["total"]
            for name, own_sum in {"charged": charged, "refunded": refunded}.items():
                sums = {span: after[span][name] - self.before[span][name] for span in ("today", "month")}
                same(name, own=own_sum, **sums, usage=usage[name] - earlier[name])
        print(f"charged {charged}, refunded {refunded}, balance {after['balance']}: receipts, ledger and usage agree")


def _told_of(job: dict[str, Any]) -> list[str]:
    return ["job.started", "job.succeeded" if job["status"] == "SUCCESS" else "job.failed"]


def main() -> int:
    arguments = argparse.ArgumentParser(description="Act as a shop would, and check all that it is told.")
    arguments.add_argument("url", help="where the gateway answers")
    arguments.add_argument("key", help="an API key")
    arguments.add_argument(
        "photo", nargs="?", type=Path, help="a photo to cut the items out of (default: one drawn here)"
    )
    arguments.add_argument("--patient", action="store_true", help="wait minutes for the third delivery")
    given = arguments.parse_args()
    photo = given.photo.read_bytes() if given.photo else a_photo()
    content_type = PHOTOS[given.photo.suffix.lower()] if given.photo else "image/png"
    receiver = Receiver(fails="job.succeeded")
    gateway = Gateway(given.url, given.key)
    shop = None
    try:
        shop = Shop(gateway, receiver)
        key = shop.upload(photo, content_type)
        shop.listen()
        backdrop = {"scene_type": "podium", "mood": "calm", "resolution": "512", "display_name": "Spring 7"}
        made = [shop.order("background-generator", backdrop), shop.order("extract", {"trial_image": key})]
        refunded = shop.order("background-generator", {**backdrop, "resolution": "97K"})
        for job_id in made:
            shop.wait(job_id, "SUCCESS")
            shop.download(job_id)
        shop.wait(refunded, "FAILURE")
        shop.hear(patient=given.patient)
        shop.reconcile()
    except Wrong as wrong:
        print(f"WRONG: {wrong}", file=sys.stderr)
        return 1
    finally:
        if shop is not None and shop.endpoint_id:
            gateway.call("DELETE", f"/v1/webhook-endpoints/{shop.endpoint_id}", expect=204)
        receiver.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
