-- For readers with plain SQL: what each kind of record says, for the ledgers that the account may read. Times are UTC,
-- amounts are nano-dollars (unknown is NULL). No texts, sessions, users or senders.
CREATE VIEW sync.facts WITH (security_barrier) AS
  SELECT ws, commit_seq, rid, kind, prompt, field, body::json ->> 'value' AS value, body::json ->> 'action' AS action,
         body::json ->> 'actor' AS actor, body::json ->> 'device' AS device, to_timestamp(at_us / 1000000.0) AS at,
         body::json ->> 'reason' AS reason, accepted_at
  FROM sync.rec WHERE stream = 'meta' AND ws = ANY ((SELECT sync.readable_workspaces())::uuid[]);
COMMENT ON VIEW sync.facts IS 'Everything decided about prompts, in the order that counts (commit_seq): versions, labels, fields, prices, budgets.';

CREATE VIEW sync.versions WITH (security_barrier) AS
  SELECT ws, commit_seq, rid, prompt, field AS version_id, body::json #>> '{version,author}' AS author,
         body::json #>> '{version,message}' AS message, body::json -> 'parents' AS parents,
         body::json #>> '{version,content}' AS content, accepted_at
  FROM sync.rec WHERE stream = 'meta' AND kind = 'version' AND ws = ANY ((SELECT sync.readable_workspaces())::uuid[]);
COMMENT ON VIEW sync.versions IS 'Versions of prompts with their content as JSON; one version can have several rows when several people wrote it.';

CREATE VIEW sync.spans WITH (security_barrier) AS
  SELECT ws, commit_seq, rid, trace_id, body::json ->> 'span_id' AS span_id, body::json ->> 'parent_span_id' AS parent_span_id,
         body::json ->> 'name' AS name, body::json ->> 'kind' AS kind, status, to_timestamp(at_us / 1000000.0) AS started_at,
         duration_us, provider, model, prompt_id, version_id, environment, input_tokens, cache_read_tokens,
         cache_write_tokens, output_tokens, reasoning_tokens, cost_nusd, body::json ->> 'error_type' AS error_type, accepted_at
  FROM sync.rec WHERE stream = 'telemetry' AND kind = 'span' AND ws = ANY ((SELECT sync.readable_workspaces())::uuid[]);
COMMENT ON VIEW sync.spans IS 'Ended spans: numbers and names.';

CREATE VIEW sync.executions WITH (security_barrier) AS
  SELECT ws, commit_seq, rid, body::json ->> 'usage_id' AS usage_id, prompt_id, version_id, provider, model, status, environment,
         to_timestamp(at_us / 1000000.0) AS created_at, sync.whole(body::json ->> 'latency_us') AS latency_us, input_tokens,
         cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nusd,
         body::json ->> 'error_type' AS error_type, accepted_at
  FROM sync.rec WHERE stream = 'telemetry' AND kind = 'execution' AND ws = ANY ((SELECT sync.readable_workspaces())::uuid[]);
COMMENT ON VIEW sync.executions IS 'Ended calls. A call''s cost is also that of its span: add one of the two.';

CREATE VIEW sync.usages WITH (security_barrier) AS
  SELECT ws, commit_seq, rid, prompt_id, version_id, environment, body::json ->> 'source' AS source,
         to_timestamp(at_us / 1000000.0) AS created_at, accepted_at
  FROM sync.rec WHERE stream = 'telemetry' AND kind = 'usage' AND ws = ANY ((SELECT sync.readable_workspaces())::uuid[]);
COMMENT ON VIEW sync.usages IS 'Renders of prompts.';

CREATE VIEW sync.late_prices WITH (security_barrier) AS
  SELECT ws, commit_seq, rid, body::json ->> 'span_rid' AS span_rid, cost_nusd, to_timestamp(at_us / 1000000.0) AS at, accepted_at
  FROM sync.rec WHERE stream = 'telemetry' AND kind = 'late_price' AND ws = ANY ((SELECT sync.readable_workspaces())::uuid[]);
COMMENT ON VIEW sync.late_prices IS 'Prices that spans got after they ended: add them to the spans'' costs.';

CREATE VIEW sync.pushes WITH (security_barrier) AS
  SELECT ws, stream, last_seq, rows, bytes, encode(chain, 'hex') AS chain, pusher, device, at
  FROM sync.commit WHERE ws = ANY ((SELECT sync.member_workspaces())::uuid[]);
COMMENT ON VIEW sync.pushes IS 'One row for each push that added something: who brought it, when, and the hash chain after it.';

CREATE VIEW sync.purges WITH (security_barrier) AS
  SELECT ws, stream, rid, fact, login, at FROM sync.purge WHERE ws = ANY ((SELECT sync.member_workspaces())::uuid[]);
COMMENT ON VIEW sync.purges IS 'Records whose bodies were blanked, by whom, and the record that asked for it.';

CREATE VIEW sync.retirements WITH (security_barrier) AS
  SELECT ws, stream, before, records, login, at FROM sync.retirement
  WHERE ws = ANY ((SELECT sync.member_workspaces())::uuid[]);
COMMENT ON VIEW sync.retirements IS 'Removals of old months (those before YYYYMM), by whom, and how many records they took.';

REVOKE ALL ON ALL TABLES IN SCHEMA sync FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA sync FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sync.hello_v1 TO ledger_admin, ledger_maintainer, ledger_member, ledger_ingest, ledger_reader;
GRANT EXECUTE ON FUNCTION sync.push_v1 TO ledger_admin, ledger_maintainer, ledger_member, ledger_ingest;
GRANT EXECUTE ON FUNCTION sync.care_v1 TO ledger_admin, ledger_maintainer, ledger_member;
GRANT EXECUTE ON FUNCTION sync.pull_v1 TO ledger_admin, ledger_maintainer, ledger_member, ledger_reader;
GRANT EXECUTE ON FUNCTION sync.missing_v1 TO ledger_admin, ledger_maintainer, ledger_member, ledger_reader;
GRANT EXECUTE ON FUNCTION sync.digest_v1 TO ledger_admin, ledger_maintainer, ledger_member, ledger_reader;
GRANT EXECUTE ON FUNCTION sync.enrol_v1, sync.dismiss_v1 TO ledger_admin;
GRANT EXECUTE ON FUNCTION sync.retire_v1 TO ledger_admin, ledger_maintainer;
GRANT EXECUTE ON FUNCTION sync.devices_v1, sync.members_v1 TO ledger_admin, ledger_maintainer, ledger_member;
-- A view runs these as the one who reads it.
GRANT EXECUTE ON FUNCTION sync.readable_workspaces, sync.my_workspaces, sync.whole
  TO ledger_admin, ledger_maintainer, ledger_member, ledger_reader;
GRANT EXECUTE ON FUNCTION sync.member_workspaces TO ledger_admin, ledger_maintainer, ledger_member;
GRANT SELECT ON sync.facts, sync.versions, sync.spans, sync.executions, sync.usages, sync.late_prices
  TO ledger_admin, ledger_maintainer, ledger_member, ledger_reader;
GRANT SELECT ON sync.pushes, sync.purges, sync.retirements TO ledger_admin, ledger_maintainer, ledger_member;
