-- The journal. Paths are bytes, relative to the storage; times are Unix seconds.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

-- One digest row a folder: when a walk finds the same digest, nothing in it has changed
-- and everything in it is journaled.
CREATE TABLE folder (
  path   BLOB PRIMARY KEY,
  digest BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE asset (
  id          INTEGER PRIMARY KEY,
  path        BLOB NOT NULL UNIQUE,
  folder      BLOB NOT NULL,
  watch       TEXT NOT NULL,
  kind        TEXT NOT NULL,
  signature   BLOB NOT NULL,
  inode       INTEGER NOT NULL,
  size        INTEGER NOT NULL,
  fingerprint TEXT NOT NULL,
  version     INTEGER NOT NULL DEFAULT 1,
  members     TEXT NOT NULL DEFAULT '[]',
  facts       TEXT NOT NULL DEFAULT '{}',
  seen_at     REAL NOT NULL,
  gone_at     REAL
);
CREATE INDEX asset_folder ON asset (folder) WHERE gone_at IS NULL;
CREATE INDEX asset_inode ON asset (inode);
CREATE INDEX asset_gone ON asset (gone_at) WHERE gone_at IS NOT NULL;

-- Where each asset's results go: unique for as long as the journal lives.
-- "key" is the path as file systems see it that tell neither case nor Unicode forms apart.
CREATE TABLE output (
  path     BLOB PRIMARY KEY,
  key      BLOB NOT NULL UNIQUE,
  asset_id INTEGER NOT NULL REFERENCES asset (id),
  handler  TEXT NOT NULL,
  UNIQUE (asset_id, handler)
) WITHOUT ROWID;

CREATE TABLE job (
  id              INTEGER PRIMARY KEY,
  asset_id        INTEGER NOT NULL REFERENCES asset (id),
  version         INTEGER NOT NULL,
  fingerprint     TEXT NOT NULL,
  handler         TEXT NOT NULL,
  handler_version TEXT NOT NULL,
  models          TEXT NOT NULL DEFAULT '{}',
  params          TEXT NOT NULL DEFAULT '{}',
  inputs          TEXT NOT NULL DEFAULT '',
  rerun           INTEGER NOT NULL DEFAULT 0,
  output_root     TEXT NOT NULL,
  state           TEXT NOT NULL,
  priority        INTEGER NOT NULL DEFAULT 0,
  attempts        INTEGER NOT NULL DEFAULT 0,
  token           INTEGER NOT NULL DEFAULT 0,
  lease_until     REAL,
  not_before      REAL NOT NULL DEFAULT 0,
  waits_for       TEXT,
  reason          TEXT NOT NULL DEFAULT '',
  traceback       TEXT NOT NULL DEFAULT '',
  metrics         TEXT NOT NULL DEFAULT '{}',
  created_at      REAL NOT NULL,
  changed_at      REAL NOT NULL,
  UNIQUE (asset_id, version, fingerprint, handler, handler_version, models, params, inputs, rerun)
);
CREATE INDEX job_queue ON job (priority DESC, id) WHERE state = 'queued';
CREATE INDEX job_waiting ON job (id) WHERE state = 'queued' AND waits_for IS NOT NULL;
CREATE INDEX job_running ON job (id) WHERE state = 'running';
CREATE INDEX job_recent ON job (changed_at);
CREATE INDEX job_asset ON job (asset_id);
CREATE INDEX job_state ON job (state);

CREATE TABLE job_event (
  id     INTEGER PRIMARY KEY,
  job_id INTEGER NOT NULL REFERENCES job (id),
  at     REAL NOT NULL,
  before TEXT,
  after  TEXT NOT NULL,
  change TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT ''
);
CREATE INDEX job_event_job ON job_event (job_id);

-- Published folders on their way to another place: completed at the next start.
CREATE TABLE intent (
  id     INTEGER PRIMARY KEY,
  kind   TEXT NOT NULL,
  source BLOB NOT NULL,
  target BLOB NOT NULL
);

PRAGMA user_version = 2;
