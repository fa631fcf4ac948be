-- name: PutShadow :exec
-- A shipment counts once: a repetition carries a sequence number that is not newer.
INSERT INTO nlpcanary_shadow (producer, rollout, epoch, region, seq, data)
VALUES (sqlc.arg(producer), sqlc.arg(rollout), sqlc.arg(epoch), sqlc.arg(region), sqlc.arg(seq), sqlc.arg(data))
ON CONFLICT (producer, rollout, epoch, region) DO UPDATE SET seq = excluded.seq, data = excluded.data
WHERE excluded.seq > nlpcanary_shadow.seq;

-- name: SelectShadow :many
SELECT data FROM nlpcanary_shadow
WHERE rollout = sqlc.arg(rollout) AND (CAST(sqlc.arg(epoch) AS bigint) = 0 OR epoch = sqlc.arg(epoch));
