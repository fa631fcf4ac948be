-- +goose Up
-- Sums over pairs: requests of old's that new processed too, in the shadow. A row is
-- replaced as a whole, like a tally's.
CREATE TABLE nlpcanary_shadow (
    producer TEXT NOT NULL,
    rollout  TEXT NOT NULL,
    epoch    BIGINT NOT NULL,
    region   TEXT NOT NULL,
    seq      BIGINT NOT NULL,
    data     BLOB NOT NULL,
    PRIMARY KEY (producer, rollout, epoch, region)
);
CREATE INDEX nlpcanary_shadow_epoch ON nlpcanary_shadow (rollout, epoch);
