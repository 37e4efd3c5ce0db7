-- Roles of the whole cluster, shared by every ledger in it: they only open the doors of a schema. What an account may do in
-- which ledger stands in sync.member of that ledger's database.
DO $$
DECLARE
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['ledger_owner', 'ledger_admin', 'ledger_maintainer', 'ledger_member', 'ledger_ingest', 'ledger_reader']
  LOOP
    IF to_regrole(wanted) IS NULL THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;  -- another database of this cluster was faster
      END;
    END IF;
    IF wanted <> 'ledger_owner' AND NOT pg_has_role('ledger_owner', wanted, 'MEMBER WITH ADMIN OPTION') THEN
      EXECUTE format('GRANT %I TO ledger_owner WITH ADMIN OPTION', wanted);
    END IF;
  END LOOP;
  -- From PostgreSQL 16 on, whoever makes a role may grant it but not become it.
  IF NOT (CASE WHEN current_setting('server_version_num')::int >= 160000 THEN pg_has_role(current_user, 'ledger_owner', 'SET')
              ELSE pg_has_role(current_user, 'ledger_owner', 'MEMBER') END) THEN
    GRANT ledger_owner TO CURRENT_USER;
  END IF;
END $$;

CREATE SCHEMA sync AUTHORIZATION ledger_owner;
REVOKE ALL ON SCHEMA sync FROM PUBLIC;
GRANT USAGE ON SCHEMA sync TO ledger_admin, ledger_maintainer, ledger_member, ledger_ingest, ledger_reader;
COMMENT ON SCHEMA sync IS 'Shared ledgers of Prompt Ledger. Read the views; everything else is done by its functions.';
