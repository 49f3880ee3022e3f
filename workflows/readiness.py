"""Whether this process could serve an order now, and somebody would make it: what /readyz tells.

Anybody may ask, so what is found is kept for a moment, and no answer says more than a sentence of ours.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection

logger = logging.getLogger(__name__)

OK = "ok"
# For how long one finding is told, and when it is too old to be told while another look is under way.
KEPT_SECONDS = 2.0
STALE_SECONDS = 10.0
# What takes longer does not answer.
LOOK_SECONDS = 3.0
DATABASE_SECONDS = 2
# The queue stands still when nothing happens for this long although something should.
STILL_SECONDS = 30

# A job could have been begun, nobody is at work and no attempt began or ended; or nobody is there to end what is past
# its deadline. Not by `due_at`: brokers that reserve a job again and again, and never begin it, would hide it. An event
# that names a worker is an attempt's beginning or end.
STANDS_STILL = """
WITH clock AS (SELECT statement_timestamp() - make_interval(secs => %(still)s) AS before)
SELECT (NOT EXISTS (SELECT FROM workflows_job WHERE lease_until > statement_timestamp())
        AND NOT EXISTS (SELECT FROM workflows_jobevent WHERE at > before AND worker <> '')
        AND EXISTS (SELECT FROM workflows_job
                     WHERE status IN ('NOT_STARTED', 'IN_PROGRESS') AND GREATEST(run_after, lease_until) <= before
                       AND attempt < max_attempts AND deadline_at > statement_timestamp()
                       AND cancel_requested_at IS NULL))
    OR (NOT EXISTS (SELECT FROM workflows_worker WHERE seen_at > before)
        AND EXISTS (SELECT FROM workflows_job WHERE ended_at IS NULL AND deadline_at <= before))
  FROM clock
"""

Findings = dict[str, str]


def _database_and_queue() -> Findings:
    """Look with a new connection, which does not wait for a database that is away."""
    own = connection.copy()
    own.settings_dict["CONN_PATIENCE"] = 0
    own.settings_dict["OPTIONS"] |= {"connect_timeout": DATABASE_SECONDS}
    try:
        own.set_autocommit(False)
        with own.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{DATABASE_SECONDS}s'")
            cursor.execute(STANDS_STILL, {"still": STILL_SECONDS})
            (still,) = cursor.fetchone()
    finally:
        own.close()
    return {"database": OK, "queue": f"Nothing has moved for {STILL_SECONDS} s." if still else OK}


def _storage() -> Findings:
    written = secrets.token_bytes(16)
    key = default_storage.save(f"probes/{written.hex()}", ContentFile(written))
    try:
        with default_storage.open(key) as file:
            read = file.read()
    finally:
        default_storage.delete(key)
    return {"storage": OK if read == written else "It does not give back what was written."}


class Look:
    """One look at something, made in a thread of its own, so that nobody waits for what hangs."""

    def __init__(self, look: Callable[[], Findings], *, otherwise: Findings) -> None:
        self._look, self._otherwise = look, otherwise
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"readiness{look.__name__}")
        self._running: Future[Findings] | None = None

    def begin(self) -> "Future[Findings]":
        """Look again, unless the last look hangs still."""
        if self._running is None or self._running.done():
            self._running = self._thread.submit(self._look)
        return self._running

    def found(self) -> Findings:
        try:
            assert self._running is not None
            return self._running.result(timeout=0)
        # Whatever a storage or a database raises: it cannot be used.
        except Exception as error:
            logger.warning("not ready: %s: %s: %s", ", ".join(self._otherwise), type(error).__name__, error)
            return self._otherwise


class Readiness:
    """What was found last, and the right to look again, which one thread at a time has."""

    def __init__(self) -> None:
        self._looks = (
            Look(
                _database_and_queue,
                otherwise={"database": "It does not answer.", "queue": "Only the database could tell."},
            ),
            Look(_storage, otherwise={"storage": "It does not take, give back and delete a file."}),
        )
        self._looking = threading.Lock()
        self._findings: Findings = {}
        self._found_at = float("-inf")

    def __call__(self) -> Findings:
        """Return a word for each thing that must work: OK, or what is wrong with it. Takes LOOK_SECONDS at most."""
        if self._age() > KEPT_SECONDS and self._looking.acquire(blocking=self._age() > STALE_SECONDS):
            try:
                if self._age() > KEPT_SECONDS:
                    wait_for([look.begin() for look in self._looks], timeout=LOOK_SECONDS)
                    found = [look.found() for look in self._looks]
                    self._findings = {name: word for part in found for name, word in part.items()}
                    self._found_at = time.monotonic()
            finally:
                self._looking.release()
        return self._findings

    def _age(self) -> float:
        return time.monotonic() - self._found_at


readiness = Readiness()
