"""The promises, asked of the rows in SQL of the tests' own: nothing of `manage.py reconcile` is in it.

Where reconcile compares neighbours and joins, this replays: each client's ledger from nothing, each job's entries as a
whole.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg


@dataclass
class Promise:
    """What was looked at, and in which rows it was broken."""

    counted: int = 0
    violations: list[str] = field(default_factory=list)


# Each query returns a row for whatever it looks at: what it is, and what is wrong with it, or NULL.
QUERIES = {
    "P1": """
        SELECT 'client ' || c.id,
               nullif(concat_ws(', ',
                 CASE WHEN c.balance < 0 THEN 'the balance is negative' END,
                 CASE WHEN c.balance <> replay.total THEN format('balance %s, entries %s', c.balance, replay.total) END,
                 CASE WHEN c.ledger_seq <> replay.entries THEN
                   format('ledger_seq %s, %s entries', c.ledger_seq, replay.entries) END,
                 CASE WHEN replay.astray > 0 THEN format('%s entries do not follow', replay.astray) END,
                 CASE WHEN c.open_jobs <> running.jobs THEN
                   format('open_jobs %s, %s are open', c.open_jobs, running.jobs) END), '')
          FROM billing_client c,
               LATERAL (SELECT count(*) AS jobs FROM workflows_job j
                         WHERE j.client_id = c.id AND j.ended_at IS NULL) running,
               LATERAL (SELECT coalesce(sum(amount), 0) AS total, count(*) AS entries,
                               count(*) FILTER (WHERE seq <> place OR balance_after <> so_far OR so_far < 0) AS astray
                          FROM (SELECT amount, seq, balance_after,
                                       row_number() OVER w AS place, sum(amount) OVER w AS so_far
                                  FROM billing_ledgerentry e WHERE e.client_id = c.id
                                WINDOW w AS (ORDER BY seq ROWS UNBOUNDED PRECEDING)) entry) replay
    """,
    "P2": """
        SELECT coalesce('job ' || j.id, 'a charge for ' || paid.reference),
               CASE WHEN j.id IS NULL THEN 'there is no such job'
                    WHEN paid.entries IS NULL THEN 'no charge'
                    WHEN paid.entries > 1 THEN format('%s charges', paid.entries)
                    WHEN (paid.clients, paid.ids, paid.total)
                         IS DISTINCT FROM (ARRAY[j.client_id], ARRAY[j.charge_id::text], -j.credits_cost::bigint)
                    THEN format('charge %s of %s by %s, for %s of client %s',
                                paid.ids, paid.total, paid.clients, j.credits_cost, j.client_id) END
          FROM workflows_job j
          FULL JOIN (SELECT reference, count(*) AS entries, sum(amount)::bigint AS total,
                            array_agg(client_id) AS clients, array_agg(id::text) AS ids
                       FROM billing_ledgerentry WHERE kind = 'CHARGE' GROUP BY reference) paid
            ON paid.reference = j.id
    """,
    "P3": """
        SELECT coalesce('job ' || j.id, 'a refund for ' || back.reference),
               CASE WHEN j.id IS NULL THEN 'there is no such job'
                    WHEN j.status <> 'FAILURE' THEN 'it is open, and was refunded'
                    WHEN back.entries IS NULL THEN 'it failed, and there is no refund'
                    WHEN back.entries > 1 THEN format('%s refunds', back.entries)
                    WHEN (back.clients, back.ids, back.total)
                         IS DISTINCT FROM (ARRAY[j.client_id], ARRAY[j.refund_id::text], j.credits_cost::bigint)
                    THEN format('refund %s of %s to %s, for %s of client %s',
                                back.ids, back.total, back.clients, j.credits_cost, j.client_id) END
          FROM (SELECT * FROM workflows_job WHERE status <> 'SUCCESS') j
          FULL JOIN (SELECT reference, count(*) AS entries, sum(amount)::bigint AS total,
                            array_agg(client_id) AS clients, array_agg(id::text) AS ids
                       FROM billing_ledgerentry WHERE kind = 'REFUND'
                        AND reference NOT IN (SELECT id FROM workflows_job WHERE status = 'SUCCESS')
                      GROUP BY reference) back
            ON back.reference = j.id
         WHERE j.id IS NULL OR j.status = 'FAILURE' OR back.entries > 0
    """,
    "P4": """
        SELECT 'job ' || j.id,
               CASE WHEN j.refund_id IS NULL AND given.entries = 0 THEN NULL
                    WHEN given.entries <> 1 OR given.id IS DISTINCT FROM j.refund_id::text THEN
                      format('succeeded, with %s refunds, and names %s', given.entries, j.refund_id)
                    WHEN NOT given.by_staff THEN 'succeeded, with a refund that staff did not give'
                    WHEN given.total <> j.credits_cost OR given.client_id <> j.client_id THEN
                      format('succeeded, with %s of %s refunded', given.total, j.credits_cost) END
          FROM workflows_job j,
               LATERAL (SELECT count(*) AS entries, min(id::text) AS id, sum(amount) AS total,
                               min(client_id) AS client_id, bool_and(reason <> '' AND actor <> '') AS by_staff
                          FROM billing_ledgerentry e WHERE e.kind = 'REFUND' AND e.reference = j.id) given
         WHERE j.status = 'SUCCESS'
    """,
    "P5": """
        SELECT 'job ' || id,
               CASE WHEN coalesce(ended_at, clock_timestamp()) > deadline_at + %(margin)s THEN
                 format('open until %%s, deadline %%s', coalesce(ended_at, clock_timestamp()), deadline_at) END
          FROM workflows_job
    """,
    "P6": """
        SELECT coalesce('job ' || j.id, 'request ' || r.request_id),
               CASE WHEN j.id IS NULL THEN format('answered with job %s, which is not there', r.job_id)
                    WHEN r.request_id IS NULL THEN 'its request is not in the log'
                    WHEN r.client_id <> j.client_id OR r.method <> 'POST' THEN
                      format('logged as %s %s by client %s: %s', r.method, r.path, r.client_id, r.status) END
          FROM workflows_job j
          FULL JOIN (SELECT * FROM request_logs r
                      WHERE status = 202 AND path NOT LIKE '%/cancel' AND path NOT LIKE '/v1/webhook-%'
                        -- A replay is logged with the job of the request that it repeats.
                        AND NOT EXISTS (SELECT FROM workflows_job t
                                         WHERE t.id = r.job_id AND t.request_id <> r.request_id)) r
            ON r.job_id = j.id AND r.request_id = j.request_id
         WHERE j.request_id IS NOT NULL OR j.id IS NULL
    """,
    "P7": """
        SELECT 'job ' || id,
               CASE WHEN deadline_at <= clock_timestamp() THEN NULL  -- P5's
                    WHEN lease_until > attempt_started_at + time_limit + interval '10 seconds' THEN
                      format('leased until %s', lease_until)
                    WHEN lease_until IS NULL AND attempt = max_attempts THEN 'no attempt is left, and none runs'
                    WHEN greatest(run_after, reserved_until) >= deadline_at
                      OR reserved_until > clock_timestamp() + interval '2 minutes' THEN
                      format('kept from workers until %s', greatest(run_after, reserved_until)) END
          FROM workflows_job WHERE ended_at IS NULL
         UNION ALL
        SELECT name, CASE WHEN current_setting(name) = 'off' THEN 'off' END
          FROM unnest(ARRAY['fsync', 'synchronous_commit', 'full_page_writes']) name
         UNION ALL
        SELECT 'job ' || id, CASE WHEN (ended_at IS NULL) <> (status IN ('NOT_STARTED', 'IN_PROGRESS')) THEN
                 format('%s, and ended at %s', status, ended_at) END
          FROM workflows_job
    """,
    # Not a promise by number: clients are told once of each beginning and end, in that order, and of nothing else.
    "events": """
        SELECT 'job ' || j.id,
               CASE WHEN told.types IS DISTINCT FROM happened.types THEN
                 format('%s happened, and %s was told', happened.types, told.types) END
          FROM workflows_job j,
               LATERAL (SELECT array_remove(ARRAY[
                          CASE WHEN j.attempt > 0 THEN 'job.started' END,
                          CASE j.status WHEN 'SUCCESS' THEN 'job.succeeded' WHEN 'FAILURE' THEN 'job.failed' END,
                          CASE WHEN j.status = 'SUCCESS' AND j.refund_id IS NOT NULL THEN 'job.refunded' END],
                          NULL) AS types) happened,
               LATERAL (SELECT coalesce(array_agg(e.type::text ORDER BY e.sequence, e.xid), '{}') AS types
                          FROM workflows_event e WHERE e.job_id = j.id AND e.client_id = j.client_id) told
    """,
}

# Tried, and rolled back: what the database lets one do to a ledger entry.
TAMPERING = (
    "UPDATE billing_ledgerentry SET actor = actor",
    "UPDATE billing_ledgerentry SET reason = 'x' WHERE id = (SELECT min(id::text) FROM billing_ledgerentry)",
    "DELETE FROM billing_ledgerentry WHERE id = (SELECT max(id::text) FROM billing_ledgerentry)",
    "TRUNCATE billing_ledgerentry CASCADE",
)


def check(url: str, *, margin: timedelta) -> dict[str, Promise]:
    """Check P1 to P8 in one snapshot, and P8 by trying."""
    found: dict[str, Promise] = {}
    with psycopg.connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        for name, query in QUERIES.items():
            values: Any = {"margin": margin} if "%(margin)s" in query else None
            rows = connection.execute(query, values).fetchall()
            violations = [f"{what}: {wrong}" for what, wrong in rows if wrong is not None]
            found[name] = Promise(len(rows), violations)
        connection.rollback()
        found["P8"] = Promise(len(TAMPERING), [attempt for attempt in TAMPERING if _succeeds(connection, attempt)])
    return found


def _succeeds(connection: psycopg.Connection, statement: str) -> bool:
    try:
        connection.execute(statement)
    except psycopg.errors.RaiseException:
        return False
    finally:
        connection.rollback()
    return True
