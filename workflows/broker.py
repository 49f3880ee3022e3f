import logging
import math
from time import monotonic, sleep
from typing import Any

from django.db import Error, connection
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.signing import SignedPackage

from workflows import jobs
from workflows.jobs.queue import Reservation

logger = logging.getLogger(__name__)

JOB = "job:"
# How often django-q2's own table is looked into while it is empty: nothing of ours writes to it.
OTHERS_SECONDS = 1.0


class JobBroker(ORM):
    """django-q2's broker with the job table as its queue.

    A due job becomes a task whose only argument is the job's id; acknowledging or failing it does nothing, because
    what became of a job is written in its row. Everything else that calls `async_task` lives in django-q2's own table,
    as ever, and gets its turn when no job is due.
    """

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key)
        self._last_client = 0
        self._others_at = 0.0

    def dequeue(self) -> list[tuple[str | int, str]] | None:
        try:
            reserved = jobs.reserve(after_client=self._last_client)
            if reserved is None:
                # No client has one, so none is passed over where the next look begins with the first of them.
                self._last_client = 0
                return self._others()
        except Error:
            # The database is away. django-q2 would end its pusher here and take ten seconds to start another.
            logger.exception("no job could be reserved")
            connection.close()
            sleep(1)
            return None
        self._last_client = reserved.client_id
        return [(JOB + reserved.job_id, SignedPackage.dumps(_task(reserved)))]

    def _others(self) -> list[tuple[str | int, str]] | None:
        if monotonic() >= self._others_at:
            if self.queue_size():
                return super().dequeue()
            self._others_at = monotonic() + OTHERS_SECONDS
        sleep(Conf.POLL)
        return None

    def acknowledge(self, task_id: Any) -> None:
        if not str(task_id).startswith(JOB):
            super().acknowledge(task_id)

    def fail(self, task_id: Any) -> None:
        if not str(task_id).startswith(JOB):
            super().fail(task_id)


def _task(reserved: Reservation) -> dict[str, Any]:
    return {
        "id": reserved.job_id,
        "name": reserved.job_id,
        "func": "workflows.tasks.run_job",
        "args": (reserved.job_id,),
        "kwargs": {},
        # The alarm that django-q2 sets takes whole seconds.
        "timeout": math.ceil(reserved.time_limit.total_seconds()),
        "started": timezone.now(),
        "ack_failure": True,
    }
