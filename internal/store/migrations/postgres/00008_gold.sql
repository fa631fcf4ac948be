-- +goose Up

-- What the two architectures made of the gold set, one row a run. It is kept apart from
-- what users' texts gave: no user sent these.
CREATE TABLE nlpcanary_gold_runs (
    rollout  TEXT NOT NULL,
    at       BIGINT NOT NULL, -- microseconds since 1970
    revision BIGINT NOT NULL, -- of the state at that time
    old_name TEXT NOT NULL,
    new_name TEXT NOT NULL,
    gold     TEXT NOT NULL,   -- which gold set, in words
    failed   BIGINT NOT NULL, -- documents left out, as one of the two failed on them
    pairs    TEXT NOT NULL,   -- JSON: for each document what was correct, wrong and missed
    PRIMARY KEY (rollout, at)
);
