-- +goose Up
-- The user-hash bucket of the outcome's user, 0 to 255. Of feedback from before it
-- was kept it is not known; it counts in bucket 0.
ALTER TABLE nlpcanary_feedback ADD COLUMN bucket BIGINT NOT NULL DEFAULT 0;

-- What counts as slow, frozen once for each epoch.
CREATE TABLE nlpcanary_baselines (
    rollout   TEXT NOT NULL,
    epoch     BIGINT NOT NULL,
    slow_over BIGINT NOT NULL, -- microseconds
    slow_from BIGINT NOT NULL, -- minutes since 1970: no request before is counted as slow
    PRIMARY KEY (rollout, epoch)
);
