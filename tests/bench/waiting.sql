-- So many jobs for each of the clients, accepted and charged a moment ago and due now, with the order's columns.
WITH numbers AS (
    SELECT client, n, lpad(n::text, 10, '0') || lpad(client::text, 5, '0') AS id
      FROM unnest(%(clients)s::bigint[]) client, generate_series(1, %(jobs)s) n
), charged AS (
    INSERT INTO billing_ledgerentry (id, client_id, seq, kind, amount, balance_after, reference, reason, actor)
    SELECT %(stamp)s || 'C' || numbers.id, client, ledger_seq + n, 'CHARGE', -2, balance - 2 * n, %(stamp)s || 'J' || numbers.id, '', ''
      FROM numbers JOIN billing_client ON billing_client.id = client
), paid AS (
    UPDATE billing_client
       SET balance = balance - 2 * %(jobs)s, ledger_seq = ledger_seq + %(jobs)s, open_jobs = open_jobs + %(jobs)s
     WHERE id = ANY (%(clients)s)
)
INSERT INTO workflows_job (id, client_id, workflow, spec, status, credits_cost, charge_id, deadline_at, attempt,
                           max_attempts, time_limit, worker, error_code, error_message, summary)
SELECT %(stamp)s || 'J' || id, client, 'background-generator', %(spec)s, 'NOT_STARTED', 2, %(stamp)s || 'C' || id,
       statement_timestamp() + interval '1 day', 0, 3, interval '2 minutes', '', '', '', '{}'
  FROM numbers
