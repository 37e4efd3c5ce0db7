-- Reading histories. STABLE on purpose: the check of the position and the rows come from one snapshot.
-- Meeting: p_fences is {stream: [number, chain]}, and those that no push ended at are lost.
CREATE FUNCTION sync.hello_v1(p_ws uuid, p_fences json, OUT workspace uuid, OUT role text, OUT epoch uuid, OUT server_us bigint, OUT schema int,
                              OUT min_client int, OUT features text[], OUT pushes text[], OUT pulls text[], OUT months_ahead int,
                              OUT writable boolean, OUT ends json, OUT horizons json, OUT lost text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp AS $$
DECLARE
  v_mine uuid[] := sync.my_workspaces();
BEGIN
  workspace := coalesce(p_ws, v_mine[1]);
  role := sync.my_role(workspace);
  IF p_ws IS NULL AND cardinality(v_mine) > 1 THEN
    RAISE EXCEPTION USING ERRCODE = 'LG002', MESSAGE = 'this account belongs to several shared ledgers: ' || array_to_string(v_mine, ', ');
  END IF;
  SELECT s.epoch, s.schema, s.min_client, s.features INTO epoch, schema, min_client, features FROM sync.server s;
  server_us := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
  pushes := sync.pushes_of(role);
  pulls := sync.pulls_of(role);
  months_ahead := sync.months_ahead();
  writable := NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off';
  SELECT json_object_agg(c.stream, json_build_array(c.n, encode(c.chain, 'hex'))),
         json_object_agg(c.stream, c.horizon) FILTER (WHERE c.horizon > 0)
  INTO ends, horizons
  FROM sync.counter c WHERE c.ws = workspace AND c.stream = ANY (pulls);
  SELECT coalesce(array_agg(f.stream), '{}') INTO lost
  FROM (SELECT e.key AS stream, (e.value ->> 0)::bigint AS seq, e.value ->> 1 AS chain
        FROM json_each(coalesce(p_fences, '{}')) e LIMIT 10) AS f
  WHERE f.stream = ANY (pushes || pulls) AND (f.seq, f.chain) <> (0, '') AND NOT EXISTS (
    SELECT FROM sync.commit k
    WHERE k.ws = workspace AND k.stream = f.stream AND k.last_seq = f.seq AND encode(k.chain, 'hex') = f.chain);
END $$;

-- The first row is about the page: seq and hash are where it ends, kind says MORE, END or LOST (the position is unknown here).
CREATE FUNCTION sync.pull_v1(p_ws uuid, p_stream text, p_after bigint, p_after_chain text, p_limit int)
RETURNS TABLE (seq bigint, rid text, kind text, body text, hash text, pusher text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp AS $$
DECLARE
  v_limit int := least(greatest(coalesce(p_limit, 0), 1), 10000);
  v_upto bigint;
BEGIN
  PERFORM sync.check_pull(p_ws, p_stream);
  IF (p_after, p_after_chain) IS DISTINCT FROM (0::bigint, ''::text) AND NOT EXISTS (
    SELECT FROM sync.commit k
    WHERE k.ws = p_ws AND k.stream = p_stream AND k.last_seq = p_after AND encode(k.chain, 'hex') = p_after_chain) THEN
    RETURN QUERY SELECT c.n, NULL::text, 'LOST'::text, NULL::text, encode(c.chain, 'hex'), NULL::text
                 FROM sync.counter c WHERE c.ws = p_ws AND c.stream = p_stream;
    RETURN;
  END IF;
  -- Whole pushes, at least one: as many as hold no more rows than the limit, and no more than 32 MB.
  SELECT coalesce(max(s.last_seq) FILTER (WHERE s.held <= v_limit AND s.total <= 33554432), min(s.last_seq))
  INTO v_upto
  FROM (SELECT k.last_seq, sum(k.kept) OVER up AS held, sum(k.bytes) OVER up AS total FROM sync.commit k
        WHERE k.ws = p_ws AND k.stream = p_stream AND k.last_seq > p_after
        WINDOW up AS (ORDER BY k.last_seq) ORDER BY k.last_seq LIMIT v_limit) AS s;
  IF v_upto IS NULL THEN
    RETURN QUERY SELECT p_after, NULL::text, 'END'::text, NULL::text, p_after_chain, NULL::text;
    RETURN;
  END IF;
  RETURN QUERY
    SELECT k.last_seq, NULL::text, CASE WHEN c.n > v_upto THEN 'MORE' ELSE 'END' END, NULL::text, encode(k.chain, 'hex'), NULL::text
    FROM sync.commit k JOIN sync.counter c ON c.ws = k.ws AND c.stream = k.stream
    WHERE k.ws = p_ws AND k.stream = p_stream AND k.last_seq = v_upto;
  RETURN QUERY
    SELECT r.commit_seq, r.rid::text, r.kind, r.body, encode(r.hash, 'hex'), r.pusher FROM sync.rec r
    WHERE r.ws = p_ws AND r.stream = p_stream AND r.commit_seq > p_after AND r.commit_seq <= v_upto
    ORDER BY r.commit_seq;
END $$;

CREATE FUNCTION sync.missing_v1(p_ws uuid, p_stream text, p_rids text[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp
  SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  PERFORM sync.check_pull(p_ws, p_stream);
  IF cardinality(p_rids) > 10000 THEN
    RAISE EXCEPTION USING ERRCODE = 'LG004', MESSAGE = 'at most 10000 ids at once';
  END IF;
  RETURN QUERY
    WITH asked AS MATERIALIZED (
      SELECT a.rid, a.ord, sync.month_of(a.rid) AS month FROM unnest(p_rids) WITH ORDINALITY AS a(rid, ord)
    )
    SELECT g.rid FROM asked g
    LEFT JOIN LATERAL (SELECT true AS held FROM sync.rec r
                       WHERE r.ws = p_ws AND r.stream = p_stream AND r.rid = g.rid AND r.month = g.month OFFSET 0) AS r ON true
    WHERE r.held IS NULL AND (g.month = 0 OR g.month >= (
      SELECT c.horizon FROM sync.counter c WHERE c.ws = p_ws AND c.stream = p_stream))
    ORDER BY g.ord;
END $$;

-- One row for each first byte of a hash; xor is signed here, the same 64 bits. p_month: that month alone; p_since: no earlier
-- months. Records of no month are month 0.
CREATE FUNCTION sync.digest_v1(p_ws uuid, p_stream text, p_month int, p_since int)
RETURNS TABLE (bucket int, records bigint, xored bigint, cost_nusd numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp AS $$
BEGIN
  PERFORM sync.check_pull(p_ws, p_stream);
  RETURN QUERY
    SELECT get_byte(r.hash, 0), count(*), bit_xor(('x' || encode(substr(r.hash, 1, 8), 'hex'))::bit(64)::bigint),
           coalesce(sum(r.cost_nusd) FILTER (WHERE r.kind <> 'execution'), 0)
    FROM sync.rec r
    WHERE r.ws = p_ws AND r.stream = p_stream AND (p_month IS NULL OR r.month = p_month)
      AND (p_since IS NULL OR r.month = 0 OR r.month >= p_since)
    GROUP BY 1 ORDER BY 1;
END $$;
