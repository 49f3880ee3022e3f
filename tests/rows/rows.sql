-- Run statement by statement (a semicolon and an empty line part them), with jobs, clients and days as parameters.

-- A ULID of a moment; its last 16 characters are a letter for what it is of, and a number.
CREATE OR REPLACE FUNCTION pg_temp.ulid(at timestamptz, kind text, number bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
SELECT substr(a, (ms >> 45)::int + 1, 1) || substr(a, (ms >> 40 & 31)::int + 1, 1)
    || substr(a, (ms >> 35 & 31)::int + 1, 1) || substr(a, (ms >> 30 & 31)::int + 1, 1)
    || substr(a, (ms >> 25 & 31)::int + 1, 1) || substr(a, (ms >> 20 & 31)::int + 1, 1)
    || substr(a, (ms >> 15 & 31)::int + 1, 1) || substr(a, (ms >> 10 & 31)::int + 1, 1)
    || substr(a, (ms >> 5 & 31)::int + 1, 1) || substr(a, (ms & 31)::int + 1, 1)
    || kind || lpad(number::text, 15, '0')
  FROM (SELECT '0123456789ABCDEFGHJKMNPQRSTVWXYZ' AS a, floor(extract(epoch FROM at) * 1000)::bigint AS ms) _
$$;

-- A number from 0 to 1 that looks random and is always the same for `n`, another for each `salt`.
CREATE OR REPLACE FUNCTION pg_temp.chance(n bigint, salt bigint) RETURNS float LANGUAGE sql IMMUTABLE AS $$
SELECT (hashint8extended(n, salt) & 1073741823) / 1073741824.0
$$;

CREATE TEMP TABLE wanted AS
SELECT (SELECT coalesce(max(id), 0) FROM billing_client) AS before, now() AS at, now() - make_interval(days => %(days)s)
       AS since;

INSERT INTO billing_client (id, name, balance, ledger_seq, open_jobs, max_open_jobs, jobs_per_minute, storage_prefixes,
                            suspended_at, low_credits_threshold, created_at)
SELECT before + n,
       (ARRAY['Aster', 'Birch', 'Cedar', 'Dune', 'Ember', 'Fjord', 'Grove', 'Harbor', 'Iris', 'Juniper', 'Kestrel',
              'Linden', 'Maple', 'North', 'Olive', 'Pine', 'Quartz', 'River', 'Slate', 'Tern'])[n %% 20 + 1]
       || ' ' || (ARRAY['& Co', 'Apparel', 'Goods', 'House', 'Market', 'Shoes', 'Studio'])[n %% 7 + 1] || ' ' || n,
       0, 0, 0, 1000, 60, '{}', CASE WHEN n %% 97 = 0 THEN at END, CASE WHEN n %% 3 = 0 THEN 500 END, since
  FROM wanted, generate_series(1, %(clients)s) n;

SELECT setval(pg_get_serial_sequence('billing_client', 'id'), (SELECT max(id) FROM billing_client));

INSERT INTO billing_apikey (client_id, digest, prefix, created_at)
SELECT id, encode(sha256(('key ' || id)::bytea), 'hex'), 'sk_' || substr(md5(id::text), 1, 8), created_at
  FROM billing_client, wanted WHERE id > before;

-- Every two thousandth job runs again what the one before it made. The third power makes few clients huge.
CREATE TEMP TABLE job AS
SELECT n, m, n <> m AS again, before + 1 + floor(%(clients)s * pg_temp.chance(m, 1) ^ 3)::bigint AS client_id,
       accepted_at, pg_temp.ulid(accepted_at, 'J', n) AS id, pg_temp.ulid(accepted_at, 'C', n) AS charge_id,
       CASE WHEN n = m THEN pg_temp.ulid(accepted_at, 'R', n) END AS request_id,
       CASE WHEN n > %(jobs)s - greatest(4, %(jobs)s / 1000) THEN CASE n %% 4 WHEN 0 THEN 'IN_PROGRESS' ELSE 'NOT_STARTED' END
            WHEN pg_temp.chance(m, 2) < 0.08 THEN 'FAILURE' ELSE 'SUCCESS' END AS status,
       CASE WHEN pg_temp.chance(m, 3) < 0.25 THEN 'extract' ELSE 'background-generator' END AS workflow,
       CASE WHEN n <> m THEN 0 ELSE 2 + floor(6 * pg_temp.chance(m, 4))::int END AS cost,
       accepted_at + make_interval(secs => 1 + 8 * pg_temp.chance(m, 5)) AS started_at,
       accepted_at + make_interval(secs => 10 + 50 * pg_temp.chance(m, 6)) AS ended_at,
       -- A few refusals of engines are common, one in five thousand failures is a code that nobody saw for months.
       CASE WHEN n %% 60000 = 11 THEN 'provider_quota' ELSE
         (ARRAY['unknown_model', 'deadline_exceeded', 'provider_refused', 'time_limit', 'cancelled', 'lost_worker',
                'no_items_found', 'bad_resolution'])[1 + floor(8 * pg_temp.chance(m, 7) ^ 2)] END AS code,
       pg_temp.chance(m, 8) < 0.015 AS given_back, pg_temp.chance(m, 9) AS model, pg_temp.chance(m, 10) AS brand
  FROM (SELECT n, n - (n %% 2000 = 7)::int AS m, since, at, before,
               since + (at - since) * ((n - pg_temp.chance(n, 11)) / %(jobs)s) AS accepted_at
          FROM wanted, generate_series(1, %(jobs)s) n) numbers;

ALTER TABLE job ADD refund_id text, ADD rerun_of text;

UPDATE job SET status = 'FAILURE' WHERE n %% 60000 = 11 AND status = 'SUCCESS';

UPDATE job SET refund_id = pg_temp.ulid(ended_at, 'F', n)
 WHERE status = 'FAILURE' OR (status = 'SUCCESS' AND given_back);

UPDATE job again SET rerun_of = job.id FROM job WHERE again.again AND job.n = again.m;

CREATE INDEX ON job (client_id);

ANALYZE job;

-- Each client begins with a grant of all that it will spend.
CREATE TEMP TABLE entry AS
SELECT pg_temp.ulid(created_at, 'G', id) AS id, id AS client_id, 'GRANT' AS kind, created_at,
       1000 + coalesce((SELECT sum(cost) FROM job WHERE client_id = billing_client.id), 0) AS amount,
       'order ' || id AS reference, 'first credits' AS reason, 'finance' AS actor
  FROM billing_client, wanted WHERE id > before
UNION ALL
SELECT pg_temp.ulid(created_at + n * interval '29 days', 'A', id * 10 + n), id, 'ADJUSTMENT',
       created_at + n * interval '29 days', 5, 'T-' || id || '-' || n, 'goodwill', 'finance'
  FROM billing_client, wanted, generate_series(1, 5) n WHERE id > before AND id %% 5 = n - 1
UNION ALL
SELECT charge_id, client_id, 'CHARGE', accepted_at, -cost, id, '', '' FROM job
UNION ALL
SELECT refund_id, client_id, 'REFUND', ended_at + CASE status WHEN 'SUCCESS' THEN interval '2 hours' ELSE '0' END, cost,
       id, CASE status WHEN 'SUCCESS' THEN 'wrong colours' ELSE 'failed: ' || code END,
       CASE status WHEN 'SUCCESS' THEN 'support' ELSE '' END
  FROM job WHERE refund_id IS NOT NULL;

INSERT INTO billing_ledgerentry (id, client_id, seq, kind, amount, balance_after, reference, reason, actor, created_at)
SELECT id, client_id, row_number() OVER chain, kind, amount, sum(amount) OVER chain, reference, reason, actor, created_at
  FROM entry WINDOW chain AS (PARTITION BY client_id ORDER BY created_at, id ROWS UNBOUNDED PRECEDING) ORDER BY id;

UPDATE billing_client SET balance = total, ledger_seq = entries,
       open_jobs = (SELECT count(*) FROM job WHERE client_id = billing_client.id
                       AND status IN ('NOT_STARTED', 'IN_PROGRESS'))
  FROM (SELECT client_id, sum(amount) AS total, count(*) AS entries FROM entry GROUP BY 1) books
 WHERE client_id = billing_client.id;

-- Specs and bodies of about a kilobyte.
ALTER TABLE job ADD spec jsonb;

UPDATE job SET spec = CASE workflow
  WHEN 'extract' THEN jsonb_build_object(
    'trial_image', 'clients/' || client_id || '/uploads/' || n || '.jpg',
    'extraction_context', jsonb_build_object('max_items', 1 + n %% 4, 'product_name', 'Product ' || n,
                                             'product_description', repeat('soft cotton, made to last; ', 30)))
  ELSE jsonb_build_object(
    'scene_type', (ARRAY['podium', 'beach', 'street', 'loft', 'garden'])[n %% 5 + 1], 'mood', 'calm',
    'display_name', CASE WHEN n %% 3 = 0 THEN '' ELSE
       (ARRAY['Summer', 'Winter', 'Autumn', 'Spring', 'Sale', 'Drop'])[1 + floor(6 * pg_temp.chance(m, 12))] || ' '
       || m %% 9973 END,
    'dominant_colors', jsonb_build_array('navy', 'sand', '#aa3355'),
    'image_model', CASE WHEN model < 0.5 THEN 'gemini-2.5-flash-image' WHEN model < 0.6 THEN 'gpt-image-1'
                        WHEN model < 0.6002 THEN 'dall-e-2' END,
    'pilot_brand', CASE WHEN brand < 0.3 THEN 'brand ' || floor(2000 * (brand / 0.3) ^ 3) END,
    'metadata', jsonb_build_object('sku', 'SKU-' || m, 'note', repeat('keep the shadow soft and the floor plain; ', 14)))
  END;

INSERT INTO workflows_job
       (id, request_id, client_id, workflow, spec, rerun_of_id, idempotency_key, order_digest, status, credits_cost,
        charge_id, refund_id, accepted_at, deadline_at, started_at, ended_at, attempt, max_attempts, time_limit, worker,
        run_after, error_code, error_message, summary, files_expire_at, files_erased_at)
SELECT id, request_id, client_id, workflow, spec, rerun_of,
       CASE WHEN NOT again AND n %% 3 = 1 THEN 'order-' || n END,
       CASE WHEN NOT again AND n %% 3 = 1 THEN md5(n::text) ELSE '' END,
       status, cost, charge_id, refund_id, accepted_at,
       -- What is open stays so for a day: nobody works here.
       CASE WHEN over THEN accepted_at + interval '30 minutes' ELSE at + interval '1 day' END,
       CASE WHEN status <> 'NOT_STARTED' THEN started_at END, CASE WHEN over THEN ended_at END,
       CASE status WHEN 'NOT_STARTED' THEN 0 ELSE 1 END, 3, interval '2 minutes',
       CASE status WHEN 'NOT_STARTED' THEN '' ELSE 'host:' || n %% 8 END, accepted_at,
       CASE status WHEN 'FAILURE' THEN code ELSE '' END,
       CASE status WHEN 'FAILURE' THEN 'It did not work out: ' || code ELSE '' END,
       CASE status WHEN 'SUCCESS' THEN jsonb_build_object('seed', n, 'model', 'built-in', 'took', 12.5) ELSE '{}' END,
       CASE status WHEN 'SUCCESS' THEN ended_at + interval '30 days' END,
       CASE WHEN status = 'SUCCESS' AND ended_at < at - interval '30 days' THEN ended_at + interval '30 days' END
  FROM (SELECT *, status IN ('SUCCESS', 'FAILURE') AS over FROM job) job, wanted ORDER BY id;

INSERT INTO request_logs (request_id, received_at, method, path, status, code, duration_ms, client_id, api_key_prefix,
                          job_id, remote_addr, user_agent, body, body_size)
SELECT request_id, accepted_at, 'POST', '/v1/' || workflow, 202, '', 12 + n %% 40, client_id,
       'sk_' || substr(md5(client_id::text), 1, 8), id, '203.0.113.' || n %% 250, 'shop/1.0',
       convert_to(spec::text, 'UTF8'), octet_length(spec::text)
  FROM job WHERE NOT again ORDER BY id;

-- One refusal to ten orders, and a few faults of our own.
INSERT INTO request_logs (request_id, received_at, method, path, status, code, duration_ms, client_id, api_key_prefix,
                          job_id, remote_addr, user_agent, body, body_size)
SELECT pg_temp.ulid(accepted_at, 'N', n), accepted_at, 'POST', '/v1/' || workflow, answer,
       CASE answer WHEN 503 THEN 'database_unavailable' WHEN 422 THEN 'invalid' WHEN 402 THEN 'insufficient_credits'
                   ELSE 'rate_limited' END,
       3, client_id, '', '', '203.0.113.7', 'shop/1.0', '', 300
  FROM (SELECT *, CASE WHEN n %% 10000 = 10 THEN 503 ELSE (ARRAY[422, 402, 429])[n / 10 %% 3 + 1] END AS answer
          FROM job WHERE n %% 10 = 0) refused ORDER BY 1;

INSERT INTO workflows_output (job_id, position, name, key, thumbnail_key, content_type, size, sha256, width, height,
                              details)
SELECT id, p, p || '.png', 'clients/' || client_id || '/jobs/' || id || '/1/' || p || '.png',
       'clients/' || client_id || '/jobs/' || id || '/1/' || p || '.webp', 'image/png', 900000, md5(id) || md5(id), 1024,
       1024, '{}'
  FROM job, wanted, generate_series(0, n %% 3) p
 WHERE status = 'SUCCESS' AND ended_at >= at - interval '30 days' ORDER BY id, p;

INSERT INTO workflows_jobevent (job_id, at, kind, attempt, worker, detail)
SELECT id, happened, kind, 1, 'host:' || n %% 8, CASE kind WHEN 'failed' THEN code ELSE '' END
  FROM wanted, job CROSS JOIN LATERAL (
       VALUES (started_at, 'started'), (ended_at, CASE status WHEN 'FAILURE' THEN 'failed' ELSE 'succeeded' END)
       ) events (happened, kind)
 WHERE status IN ('SUCCESS', 'FAILURE') AND accepted_at >= at - interval '30 days' ORDER BY happened;

INSERT INTO workflows_webhookendpoint (id, client_id, url, event_types, encrypted_secret, previous_encrypted_secret,
                                       failing_since, disabled_at, disabled_reason, created_at)
SELECT pg_temp.ulid(created_at, 'E', id), id, 'https://shop-' || id || '.example/hooks', '{}', 'not a secret', '',
       CASE WHEN id %% 20 = 1 THEN at - interval '3 hours' END, CASE WHEN id %% 20 = 2 THEN at END,
       CASE WHEN id %% 20 = 2 THEN 'by its client' ELSE '' END, created_at
  FROM billing_client, wanted WHERE id > before AND id <= before + %(clients)s / 5;

INSERT INTO workflows_event (id, client_id, job_id, type, sequence, body, created_at)
SELECT pg_temp.ulid(ended_at, 'V', n), client_id, id,
       CASE status WHEN 'FAILURE' THEN 'job.failed' ELSE 'job.succeeded' END, 1,
       jsonb_build_object('type', 'job.succeeded', 'timestamp', ended_at, 'data', spec)::text, ended_at
  FROM job, wanted
 WHERE status IN ('SUCCESS', 'FAILURE') AND ended_at >= at - interval '14 days' ORDER BY 1;

INSERT INTO workflows_webhookdelivery (id, client_id, event_id, endpoint_id, created_at, attempts, tries, worker,
                                       next_attempt_at, delivered_at, gave_up_at)
SELECT pg_temp.ulid(v.created_at, 'D', row_number() OVER ()), v.client_id, v.id, e.id, v.created_at, 1, 1, 'host:1',
       CASE WHEN fate < 0.002 THEN at + interval '1 day' END,
       CASE WHEN fate >= 0.01 THEN v.created_at + interval '1 second' END,
       CASE WHEN fate >= 0.002 AND fate < 0.01 THEN v.created_at + interval '1 day' END
  FROM (SELECT *, pg_temp.chance(right(id, 15)::bigint, 13) AS fate FROM workflows_event) v
  JOIN workflows_webhookendpoint e USING (client_id), wanted WHERE v.client_id > before;

INSERT INTO workflows_webhookattempt (delivery_id, number, worker, at, duration_ms, url, request_headers, status, error,
                                      response_excerpt)
SELECT d.id, 1, 'host:1', d.created_at, 90, e.url, '{}', CASE WHEN delivered_at IS NULL THEN 500 ELSE 200 END,
       CASE WHEN delivered_at IS NULL THEN 'It answered 500.' ELSE '' END, 'ok'
  FROM workflows_webhookdelivery d JOIN workflows_webhookendpoint e ON e.id = d.endpoint_id, wanted
 WHERE d.client_id > before;

DROP TABLE wanted, job, entry;

ANALYZE billing_client, billing_apikey, billing_ledgerentry, request_logs, workflows_job, workflows_jobevent,
        workflows_output, workflows_event, workflows_webhookendpoint, workflows_webhookdelivery, workflows_webhookattempt
