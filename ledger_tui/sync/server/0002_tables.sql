-- One row of facts about this server, members, and for each ledger and stream one growing history.
CREATE TABLE sync.server (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  epoch uuid NOT NULL DEFAULT gen_random_uuid(),
  schema int NOT NULL,
  min_client int NOT NULL DEFAULT 1,
  features text[] NOT NULL DEFAULT '{}',
  made_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN sync.server.epoch IS 'Set a new one after a backup was restored: update sync.server set epoch = gen_random_uuid()';
COMMENT ON COLUMN sync.server.schema IS 'How many of the numbered files were run';
COMMENT ON COLUMN sync.server.min_client IS 'The lowest protocol that may send';

CREATE TABLE sync.workspace (
  ws uuid PRIMARY KEY,
  name text NOT NULL DEFAULT '',
  protected_labels text[] NOT NULL DEFAULT '{production}',
  made_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sync.member (
  ws uuid NOT NULL,
  login text NOT NULL,
  role text NOT NULL CHECK (role IN ('owner', 'admin', 'maintainer', 'member', 'ingest', 'reader')),
  since timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (login, ws)
);

CREATE TABLE sync.counter (
  ws uuid NOT NULL,
  stream text NOT NULL CHECK (stream IN ('meta', 'telemetry', 'bodies')),
  n bigint NOT NULL DEFAULT 0,
  chain bytea NOT NULL DEFAULT '',
  horizon int NOT NULL DEFAULT 0,
  PRIMARY KEY (ws, stream)
) WITH (fillfactor = 40);
COMMENT ON TABLE sync.counter IS 'The end of each history. Its row is locked from numbering until commit, so numbers become visible in their order.';
COMMENT ON COLUMN sync.counter.horizon IS 'Records of months (YYYYMM) before this one are not kept; 0 for none';

CREATE TABLE sync.commit (
  ws uuid NOT NULL,
  stream text NOT NULL,
  last_seq bigint NOT NULL,
  chain bytea NOT NULL,
  rows int NOT NULL,
  kept int NOT NULL,
  bytes bigint NOT NULL,
  pusher text NOT NULL,
  device text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (ws, stream, last_seq)
);
COMMENT ON TABLE sync.commit IS 'One row for each push that added something; kept for ever.';
COMMENT ON COLUMN sync.commit.kept IS 'How many of its rows retention has left';

CREATE TABLE sync.rec (
  ws uuid NOT NULL,
  stream text NOT NULL,
  month int NOT NULL,
  commit_seq bigint NOT NULL,
  rv int NOT NULL,
  rid text COLLATE "C" NOT NULL,
  kind text NOT NULL,
  hash bytea NOT NULL,
  pusher text NOT NULL,
  accepted_at timestamptz NOT NULL DEFAULT now(),
  body text NOT NULL,
  prompt text,
  field text,
  at_us bigint,
  duration_us bigint,
  input_tokens bigint,
  cache_read_tokens bigint,
  cache_write_tokens bigint,
  output_tokens bigint,
  reasoning_tokens bigint,
  cost_nusd bigint,
  trace_id text,
  prompt_id text,
  version_id text,
  provider text,
  model text,
  environment text,
  status text
) PARTITION BY LIST (stream);
COMMENT ON TABLE sync.rec IS 'Records, immutable. The month is that of the moment in a record''s id, so one sent again always meets itself in the same partition.';
-- No index begins with the ledger: where nothing is known of a table yet, the planner would take it for a choice among many.
CREATE INDEX rec_order ON sync.rec (commit_seq, ws);

CREATE TABLE sync.rec_meta PARTITION OF sync.rec (UNIQUE (rid, ws)) FOR VALUES IN ('meta');
CREATE INDEX rec_meta_versions ON sync.rec_meta (field, ws) WHERE kind = 'version';
CREATE TABLE sync.rec_telemetry PARTITION OF sync.rec (UNIQUE (rid, ws, month)) FOR VALUES IN ('telemetry') PARTITION BY RANGE (month);
CREATE INDEX rec_telemetry_trace ON sync.rec_telemetry (trace_id, ws) WHERE trace_id IS NOT NULL;
CREATE INDEX rec_telemetry_accepted ON sync.rec_telemetry USING brin (accepted_at);
CREATE TABLE sync.rec_telemetry_default PARTITION OF sync.rec_telemetry DEFAULT;
CREATE TABLE sync.rec_bodies PARTITION OF sync.rec (UNIQUE (rid, ws, month)) FOR VALUES IN ('bodies') PARTITION BY RANGE (month);
CREATE TABLE sync.rec_bodies_default PARTITION OF sync.rec_bodies DEFAULT;

CREATE TABLE sync.purge (
  ws uuid NOT NULL,
  rid text COLLATE "C" NOT NULL,
  stream text NOT NULL,
  fact text NOT NULL,
  login text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (rid, ws, stream)
);
COMMENT ON TABLE sync.purge IS 'Records whose bodies are blanked, also when they are brought again; fact is the record of the registry that asked for it.';

CREATE TABLE sync.retirement (
  ws uuid NOT NULL,
  stream text NOT NULL,
  before int NOT NULL,
  records bigint NOT NULL,
  login text NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE sync.retirement IS 'Who had records of old months removed, and how many.';
