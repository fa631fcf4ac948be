-- The mission's own tables. Columns that a legacy table may hold NULL in are
-- wrapped, except times: SQLite's driver knows a time by its column.

-- name: ListFlags :many
SELECT name, CAST(COALESCE(enabled, false) AS boolean) AS enabled, COALESCE(category, '') AS category, COALESCE(description, '') AS description,
    CAST(COALESCE(default_value, false) AS boolean) AS default_value, created_at, updated_at
FROM feature_flags;

-- name: UpdateFlag :execrows
-- Not an upsert: a legacy table may lack the unique index that one needs.
UPDATE feature_flags SET enabled = sqlc.arg(enabled), category = sqlc.arg(category), description = sqlc.arg(description),
    default_value = sqlc.arg(default_value), updated_at = sqlc.arg(updated_at)
WHERE name = sqlc.arg(name);

-- name: InsertFlag :exec
INSERT INTO feature_flags (name, enabled, category, description, default_value, created_at, updated_at)
VALUES (sqlc.arg(name), sqlc.arg(enabled), sqlc.arg(category), sqlc.arg(description), sqlc.arg(default_value), sqlc.arg(created_at), sqlc.arg(updated_at));

-- name: InsertHistory :exec
INSERT INTO nlp_rollout_config (current_stage, rollout_percentage, updated_at, updated_by, notes, rollout, revision)
VALUES (sqlc.arg(stage), sqlc.arg(percentage), sqlc.arg(updated_at), sqlc.arg(updated_by), sqlc.arg(notes), sqlc.arg(rollout), sqlc.arg(revision));

-- name: ListHistory :many
SELECT id, current_stage, rollout_percentage, updated_at, COALESCE(updated_by, '') AS updated_by, COALESCE(notes, '') AS notes, rollout, revision
FROM nlp_rollout_config
WHERE id < sqlc.arg(before)
ORDER BY id DESC
LIMIT sqlc.arg(most);

-- name: CountHistory :one
SELECT count(*) FROM nlp_rollout_config;

-- name: OwnHistory :many
-- The rows that nlpcanary wrote, or took over, in a range of revisions.
SELECT id, current_stage, rollout_percentage, updated_at, COALESCE(updated_by, '') AS updated_by, COALESCE(notes, '') AS notes, rollout, revision
FROM nlp_rollout_config
WHERE revision >= sqlc.arg(first) AND revision <= sqlc.arg(last) AND revision > 0
ORDER BY revision, id;

-- name: AdoptHistory :exec
UPDATE nlp_rollout_config SET revision = sqlc.arg(revision), rollout = sqlc.arg(rollout), updated_at = sqlc.arg(updated_at)
WHERE id = sqlc.arg(id);
