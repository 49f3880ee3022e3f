"""The faults of a campaign. Each strikes a running site, puts back what it took away, and says what it hit."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from random import Random

import psutil
import psycopg

from tests.faults.site import WEB, WORKERS, Site
from tests.gateway import ROOT

# What a fault hit; None where there was nothing to hit at the moment.
Hit = str | None
Fault = Callable[[Site, Random], Hit]

FAULTS: dict[str, Fault] = {}
# Those that take the database away: clients may be answered with a 503 meanwhile, and what is refused is not logged.
DATABASE_AWAY: set[str] = set()
# Those that take so long themselves that a short campaign has no time for them.
LONG: set[str] = set()


def fault(name: str, *, database_away: bool = False, long: bool = False) -> Callable[[Fault], Fault]:
    def register(strike: Fault) -> Fault:
        FAULTS[name] = strike
        DATABASE_AWAY.update([name] if database_away else [])
        LONG.update([name] if long else [])
        return strike

    return register


def schedule(seed: object, names: list[str]) -> Iterator[tuple[str, float, Random]]:
    """Yield faults for ever: the name, the pause before, and its own chance. All come once before any comes again."""
    rng = Random(f"{seed}/faults")
    while True:
        for name in rng.sample(names, len(names)):
            yield name, rng.uniform(0.8, 2.0), Random(rng.random())


def _workers(rng: Random) -> list[str]:
    return rng.sample(WORKERS, len(WORKERS))


def _soon(look: Callable[[], psutil.Process | None], seconds: float = 2.0) -> psutil.Process | None:
    """Return what `look` finds, waiting for it a little."""
    end = time.monotonic() + seconds
    while (found := look()) is None and time.monotonic() < end:
        time.sleep(0.01)
    return found


def _in_pool(site: Site, rng: Random, role: str) -> psutil.Process | None:
    workers = _workers(rng)
    return _soon(lambda: next((p for worker in workers for p in site.pool(worker, role)), None), seconds=4)


def _send(process: psutil.Process | None, number: int) -> Hit:
    if process is None:
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
        return f"process {process.pid}"
    return None


@fault("busy worker killed")
def busy_worker_killed(site: Site, rng: Random) -> Hit:
    return _send(_in_pool(site, rng, "processing"), signal.SIGKILL)


@fault("idle worker killed")
def idle_worker_killed(site: Site, rng: Random) -> Hit:
    return _send(_in_pool(site, rng, "idle"), signal.SIGKILL)


@fault("monitor killed")
def monitor_killed(site: Site, rng: Random) -> Hit:
    return _send(_in_pool(site, rng, "monitor"), signal.SIGKILL)


@fault("pusher killed")
def pusher_killed(site: Site, rng: Random) -> Hit:
    return _send(_in_pool(site, rng, "pusher"), signal.SIGKILL)


def _sentinel(site: Site, rng: Random) -> psutil.Process | None:
    worker = rng.choice(WORKERS)
    return _soon(lambda: site.sentinel(worker))


def _main(site: Site, rng: Random) -> psutil.Process | None:
    worker = rng.choice(WORKERS)
    return _soon(lambda: site.main(worker))


@fault("sentinel killed")
def sentinel_killed(site: Site, rng: Random) -> Hit:
    return _send(_sentinel(site, rng), signal.SIGKILL)


@fault("cluster main killed")
def main_killed(site: Site, rng: Random) -> Hit:
    return _send(_main(site, rng), signal.SIGKILL)


def _group(process: psutil.Process | None, number: int) -> Hit:
    if process is None:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
        return f"group {process.pid}"
    return None


@fault("cluster group killed")
def group_killed(site: Site, rng: Random) -> Hit:
    return _group(_main(site, rng), signal.SIGKILL)


@fault("SIGTERM to cluster main")
def main_terminated(site: Site, rng: Random) -> Hit:
    return _send(_main(site, rng), signal.SIGTERM)


@fault("SIGTERM to cluster group")
def group_terminated(site: Site, rng: Random) -> Hit:
    return _group(_main(site, rng), signal.SIGTERM)


@fault("supervisor killed")
def supervisor_killed(site: Site, rng: Random) -> Hit:
    worker = rng.choice(WORKERS)
    pid = site.processes[worker].pid
    site.kill(worker)
    site.start(worker)
    return f"process {pid}"


@fault("SIGTERM to supervisor", long=True)
def supervisor_terminated(site: Site, rng: Random) -> Hit:
    worker = rng.choice(WORKERS)
    pid = site.processes[worker].pid
    began = time.monotonic()
    try:
        site.terminate(worker)
    finally:
        site.start(worker)
    return f"process {pid}, which took {time.monotonic() - began:.1f} s to drain"


@fault("worker and sentinel stopped past the lease, then woken", long=True)
def stopped_past_lease(site: Site, rng: Random) -> Hit:
    """Without its sentinel standing still too, the worker would be ended before its lease is over."""
    worker = _in_pool(site, rng, "processing")
    if worker is None:
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        both = [worker.parent() or worker, worker]
        for process in both:
            process.suspend()
        time.sleep(9)
        for process in both:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
        return f"process {worker.pid}"
    return None


RUNNING = "status = 'IN_PROGRESS' AND lease_until > clock_timestamp()"


@fault("running job handed out again")
def handed_out_again(site: Site, rng: Random) -> Hit:
    rows = site.postgres.run(
        f"""UPDATE workflows_job SET lease_until = clock_timestamp(), reserved_until = NULL
             WHERE id = (SELECT id FROM workflows_job WHERE {RUNNING} ORDER BY lease_until DESC LIMIT 1) RETURNING id"""
    )
    return f"job {rows[0][0]}" if rows else None


def _with_job(site: Site) -> tuple[psutil.Process, str] | None:
    """Return a busy worker and the job that it is at, where its engine tells."""
    for (job,) in site.postgres.run(f"SELECT id FROM workflows_job WHERE {RUNNING} ORDER BY lease_until DESC"):
        if process := site.process_at(job):
            return process, job
    return None


def _change(site: Site, change: str, job: str) -> list[tuple[int]] | None:
    """Change the row of a running job; return its attempt, or None where the worker that was stopped holds the row."""
    with psycopg.connect(site.postgres.url, options="-c lock_timeout=500ms", autocommit=True) as connection:
        try:
            return connection.execute(
                f"UPDATE workflows_job SET {change} WHERE id = %s AND {RUNNING} RETURNING attempt", [job]
            ).fetchall()
        except psycopg.errors.LockNotAvailable:
            return None


def _stopped(site: Site, change: str, until: str) -> Hit:
    """Stop a busy worker, change its job's row, wait for what comes of it, and wake the worker in good time."""
    end = time.monotonic() + 3
    while (found := _with_job(site)) is None and time.monotonic() < end:
        time.sleep(0.01)
    if found is None:
        return None
    process, job = found
    try:
        process.suspend()
        changed = _change(site, change, job)
        if changed is None:
            time.sleep(2.5)
            return f"job {job}, process {process.pid}, in the middle of a transaction"
        end = time.monotonic() + 2.5
        while changed and time.monotonic() < end:
            if site.postgres.run(f"SELECT 1 FROM workflows_job WHERE id = %s AND {until}", job, *changed[0]):
                break
            time.sleep(0.02)
    except psutil.NoSuchProcess:
        return None
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()
    return f"job {job}, process {process.pid}" if changed else None


@fault("worker stopped, its job run by another, then woken")
def stopped_and_replaced(site: Site, rng: Random) -> Hit:
    return _stopped(
        site, "lease_until = clock_timestamp(), reserved_until = NULL", "attempt > %s AND ended_at IS NOT NULL"
    )


@fault("worker stopped, its job swept, then woken")
def stopped_and_swept(site: Site, rng: Random) -> Hit:
    return _stopped(
        site, "lease_until = clock_timestamp(), max_attempts = attempt", "attempt = %s AND ended_at IS NOT NULL"
    )


@fault("PostgreSQL crashed", database_away=True)
def postgres_crashed(site: Site, rng: Random) -> Hit:
    away = rng.uniform(0.2, 2)
    site.postgres.stop("immediate")
    time.sleep(away)
    site.postgres.start()
    return f"for {away:.1f} s"


@fault("PostgreSQL stopped and woken", database_away=True)
def postgres_paused(site: Site, rng: Random) -> Hit:
    away = rng.uniform(1, 2)
    site.postgres.pause()
    time.sleep(away)
    site.postgres.resume()
    return f"for {away:.1f} s"


@fault("all connections cut", database_away=True)
def connections_cut(site: Site, rng: Random) -> Hit:
    cut = site.postgres.run(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    return f"{cut[0][0]} connections"


@fault("web killed")
def web_killed(site: Site, rng: Random) -> Hit:
    pid = site.processes[WEB].pid
    site.kill(WEB)
    site.start(WEB)
    return f"group {pid}"


@fault("storage away")
def storage_away(site: Site, rng: Random) -> Hit:
    """A file in its place, so that nobody makes the folder anew."""
    storage, aside = site.data_dir / "storage", site.data_dir / "storage-aside"
    away = rng.uniform(1, 2)
    storage.mkdir(exist_ok=True)
    storage.rename(aside)
    storage.touch()
    time.sleep(away)
    storage.unlink()
    aside.rename(storage)
    return f"for {away:.1f} s"


@fault("restart with another SECRET_KEY", long=True)
def another_secret(site: Site, rng: Random) -> Hit:
    """One process after the other, as an operator would."""
    site.extra_env["SECRET_KEY"] = secrets.token_urlsafe(48)
    for name in (WEB, *WORKERS):
        try:
            site.terminate(name)
        finally:
            site.start(name)
    return "web and both workers"


@fault("two more sweeps at once")
def more_sweeps(site: Site, rng: Random) -> Hit:
    code = "from workflows import jobs\nfor _ in range(20): jobs.sweep()"
    command = [sys.executable, "manage.py", "shell", "--verbosity=0", "--command", code]
    both = [subprocess.Popen(command, cwd=ROOT, env=site.env, stderr=subprocess.DEVNULL) for _ in "ab"]
    try:
        for process in both:
            process.wait(120)  # most of it is Python's start, on a machine that has much to do
    finally:
        for process in both:
            process.kill()
            process.wait()
    return "20 sweeps each"


@fault("transaction held open")
def transaction_held(site: Site, rng: Random) -> Hit:
    held = rng.uniform(2, 4)
    with psycopg.connect(site.postgres.url) as connection:
        # In the order that everybody keeps to, jobs before clients: otherwise it would be a deadlock.
        connection.execute("SELECT id FROM workflows_job WHERE ended_at IS NULL ORDER BY id LIMIT 5 FOR UPDATE")
        client = connection.execute("SELECT id FROM billing_client ORDER BY open_jobs DESC LIMIT 1 FOR UPDATE")
        ((number,),) = client.fetchall()
        time.sleep(held)
        connection.rollback()
    return f"client {number} and five jobs locked for {held:.1f} s"
