-- +goose Up
-- One row, which serialises the batches of reported outcomes and numbers them.
CREATE TABLE nlpcanary_report_clock (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    number BIGINT NOT NULL
);
INSERT INTO nlpcanary_report_clock (id, number) VALUES (1, 0);

-- The ids of reported outcomes, so that each counts once: 8 bytes of a keyed hash each.
CREATE TABLE nlpcanary_report_ids (
    number BIGINT PRIMARY KEY, -- of the batch, or of the last of those merged into one
    minute BIGINT NOT NULL,    -- minutes since 1970
    count  BIGINT NOT NULL,
    merged BOOLEAN NOT NULL,
    ids    BYTEA NOT NULL
);
