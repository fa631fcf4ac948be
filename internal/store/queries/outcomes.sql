-- name: PutTally :exec
-- A shipment counts once: a repetition carries a sequence number that is not newer.
INSERT INTO nlpcanary_tallies (producer, rollout, epoch, variant, region, minute, seq, data)
VALUES (sqlc.arg(producer), sqlc.arg(rollout), sqlc.arg(epoch), sqlc.arg(variant), sqlc.arg(region), sqlc.arg(minute), sqlc.arg(seq), sqlc.arg(data))
ON CONFLICT (producer, rollout, epoch, variant, region, minute) DO UPDATE SET seq = excluded.seq, data = excluded.data
WHERE excluded.seq > nlpcanary_tallies.seq;

-- name: SelectTallies :many
SELECT variant, data FROM nlpcanary_tallies
WHERE rollout = sqlc.arg(rollout)
    AND (CAST(sqlc.arg(epoch) AS bigint) = 0 OR epoch = sqlc.arg(epoch))
    AND (CAST(sqlc.arg(any_region) AS boolean) OR region = sqlc.arg(region))
    AND minute >= sqlc.arg(first) AND minute < sqlc.arg(until);

-- name: SelectWindow :many
SELECT epoch, variant, region, minute, data FROM nlpcanary_tallies
WHERE rollout = sqlc.arg(rollout)
    AND (CAST(sqlc.arg(epoch) AS bigint) = 0 OR epoch = sqlc.arg(epoch))
    AND (CAST(sqlc.arg(any_region) AS boolean) OR region = sqlc.arg(region))
    AND minute >= sqlc.arg(first) AND minute < sqlc.arg(until);

-- name: SelectBaseline :many
-- What old took: before an epoch, or in it.
SELECT epoch, minute, data FROM nlpcanary_tallies
WHERE rollout = sqlc.arg(rollout) AND variant = 'old' AND epoch <= sqlc.arg(epoch);

-- name: GetBaseline :one
SELECT slow_over, slow_from FROM nlpcanary_baselines WHERE rollout = sqlc.arg(rollout) AND epoch = sqlc.arg(epoch);

-- name: PutBaseline :exec
-- Whoever is first freezes it.
INSERT INTO nlpcanary_baselines (rollout, epoch, slow_over, slow_from)
VALUES (sqlc.arg(rollout), sqlc.arg(epoch), sqlc.arg(slow_over), sqlc.arg(slow_from))
ON CONFLICT (rollout, epoch) DO NOTHING;

-- name: InsertFeedback :execrows
INSERT INTO nlpcanary_feedback (outcome_id, rollout, epoch, variant, region, excluded, minute, bucket, actor, quality, correct, wrong, missed)
VALUES (sqlc.arg(outcome_id), sqlc.arg(rollout), sqlc.arg(epoch), sqlc.arg(variant), sqlc.arg(region), sqlc.arg(excluded), sqlc.arg(minute), sqlc.arg(bucket), sqlc.arg(actor),
        sqlc.narg(quality), sqlc.narg(correct), sqlc.narg(wrong), sqlc.narg(missed))
ON CONFLICT (outcome_id) DO NOTHING;

-- name: GetFeedback :one
SELECT * FROM nlpcanary_feedback WHERE outcome_id = sqlc.arg(outcome_id);

-- name: SumFeedback :many
-- Users who were not where their bucket would have put them are in neither cohort.
SELECT variant,
    CAST(COALESCE(SUM(quality), 0) AS bigint) AS quality, CAST(COUNT(quality) AS bigint) AS rated, CAST(COUNT(correct) AS bigint) AS labelled,
    CAST(COALESCE(SUM(correct), 0) AS bigint) AS correct, CAST(COALESCE(SUM(wrong), 0) AS bigint) AS wrong, CAST(COALESCE(SUM(missed), 0) AS bigint) AS missed
FROM nlpcanary_feedback
WHERE rollout = sqlc.arg(rollout)
    AND (CAST(sqlc.arg(epoch) AS bigint) = 0 OR epoch = sqlc.arg(epoch))
    AND (CAST(sqlc.arg(any_region) AS boolean) OR region = sqlc.arg(region))
    AND minute >= sqlc.arg(first) AND minute < sqlc.arg(until)
    AND NOT excluded
GROUP BY variant;

-- name: SumMarks :many
SELECT variant, bucket,
    CAST(COALESCE(SUM(quality), 0) AS bigint) AS quality, CAST(COUNT(quality) AS bigint) AS rated, CAST(COUNT(correct) AS bigint) AS labelled,
    CAST(COALESCE(SUM(correct), 0) AS bigint) AS correct, CAST(COALESCE(SUM(wrong), 0) AS bigint) AS wrong, CAST(COALESCE(SUM(missed), 0) AS bigint) AS missed
FROM nlpcanary_feedback
WHERE rollout = sqlc.arg(rollout)
    AND (CAST(sqlc.arg(epoch) AS bigint) = 0 OR epoch = sqlc.arg(epoch))
    AND (CAST(sqlc.arg(any_region) AS boolean) OR region = sqlc.arg(region))
    AND minute >= sqlc.arg(first) AND minute < sqlc.arg(until)
    AND NOT excluded
GROUP BY variant, bucket;
