-- name: Lead :execrows
-- One statement, so that of two who ask at once one gets it.
INSERT INTO nlpcanary_leaders (task, holder, until)
VALUES (sqlc.arg(task), sqlc.arg(holder), sqlc.arg(until))
ON CONFLICT (task) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE nlpcanary_leaders.holder = excluded.holder OR nlpcanary_leaders.until < CAST(sqlc.arg(now) AS bigint);

-- name: StepDown :exec
DELETE FROM nlpcanary_leaders WHERE task = sqlc.arg(task) AND holder = sqlc.arg(holder);

-- name: GetLeader :one
SELECT * FROM nlpcanary_leaders WHERE task = sqlc.arg(task);

-- name: PutAlert :exec
INSERT INTO nlpcanary_alerts (rule, subject, severity, summary, since, resolved_at, notified_at)
VALUES (sqlc.arg(rule), sqlc.arg(subject), sqlc.arg(severity), sqlc.arg(summary), sqlc.arg(since), sqlc.arg(resolved_at), sqlc.arg(notified_at))
ON CONFLICT (rule, subject) DO UPDATE SET severity = excluded.severity, summary = excluded.summary,
    since = excluded.since, resolved_at = excluded.resolved_at, notified_at = excluded.notified_at;

-- name: ListAlerts :many
SELECT * FROM nlpcanary_alerts ORDER BY since, rule, subject;

-- name: PutEffect :exec
-- The first account of a rollout stands.
INSERT INTO nlpcanary_effects (rollout, metric, effect, error, ended_at)
VALUES (sqlc.arg(rollout), sqlc.arg(metric), sqlc.arg(effect), sqlc.arg(error), sqlc.arg(ended_at))
ON CONFLICT (rollout, metric) DO NOTHING;

-- name: ListEffects :many
SELECT * FROM nlpcanary_effects ORDER BY ended_at, rollout, metric;
