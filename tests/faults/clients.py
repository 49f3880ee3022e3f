"""The clients of a campaign: each a thread that orders, looks, cancels, repeats itself and never gives up a key."""

import http.client
import json
import threading
import time
from random import Random
from typing import Any

from tests.faults.answers import Exchange, Seen
from tests.faults.site import Account, Site

BACKGROUND, EXTRACT = "/v1/background-generator", "/v1/extract"
POLICIES = (None, "retry", "fail", "fallback", "whatever")

# How often each sort of order comes, of all of them.
MIX = {
    "built-in": 18,
    "quick": 20,
    "slow": 16,
    "too slow": 3,
    "technical": 8,
    "technical always": 4,
    "final": 6,
    "unknown model": 4,
    "missing photo": 5,
    "kills": 3,
    "kills always": 1,
    "swallows": 1,
    "blocks": 1,
    "holds": 0.5,
    "invalid": 8,
}
INVALID: tuple[Any, ...] = (b"{", b"[1]", b'{"scene_type": NaN, "mood": "x"}', {}, {"scene_type": 7, "mood": "x"})


def made_up(rng: Random) -> tuple[str, str, Any]:
    """Return the kind of an order, its path and its body."""
    (sort,) = rng.choices(list(MIX), list(MIX.values()))
    spec: dict[str, Any] = {"scene_type": "podium", "mood": "calm", "resolution": "64x64"}
    if policy := rng.choice(POLICIES):
        spec["on_technical_failure"] = policy
    match sort:
        case "invalid":
            return "invalid", BACKGROUND, rng.choice(INVALID)
        case "missing photo":
            return "order", EXTRACT, {"trial_image": "nothing.jpg"}
        case "built-in":
            spec["seed"] = rng.randrange(1000)
        case "unknown model":
            spec["image_model"] = "nobody-knows-it"
        case "slow":
            spec |= {"image_model": "plant-slow", "metadata": {"seconds": rng.uniform(0.1, 2)}}
        case "too slow":
            spec |= {"image_model": "plant-slow", "metadata": {"seconds": 60}}
        case "technical" | "kills":
            spec |= {"image_model": f"plant-{sort}", "metadata": {"times": 1}}
        case _:
            spec["image_model"] = f"plant-{sort.split()[0]}"
    return "order", BACKGROUND, spec


class Shopper(threading.Thread):
    """One thread of a client's, which goes on until `closing`, and then retries what is unanswered until `closed`."""

    def __init__(
        self, site: Site, account: Account, seen: Seen, *, name: str, seed: str, pause: float, closing: threading.Event
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.site, self.account, self.seen = site, account, seen
        self.rng, self.pause = Random(f"{seed}/{name}"), pause
        self.closing, self.closed = closing, threading.Event()
        self._sent: list[tuple[str, str, Any]] = []

    def run(self) -> None:
        number = 0
        while not self.closing.wait(self.rng.expovariate(1 / self.pause)):
            number += 1
            kind, path, body = made_up(self.rng)
            key = f"{self.name}-{number}"
            whim = self.rng.random()
            if kind == "order" and whim < 0.12:
                job = self._at_once(path, body, key)
            else:
                job = self._until_answered(kind, path, body, key)
            if kind == "order":
                self._sent.append((path, key, body))
            if self.rng.random() < 0.1 and self._sent:
                path, key, body = self.rng.choice(self._sent[-50:])
                self._until_answered("order", path, body, key)
            if self.rng.random() < 0.03 and self._sent:
                path, key, body = self.rng.choice(self._sent[-50:])
                self._reuse(path, key, body)
            if job:
                self._follow(job)

    def _follow(self, job: str) -> None:
        whim = self.rng.random()
        if whim < 0.35:
            self.closing.wait(self.rng.uniform(0, 1.5))
            if whim < 0.2:
                self._until_answered("cancel", f"/v1/jobs/{job}/cancel", None, None)
            self._send("read", f"/v1/jobs/{job}", None, None, method="GET")
        elif whim < 0.38 and (other := self.seen.somebody_elses(self.account.id)):
            self._send("not mine", f"/v1/jobs/{other}/cancel", None, None)

    def _at_once(self, path: str, body: Any, key: str) -> str | None:
        """Send one order three times at the same moment."""
        others = [
            threading.Thread(target=self._until_answered, args=("order", path, body, key), daemon=True) for _ in "ab"
        ]
        for other in others:
            other.start()
        job = self._until_answered("order", path, body, key)
        for other in others:
            other.join()
        return job

    def _reuse(self, path: str, key: str, body: dict[str, Any]) -> None:
        """Send another order with the key of one that was accepted."""
        accepted = any(e.key == key and e.status == 202 for e in self.seen.exchanges[-2000:])
        if accepted:
            self._send("key reused", path, {**body, "eval_enabled": True, "runtime_config": {"another": 1}}, key)

    def _until_answered(self, kind: str, path: str, body: Any, key: str | None) -> str | None:
        """Send a request again until it is neither broken off, nor refused for now; return the job that it names."""
        while not self.closed.is_set():
            exchange = self._send(kind, path, body, key)
            if exchange.status and exchange.status != 429 and exchange.status < 500:
                return exchange.answer.get("job_id")
            # Not as long as Retry-After says: the more there is under way when a fault strikes, the better.
            self.closed.wait(0.3 if exchange.status != 429 else 1)
        self.seen.gave_up()
        return None

    def _send(self, kind: str, path: str, body: Any, key: str | None, *, method: str = "POST") -> Exchange:
        sent = time.monotonic()
        about: dict[str, Any] = {"kind": kind, "client_id": self.account.id, "path": path, "key": key, "sent": sent}
        try:
            answer = self.site.call(
                method, path, body, key=self.account.key, headers={"Idempotency-Key": key} if key else None
            )
        except (OSError, http.client.HTTPException):
            exchange = Exchange(**about, ended=time.monotonic())
        else:
            about |= {"status": answer.status, "logged_as": answer.headers.get("X-Request-Id", "")}
            exchange = Exchange(**about, ended=time.monotonic(), answer=_essence(answer.body))
        self.seen.add(exchange)
        return exchange


def _essence(body: bytes) -> dict[str, Any]:
    """Return what is remembered of an answer: nothing of one that is not JSON, which the gateway does not send."""
    try:
        said = json.loads(body)
    except json.JSONDecodeError:
        return {"code": "not JSON"}
    return {name: said[name] for name in ("job_id", "request_id", "status", "credits_cost", "code") if name in said}
