-- name: PutTally :execrows
-- A shipment counts once: a repetition carries a sequence number that is not newer.
INSERT INTO nlpcanary_tallies (producer, rollout, epoch, variant, region, minute, seq, data)
VALUES (sqlc.arg(producer), sqlc.arg(rollout), sqlc.arg(epoch), sqlc.arg(variant), sqlc.arg(region), sqlc.arg(minute), sqlc.arg(seq), sqlc.arg(data))
ON CONFLICT (producer, rollout, epoch, variant, region, minute) DO UPDATE SET seq = excluded.seq, data = excluded.data
WHERE excluded.seq > nlpcanary_tallies.seq AND NOT nlpcanary_tallies.folded;

-- name: GetTally :one
SELECT seq, folded, data FROM nlpcanary_tallies
WHERE producer = sqlc.arg(producer) AND rollout = sqlc.arg(rollout) AND epoch = sqlc.arg(epoch) AND variant = sqlc.arg(variant)
    AND region = sqlc.arg(region) AND minute = sqlc.arg(minute);

-- name: SupersedeTally :exec
UPDATE nlpcanary_tallies SET seq = sqlc.arg(seq), data = sqlc.arg(data)
WHERE producer = sqlc.arg(producer) AND rollout = sqlc.arg(rollout) AND epoch = sqlc.arg(epoch) AND variant = sqlc.arg(variant)
    AND region = sqlc.arg(region) AND minute = sqlc.arg(minute);

-- name: SelectOpenTallies :many
-- What is in no period yet.
SELECT epoch, variant, region, minute, data FROM nlpcanary_tallies
WHERE rollout = sqlc.arg(rollout)
    AND (CAST(sqlc.arg(epoch) AS bigint) = 0 OR epoch = sqlc.arg(epoch))
    AND (CAST(sqlc.arg(any_region) AS boolean) OR region = sqlc.arg(region))
    AND minute >= sqlc.arg(first) AND minute < sqlc.arg(until)
    AND NOT folded;

-- name: SelectTallies :many
-- What there is of single minutes, be it in a period or not.
SELECT epoch, variant, region, minute, data FROM nlpcanary_tallies
WHERE rollout = sqlc.arg(rollout)
    AND (CAST(sqlc.arg(epoch) AS bigint) = 0 OR epoch = sqlc.arg(epoch))
    AND (CAST(sqlc.arg(any_region) AS boolean) OR region = sqlc.arg(region))
    AND minute >= sqlc.arg(first) AND minute < sqlc.arg(until);

-- name: SelectPeriods :many
SELECT start, old, new FROM nlpcanary_periods
WHERE rollout = sqlc.arg(rollout) AND span = sqlc.arg(span)
    AND (CAST(sqlc.arg(epoch) AS bigint) = 0 OR epoch = sqlc.arg(epoch))
    AND (CAST(sqlc.arg(any_region) AS boolean) OR region = sqlc.arg(region))
    AND start >= sqlc.arg(first) AND start < sqlc.arg(until);

-- name: SelectBlocks :many
SELECT region, start, blocks FROM nlpcanary_periods
WHERE rollout = sqlc.arg(rollout) AND span = sqlc.arg(span) AND epoch = sqlc.arg(epoch)
    AND (CAST(sqlc.arg(any_region) AS boolean) OR region = sqlc.arg(region))
    AND start >= sqlc.arg(first) AND start < sqlc.arg(until)
ORDER BY start;

-- name: GetPeriod :one
SELECT blocks, old, new FROM nlpcanary_periods
WHERE rollout = sqlc.arg(rollout) AND span = sqlc.arg(span) AND start = sqlc.arg(start) AND epoch = sqlc.arg(epoch) AND region = sqlc.arg(region);

-- name: PutPeriod :exec
INSERT INTO nlpcanary_periods (rollout, epoch, region, span, start, blocks, old, new)
VALUES (sqlc.arg(rollout), sqlc.arg(epoch), sqlc.arg(region), sqlc.arg(span), sqlc.arg(start), sqlc.arg(blocks), sqlc.arg(old), sqlc.arg(new))
ON CONFLICT (rollout, span, start, epoch, region) DO UPDATE SET blocks = excluded.blocks, old = excluded.old, new = excluded.new;

-- name: LastPeriod :one
-- The start of the last hour of an epoch that something was folded into; 0 for none.
SELECT CAST(COALESCE(MAX(start), 0) AS bigint) FROM nlpcanary_periods
WHERE rollout = sqlc.arg(rollout) AND span = 60 AND epoch = sqlc.arg(epoch);

-- name: ClaimFolding :execrows
UPDATE nlpcanary_folding SET next_at = sqlc.arg(next) WHERE next_at <= sqlc.arg(now);

-- name: LockFolding :exec
UPDATE nlpcanary_folding SET id = id;

-- name: Compacted :one
SELECT compacted FROM nlpcanary_folding;

-- name: SetCompacted :exec
UPDATE nlpcanary_folding SET compacted = sqlc.arg(compacted) WHERE compacted < sqlc.arg(compacted);

-- name: TalliesToFold :many
SELECT producer, rollout, epoch, variant, region, minute, seq, data FROM nlpcanary_tallies
WHERE NOT folded AND minute < sqlc.arg(until)
LIMIT sqlc.arg(most);

-- name: MarkTallyFolded :execrows
UPDATE nlpcanary_tallies SET folded = true
WHERE producer = sqlc.arg(producer) AND rollout = sqlc.arg(rollout) AND epoch = sqlc.arg(epoch) AND variant = sqlc.arg(variant)
    AND region = sqlc.arg(region) AND minute = sqlc.arg(minute) AND seq = sqlc.arg(seq) AND NOT folded;

-- name: FeedbackToFold :many
SELECT outcome_id, rollout, epoch, variant, region, excluded, minute, bucket, quality, correct, wrong, missed FROM nlpcanary_feedback
WHERE NOT folded
LIMIT sqlc.arg(most);

-- name: MarkFeedbackFolded :execrows
UPDATE nlpcanary_feedback SET folded = true WHERE outcome_id = sqlc.arg(outcome_id) AND NOT folded;

-- name: ProducersToCompact :many
-- The newest minute of each producer says how far its older ones are final.
SELECT producer, CAST(MIN(minute) AS bigint) AS oldest, CAST(MAX(minute) AS bigint) AS newest FROM nlpcanary_tallies
GROUP BY producer
HAVING MIN(minute) < sqlc.arg(until);

-- name: DeleteFolded :execrows
DELETE FROM nlpcanary_tallies WHERE producer = sqlc.arg(producer) AND folded AND minute <= sqlc.arg(through);

-- name: OldestFolded :one
SELECT CAST(COALESCE(MIN(minute), 0) AS bigint) FROM nlpcanary_tallies
WHERE producer = sqlc.arg(producer) AND folded AND minute <= sqlc.arg(through);

-- name: PutProducer :exec
INSERT INTO nlpcanary_producers (producer, through) VALUES (sqlc.arg(producer), sqlc.arg(through))
ON CONFLICT (producer) DO UPDATE SET through = excluded.through WHERE excluded.through > nlpcanary_producers.through;

-- name: GetProducer :one
SELECT CAST(COALESCE(MAX(through), 0) AS bigint) FROM nlpcanary_producers WHERE producer = sqlc.arg(producer);

-- name: ForgetProducers :exec
DELETE FROM nlpcanary_producers WHERE through < sqlc.arg(until);

-- name: SelectBaselinePeriods :many
-- What old took: before an epoch, or in it.
SELECT epoch, old FROM nlpcanary_periods
WHERE rollout = sqlc.arg(rollout) AND span = sqlc.arg(span) AND epoch <= sqlc.arg(epoch);

-- name: SelectBaselineTallies :many
SELECT epoch, minute, data FROM nlpcanary_tallies
WHERE rollout = sqlc.arg(rollout) AND variant = 'old' AND epoch <= sqlc.arg(epoch) AND NOT folded;

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

-- name: SumMarks :many
-- Users who were not where their bucket would have put them are in neither cohort.
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

-- name: SumOpenMarks :many
-- The same, of what is in no period yet.
SELECT variant, bucket,
    CAST(COALESCE(SUM(quality), 0) AS bigint) AS quality, CAST(COUNT(quality) AS bigint) AS rated, CAST(COUNT(correct) AS bigint) AS labelled,
    CAST(COALESCE(SUM(correct), 0) AS bigint) AS correct, CAST(COALESCE(SUM(wrong), 0) AS bigint) AS wrong, CAST(COALESCE(SUM(missed), 0) AS bigint) AS missed
FROM nlpcanary_feedback
WHERE rollout = sqlc.arg(rollout)
    AND (CAST(sqlc.arg(epoch) AS bigint) = 0 OR epoch = sqlc.arg(epoch))
    AND (CAST(sqlc.arg(any_region) AS boolean) OR region = sqlc.arg(region))
    AND minute >= sqlc.arg(first) AND minute < sqlc.arg(until)
    AND NOT excluded AND NOT folded
GROUP BY variant, bucket;

-- name: SumMarksByMinute :many
SELECT variant, minute,
    CAST(COALESCE(SUM(quality), 0) AS bigint) AS quality, CAST(COUNT(quality) AS bigint) AS rated, CAST(COUNT(correct) AS bigint) AS labelled,
    CAST(COALESCE(SUM(correct), 0) AS bigint) AS correct, CAST(COALESCE(SUM(wrong), 0) AS bigint) AS wrong, CAST(COALESCE(SUM(missed), 0) AS bigint) AS missed
FROM nlpcanary_feedback
WHERE rollout = sqlc.arg(rollout)
    AND (CAST(sqlc.arg(epoch) AS bigint) = 0 OR epoch = sqlc.arg(epoch))
    AND (CAST(sqlc.arg(any_region) AS boolean) OR region = sqlc.arg(region))
    AND minute >= sqlc.arg(first) AND minute < sqlc.arg(until)
    AND NOT excluded AND NOT (folded AND CAST(sqlc.arg(only_open) AS boolean))
GROUP BY variant, minute;

-- name: SelectAllBlocks :many
SELECT start, blocks FROM nlpcanary_periods
WHERE rollout = sqlc.arg(rollout) AND span = sqlc.arg(span)
    AND (CAST(sqlc.arg(epoch) AS bigint) = 0 OR epoch = sqlc.arg(epoch))
    AND (CAST(sqlc.arg(any_region) AS boolean) OR region = sqlc.arg(region))
    AND start >= sqlc.arg(first) AND start < sqlc.arg(until);
