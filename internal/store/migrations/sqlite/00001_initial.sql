-- The SQLite twin of migrations/postgres/00001_initial.sql: the same tables and
-- columns, read and written by the same queries. There is nothing to take over.

-- +goose Up
CREATE TABLE nlp_rollout_config (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    current_stage      INTEGER NOT NULL,
    rollout_percentage INTEGER NOT NULL,
    updated_at         TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP CHECK (datetime(updated_at) IS NOT NULL),
    updated_by         VARCHAR(255) NOT NULL,
    notes              TEXT,
    rollout            TEXT NOT NULL DEFAULT 'nlp',
    revision           BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX nlp_rollout_config_updated_at ON nlp_rollout_config (updated_at);
CREATE INDEX nlp_rollout_config_revision ON nlp_rollout_config (revision);

INSERT INTO nlp_rollout_config (current_stage, rollout_percentage, updated_by, notes, revision)
VALUES (4, 100, 'system', 'Initial state: new architecture already at 100%', 1);

-- The checks keep out what PostgreSQL's types would: SQL typed in by hand must
-- not make the table unreadable.
CREATE TABLE feature_flags (
    name          VARCHAR(100) PRIMARY KEY NOT NULL,
    enabled       BOOLEAN NOT NULL CHECK (enabled IN (0, 1)),
    category      VARCHAR(100) NOT NULL DEFAULT '',
    description   TEXT NOT NULL DEFAULT '',
    default_value BOOLEAN NOT NULL DEFAULT 0 CHECK (default_value IN (0, 1)),
    created_at    TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP CHECK (datetime(created_at) IS NOT NULL),
    updated_at    TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP CHECK (datetime(updated_at) IS NOT NULL)
);

INSERT INTO feature_flags (name, enabled, category, description, default_value)
VALUES ('USE_NEW_NLP_ARCHITECTURE', 1, 'nlp',
        'Kill switch: while off, everyone is on the old architecture whatever the stage', 1);

-- One row: the revision, which serialises all changes, and the state.
CREATE TABLE nlpcanary_clock (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    revision BIGINT NOT NULL,
    document TEXT NOT NULL
);

CREATE TABLE nlpcanary_flag_changes (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    changes BIGINT NOT NULL
);
INSERT INTO nlpcanary_flag_changes (id, changes) VALUES (1, 0);

CREATE TABLE nlpcanary_secrets (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
);

CREATE TABLE nlpcanary_audit (
    revision     BIGINT PRIMARY KEY,
    at           BIGINT NOT NULL, -- microseconds since 1970
    actor        TEXT NOT NULL,
    role         TEXT NOT NULL,
    action       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    before_value TEXT NOT NULL,   -- JSON
    after_value  TEXT NOT NULL,   -- JSON
    note         TEXT NOT NULL,
    warnings     TEXT NOT NULL,   -- JSON array of strings
    source       TEXT NOT NULL,
    state_digest TEXT NOT NULL,
    leaf         BLOB NOT NULL
);

-- The inner hashes of the Merkle tree over nlpcanary_audit, by their stored index.
CREATE TABLE nlpcanary_audit_hashes (
    idx  BIGINT PRIMARY KEY,
    hash BLOB NOT NULL
);

CREATE TABLE nlpcanary_idempotency (
    key    TEXT NOT NULL,
    actor  TEXT NOT NULL,
    digest TEXT NOT NULL,
    answer TEXT NOT NULL,   -- JSON
    at     BIGINT NOT NULL, -- microseconds since 1970
    PRIMARY KEY (key, actor)
);

CREATE TABLE nlpcanary_instances (
    id          TEXT PRIMARY KEY,
    region      TEXT NOT NULL,
    version     TEXT NOT NULL,
    address     TEXT NOT NULL,
    started_at  BIGINT NOT NULL, -- microseconds since 1970
    seen_at     BIGINT NOT NULL, -- microseconds since 1970, by the instance's clock
    revision    BIGINT NOT NULL,
    lease       BIGINT NOT NULL, -- microseconds
    break_glass BOOLEAN NOT NULL,
    cache_size  BIGINT NOT NULL
);

CREATE TABLE nlpcanary_tallies (
    producer TEXT NOT NULL,
    rollout  TEXT NOT NULL,
    epoch    BIGINT NOT NULL,
    variant  TEXT NOT NULL,
    region   TEXT NOT NULL,
    minute   BIGINT NOT NULL, -- minutes since 1970
    seq      BIGINT NOT NULL,
    data     BLOB NOT NULL,
    PRIMARY KEY (producer, rollout, epoch, variant, region, minute)
);
CREATE INDEX nlpcanary_tallies_minute ON nlpcanary_tallies (rollout, minute);

CREATE TABLE nlpcanary_feedback (
    outcome_id TEXT PRIMARY KEY,
    rollout    TEXT NOT NULL,
    epoch      BIGINT NOT NULL,
    variant    TEXT NOT NULL,
    region     TEXT NOT NULL,
    excluded   BOOLEAN NOT NULL,
    minute     BIGINT NOT NULL, -- when the text was processed, minutes since 1970
    actor      TEXT NOT NULL,
    quality    BIGINT,          -- null where there was no mark
    correct    BIGINT,          -- null where there were no counts
    wrong      BIGINT,
    missed     BIGINT
);
CREATE INDEX nlpcanary_feedback_minute ON nlpcanary_feedback (rollout, minute);

-- +goose StatementBegin
CREATE TRIGGER nlpcanary_flag_updated AFTER UPDATE ON feature_flags
WHEN OLD.name IS NOT NEW.name OR OLD.enabled IS NOT NEW.enabled OR OLD.category IS NOT NEW.category
    OR OLD.description IS NOT NEW.description OR OLD.default_value IS NOT NEW.default_value
    OR OLD.created_at IS NOT NEW.created_at OR OLD.updated_at IS NOT NEW.updated_at
BEGIN
    UPDATE nlpcanary_flag_changes SET changes = changes + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER nlpcanary_flag_inserted AFTER INSERT ON feature_flags
BEGIN
    UPDATE nlpcanary_flag_changes SET changes = changes + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER nlpcanary_flag_deleted AFTER DELETE ON feature_flags
BEGIN
    UPDATE nlpcanary_flag_changes SET changes = changes + 1;
END;
-- +goose StatementEnd
