-- +goose Up

-- Who does a task that one instance does for all: until when, by its own clock. A
-- change is safe without it, by the revision it is based on; this keeps instances
-- from doing the same work, and from telling of it, several times.
CREATE TABLE nlpcanary_leaders (
    task   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until  BIGINT NOT NULL -- microseconds since 1970
);

-- What is wrong, and was, so that a new leader does not tell of it again.
CREATE TABLE nlpcanary_alerts (
    rule        TEXT NOT NULL,
    subject     TEXT NOT NULL, -- what it is about: an instance, a metric; may be empty
    severity    TEXT NOT NULL,
    summary     TEXT NOT NULL,
    since       BIGINT NOT NULL, -- microseconds since 1970
    resolved_at BIGINT NOT NULL, -- 0 while it fires
    notified_at BIGINT NOT NULL, -- 0 until the notifiers have it
    PRIMARY KEY (rule, subject)
);

-- What finished rollouts did, for the forecast of the next one.
CREATE TABLE nlpcanary_effects (
    rollout  TEXT NOT NULL,
    metric   TEXT NOT NULL,
    effect   DOUBLE PRECISION NOT NULL, -- ln(new / old)
    error    DOUBLE PRECISION NOT NULL, -- its standard error
    ended_at BIGINT NOT NULL,           -- microseconds since 1970
    PRIMARY KEY (rollout, metric)
);
