-- What is kept, and who is here.
-- Remove records of telemetry or bodies of months before p_before (YYYYMM), for good: a month that no other ledger of this database has
-- rows in goes as a whole partition, of others the rows. Numbers, pushes and chains stay, so every position is still known, and
-- records of those months are taken no more. Records of no month stay. How many went.
CREATE FUNCTION sync.retire_v1(p_ws uuid, p_stream text, p_before int) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
  v_role text := sync.my_role(p_ws);
  v_now int := sync.month_at(extract(epoch FROM now())::bigint);
  v_part record;
  v_others text;
  v_shared boolean;
  v_gone bigint;
  v_all bigint := 0;
BEGIN
  IF v_role NOT IN ('owner', 'admin', 'maintainer') THEN
    RAISE EXCEPTION USING ERRCODE = 'LG001', MESSAGE = format('the role %s may not do this', v_role);
  END IF;
  IF p_stream IS NULL OR p_stream NOT IN ('telemetry', 'bodies') OR p_before IS NULL OR p_before % 100 NOT BETWEEN 1 AND 12
     OR p_before NOT BETWEEN 197001 AND v_now THEN
    RAISE EXCEPTION USING ERRCODE = 'LG004', MESSAGE = 'months of telemetry or bodies can go, before a month that has begun';
  END IF;
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION USING ERRCODE = 'LG003', MESSAGE = 'removing months needs the isolation level read committed';
  END IF;
  UPDATE sync.counter c SET horizon = greatest(c.horizon, p_before) WHERE c.ws = p_ws AND c.stream = p_stream;
  FOR v_part IN
    SELECT i.inhrelid::regclass AS name, (regexp_match(k.relname, '_([0-9]{6})$'))[1]::int AS month
    FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid
    WHERE i.inhparent = format('sync.rec_%s', p_stream)::regclass ORDER BY k.relname
  LOOP
    CONTINUE WHEN v_part.month >= p_before;
    v_gone := sync.uncount(p_ws, p_stream, v_part.name, p_before);
    v_others := format('SELECT EXISTS (SELECT FROM %s WHERE ws <> $1)', v_part.name);
    EXECUTE v_others INTO v_shared USING p_ws;
    IF v_part.month IS NOT NULL AND NOT v_shared THEN
      -- What another ledger has written and not committed yet is waited for. The parent first, in the order of all who write there.
      EXECUTE format('LOCK TABLE ONLY sync.rec_%s, %s IN ACCESS EXCLUSIVE MODE', p_stream, v_part.name);
      EXECUTE v_others INTO v_shared USING p_ws;
    END IF;
    IF v_part.month IS NULL OR v_shared THEN
      EXECUTE format('DELETE FROM %s WHERE ws = $1 AND month > 0 AND month < $2', v_part.name) USING p_ws, p_before;
    ELSE
      EXECUTE format('ALTER TABLE sync.rec_%s DETACH PARTITION %s', p_stream, v_part.name);
      EXECUTE format('DROP TABLE %s', v_part.name);
    END IF;
    v_all := v_all + v_gone;
  END LOOP;
  INSERT INTO sync.retirement (ws, stream, before, records, login) VALUES (p_ws, p_stream, p_before, v_all, session_user);
  RETURN v_all;
END $$;

-- Take rows that are about to go off what their pushes still hold; how many they are. Reads a partition itself, where rows of other
-- ledgers are seen too: ws is named.
CREATE FUNCTION sync.uncount(p_ws uuid, p_stream text, p_part regclass, p_before int) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_ends bigint[] := ARRAY(SELECT k.last_seq FROM sync.commit k
                           WHERE k.ws = p_ws AND k.stream = p_stream AND k.kept > 0 ORDER BY k.last_seq);
  v_gone bigint;
BEGIN
  IF cardinality(v_ends) = 0 THEN
    RETURN 0;
  END IF;
  EXECUTE format($q$
    WITH going AS (
      SELECT width_bucket(r.commit_seq - 1, $1) + 1 AS place, count(*) AS n FROM %s r
      WHERE r.ws = $2 AND r.month > 0 AND r.month < $4 GROUP BY 1
    ), counted AS (
      UPDATE sync.commit k SET kept = k.kept - g.n FROM going g
      WHERE k.ws = $2 AND k.stream = $3 AND k.last_seq = ($1)[g.place]
    )
    SELECT coalesce(sum(g.n), 0) FROM going g $q$, p_part) INTO v_gone USING v_ends, p_ws, p_stream, p_before;
  RETURN v_gone;
END $$;

-- Who brought something, from where, until when.
CREATE FUNCTION sync.devices_v1(p_ws uuid)
RETURNS TABLE (device text, login text, role text, last_us bigint, records bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp AS $$
BEGIN
  PERFORM sync.check_member(p_ws);
  RETURN QUERY
    SELECT k.device, k.pusher, m.role, (extract(epoch FROM max(k.at)) * 1000000)::bigint, sum(k.rows)::bigint
    FROM sync.commit k LEFT JOIN sync.member m ON m.ws = k.ws AND m.login = k.pusher
    WHERE k.ws = p_ws GROUP BY k.device, k.pusher, m.role ORDER BY max(k.at) DESC, k.device, k.pusher LIMIT 1000;
END $$;

CREATE FUNCTION sync.members_v1(p_ws uuid) RETURNS TABLE (login text, role text, since_us bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp AS $$
BEGIN
  PERFORM sync.check_member(p_ws);
  RETURN QUERY SELECT m.login, m.role, (extract(epoch FROM m.since) * 1000000)::bigint
               FROM sync.member m WHERE m.ws = p_ws ORDER BY m.login COLLATE "C" LIMIT 1000;
END $$;
