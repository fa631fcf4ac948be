-- +goose Up
-- Tallies are folded into records of an hour and of a day, so that what is read of a
-- long rollout is small. A folded row is kept for its detail, and to tell a repeated
-- shipment, until it is compacted.
ALTER TABLE nlpcanary_tallies ADD COLUMN folded BOOLEAN NOT NULL DEFAULT false;
CREATE INDEX nlpcanary_tallies_open ON nlpcanary_tallies (rollout, minute) WHERE NOT folded;
ALTER TABLE nlpcanary_feedback ADD COLUMN folded BOOLEAN NOT NULL DEFAULT false;
CREATE INDEX nlpcanary_feedback_open ON nlpcanary_feedback (rollout, minute) WHERE NOT folded;

CREATE TABLE nlpcanary_periods (
    rollout TEXT NOT NULL,
    epoch   BIGINT NOT NULL,
    region  TEXT NOT NULL,
    span    BIGINT NOT NULL, -- minutes: 60 or 1440
    start   BIGINT NOT NULL, -- minutes since 1970, a multiple of span
    blocks  BYTEA NOT NULL,  -- the counts of each minute
    old     BYTEA NOT NULL,  -- a tally
    new     BYTEA NOT NULL,
    PRIMARY KEY (rollout, span, start, epoch, region)
);

-- Up to which minute a producer's tallies are compacted: what it ships again is old.
CREATE TABLE nlpcanary_producers (
    producer TEXT PRIMARY KEY,
    through  BIGINT NOT NULL -- minutes since 1970
);

-- One row, which serialises folding.
CREATE TABLE nlpcanary_folding (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    next_at   BIGINT NOT NULL, -- microseconds since 1970: when it is somebody's turn again
    compacted BIGINT NOT NULL  -- minutes since 1970: before it, minutes may be in periods only
);
INSERT INTO nlpcanary_folding (id, next_at, compacted) VALUES (1, 0, 0);
