-- The tables of the mission, nlp_rollout_config and feature_flags, may be there
-- already, written by the system that came before: they are taken over with all
-- their rows. Our own tables carry a prefix, because that system's schema may have
-- an "audit" or a "feedback" of its own.

-- +goose Up
CREATE TABLE IF NOT EXISTS nlp_rollout_config (
    id                 serial PRIMARY KEY,
    current_stage      integer NOT NULL,
    rollout_percentage integer NOT NULL,
    updated_at         timestamp with time zone NOT NULL DEFAULT now(),
    updated_by         varchar(255) NOT NULL,
    notes              text
);
ALTER TABLE nlp_rollout_config ADD COLUMN IF NOT EXISTS rollout text NOT NULL DEFAULT 'nlp';
-- The revision that wrote the row; 0 for rows that nlpcanary did not write.
ALTER TABLE nlp_rollout_config ADD COLUMN IF NOT EXISTS revision bigint NOT NULL DEFAULT 0;
CREATE INDEX IF NOT EXISTS nlp_rollout_config_updated_at ON nlp_rollout_config (updated_at);
CREATE INDEX IF NOT EXISTS nlp_rollout_config_revision ON nlp_rollout_config (revision);

INSERT INTO nlp_rollout_config (current_stage, rollout_percentage, updated_at, updated_by, notes, revision)
SELECT 4, 100, now(), 'system', 'Initial state: new architecture already at 100%', 1
WHERE NOT EXISTS (SELECT 1 FROM nlp_rollout_config);

CREATE TABLE IF NOT EXISTS feature_flags (
    name          varchar(100) PRIMARY KEY,
    enabled       boolean NOT NULL,
    category      varchar(100) NOT NULL DEFAULT '',
    description   text NOT NULL DEFAULT '',
    default_value boolean NOT NULL DEFAULT false,
    created_at    timestamp with time zone NOT NULL DEFAULT now(),
    updated_at    timestamp with time zone NOT NULL DEFAULT now()
);
ALTER TABLE feature_flags ADD COLUMN IF NOT EXISTS category varchar(100) NOT NULL DEFAULT '';
ALTER TABLE feature_flags ADD COLUMN IF NOT EXISTS description text NOT NULL DEFAULT '';
ALTER TABLE feature_flags ADD COLUMN IF NOT EXISTS default_value boolean NOT NULL DEFAULT false;
ALTER TABLE feature_flags ADD COLUMN IF NOT EXISTS created_at timestamp with time zone NOT NULL DEFAULT now();
ALTER TABLE feature_flags ADD COLUMN IF NOT EXISTS updated_at timestamp with time zone NOT NULL DEFAULT now();

INSERT INTO feature_flags (name, enabled, category, description, default_value)
SELECT 'USE_NEW_NLP_ARCHITECTURE', true, 'nlp',
       'Kill switch: while off, everyone is on the old architecture whatever the stage', true
WHERE NOT EXISTS (SELECT 1 FROM feature_flags WHERE name = 'USE_NEW_NLP_ARCHITECTURE');

-- One row: the revision, which serialises all changes, and the state.
CREATE TABLE nlpcanary_clock (
    id       integer PRIMARY KEY CHECK (id = 1),
    revision bigint NOT NULL,
    document text NOT NULL
);

-- One row: counts changes of feature_flags, by whomever. It is not a column of
-- nlpcanary_clock, because a psql session that has updated a flag and not yet
-- committed holds this row: it must not hold up a rollback.
CREATE TABLE nlpcanary_flag_changes (
    id      integer PRIMARY KEY CHECK (id = 1),
    changes bigint NOT NULL
);
INSERT INTO nlpcanary_flag_changes (id, changes) VALUES (1, 0);

CREATE TABLE nlpcanary_secrets (
    name  text PRIMARY KEY,
    value bytea NOT NULL
);

CREATE TABLE nlpcanary_audit (
    revision     bigint PRIMARY KEY,
    at           bigint NOT NULL, -- microseconds since 1970
    actor        text NOT NULL,
    role         text NOT NULL,
    action       text NOT NULL,
    subject      text NOT NULL,
    before_value text NOT NULL,   -- JSON
    after_value  text NOT NULL,   -- JSON
    note         text NOT NULL,
    warnings     text NOT NULL,   -- JSON array of strings
    source       text NOT NULL,
    state_digest text NOT NULL,
    leaf         bytea NOT NULL
);

-- The inner hashes of the Merkle tree over nlpcanary_audit, by their stored index.
CREATE TABLE nlpcanary_audit_hashes (
    idx  bigint PRIMARY KEY,
    hash bytea NOT NULL
);

CREATE TABLE nlpcanary_idempotency (
    key    text NOT NULL,
    actor  text NOT NULL,
    digest text NOT NULL,
    answer text NOT NULL,   -- JSON
    at     bigint NOT NULL, -- microseconds since 1970
    PRIMARY KEY (key, actor)
);

CREATE TABLE nlpcanary_instances (
    id          text PRIMARY KEY,
    region      text NOT NULL,
    version     text NOT NULL,
    address     text NOT NULL,
    started_at  bigint NOT NULL, -- microseconds since 1970
    seen_at     bigint NOT NULL, -- microseconds since 1970, by the instance's clock
    revision    bigint NOT NULL,
    lease       bigint NOT NULL, -- microseconds
    break_glass boolean NOT NULL,
    cache_size  bigint NOT NULL
) WITH (fillfactor = 50); -- rewritten twice a second, in place

CREATE TABLE nlpcanary_tallies (
    producer text NOT NULL,
    rollout  text NOT NULL,
    epoch    bigint NOT NULL,
    variant  text NOT NULL,
    region   text NOT NULL,
    minute   bigint NOT NULL, -- minutes since 1970
    seq      bigint NOT NULL,
    data     bytea NOT NULL,
    PRIMARY KEY (producer, rollout, epoch, variant, region, minute)
);
CREATE INDEX nlpcanary_tallies_minute ON nlpcanary_tallies (rollout, minute);

CREATE TABLE nlpcanary_feedback (
    outcome_id text PRIMARY KEY,
    rollout    text NOT NULL,
    epoch      bigint NOT NULL,
    variant    text NOT NULL,
    region     text NOT NULL,
    excluded   boolean NOT NULL,
    minute     bigint NOT NULL, -- when the text was processed, minutes since 1970
    actor      text NOT NULL,
    quality    bigint,          -- null where there was no mark
    correct    bigint,          -- null where there were no counts
    wrong      bigint,
    missed     bigint
);
CREATE INDEX nlpcanary_feedback_minute ON nlpcanary_feedback (rollout, minute);

-- +goose StatementBegin
CREATE FUNCTION nlpcanary_flag_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE nlpcanary_flag_changes SET changes = changes + 1;
    PERFORM pg_notify('nlpcanary', 'flags');
    RETURN NULL;
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION nlpcanary_clock_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('nlpcanary', NEW.revision::text);
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER nlpcanary_flag_updated AFTER UPDATE ON feature_flags
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION nlpcanary_flag_changed();
CREATE TRIGGER nlpcanary_flag_inserted AFTER INSERT OR DELETE ON feature_flags
    FOR EACH ROW EXECUTE FUNCTION nlpcanary_flag_changed();
CREATE TRIGGER nlpcanary_flags_truncated AFTER TRUNCATE ON feature_flags
    FOR EACH STATEMENT EXECUTE FUNCTION nlpcanary_flag_changed();
-- A notification is sent when, and only when, the transaction commits.
CREATE TRIGGER nlpcanary_clock_updated AFTER UPDATE ON nlpcanary_clock
    FOR EACH ROW WHEN (OLD.revision IS DISTINCT FROM NEW.revision) EXECUTE FUNCTION nlpcanary_clock_changed();
