-- Who may do what, and small things the calls share. An account is the one that logged in (session_user): no setting of a
-- session and no SET ROLE can pretend another.
CREATE FUNCTION sync.my_workspaces() RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp AS $$
  SELECT coalesce(array_agg(m.ws), '{}') FROM sync.member m WHERE m.login = session_user
$$;

CREATE FUNCTION sync.readable_workspaces() RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp AS $$
  SELECT coalesce(array_agg(m.ws), '{}') FROM sync.member m WHERE m.login = session_user AND m.role <> 'ingest'
$$;

-- Those in which the account may see who sent what, and who removed what (check_member).
CREATE FUNCTION sync.member_workspaces() RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp AS $$
  SELECT coalesce(array_agg(m.ws), '{}') FROM sync.member m
  WHERE m.login = session_user AND m.role IN ('owner', 'admin', 'maintainer', 'member')
$$;

CREATE FUNCTION sync.pushes_of(p_role text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_role IN ('owner', 'admin', 'maintainer', 'member') THEN ARRAY['meta', 'telemetry', 'bodies']
              WHEN p_role = 'ingest' THEN ARRAY['telemetry', 'bodies']
              ELSE ARRAY[]::text[] END
$$;

CREATE FUNCTION sync.pulls_of(p_role text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_role IN ('owner', 'admin', 'maintainer', 'member') THEN ARRAY['meta', 'telemetry', 'bodies']
              WHEN p_role = 'reader' THEN ARRAY['meta']
              ELSE ARRAY[]::text[] END
$$;

-- The role of the account in a ledger; for a stranger and for a ledger that does not exist the same words.
CREATE FUNCTION sync.my_role(p_ws uuid) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp AS $$
DECLARE
  v_role text;
BEGIN
  SELECT m.role INTO v_role FROM sync.member m WHERE m.ws = p_ws AND m.login = session_user;
  IF v_role IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'LG001', MESSAGE = 'there is no such shared ledger for this account';
  END IF;
  RETURN v_role;
END $$;

CREATE FUNCTION sync.check_pull(p_ws uuid, p_stream text) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp AS $$
DECLARE
  v_role text := sync.my_role(p_ws);
BEGIN
  IF p_stream IS NULL OR NOT p_stream = ANY (sync.pulls_of(v_role)) THEN
    RAISE EXCEPTION USING ERRCODE = 'LG001', MESSAGE = format('the role %s may not read %s', v_role, left(p_stream, 20));
  END IF;
END $$;

-- What members and those above them may read.
CREATE FUNCTION sync.check_member(p_ws uuid) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp AS $$
DECLARE
  v_role text := sync.my_role(p_ws);
BEGIN
  IF v_role NOT IN ('owner', 'admin', 'maintainer', 'member') THEN
    RAISE EXCEPTION USING ERRCODE = 'LG001', MESSAGE = format('the role %s may not read this', v_role);
  END IF;
END $$;

-- YYYYMM (UTC) of a second since 1970. One expression, as all of these: the planner puts it in the place of its call.
CREATE FUNCTION sync.month_at(p_second bigint) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (date_part('year', timestamp '1970-01-01' + p_second * interval '1 second') * 100
          + date_part('month', timestamp '1970-01-01' + p_second * interval '1 second'))::int
$$;

-- YYYYMM (UTC) of the moment in a UUIDv7; 0 for another id or a moment after the year 9999.
CREATE FUNCTION sync.month_of(p_rid text) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN p_rid COLLATE "C" !~ '^[0-9a-f]{8}-[0-9a-f]{4}-7' THEN 0
    WHEN ('x' || substr(p_rid, 1, 8) || substr(p_rid, 10, 4))::bit(48)::bigint > 253402300799999 THEN 0
    ELSE sync.month_at(('x' || substr(p_rid, 1, 8) || substr(p_rid, 10, 4))::bit(48)::bigint / 1000)
  END
$$;

-- Whole numbers that a column can hold, everything else NULL: a strange value in a body is no reason to refuse its record.
CREATE FUNCTION sync.whole(p_text text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN p_text ~ '^-?[0-9]{1,18}$' THEN p_text::bigint
              WHEN p_text ~ '^-?[0-9]{19}$' THEN
                CASE WHEN p_text::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN p_text::bigint END
         END
$$;

-- Microseconds since 1970 of the years 1 to 9999, whatever time zone reads them; NULL for others, which would be an error in every
-- view that shows them.
CREATE FUNCTION sync.moment(p_us bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN p_us BETWEEN -62135510400000000 AND 253402214400000000 THEN p_us END
$$;

-- A purge is a record of the registry: {"rv", "stream", "rids": [...], ...}. What it names stays in the history with its number and
-- hash, so every chain still holds, and its body is {} from then on, also when another ledger brings it again.
CREATE FUNCTION sync.is_purge(p_body json) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(p_body ->> 'stream' IN ('meta', 'telemetry', 'bodies') AND CASE json_typeof(p_body -> 'rids') WHEN 'array' THEN
    json_array_length(p_body -> 'rids') BETWEEN 1 AND 1000
    AND NOT EXISTS (SELECT FROM json_array_elements(p_body -> 'rids') AS e(rid) WHERE json_typeof(e.rid) <> 'string') END, false)
$$;

CREATE FUNCTION sync.any_purged(p_ws uuid, p_rids text[]) RETURNS boolean LANGUAGE sql VOLATILE AS $$
  SELECT EXISTS (SELECT FROM sync.purge p WHERE p.ws = p_ws) AND EXISTS (
    SELECT FROM unnest(p_rids) AS g(rid), LATERAL (
      SELECT FROM sync.purge p WHERE p.ws = p_ws AND p.rid = g.rid OFFSET 0) AS t)
$$;

-- Blank the purged ones of these records. Ids of versions stay, for what was written on them; purges themselves stay as they are.
CREATE FUNCTION sync.blank(p_ws uuid, p_stream text, p_rids text[]) RETURNS void LANGUAGE sql VOLATILE AS $$
  UPDATE sync.rec r SET body = '{}', prompt = NULL, field = CASE r.kind WHEN 'version' THEN r.field END, at_us = NULL,
         duration_us = NULL, input_tokens = NULL, cache_read_tokens = NULL, cache_write_tokens = NULL, output_tokens = NULL,
         reasoning_tokens = NULL, cost_nusd = NULL, trace_id = NULL, prompt_id = NULL, version_id = NULL, provider = NULL,
         model = NULL, environment = NULL, status = NULL
  FROM unnest(p_rids) AS g(rid) JOIN sync.purge p ON p.rid = g.rid AND p.ws = p_ws AND p.stream = p_stream
  WHERE r.ws = p_ws AND r.stream = p_stream AND r.rid = g.rid AND r.month = sync.month_of(g.rid) AND r.kind <> 'purge'
$$;

-- Do what a purge says. The stream's lock first: a push of one of these records is either visible now or will see the purge.
CREATE FUNCTION sync.purge_records(p_ws uuid, p_fact text, p_body json) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_rids text[] := ARRAY(SELECT json_array_elements_text(p_body -> 'rids'));
BEGIN
  PERFORM FROM sync.counter c WHERE c.ws = p_ws AND c.stream = p_body ->> 'stream' FOR UPDATE;
  INSERT INTO sync.purge (ws, rid, stream, fact, login)
  SELECT p_ws, left(g.rid, 128), p_body ->> 'stream', p_fact, session_user FROM unnest(v_rids) AS g(rid)
  ON CONFLICT DO NOTHING;
  PERFORM sync.blank(p_ws, p_body ->> 'stream', v_rids);
END $$;

-- Second wall: even the functions' owner sees and writes only rows of ledgers that the account belongs to.
DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['workspace', 'counter', 'commit', 'rec', 'purge', 'retirement'] LOOP
    EXECUTE format('ALTER TABLE sync.%I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE sync.%I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY members ON sync.%I USING (ws = ANY ((SELECT sync.my_workspaces())::uuid[]))', t);
  END LOOP;
END $$;

-- Partitions from this month to three months ahead. What arrives for other months is kept in the default partition.
CREATE FUNCTION sync.care_v1() RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
  v_stream text;
  v_month date;
  v_number int;
  v_late boolean;
  v_made int := 0;
BEGIN
  FOREACH v_stream IN ARRAY ARRAY['telemetry', 'bodies'] LOOP
    FOR i IN 0..3 LOOP
      v_month := date_trunc('month', now() AT TIME ZONE 'UTC')::date + make_interval(months => i);
      v_number := to_char(v_month, 'YYYYMM')::int;
      CONTINUE WHEN to_regclass(format('sync.rec_%s_%s', v_stream, v_number)) IS NOT NULL;
      EXECUTE format('SELECT EXISTS (SELECT FROM sync.rec_%s_default WHERE month = $1)', v_stream) INTO v_late USING v_number;
      CONTINUE WHEN v_late;
      EXECUTE format('CREATE TABLE sync.rec_%s_%s PARTITION OF sync.rec_%s FOR VALUES FROM (%s) TO (%s)',
                     v_stream, v_number, v_stream, v_number, v_number + 1);
      v_made := v_made + 1;
    END LOOP;
  END LOOP;
  RETURN v_made;
END $$;

-- How many months ahead have their partition; below 2 it is time for care.
CREATE FUNCTION sync.months_ahead() RETURNS int LANGUAGE sql STABLE SET search_path = pg_catalog, sync, pg_temp AS $$
  SELECT count(*)::int FROM generate_series(1, 3) i
  WHERE to_regclass('sync.rec_telemetry_' || to_char((now() AT TIME ZONE 'UTC') + make_interval(months => i), 'YYYYMM')) IS NOT NULL
$$;

-- The role of the account, when it is its turn: owners take turns, so that each sees what another one left of it and of the owners. An
-- admin waits for nobody and is in nobody's way: one who means harm could not be dismissed.
CREATE FUNCTION sync.my_role_in_turn(p_ws uuid) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp AS $$
DECLARE
  v_role text := sync.my_role(p_ws);
BEGIN
  IF v_role = 'owner' THEN
    PERFORM FROM sync.member m WHERE m.ws = p_ws AND m.role = 'owner' ORDER BY m.login FOR UPDATE;
    v_role := sync.my_role(p_ws);
  END IF;
  RETURN v_role;
END $$;

CREATE FUNCTION sync.enrol_v1(p_ws uuid, p_login text, p_role text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp AS $$
DECLARE
  v_role text := sync.my_role_in_turn(p_ws);
BEGIN
  IF v_role NOT IN ('owner', 'admin') OR (p_role IN ('owner', 'admin') AND v_role <> 'owner')
     OR (v_role <> 'owner' AND EXISTS (SELECT FROM sync.member m
                                       WHERE m.ws = p_ws AND m.login = p_login AND m.role IN ('owner', 'admin'))) THEN
    RAISE EXCEPTION USING ERRCODE = 'LG001', MESSAGE = format('the role %s may not do this', v_role);
  END IF;
  INSERT INTO sync.member (ws, login, role) VALUES (p_ws, p_login, p_role)
  ON CONFLICT (login, ws) DO UPDATE SET role = excluded.role;
  IF NOT EXISTS (SELECT FROM sync.member m WHERE m.ws = p_ws AND m.role = 'owner') THEN
    RAISE EXCEPTION USING ERRCODE = 'LG001', MESSAGE = 'a shared ledger keeps at least one owner';
  END IF;
  EXECUTE format('GRANT %I TO %I', 'ledger_' || CASE p_role WHEN 'owner' THEN 'admin' ELSE p_role END, p_login);
END $$;
COMMENT ON FUNCTION sync.enrol_v1 IS 'Gives a login (made by create role … login) its role in a ledger: owner, admin, maintainer, member, ingest, reader.';

CREATE FUNCTION sync.dismiss_v1(p_ws uuid, p_login text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp AS $$
DECLARE
  v_role text := sync.my_role_in_turn(p_ws);
BEGIN
  IF v_role NOT IN ('owner', 'admin') OR (v_role <> 'owner' AND EXISTS (
       SELECT FROM sync.member m WHERE m.ws = p_ws AND m.login = p_login AND m.role IN ('owner', 'admin'))) THEN
    RAISE EXCEPTION USING ERRCODE = 'LG001', MESSAGE = format('the role %s may not do this', v_role);
  END IF;
  DELETE FROM sync.member m WHERE m.ws = p_ws AND m.login = p_login;
  IF NOT EXISTS (SELECT FROM sync.member m WHERE m.ws = p_ws AND m.role = 'owner') THEN
    RAISE EXCEPTION USING ERRCODE = 'LG001', MESSAGE = 'a shared ledger keeps at least one owner';
  END IF;
END $$;

-- A new ledger on this server; the account that makes it becomes its owner. For the schema's owner only (the installer).
CREATE FUNCTION sync.make_workspace(p_ws uuid, p_name text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, sync, pg_temp AS $$
BEGIN
  INSERT INTO sync.member (ws, login, role) VALUES (p_ws, session_user, 'owner');
  INSERT INTO sync.workspace (ws, name) VALUES (p_ws, p_name);
  INSERT INTO sync.counter (ws, stream) VALUES (p_ws, 'meta'), (p_ws, 'telemetry'), (p_ws, 'bodies');
  EXECUTE format('GRANT ledger_admin TO %I', session_user);
END $$;
