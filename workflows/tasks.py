"""What django-q2 calls. Imports nothing that can be missing: an import error here would kill workers without a word."""

import os
import socket

from studio_gateway.processes import give_back_memory
from workflows import jobs
from workflows.performing import perform
from workflows.webhooks.sending import send


def run_job(job_id: str) -> None:
    """Run the next attempt of a job, if it is to be had."""
    attempt = jobs.claim(job_id=job_id, worker=worker_name())
    if attempt is not None:
        perform(attempt)
        give_back_memory()


def send_webhook(delivery_id: str, attempts: int) -> None:
    """Make the attempt after the first `attempts` ones to deliver, if it is to be had."""
    send(delivery_id=delivery_id, attempts=attempts, worker=worker_name())


def worker_name() -> str:
    """Name the `manage.py worker` that this process belongs to, by host and process id."""
    return os.environ.get("STUDIO_WORKER") or f"{socket.gethostname()}:{os.getpid()}"
