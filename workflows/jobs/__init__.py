"""The life of a job: every change of a job row is one of these calls.

A change is one conditional UPDATE; when no row moves, somebody else was first. One transaction ends or refunds at most
one job, and takes its locks in the order job, client.
"""

from workflows.jobs.accept import submit
from workflows.jobs.attempts import Attempt, claim, fail, give_up, heartbeat, succeed
from workflows.jobs.cancelling import cancel, cancel_by_staff, why_not_cancel
from workflows.jobs.erasing import erase, erase_files, forget
from workflows.jobs.queue import reserve
from workflows.jobs.refunds import refund, why_not_refund
from workflows.jobs.replays import Once, order_digest, replayed
from workflows.jobs.running_again import run_again, why_not_run_again
from workflows.jobs.sweeping import SWEEP_LIMIT, sweep

__all__ = [
    "SWEEP_LIMIT",
    "Attempt",
    "Once",
    "cancel",
    "cancel_by_staff",
    "claim",
    "erase",
    "erase_files",
    "fail",
    "forget",
    "give_up",
    "heartbeat",
    "order_digest",
    "refund",
    "replayed",
    "reserve",
    "run_again",
    "submit",
    "succeed",
    "sweep",
    "why_not_cancel",
    "why_not_refund",
    "why_not_run_again",
]
