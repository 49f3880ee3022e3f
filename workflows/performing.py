"""One attempt, from the engine to the rows: what a worker process does with a claimed job."""

import faulthandler
import hashlib
import logging
import threading
import time
from types import TracebackType

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import Error, InterfaceError, OperationalError, connection
from django_q.exceptions import TimeoutException
from ulid import ULID

from workflows import jobs, line_up
from workflows.catalogue import DEFINITIONS, Order
from workflows.engines.base import BUILT_IN, EngineError, Picture, Stopped
from workflows.engines.formats import FORMATS, Format, check_sides, output_format
from workflows.jobs import Attempt
from workflows.jobs.attempts import LEASE_GRACE
from workflows.models import Output
from workflows.naming import output_name, thumbnail_name
from workflows.storage import output_key

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 3.0


class Heartbeat:
    """Renews an attempt's lease from a thread, while the engine computes in the main one, and ends what cannot be.

    django-q2 interrupts what exceeds its time limit, and then sends SIGTERM to the process. What ignores both ends the
    process here, from a thread that needs neither signals nor Python: no attempt outlives its longest lease.
    """

    # The one that runs in this process, and the thread that looks for it every few seconds: to start a thread for each
    # attempt costs as much as to claim it.
    _running: "Heartbeat | None" = None
    _thread: threading.Thread | None = None

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._over = False

    def checkpoint(self) -> None:
        """Raise Stopped where nobody waits for this attempt any more, as far as the last beat knows."""
        if self._over:
            raise Stopped

    def __enter__(self) -> "Heartbeat":
        longest = self._attempt.job.time_limit + LEASE_GRACE
        faulthandler.dump_traceback_later(longest.total_seconds(), exit=True)
        Heartbeat._running = self
        if Heartbeat._thread is None or not Heartbeat._thread.is_alive():
            Heartbeat._thread = threading.Thread(target=_beat, name="heartbeat", daemon=True)
            Heartbeat._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        Heartbeat._running = None
        faulthandler.cancel_dump_traceback_later()

    def beat(self) -> None:
        """Renew the lease, unless the attempt is over."""
        try:
            self._over = self._over or not jobs.heartbeat(self._attempt)
        except Error:
            # The database is away. The lease may lapse meanwhile; then the fence decides.
            logger.exception("no heartbeat for job %s", self._attempt.job.pk)
            connection.close()


def _beat() -> None:
    while True:
        time.sleep(HEARTBEAT_SECONDS)
        if (heartbeat := Heartbeat._running) is not None:
            heartbeat.beat()
        else:
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
    job, began = attempt.job, time.monotonic()
    stored: list[Output] = []
    try:
        with Heartbeat(attempt) as heartbeat:
            format = output_format(job.spec, default=job.output_format)
            maker = line_up.maker_for(job, version=attempt.configuration)
            # Tests are free, and providers are not: the built-in engine stands in, once all else has been looked at.
            stands_in = job.is_test and maker.model is not None
            engine = DEFINITIONS[job.workflow].engines[BUILT_IN] if stands_in else maker.engine
            # The same for each attempt of a job: a second one makes what the first would have made.
            seed = int(ULID.from_str(job.pk))
            order = Order(
                client=job.client,
                spec=job.spec,
                seed=seed,
                idempotency_key=job.pk,
                checkpoint=heartbeat.checkpoint,
                model=maker.model,
                ends_at=began + job.time_limit.total_seconds(),
            )
            result = engine.perform(order)
            summary = {**result.summary, "stands_in_for": maker.name} if stands_in else result.summary
            for picture in result.pictures:
                heartbeat.checkpoint()
                made_as = FORMATS[picture.format] if picture.format else format
                name = output_name(
                    display_name=job.spec.get("display_name", ""),
                    given=picture.name,
                    number=len(stored) + 1,
                    of=len(result.pictures),
                    extension=made_as.extension,
                )
                _store(attempt, picture, stored, name=name, format=made_as)
            if jobs.succeed(attempt, outputs=stored, summary=summary):
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


def _store(attempt: Attempt, picture: Picture, stored: list[Output], *, name: str, format: Format) -> None:
    """Store a picture and its thumbnail, as the next of `stored`: before they are written, so that half a file is found
    there too.

    Raises TooLongForFormat, also for a picture of which a sample alone is stored: a test fails as its order would.
    """
    from workflows.engines.encoding import encode, on_ground, thumbnail
    from workflows.engines.samples import as_sample

    job = attempt.job
    check_sides(width=picture.width, height=picture.height, format=format)
    if job.is_test:
        picture = as_sample(picture)
    pixels = picture.pixels if format.has_alpha else on_ground(picture.pixels, "#ffffff")
    data = encode(pixels, format=format)
    key, thumbnail_key = (
        output_key(client_id=job.client_id, job_id=job.pk, attempt=attempt.number, name=each)
        for each in (name, thumbnail_name(name))
    )
    output = Output(
        job=job,
        position=len(stored),
        name=name,
        key=key,
        thumbnail_key=thumbnail_key,
        content_type=format.content_type,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        width=picture.width,
        height=picture.height,
        details=picture.details,
    )
    stored.append(output)
    output.key = default_storage.save(key, ContentFile(data))
    output.thumbnail_key = default_storage.save(thumbnail_key, ContentFile(thumbnail(pixels)))


def _drop(stored: list[Output]) -> None:
    """Delete the files of a failed or late attempt, and none that a row has.

    Whoever calls this has tried to end the attempt before. That waited for a commit which may still have been on its
    way when the time limit struck, so what that commit wrote is seen here.
    """
    kept = set(Output.objects.filter(key__in=[output.key for output in stored]).values_list("key", flat=True))
    for output in stored:
        if output.key in kept:
            continue
        for key in output.storage_keys:
            try:
                default_storage.delete(key)
            except OSError as error:
                logger.warning("orphan %s could not be deleted: %s", key, error)
