"""The fault campaign: a site under orders and faults, and then the question whether every promise was kept.

    python -m tests.faults.campaign --seconds 600 --seed 1

Which faults come, in which order and after which pauses, hangs on the seed alone. What is under way when they strike is
up to the machine.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import psycopg

from tests.faults import answers, promises
from tests.faults.answers import Rows, Seen, Window
from tests.faults.clients import Shopper
from tests.faults.faults import DATABASE_AWAY, FAULTS, Fault, schedule
from tests.faults.promises import Promise
from tests.faults.site import Site
from tests.faults.summary import Struck, Summary
from tests.gateway import ROOT, eventually

MEMORY = Path("/dev/shm")
ACCOUNTS = {
    "Ample": {"credits": 1_000_000},
    "Other": {"credits": 1_000_000},
    "Poor": {"credits": 50},
    "Narrow": {"credits": 1_000_000, "max_open_jobs": 4, "jobs_per_minute": 120},
}
PAUSE = 2.5  # seconds between the orders of one thread, on average


class Campaign:
    """One campaign on a site in `folder`, which must not be there yet; `run` returns its summary.

    `prepare` is called with the site before the first order. Orders and faults come for `seconds`, and on until as many
    faults as `hits` have hit something. `drain` bounds the wait for the last answer, and for the last job, which is
    never longer than a job may be open.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        seconds: float,
        time_limit: timedelta = timedelta(seconds=3),
        deadline: timedelta = timedelta(seconds=25),
        settings: str = "tests.faults.settings",
        faults: dict[str, Fault] = FAULTS,
        hits: int = 0,
        prepare: Callable[[Site], None] = lambda site: None,
        drain: timedelta = timedelta(minutes=2),
    ) -> None:
        self.site = Site(folder, settings=settings)
        self.seed, self.seconds = seed, seconds
        self.time_limit, self.deadline, self.drain = time_limit, deadline, drain
        self.faults, self.hits, self.prepare = faults, hits, prepare
        self.seen = Seen()
        self.away: list[Window] = []
        self.struck: list[Struck] = []
        self._shoppers: list[Shopper] = []
        self._closing = threading.Event()
        self._broken = Promise()

    def run(self) -> Summary:
        """Run it; whatever happens, no process is left."""
        try:
            self.site.set_up(time_limit=self.time_limit, deadline=self.deadline)
            self.prepare(self.site)
            self._load()
            return self._judge()
        finally:
            self._closing.set()
            for shopper in self._shoppers:
                shopper.closed.set()
            self.site.end_at_once()

    def _load(self) -> None:
        with ThreadPoolExecutor(len(ACCOUNTS)) as pool:
            accounts = list(pool.map(lambda name: self.site.account(name, **ACCOUNTS[name]), ACCOUNTS))
        self._shoppers = [
            Shopper(
                self.site,
                account,
                self.seen,
                name=f"{account.name}-{number}",
                seed=str(self.seed),
                pause=PAUSE,
                closing=self._closing,
            )
            for account in accounts
            for number in (1, 2)
        ]
        self._began = time.monotonic()
        for shopper in self._shoppers:
            shopper.start()
        self._strike()
        self._closing.set()
        # All is back: what was refused for now or broke off is answered soon.
        end = time.monotonic() + min(20, self.drain.total_seconds())
        for shopper in self._shoppers:
            shopper.join(max(0.0, end - time.monotonic()))
            shopper.closed.set()
        for shopper in self._shoppers:
            shopper.join(40)

    def _strike(self) -> None:
        for name, pause, chance in schedule(self.seed, list(self.faults)):
            left = self._began + self.seconds - time.monotonic()
            if left < pause and sum(struck.hit is not None for struck in self.struck) >= self.hits:
                time.sleep(max(0.0, left))
                return
            time.sleep(pause)
            start = time.monotonic()
            try:
                hit = self.faults[name](self.site, chance)
            except Exception as error:
                self._broken.violations.append(f"{name}: {error!r}")
                hit = None
            end = time.monotonic()
            if name in DATABASE_AWAY:
                self.away.append(Window(start, end))
            self.struck.append(Struck(name, round(start - self._began, 1), round(end - start, 1), hit))

    def _judge(self) -> Summary:
        site, run = self.site, self.site.postgres.run
        margin = site.margin
        longest_allowed = self.deadline + margin
        self._drain(min(self.drain, longest_allowed))
        code, report = site.manage_json("reconcile", "--json")
        found = promises.check(site.postgres.url, margin=margin)
        found |= answers.check(self.seen, self._rows(), self.away)
        found["reconcile"] = Promise(
            sum(report["checked"].values()), [f"{v['promise']}: {v}" for v in report["violations"]]
        )
        assert bool(code) == bool(report["violations"])
        found["outputs"], orphan_files = self._files()
        ((longest, attempts, refunds),) = run(
            "SELECT coalesce(extract(epoch FROM max(ended_at - accepted_at)), 0)::float, coalesce(sum(attempt), 0),"
            " (SELECT count(*) FROM billing_ledgerentry WHERE kind = 'REFUND') FROM workflows_job"
        )
        slow = run(
            "SELECT id, ended_at - accepted_at FROM workflows_job WHERE ended_at - accepted_at > %s", longest_allowed
        )
        ((ended,),) = run("SELECT count(*) FROM workflows_job WHERE ended_at IS NOT NULL")
        found["recovery"] = Promise(ended, [f"job {job}: open for {time}" for job, time in slow])
        jobs = Counter(
            {
                " ".join(filter(None, row[:2])): row[2]
                for row in run(
                    "SELECT status, error_code, count(*) FROM workflows_job GROUP BY 1, 2 ORDER BY 1 DESC, 3 DESC"
                )
            }
        )
        orphans = self._end()
        self._broken.counted = len(self.struck)
        found["processes"] = self._broken
        return Summary(
            seed=self.seed,
            seconds=self.seconds,
            orders=len({e.key for e in self.seen.exchanges if e.kind in ("order", "invalid")}),
            answers=self.seen.statuses(),
            unanswered=self.seen.unanswered,
            jobs=dict(jobs),
            attempts=int(attempts),
            refunds=refunds,
            struck=self.struck,
            promises=found,
            longest_seconds=round(longest, 1),
            allowed_seconds=longest_allowed.total_seconds(),
            orphan_files=orphan_files,
            orphan_processes=orphans,
        )

    def _drain(self, within: timedelta) -> None:
        open_jobs = "SELECT id FROM workflows_job WHERE ended_at IS NULL"
        try:
            eventually(lambda: not self.site.postgres.run(open_jobs), seconds=within.total_seconds())
        except AssertionError:
            stuck = [job for (job,) in self.site.postgres.run(open_jobs)]
            self._broken.violations.append(f"{len(stuck)} jobs are still open: {stuck[:10]}")

    def _rows(self) -> Rows:
        with psycopg.connect(self.site.postgres.url) as connection:
            cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
            jobs = cursor.execute(
                "SELECT id, request_id, client_id, workflow, credits_cost, idempotency_key, status, error_code"
                " FROM workflows_job"
            ).fetchall()
            logged = connection.execute("SELECT request_id, status FROM request_logs").fetchall()
        return Rows({job["id"]: job for job in jobs}, dict(logged))

    def _files(self) -> tuple[Promise, int]:
        """Check that every output is in storage, whole, with its thumbnail; count what else jobs left there.

        That is what a killed worker had stored, and what one did not delete whose commit went unanswered.
        """
        storage = self.site.data_dir / "storage"
        outputs = dict(self.site.postgres.run("SELECT key, size FROM workflows_output"))
        thumbnails = {key for (key,) in self.site.postgres.run("SELECT thumbnail_key FROM workflows_output")}
        there = {str(path.relative_to(storage)): path.stat().st_size for path in storage.rglob("jobs/**/*.*")}
        broken = [key for key, size in outputs.items() if there.get(key) != size] + sorted(thumbnails - there.keys())
        return Promise(len(outputs), broken), len(there.keys() - outputs.keys() - thumbnails)

    def _end(self) -> list[str]:
        try:
            return self.site.end()
        except Exception as error:
            self._broken.violations.append(f"at the end: {error!r}")
            return []


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.campaign")
    parser.add_argument("--seconds", type=float, default=600, help="how long orders and faults come")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="studio-gateway-chaos-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        summary = Campaign(folder / "site", seed=chosen.seed, seconds=chosen.seconds).run()
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(summary.text)
    where = summary.write(ROOT / "var" / "chaos")
    print(f"Written to {where.relative_to(ROOT)}.")
    return 0 if summary.kept else 1


if __name__ == "__main__":
    sys.exit(main())
