-- name: NextReport :one
-- Takes the lock that serialises batches of reports, and numbers this one.
UPDATE nlpcanary_report_clock SET number = number + 1 RETURNING number;

-- name: LockReports :exec
UPDATE nlpcanary_report_clock SET id = id;

-- name: PutReportIDs :exec
INSERT INTO nlpcanary_report_ids (number, minute, count, merged, ids)
VALUES (sqlc.arg(number), sqlc.arg(minute), sqlc.arg(count), sqlc.arg(merged), sqlc.arg(ids));

-- name: SelectReportIDs :many
SELECT number, minute, ids FROM nlpcanary_report_ids
WHERE number > sqlc.arg(since)
ORDER BY number
LIMIT sqlc.arg(most);

-- name: ReportIDsToMerge :many
SELECT number, minute, count, ids FROM nlpcanary_report_ids
WHERE number > sqlc.arg(since) AND minute < sqlc.arg(until)
ORDER BY number
LIMIT sqlc.arg(most);

-- name: LastMergedReport :one
SELECT CAST(COALESCE(MAX(number), 0) AS bigint) FROM nlpcanary_report_ids WHERE merged;

-- name: DeleteReportIDs :exec
DELETE FROM nlpcanary_report_ids WHERE number > sqlc.arg(since) AND number <= sqlc.arg(until);

-- name: CountReportIDs :many
SELECT number, minute, count FROM nlpcanary_report_ids WHERE merged ORDER BY number DESC;
