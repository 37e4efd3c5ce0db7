-- Adding records. One call is one transaction: the counter's row is locked last but for the rows themselves, and held until
-- the commit, so whoever sees number k sees every lower one. Separate statements on purpose: each one after the lock sees what
-- was committed while it was waited for. That an id is new is looked up in every stream, but under this stream's lock only. Each row is found by
-- its index: a table that grew from nothing a minute ago has no statistics that would tell the planner so.
CREATE FUNCTION sync.check_push(p_ws uuid, p_stream text, p_rids text[], p_kinds text[], p_bodies text[], p_bytes bigint)
RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp AS $$
DECLARE
  v_role text := sync.my_role(p_ws);
  v_rows int := cardinality(p_rids);
BEGIN
  IF p_stream IS NULL OR NOT p_stream = ANY (sync.pushes_of(v_role)) THEN
    RAISE EXCEPTION USING ERRCODE = 'LG001', MESSAGE = format('the role %s may not send %s', v_role, left(p_stream, 20));
  END IF;
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION USING ERRCODE = 'LG003', MESSAGE = 'a push needs the isolation level read committed';
  END IF;
  IF v_rows IS NULL OR v_rows <> cardinality(p_kinds) OR v_rows <> cardinality(p_bodies) OR v_rows > 10000 THEN
    RAISE EXCEPTION USING ERRCODE = 'LG004', MESSAGE = 'a push has up to 10000 records, each with id, kind and body';
  END IF;
  -- A page holds whole pushes, and no ledger reads one of any size: this is a full batch of a ledger and its largest record.
  IF p_bytes > 8388608 THEN
    RAISE EXCEPTION USING ERRCODE = 'LG004', MESSAGE = 'the bodies of a push have up to 8 MB together';
  END IF;
  RETURN v_role;
END $$;

CREATE FUNCTION sync.hash_of(p_kind text, p_rid text, p_body text) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT sha256(convert_to(p_kind || E'\n' || p_rid || E'\n' || p_body, 'UTF8'))
$$;

-- The month of rows that are as nearly all are: telemetry or bodies, ids of one month, nothing malformed, not too large. NULL for
-- others: each of those is looked at by itself.
CREATE FUNCTION sync.plain_month(p_stream text, p_rids text[], p_kinds text[], p_bytes bigint) RETURNS int
LANGUAGE sql STABLE AS $$
  SELECT sync.month_of(min(u.rid COLLATE "C")) FROM unnest(p_rids) AS u(rid)
  WHERE p_stream <> 'meta' AND cardinality(p_rids) > 0 AND p_bytes <= 4194304
    -- One line each, or two ids in one would pass for two rows.
    AND strpos(array_to_string(p_rids, '') || array_to_string(p_kinds, ''), E'\n') = 0
    AND (array_to_string(p_rids, E'\n') || E'\n') COLLATE "C"
        ~ '^([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\n)+$'
    AND (array_to_string(p_kinds, E'\n') || E'\n') COLLATE "C" ~ '^([a-z][a-z0-9_]{0,31}\n)+$'
  HAVING sync.month_of(min(u.rid COLLATE "C")) = sync.month_of(max(u.rid COLLATE "C"))
$$;

-- Plain rows that are all new, numbered from p_begin on; each body is read once. Raises for any that is known, purged or strange:
-- its caller then undoes this and looks at each.
CREATE FUNCTION sync.add_plain(p_ws uuid, p_stream text, p_month int, p_begin bigint, p_rids text[], p_kinds text[],
                               p_bodies text[], p_hashes bytea[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_rows int;
BEGIN
  PERFORM FROM sync.rec r
  WHERE r.rid = ANY (p_rids) AND r.ws = p_ws AND r.month = p_month AND r.stream <> p_stream LIMIT 1;
  IF FOUND OR sync.any_purged(p_ws, p_rids) THEN
    RAISE EXCEPTION USING ERRCODE = 'LG005', MESSAGE = 'not all of it is new';
  END IF;
  INSERT INTO sync.rec (ws, stream, month, commit_seq, rv, rid, kind, hash, pusher, body, at_us, duration_us, input_tokens,
                        cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nusd, trace_id,
                        prompt_id, version_id, provider, model, environment, status)
  SELECT p_ws, p_stream, p_month, p_begin + g.ord, x.rv, g.rid, g.kind, g.hash, session_user, g.body,
         sync.moment(coalesce(x.started_us, x.created_us, x.at_us)), x.duration_us, x.input_tokens, x.cache_read_tokens,
         x.cache_write_tokens, x.output_tokens, x.reasoning_tokens, x.cost_nusd::text::bigint, left(x.trace_id, 128),
         x.prompt_id, x.version_id, x.provider, x.model, x.environment, x.status
  FROM unnest(p_rids, p_kinds, p_bodies, p_hashes) WITH ORDINALITY AS g(rid, kind, body, hash, ord),
       json_to_record(g.body::json) AS x(
         rv int, started_us bigint, created_us bigint, at_us bigint, duration_us bigint, input_tokens bigint,
         cache_read_tokens bigint, cache_write_tokens bigint, output_tokens bigint, reasoning_tokens bigint,
         cost_nusd json, trace_id text, prompt_id text, version_id text, provider text, model text, environment text,
         status text)
  WHERE x.rv > 0;
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  IF v_rows <> cardinality(p_rids) THEN
    RAISE EXCEPTION USING ERRCODE = 'LG005', MESSAGE = 'a body does not say its format';
  END IF;
END $$;

-- Hash, month and own faults of rows, in their order; needs no lock. A body that is no JSON fails the whole call (22P02).
CREATE FUNCTION sync.weigh(p_rids text[], p_kinds text[], p_bodies text[],
                           OUT hashes bytea[], OUT months int[], OUT faults text[])
LANGUAGE sql STABLE AS $$
  SELECT coalesce(array_agg(sync.hash_of(g.kind, g.rid, g.body) ORDER BY g.ord), '{}'),
         coalesce(array_agg(sync.month_of(g.rid) ORDER BY g.ord), '{}'),
         coalesce(array_agg(CASE
           WHEN g.rid IS NULL OR g.kind IS NULL OR g.body IS NULL THEN 'CORRUPT'
           WHEN octet_length(g.body) > 4194304 THEN 'TOO_BIG'
           WHEN octet_length(g.rid) > 128 OR g.rid COLLATE "C" !~ '^[0-9A-Za-z][0-9A-Za-z._:-]*$'
             OR g.kind COLLATE "C" !~ '^[a-z][a-z0-9_]{0,31}$'
             OR left(g.body, 1) <> '{' OR coalesce(g.body::json ->> 'rv', '') !~ '^[1-9][0-9]{0,8}$' THEN 'CORRUPT'
         END ORDER BY g.ord), '{}')
  FROM unnest(p_rids, p_kinds, p_bodies) WITH ORDINALITY AS g(rid, kind, body, ord)
$$;

-- What becomes of rows that do not depend on each other but by their ids (telemetry, bodies), as one set.
CREATE FUNCTION sync.judge(p_ws uuid, p_stream text, p_n bigint, p_horizon int, p_rids text[], p_hashes bytea[], p_months int[],
                           INOUT statuses text[], OUT seqs bigint[])
LANGUAGE sql VOLATILE AS $$
  WITH given AS (
    SELECT g.*, t.stream, t.commit_seq, t.hash AS there,
           first_value(g.ord) OVER same AS first_ord, first_value(g.hash) OVER same AS first_hash
    FROM (SELECT u.rid, u.hash, u.month, u.ord,
                 CASE WHEN u.fault IS NULL AND u.month > 0 AND u.month < p_horizon THEN 'EXPIRED' ELSE u.fault END AS fault
          FROM unnest(p_rids, p_hashes, p_months, statuses) WITH ORDINALITY AS u(rid, hash, month, fault, ord)) AS g
    LEFT JOIN LATERAL (SELECT r.stream, r.commit_seq, r.hash FROM sync.rec r
                       WHERE r.ws = p_ws AND r.rid = g.rid AND r.month = g.month AND g.fault IS NULL
                       OFFSET 0) AS t ON true
    WINDOW same AS (PARTITION BY g.rid, g.fault IS NULL ORDER BY g.ord)
  ), judged AS (
    SELECT ord, rid, fault, commit_seq, CASE
             WHEN fault IS NOT NULL THEN fault
             WHEN commit_seq IS NOT NULL THEN CASE WHEN stream = p_stream AND there = hash THEN 'DUP' ELSE 'HASH_CONFLICT' END
             WHEN ord = first_ord THEN 'NEW'
             WHEN first_hash = hash THEN 'DUP'
             ELSE 'HASH_CONFLICT' END AS status
    FROM given
  ), numbered AS (
    SELECT *, p_n + count(*) FILTER (WHERE status = 'NEW') OVER (ORDER BY ord) AS seq FROM judged
  ), answered AS (
    SELECT ord, status, CASE status WHEN 'NEW' THEN seq
                                    WHEN 'DUP' THEN coalesce(commit_seq, first_value(seq) OVER same) END AS seq
    FROM numbered WINDOW same AS (PARTITION BY rid, fault IS NULL ORDER BY ord)
  )
  SELECT coalesce(array_agg(status ORDER BY ord), '{}'), coalesce(array_agg(seq ORDER BY ord), '{}') FROM answered
$$;

CREATE FUNCTION sync.add_set(p_ws uuid, p_stream text, p_rids text[], p_kinds text[], p_bodies text[],
                             p_hashes bytea[], p_months int[], p_statuses text[], p_seqs bigint[]) RETURNS void
LANGUAGE sql VOLATILE AS $$
  INSERT INTO sync.rec (ws, stream, month, commit_seq, rv, rid, kind, hash, pusher, body, at_us, duration_us, input_tokens,
                        cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nusd, trace_id,
                        prompt_id, version_id, provider, model, environment, status)
  SELECT p_ws, p_stream, g.month, g.seq, x.rv::int, g.rid, g.kind, g.hash, session_user, g.body,
         sync.moment(sync.whole(coalesce(x.started_us, x.created_us, x.at_us))), sync.whole(x.duration_us),
         sync.whole(x.input_tokens),
         sync.whole(x.cache_read_tokens), sync.whole(x.cache_write_tokens), sync.whole(x.output_tokens),
         sync.whole(x.reasoning_tokens), sync.whole(x.cost_nusd::text), left(x.trace_id, 128), x.prompt_id, x.version_id,
         x.provider, x.model, x.environment, x.status
  FROM unnest(p_rids, p_kinds, p_bodies, p_hashes, p_months, p_statuses, p_seqs)
         AS g(rid, kind, body, hash, month, fate, seq),
       json_to_record(g.body::json) AS x(
         rv text, started_us text, created_us text, at_us text, duration_us text, input_tokens text, cache_read_tokens text,
         cache_write_tokens text, output_tokens text, reasoning_tokens text, cost_nusd json, trace_id text, prompt_id text,
         version_id text, provider text, model text, environment text, status text)
  WHERE g.fate = 'NEW'
$$;

-- Whether the history has a version for every name in a JSON list; one look-up each, by the index.
CREATE FUNCTION sync.holds_versions(p_ws uuid, p_names json) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_name text;
BEGIN
  IF p_names IS NULL THEN
    RETURN true;
  END IF;
  FOR v_name IN SELECT json_array_elements_text(p_names) LOOP
    PERFORM FROM sync.rec r WHERE r.stream = 'meta' AND r.ws = p_ws AND r.kind = 'version' AND r.field = v_name LIMIT 1;
    IF NOT FOUND THEN
      RETURN false;
    END IF;
  END LOOP;
  RETURN true;
END $$;

-- One registry record: its fate, and when that is NEW, the row, numbered p_seq.
CREATE FUNCTION sync.add_meta(p_ws uuid, p_role text, p_seq bigint, p_rid text, p_kind text, p_body text, p_hash bytea,
                              p_month int, OUT fate text, OUT seq bigint)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_there record;
  v_body json := p_body::json;
  v_parents json := v_body -> 'parents';
BEGIN
  IF p_kind = 'version' AND (coalesce(json_typeof(v_body -> 'field'), '') <> 'string'
                             OR coalesce(json_typeof(v_parents), 'array') <> 'array')
     OR p_kind = 'purge' AND NOT sync.is_purge(v_body) THEN
    fate := 'CORRUPT';
    RETURN;
  END IF;
  SELECT r.stream, r.commit_seq, r.hash INTO v_there FROM sync.rec r
  WHERE r.ws = p_ws AND r.rid = p_rid AND r.month = p_month;
  IF FOUND THEN
    fate := CASE WHEN v_there.stream = 'meta' AND v_there.hash = p_hash THEN 'DUP' ELSE 'HASH_CONFLICT' END;
    seq := CASE fate WHEN 'DUP' THEN v_there.commit_seq END;
  ELSIF p_kind = 'version' AND NOT sync.holds_versions(p_ws, v_parents) THEN
    fate := 'MISSING_PARENT';
  ELSIF p_role NOT IN ('owner', 'admin', 'maintainer') AND (p_kind = 'purge' OR p_kind = 'label' AND (v_body ->> 'field') = ANY (
    (SELECT w.protected_labels FROM sync.workspace w WHERE w.ws = p_ws)::text[])) THEN
    fate := 'DENIED';
  ELSE
    INSERT INTO sync.rec (ws, stream, month, commit_seq, rv, rid, kind, hash, pusher, body, prompt, field, at_us)
    VALUES (p_ws, 'meta', p_month, p_seq, (v_body ->> 'rv')::int, p_rid, p_kind, p_hash, session_user, p_body,
            v_body ->> 'prompt', v_body ->> 'field', sync.moment(sync.whole(v_body ->> 'at_us')));
    IF p_kind = 'purge' THEN
      PERFORM sync.purge_records(p_ws, p_rid, v_body);
    END IF;
    fate := 'NEW';
    seq := p_seq;
  END IF;
END $$;

-- Rows judged one by one: their fates and numbers, with the new ones written.
CREATE FUNCTION sync.add_judged(p_ws uuid, p_stream text, p_role text, p_n bigint, p_horizon int, p_rids text[], p_kinds text[],
                                p_bodies text[], p_hashes bytea[], p_months int[], INOUT statuses text[], OUT seqs bigint[])
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_one record;
  v_n bigint := p_n;
BEGIN
  IF p_stream = 'meta' THEN
    seqs := array_fill(NULL::bigint, ARRAY[cardinality(p_rids)]);
    FOR i IN 1..cardinality(p_rids) LOOP
      CONTINUE WHEN statuses[i] IS NOT NULL;
      SELECT a.fate, a.seq INTO v_one
      FROM sync.add_meta(p_ws, p_role, v_n + 1, p_rids[i], p_kinds[i], p_bodies[i], p_hashes[i], p_months[i]) a;
      statuses[i] := v_one.fate;
      seqs[i] := v_one.seq;
      v_n := v_n + CASE v_one.fate WHEN 'NEW' THEN 1 ELSE 0 END;
    END LOOP;
  ELSE
    SELECT j.statuses, j.seqs INTO statuses, seqs
    FROM sync.judge(p_ws, p_stream, p_n, p_horizon, p_rids, p_hashes, p_months, statuses) j;
    PERFORM sync.add_set(p_ws, p_stream, p_rids, p_kinds, p_bodies, p_hashes, p_months, statuses, seqs);
  END IF;
  IF sync.any_purged(p_ws, p_rids) THEN
    PERFORM sync.blank(p_ws, p_stream, p_rids);
  END IF;
END $$;

-- Without statuses every row was new, numbered up to upto in the order sent.
CREATE FUNCTION sync.push_v1(
  p_ws uuid, p_stream text, p_device text, p_rids text[], p_kinds text[], p_bodies text[], p_fence bigint, p_fence_chain text,
  OUT fence_lost boolean, OUT upto bigint, OUT upto_chain text, OUT statuses text[], OUT seqs bigint[])
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp SET lock_timeout = '5s' SET jit = off
  SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  v_bytes bigint := octet_length(array_to_string(p_bodies, ''));
  v_role text := sync.check_push(p_ws, p_stream, p_rids, p_kinds, p_bodies, v_bytes);
  v_month int := sync.plain_month(p_stream, p_rids, p_kinds, v_bytes);
  v_hashes bytea[];
  v_months int[];
  v_chain bytea;
  v_begin bigint;
  v_horizon int;
  v_inner bytea;
BEGIN
  IF v_month IS NULL THEN
    SELECT w.hashes, w.months, w.faults INTO v_hashes, v_months, statuses FROM sync.weigh(p_rids, p_kinds, p_bodies) w;
  ELSE
    SELECT array_agg(sync.hash_of(g.kind, g.rid, g.body) ORDER BY g.ord) INTO v_hashes
    FROM unnest(p_rids, p_kinds, p_bodies) WITH ORDINALITY AS g(rid, kind, body, ord);
  END IF;
  SELECT c.n, c.chain, c.horizon INTO v_begin, v_chain, v_horizon
  FROM sync.counter c WHERE c.ws = p_ws AND c.stream = p_stream FOR UPDATE;
  upto := v_begin;
  upto_chain := encode(v_chain, 'hex');
  fence_lost := (p_fence, p_fence_chain) IS DISTINCT FROM (0::bigint, ''::text) AND NOT EXISTS (
    SELECT FROM sync.commit k
    WHERE k.ws = p_ws AND k.stream = p_stream AND k.last_seq = p_fence AND encode(k.chain, 'hex') = p_fence_chain);
  IF fence_lost THEN
    statuses := '{}';
    RETURN;
  END IF;
  IF v_month >= v_horizon THEN
    BEGIN
      PERFORM sync.add_plain(p_ws, p_stream, v_month, v_begin, p_rids, p_kinds, p_bodies, v_hashes);
      upto := v_begin + cardinality(p_rids);
      SELECT sha256(string_agg(h.hash, ''::bytea ORDER BY h.ord)) INTO v_inner
      FROM unnest(v_hashes) WITH ORDINALITY AS h(hash, ord);
    EXCEPTION WHEN SQLSTATE 'LG005' OR data_exception OR integrity_constraint_violation OR program_limit_exceeded THEN
      upto := v_begin;
    END;
  END IF;
  IF upto = v_begin THEN
    IF v_months IS NULL THEN
      SELECT w.months, w.faults INTO v_months, statuses FROM sync.weigh(p_rids, p_kinds, p_bodies) w;
    END IF;
    SELECT a.statuses, a.seqs INTO statuses, seqs
    FROM sync.add_judged(p_ws, p_stream, v_role, v_begin, v_horizon, p_rids, p_kinds, p_bodies, v_hashes, v_months, statuses) a;
    SELECT v_begin + count(*), sha256(string_agg(g.hash, ''::bytea ORDER BY g.seq)), sum(octet_length(g.body))
    INTO upto, v_inner, v_bytes
    FROM unnest(v_hashes, seqs, statuses, p_bodies) AS g(hash, seq, fate, body) WHERE g.fate = 'NEW';
  END IF;
  IF upto = v_begin THEN
    RETURN;
  END IF;
  v_chain := sha256(v_chain || v_inner);
  upto_chain := encode(v_chain, 'hex');
  UPDATE sync.counter c SET n = upto, chain = v_chain WHERE c.ws = p_ws AND c.stream = p_stream;
  INSERT INTO sync.commit (ws, stream, last_seq, chain, rows, kept, bytes, pusher, device)
  VALUES (p_ws, p_stream, upto, v_chain, upto - v_begin, upto - v_begin, v_bytes, session_user, left(p_device, 100));
  IF p_stream = 'meta' THEN
    PERFORM pg_notify('ledger_sync_' || p_ws, upto::text);
  END IF;
END $$;
