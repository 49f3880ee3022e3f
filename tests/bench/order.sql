-- What an accepted order writes, as pgbench runs it: the rows and columns, guards included, of an order over HTTP.
\set n :n + 1
\set client random(:first, :last)
BEGIN;
INSERT INTO request_logs (request_id, received_at, method, path, status, code, duration_ms, client_id, api_key_prefix,
                          job_id, remote_addr, user_agent, body, body_size, body_truncated)
VALUES (:stamp || 'R' || lpad(:n, 10, '0') || lpad(:client_id, 5, '0'), DEFAULT, 'POST', '/v1/background-generator', 202,
        '', 7, :client, 'sk_abcdefgh', :stamp || 'J' || lpad(:n, 10, '0') || lpad(:client_id, 5, '0'), '127.0.0.1',
        'bench', convert_to(:body, 'UTF8'), :size, false);
INSERT INTO workflows_job (id, request_id, client_id, workflow, spec, is_test, rerun_of_id, idempotency_key,
                           order_digest, status, credits_cost, charge_id, refund_id, accepted_at, deadline_at,
                           started_at, ended_at, on_technical_failure, output_format, fell_back, cancel_requested_at,
                           attempt, max_attempts, time_limit, worker, attempt_started_at, run_after, reserved_until,
                           lease_until, error_code, error_message, error_retryable, summary, files_expire_at,
                           files_erased_at, erased_at)
VALUES (:stamp || 'J' || lpad(:n, 10, '0') || lpad(:client_id, 5, '0'),
        :stamp || 'R' || lpad(:n, 10, '0') || lpad(:client_id, 5, '0'), :client, 'background-generator', :body, false,
        NULL, NULL, '', 'NOT_STARTED', 2, :stamp || 'C' || lpad(:n, 10, '0') || lpad(:client_id, 5, '0'), NULL, DEFAULT,
        statement_timestamp() + interval '30 minutes', NULL, NULL, 'retry', 'png', false, NULL, 0, 3,
        interval '2 minutes', '', NULL, DEFAULT, NULL, NULL, '', '', false, '{}', NULL, NULL, NULL);
WITH moved AS (
    UPDATE billing_client
       SET balance = balance - 2, ledger_seq = ledger_seq + 1, open_jobs = open_jobs + 1,
           orders_tat = GREATEST(orders_tat, clock_timestamp()) + interval '1 minute' / jobs_per_minute
     WHERE id = :client AND balance >= 2 AND suspended_at IS NULL AND open_jobs < max_open_jobs
       AND orders_tat - clock_timestamp() <= interval '1 minute' / jobs_per_minute * (jobs_per_minute - 1)
 RETURNING id, balance, ledger_seq, open_jobs, orders_tat, low_credits_threshold, clock_timestamp() AS read_at
), entry AS (
    INSERT INTO billing_ledgerentry (id, client_id, seq, kind, amount, balance_after, reference, reason, actor)
    SELECT :stamp || 'C' || lpad(:n, 10, '0') || lpad(:client_id, 5, '0'), id, ledger_seq, 'CHARGE', -2, balance,
           :stamp || 'J' || lpad(:n, 10, '0') || lpad(:client_id, 5, '0'), '', '' FROM moved
)
SELECT balance, open_jobs, orders_tat, low_credits_threshold, read_at FROM moved;
COMMIT;
