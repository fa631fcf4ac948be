-- name: PutGoldRun :exec
INSERT INTO nlpcanary_gold_runs (rollout, at, revision, old_name, new_name, gold, failed, pairs)
VALUES (sqlc.arg(rollout), sqlc.arg(at), sqlc.arg(revision), sqlc.arg(old_name), sqlc.arg(new_name), sqlc.arg(gold), sqlc.arg(failed), sqlc.arg(pairs))
ON CONFLICT (rollout, at) DO NOTHING;

-- name: ForgetGoldRuns :exec
DELETE FROM nlpcanary_gold_runs WHERE at < sqlc.arg(before);

-- name: ListGoldRuns :many
SELECT * FROM nlpcanary_gold_runs WHERE rollout = sqlc.arg(rollout) ORDER BY at DESC LIMIT sqlc.arg(most);
