"""One attempt, from the engine to the rows: what a worker process does with a claimed job."""

import faulthandler
import hashlib
import logging
import threading
from types import TracebackType

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import Error, InterfaceError, OperationalError, connection
from django_q.exceptions import TimeoutException
from ulid import ULID

from workflows import jobs
from workflows.catalogue import DEFINITIONS, Order
from workflows.engines.base import EngineError, File, Stopped
from workflows.jobs import Attempt
from workflows.jobs.attempts import LEASE_GRACE
from workflows.models import Output
from workflows.storage import output_key

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 3.0


class Heartbeat:
    """Renews an attempt's lease from a thread, while the engine computes in the main one, and ends what cannot be.

    django-q2 interrupts what exceeds its time limit, and then sends SIGTERM to the process. What ignores both ends the
    process here, from a thread that needs neither signals nor Python: no attempt outlives its longest lease.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._stop = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{attempt.job.pk}", daemon=True)

    def checkpoint(self) -> None:
        """Raise Stopped where nobody waits for this attempt any more, as far as the last beat knows."""
        if self._over.is_set():
            raise Stopped

    def __enter__(self) -> "Heartbeat":
        longest = self._attempt.job.time_limit + LEASE_GRACE
        faulthandler.dump_traceback_later(longest.total_seconds(), exit=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        faulthandler.cancel_dump_traceback_later()

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            try:
                if not jobs.heartbeat(self._attempt):
                    self._over.set()
                    break
            except Error:
                # The database is away. The lease may lapse meanwhile; then the fence decides.
                logger.exception("no heartbeat for job %s", self._attempt.job.pk)
                connection.close()
        connection.close()


def perform(attempt: Attempt) -> None:
    """Run the engine, store what it made, and end the attempt.

    Whatever the engine raises ends in the job's row. A time limit is recorded and passed on, because django-q2 replaces
    the process then. Files of an attempt that failed or came too late are deleted; those of one whose commit went
    unanswered stay, because the job may have them.
    """
    try:
        _perform(attempt)
    except (OperationalError, InterfaceError):
        # The lease will lapse; then the job has its next attempt, or its end.
        logger.exception("attempt %s of job %s ended without an answer from the database", attempt.number, attempt.job)
        connection.close()


def _perform(attempt: Attempt) -> None:
    job = attempt.job
    stored: list[Output] = []
    try:
        with Heartbeat(attempt) as heartbeat:
            from workflows.engines.samples import as_sample

            engine = DEFINITIONS[job.workflow].engine(job.engine)
            # The same for each attempt of a job: a second one makes what the first would have made.
            seed = int(ULID.from_str(job.pk))
            order = Order(
                client=job.client,
                spec=job.spec,
                seed=seed,
                idempotency_key=job.pk,
                checkpoint=heartbeat.checkpoint,
            )
            result = engine(order)
            for file in result.files:
                heartbeat.checkpoint()
                _store(attempt, as_sample(file) if job.is_test else file, stored)
            if jobs.succeed(attempt, outputs=stored, summary=result.summary):
                return
        jobs.give_up(attempt)
    except Stopped:
        jobs.give_up(attempt)
    except EngineError as error:
        jobs.fail(attempt, code=error.code, message=error.message, technical=error.technical)
    except TimeoutException:
        # It may have struck in the middle of a statement: that connection is not to be used again.
        connection.close()
        seconds = round(job.time_limit.total_seconds())
        jobs.fail(
            attempt,
            code="time_limit_exceeded",
            message=f"The attempt took longer than the {seconds} s that this workflow allows.",
            technical=True,
        )
        _drop(stored)
        raise
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("attempt %s of job %s failed", attempt.number, job.pk)
        jobs.fail(
            attempt,
            code="internal_error",
            message="Something broke on our side while the images were made.",
            technical=True,
        )
    _drop(stored)


def _store(attempt: Attempt, file: File, stored: list[Output]) -> None:
    """Store a file, as the next of `stored`: before it is written, so that half a file is found there too."""
    job, position = attempt.job, len(stored)
    output = Output(
        job=job,
        position=position,
        name=file.name,
        key=output_key(client_id=job.client_id, job_id=job.pk, attempt=attempt.number, name=file.name),
        content_type=file.content_type,
        size=len(file.data),
        sha256=hashlib.sha256(file.data).hexdigest(),
        width=file.width,
        height=file.height,
        details=file.details,
    )
    stored.append(output)
    output.key = default_storage.save(output.key, ContentFile(file.data))


def _drop(stored: list[Output]) -> None:
    """Delete the files of a failed or late attempt, and none that a row has.

    Whoever calls this has tried to end the attempt before. That waited for a commit which may still have been on its
    way when the time limit struck, so what that commit wrote is seen here.
    """
    kept = set(Output.objects.filter(key__in=[output.key for output in stored]).values_list("key", flat=True))
    for output in stored:
        if output.key in kept:
            continue
        try:
            default_storage.delete(output.key)
        except OSError as error:
            logger.warning("orphan %s could not be deleted: %s", output.key, error)
