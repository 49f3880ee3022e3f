"""One query per way to break a promise. Each returns the ids of the rows that break it, and a sentence."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from requestlog.retention import LOG_DAYS
from workflows.jobs.attempts import LEASE_GRACE
from workflows.jobs.queue import RESERVATION_SECONDS
from workflows.jobs.sweeping import MARGIN

COUNTS = """
SELECT (SELECT count(*) FROM billing_client) AS clients,
       (SELECT count(*) FROM billing_ledgerentry) AS ledger_entries,
       (SELECT count(*) FROM workflows_job) AS jobs,
       (SELECT count(*) FROM workflows_job WHERE status IN ('NOT_STARTED', 'IN_PROGRESS')) AS open_jobs,
       (SELECT count(*) FROM request_logs) AS request_logs
"""
IDS = ("client_id", "job_id", "entry_id", "request_id")


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A broken promise: which, on what rows, and the name of the fix, if there is one."""

    promise: str
    detail: str
    fix: str | None
    client_id: int | None = None
    job_id: str | None = None
    entry_id: str | None = None
    request_id: str | None = None

    @property
    def ids(self) -> dict[str, Any]:
        return {name: value for name in IDS if (value := getattr(self, name)) is not None}


@dataclass(frozen=True)
class Check:
    """`sql` selects a `detail` and any of the ids in IDS, a row per violation."""

    promise: str
    sql: str
    fix: str | None = None

    def run(self, cursor: Any) -> Iterator[Violation]:
        cursor.execute(self.sql)
        names = [column.name for column in cursor.description]
        for row in cursor.fetchall():
            yield Violation(promise=self.promise, fix=self.fix, **dict(zip(names, row, strict=True)))


OPEN = "status IN ('NOT_STARTED', 'IN_PROGRESS')"

CHECKS = [
    Check(
        "P1",
        """SELECT c.id AS client_id,
                  format('balance is %s and its entries sum to %s', c.balance, coalesce(l.total, 0)) AS detail
             FROM billing_client c
             LEFT JOIN (SELECT client_id, sum(amount) AS total FROM billing_ledgerentry GROUP BY 1) l
               ON l.client_id = c.id
            WHERE c.balance <> coalesce(l.total, 0)""",
        fix="reset balance",
    ),
    Check(
        "P1",
        """SELECT c.id AS client_id,
                  format('ledger_seq is %s and its last entry has %s', c.ledger_seq, coalesce(l.last, 0)) AS detail
             FROM billing_client c
             LEFT JOIN (SELECT client_id, max(seq) AS last FROM billing_ledgerentry GROUP BY 1) l
               ON l.client_id = c.id
            WHERE c.ledger_seq <> coalesce(l.last, 0)""",
        fix="reset balance",
    ),
    Check(
        # Both of one pass, in the order of the chain: nothing takes longer here.
        "P1",
        """SELECT client_id, id AS entry_id, said.detail
             FROM (SELECT id, client_id, seq, amount, balance_after,
                          coalesce(lag(seq) OVER chain, 0) AS seq_before,
                          coalesce(lag(balance_after) OVER chain, 0) AS before
                     FROM billing_ledgerentry WINDOW chain AS (PARTITION BY client_id ORDER BY seq)) chain
            CROSS JOIN LATERAL (
                  VALUES (seq <> seq_before + 1, format('entry %s follows entry %s', seq, seq_before)),
                         (balance_after <> before + amount,
                          format('balance_after is %s, and %s %s makes %s', balance_after, before, amount,
                                 before + amount))
                  ) said (broken, detail)
            WHERE (seq <> seq_before + 1 OR balance_after <> before + amount) AND said.broken""",
    ),
    Check(
        "P1",
        f"""SELECT c.id AS client_id,
                  format('open_jobs is %s and %s jobs are open', c.open_jobs, coalesce(j.open, 0)) AS detail
             FROM billing_client c
             LEFT JOIN (SELECT client_id, count(*) AS open FROM workflows_job WHERE {OPEN} GROUP BY 1) j
               ON j.client_id = c.id
            WHERE c.open_jobs <> coalesce(j.open, 0)""",
        fix="reset open_jobs",
    ),
    Check(
        "P2",
        """SELECT j.client_id, j.id AS job_id, j.charge_id AS entry_id,
                  CASE WHEN e.id IS NULL THEN 'the charge is missing'
                       ELSE format('the charge is a %s of %s for %s by client %s, not a CHARGE of %s',
                                   e.kind, e.amount, e.reference, e.client_id, -j.credits_cost) END AS detail
             FROM workflows_job j LEFT JOIN billing_ledgerentry e ON e.id = j.charge_id
            WHERE e.id IS NULL OR e.kind <> 'CHARGE' OR e.amount <> -j.credits_cost
               OR e.client_id <> j.client_id OR e.reference <> j.id""",
    ),
    Check(
        "P2",
        """SELECT e.client_id, j.id AS job_id, e.id AS entry_id,
                  format('this CHARGE is not the charge of job %s', e.reference) AS detail
             FROM billing_ledgerentry e LEFT JOIN workflows_job j ON j.id = e.reference
            WHERE e.kind = 'CHARGE' AND j.charge_id IS DISTINCT FROM e.id""",
    ),
    Check(
        "P3",
        """SELECT j.client_id, j.id AS job_id, 'the job failed and was not refunded' AS detail
             FROM workflows_job j LEFT JOIN billing_ledgerentry e ON e.id = j.refund_id
            WHERE j.status = 'FAILURE' AND e.id IS NULL""",
        fix="refund",
    ),
    Check(
        "P3",
        """SELECT j.client_id, j.id AS job_id, e.id AS entry_id,
                  format('the refund is a %s of %s for %s by client %s, not a REFUND of %s',
                         e.kind, e.amount, e.reference, e.client_id, j.credits_cost) AS detail
             FROM workflows_job j JOIN billing_ledgerentry e ON e.id = j.refund_id
            WHERE j.status = 'FAILURE' AND (e.kind <> 'REFUND' OR e.amount <> j.credits_cost
                  OR e.client_id <> j.client_id OR e.reference <> j.id)""",
    ),
    Check(
        "P3",
        """SELECT e.client_id, j.id AS job_id, e.id AS entry_id,
                  format('this REFUND is not the refund of job %s', e.reference) AS detail
             FROM billing_ledgerentry e LEFT JOIN workflows_job j ON j.id = e.reference
            WHERE e.kind = 'REFUND' AND j.status IS DISTINCT FROM 'SUCCESS' AND j.refund_id IS DISTINCT FROM e.id
              AND NOT (j.status = 'FAILURE' AND j.refund_id IS NULL)""",
    ),
    Check(
        "P4",
        """SELECT e.client_id, j.id AS job_id, e.id AS entry_id,
                  'the job succeeded, and this REFUND is not one that staff gave' AS detail
             FROM billing_ledgerentry e JOIN workflows_job j ON j.id = e.reference
            WHERE e.kind = 'REFUND' AND j.status = 'SUCCESS'
              AND (j.refund_id IS DISTINCT FROM e.id OR e.reason = '' OR e.actor = '')""",
    ),
    Check(
        "P4",
        """SELECT j.client_id, j.id AS job_id, j.refund_id AS entry_id,
                  format('the job succeeded, and its refund is %s', CASE WHEN e.id IS NULL THEN 'missing'
                         ELSE format('a %s of %s, not of %s', e.kind, e.amount, j.credits_cost) END) AS detail
             FROM workflows_job j LEFT JOIN billing_ledgerentry e ON e.id = j.refund_id
            WHERE j.status = 'SUCCESS' AND j.refund_id IS NOT NULL
              AND (e.id IS NULL OR e.kind <> 'REFUND' OR e.amount <> j.credits_cost
                   OR e.client_id <> j.client_id OR e.reference <> j.id)""",
    ),
    Check(
        "P5",
        f"""SELECT client_id, id AS job_id, format('open, and its deadline was %s', deadline_at) AS detail
             FROM workflows_job
            WHERE {OPEN} AND deadline_at < now() - interval '{MARGIN.seconds} seconds'""",
        fix="fail",
    ),
    Check(
        # For a day less than logs are kept, whatever `prune` is doing meanwhile.
        "P6",
        f"""SELECT j.client_id, j.id AS job_id, j.request_id, 'the job has no request log' AS detail
             FROM workflows_job j LEFT JOIN request_logs r ON r.request_id = j.request_id
            WHERE j.request_id IS NOT NULL AND j.accepted_at > now() - interval '{LOG_DAYS - 1} days'
              AND (r.request_id IS NULL OR r.status <> 202 OR r.job_id <> j.id)""",
    ),
    Check(
        "P6",
        """SELECT r.client_id, r.request_id, format('a 202 for job %s, which is not there', r.job_id) AS detail
             FROM request_logs r LEFT JOIN workflows_job j ON j.id = r.job_id
            -- Where a 202 says that a webhook is on its way, there is no job.
            WHERE r.status = 202 AND j.id IS NULL AND NOT starts_with(r.path, '/v1/webhook-')""",
    ),
    Check(
        "P7",
        f"""SELECT client_id, id AS job_id, format('open, %s of %s attempts used, and nobody is at it',
                  attempt, max_attempts) AS detail
             FROM workflows_job
            WHERE {OPEN} AND deadline_at > now() AND attempt >= max_attempts AND lease_until IS NULL""",
        fix="fail",
    ),
    Check(
        "P7",
        f"""SELECT client_id, id AS job_id, format('open, and not to be handed out before %s', due_at) AS detail
             FROM workflows_job
            WHERE {OPEN} AND deadline_at > now()
              AND (run_after >= deadline_at OR reserved_until > now() + interval '{RESERVATION_SECONDS + 60} seconds'
                   OR lease_until > attempt_started_at + time_limit + interval '{LEASE_GRACE.seconds + 1} seconds')""",
        fix="make due",
    ),
    Check(
        "P7",
        """SELECT format('%s is off', name) AS detail FROM pg_settings
            WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off'""",
    ),
    Check(
        "P8",
        """SELECT 'the trigger ledger_is_append_only is missing or disabled' AS detail
            WHERE NOT EXISTS (
                  SELECT FROM pg_trigger
                   WHERE tgrelid = 'billing_ledgerentry'::regclass AND tgenabled IN ('O', 'A')
                     AND tgname LIKE 'pgtrigger_ledger_is_append_only%')""",
    ),
]
