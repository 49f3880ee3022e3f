"""A shop that orders over HTTP, as a client would, and says what it sees."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from billing.models import Client, LedgerEntry

WAIT_SECONDS = 120.0
POLL_SECONDS = 0.1


class Shop:
    """Orders with one API key; saves images below `folder`."""

    def __init__(self, *, url: str, api_key: str, folder: Path, say: Callable[..., None]) -> None:
        self.url, self.folder = url, folder
        self._api_key, self._say = api_key, say

    def order(self, workflow: str, spec: dict[str, Any]) -> dict[str, Any]:
        """POST an order and return its 202."""
        self._say(f"\nPOST /v1/{workflow}\n  {json.dumps(spec)}")
        accepted = json.loads(self._fetch(f"/v1/{workflow}", spec))
        self._say(f"  202 {json.dumps(accepted)}")
        return accepted

    def wait(self, accepted: dict[str, Any]) -> dict[str, Any]:
        """Poll until the job has ended; say each status it goes through."""
        path, seen, end = f"/v1/jobs/{accepted['job_id']}", "", time.monotonic() + WAIT_SECONDS
        self._say(f"\nGET {path}")
        while time.monotonic() < end:
            job: dict[str, Any] = json.loads(self._fetch(path))
            if job["status"] != seen:
                seen = job["status"]
                self._say(f"  {seen}")
            if seen == "SUCCESS":
                return job
            if seen == "FAILURE":
                self._say(f"  {job['error']['code']}: {job['error']['message']}")
                return job
            time.sleep(POLL_SECONDS)
        raise CommandError(f"The job {accepted['job_id']} had not ended after {WAIT_SECONDS:.0f} s.")

    def save(self, job: dict[str, Any]) -> None:
        """Download a job's outputs, in place of what an earlier demo left."""
        if not job["outputs"]:
            return
        folder = self.folder / job["workflow"]
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if old.suffix in (".png", ".webp", ".jpg"):
                old.unlink()
        for output in job["outputs"]:
            (folder / output["name"]).write_bytes(self._fetch(output["url"]))
            self._say(f"  saved {folder / output['name']}  {output['width']}×{output['height']}")

    def receipt(self, jobs: list[dict[str, Any]]) -> None:
        """Say what the ledger has of these jobs, and the balance."""
        self._say("\nReceipt")
        entries = LedgerEntry.objects.filter(reference__in=[job["job_id"] for job in jobs]).order_by("seq")
        workflows = {job["job_id"]: job["workflow"] for job in jobs}
        for entry in entries:
            line = f"  {entry.kind:<7} {entry.amount:>+4}   balance {entry.balance_after:>6}"
            self._say(f"{line}   {workflows[entry.reference]} {entry.reference}")
        charged = -sum(entry.amount for entry in entries if entry.kind == LedgerEntry.Kind.CHARGE)
        refunded = sum(entry.amount for entry in entries if entry.kind == LedgerEntry.Kind.REFUND)
        balance = Client.objects.get(api_keys__prefix=self._api_key[:11]).balance
        self._say(f"  charged {charged}, refunded {refunded}, balance {balance} credits")

    def _fetch(self, path: str, spec: dict[str, Any] | None = None) -> bytes:
        request = urllib.request.Request(
            path if path.startswith("http") else self.url + path,
            data=None if spec is None else json.dumps(spec).encode(),
            headers={"Authorization": f"Bearer {self._api_key}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            raise CommandError(f"{path} answered {error.code}: {error.read().decode(errors='replace')}") from error
