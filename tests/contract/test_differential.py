"""Thousands of bodies, valid and broken, answered as the reference model of the contract says, over HTTP."""

import json
import random
import re
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from pydantic.json_schema import models_json_schema

from billing.models import LedgerEntry
from requestlog.models import RequestLog
from tests import databases
from tests.conftest import Shop
from tests.contract import reference
from tests.gateway import Gateway
from tests.helpers import books_are_right, sql
from workflows.models import Job

CONTRACT = json.loads((Path(__file__).parent / "openapi.json").read_text())
SEED, CREDITS = 20, 1_000_000


# The bodies. What is generated is only likely to be right or wrong; the reference alone says which it is.

STRINGS = ["", " ", "red", "5", "true", "null", " padded\n", "é", "🧥\u200b\ufeff", "\U0010ffff", "[key]", "x" * 300]
BAD_STRINGS = ["\0", "a\0b", "\ud800", "x\udfff", "\udc00\ud800"]
KEYS = [*BAD_STRINGS, *STRINGS[:4], "[key]"]
NUMBERS = ["0", "1", "-1", "2.0", "1e2", "-0.0", "12345678901234567890", "1" * 4300, "1e300", "-3.0"]
ODD_NUMBERS = ["1.5", "0.1", "1E-320", "-2.5e-3", "12345678901234567890.123", *NUMBERS]
NO_NUMBERS = ["1e400", "-1e400", "NaN", "Infinity", "-Infinity", "1" * 4301, "-" + "9" * 5000, "01", "+1", "1.", "tru"]
KINDS = {
    "/v1/background-generator": {
        "image_model": "text",
        "eval_enabled": "flag",
        "resolution": "text",
        "aspect_ratio": "text",
        "seed": "number",
        "on_technical_failure": "text",
        "display_name": "text",
        "scene_type": "text",
        "mood": "text",
        "dominant_colors": "texts",
        "metadata": "object",
        "pilot_brand": "text",
    },
    "/v1/extract": {"trial_image": "text", "runtime_config": "object", "extraction_context": "context"},
}
CONTEXT = {"max_items": "number", "product_name": "text", "product_description": "text"}
REQUIRED = {"scene_type", "mood", "trial_image"}


class Bodies(random.Random):
    def body(self, path: str) -> bytes:
        value: Any = self.named(KINDS[path])
        for _ in range(self.choice([0, 1, 1, 2, 3, 8])):
            value = self.spoilt(value)
        if self.random() < 0.02:
            value = self.anything()
        text = json.dumps(value, ensure_ascii=self.random() < 0.9, indent=self.choice([None, None, 1]))
        # What json.dumps cannot write: numbers as they stand, and names given twice.
        raw = re.sub(r'"<(.*?)>"', r"\1", text).replace("<twin>", "").encode("utf-8", "surrogatepass")
        return self.damaged(raw) if self.random() < 0.1 else raw

    def named(self, kinds: dict[str, str]) -> dict[str, Any]:
        return {name: self.good(kind) for name, kind in kinds.items() if name in REQUIRED or self.random() < 0.5}

    def good(self, kind: str) -> Any:
        match kind:
            case "text":
                return self.choice(STRINGS)
            case "flag":
                return self.choice([True, False])
            case "number":
                return f"<{self.choice(NUMBERS)}>"
            case "texts":
                return self.choices(STRINGS, k=self.choice([0, 1, 3]))
            case "context":
                return self.named(CONTEXT)
        return {self.choice(STRINGS): self.good(self.choice(["text", "number", "texts", "object"])) for _ in "12"}

    def anything(self) -> Any:
        match self.randrange(9):
            case 0:
                return self.choice([None, True, False])
            case 1 | 2:
                return self.choice(STRINGS)
            case 3 | 4:
                return self.choice(BAD_STRINGS)
            case 5:
                return f"<{self.choice(ODD_NUMBERS)}>"
            case 6:
                return [self.anything() for _ in range(self.choice([0, 2, 3]))]
            case 7:
                return {self.choice(KEYS): self.anything() for _ in range(self.choice([0, 1, 2]))}
        return self.rare()

    def rare(self) -> Any:
        match self.randrange(9):
            case 0:
                return f"<{self.choice(NO_NUMBERS)}>"
            case 1 | 2:
                value = self.anything()
                for _ in range(self.choice([20, 197, 198, 199, 200, 400])):
                    value = [value] if self.random() < 0.5 else {self.choice(STRINGS[:4]): value}
                return value
        return self.choice([0, 1.5, [], {}])

    def spoilt(self, node: Any) -> Any:
        """Change one thing somewhere at or below `node`."""
        if not isinstance(node, dict | list) or not node:
            return self.anything()
        key = self.choice(list(node)) if isinstance(node, dict) else self.randrange(len(node))
        match self.randrange(12):
            case 0:
                del node[key]
            case 1 if isinstance(node, dict):
                node[self.choice(KEYS)] = self.anything()
            case 2 if isinstance(node, dict):
                node[f"{key}<twin>"] = self.anything()
            case 1:
                return [self.choice(["red", 1, None, "\0"]) for _ in range(200)]
            case 3 | 4:
                node[key] = self.anything()
            case _:
                node[key] = self.spoilt(node[key])
        return node

    def damaged(self, body: bytes) -> bytes:
        place = self.randrange(len(body))
        match self.randrange(9):
            case 0:
                return b"\xef\xbb\xbf" + body
            case 1:
                return body.decode("utf-8", "replace").encode(self.choice(["utf-16", "utf-16-le", "utf-32"]))
            case 2:
                return body.replace(b'"', b"'")
            case 3:
                return self.choice([b"", b" ", b"null", b'"scene_type"', b"{}", b"[]", b"7", b"{}{}"])
            case 4:
                return body[:place]
            case 5:
                return body[: place + 1] + body[place + 2 :]
        noise = [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\0", b",", b"]", b"}", b'"', b" "]
        return body[:place] + self.choice(noise) + body[place:]


def send(gateway: Gateway, key: str, orders: Iterable[tuple[str, bytes]]) -> list[tuple[int, Any]]:
    """Post the orders one after another over one connection."""
    wire = HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    answers = []
    for path, body in orders:
        wire.request("POST", path, body, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
        answer = wire.getresponse()
        answers.append((answer.status, json.loads(answer.read())))
    wire.close()
    return answers


def is_kept(kept: Any, sent: Any) -> bool:
    """Tell whether a value came back as sent, numbers by value: the database writes 1e5 as 100000."""
    if isinstance(sent, dict):
        return kept.keys() == sent.keys() and all(is_kept(kept[key], value) for key, value in sent.items())
    if isinstance(sent, list):
        return len(kept) == len(sent) and all(map(is_kept, kept, sent))
    if isinstance(sent, float):
        return not isinstance(kept, bool) and float(kept) == sent
    return type(kept) is type(sent) and kept == sent


@pytest.mark.parametrize("count", [500, pytest.param(5_000, marks=pytest.mark.slow)])
def test_bodies_by_the_hundred_are_answered_as_the_reference_says(own_database: str, tmp_path: Path, count: int):
    shop = Shop.make(credits=CREDITS)
    sql("UPDATE billing_client SET max_open_jobs = 1000000")
    bodies = Bodies(SEED)
    orders = [(path, bodies.body(path)) for path in bodies.choices(list(KINDS), k=count)]
    gateway = Gateway(databases.url(own_database), tmp_path)
    gateway.start("web")
    try:
        with ThreadPoolExecutor(2) as pool:
            halves = pool.map(lambda half: send(gateway, shop.key, half), (orders[::2], orders[1::2]))
            answers = [answer for pair in zip(*halves, strict=True) for answer in pair]
    finally:
        gateway.stop()

    sent: Counter[str] = Counter()
    specs = dict(Job.objects.values_list("pk", "spec"))
    for (path, body), (status, answer) in zip(orders, answers, strict=True):
        model, faults = reference.read(path, body)
        sent.update({fault["type"] for fault in faults} or {path})
        if status == 422 and answer["detail"][0]["type"] == "json_invalid":
            assert answer["detail"][0].pop("msg")  # in words of its own
        wanted = (202, answer) if model else (422, {"detail": faults})
        assert (status, answer) == wanted, f"{path} {body!r}\nanswered {status} {answer}\nreference {wanted}"
        if model:
            default = {"display_name": ""} if path == "/v1/background-generator" else {}
            spec = default | model.model_dump(exclude_unset=True)
            kept = specs[answer["job_id"]]
            assert is_kept(kept, spec), f"{path} {body!r}\nkept {kept}"

    print(sent)  # how many bodies were accepted by each workflow, and how many had each type of fault
    assert sent.keys() == {*KINDS, *reference.FAULTS}
    assert min(sent.values()) >= count / 100, sent
    accepted = sum(sent[path] for path in KINDS)
    assert accepted == len(specs) == LedgerEntry.objects.filter(kind="CHARGE").count()
    books_are_right(shop.client)
    assert shop.balance == CREDITS - sum(Job.objects.values_list("credits_cost", flat=True))
    logs = Counter(RequestLog.objects.values_list("status", flat=True))
    assert logs == {202: accepted, 422: count - accepted}


def test_the_reference_is_the_published_contract():
    models = [*reference.MODELS.values(), reference.ExtractionContext]
    _, written = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    for name, schema in written["$defs"].items():
        for field in schema["properties"].values():
            if field.get("default", "") is None:
                del field["default"]  # FastAPI, too, leaves null out
        assert schema == CONTRACT["components"]["schemas"][name]
