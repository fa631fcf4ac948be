-- Told apart are the histories of one database: see rollout.State.Lineage. The state
-- document has it too; this column is what renewals compare.

-- +goose Up
ALTER TABLE nlpcanary_clock ADD COLUMN lineage bigint NOT NULL DEFAULT 0;
-- Why no instance may trust the state: one of them has seen what this database has
-- lost. Empty where nobody doubts it.
ALTER TABLE nlpcanary_clock ADD COLUMN distrust text NOT NULL DEFAULT '';
