"""The same order sent twice is one job, however much later and whatever became of it."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from billing.models import Client
from workflows.errors import KeyReused
from workflows.models import Job


@dataclass(frozen=True, kw_only=True)
class Once:
    """What an order is told apart by: the key that `header` named, and the digest of what it stands for."""

    key: str
    digest: str
    header: str


def order_digest(*, workflow: str, is_test: bool, body: Any) -> str:
    """Digest an order by what it says: neither spaces, nor the order of names, nor 1.0 for 1 make it another one."""
    said = json.dumps([workflow, is_test, _plain(body)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return int(node) if isinstance(node, float) and node.is_integer() else node


def replayed(*, client: Client, once: Once) -> Job | None:
    """Return the job that this order made when it was first accepted, as it was then.

    Raises KeyReused where the key stands for another order.
    """
    job = Job.objects.filter(client=client, idempotency_key=once.key).first()
    if job is None:
        return None
    if job.order_digest != once.digest:
        raise KeyReused(loc=("header", once.header))
    job.status = Job.Status.NOT_STARTED
    return job
