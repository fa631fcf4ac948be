-- name: InsertAudit :execrows
INSERT INTO nlpcanary_audit (revision, at, actor, role, action, subject, before_value, after_value, note, warnings, source, state_digest, leaf)
VALUES (sqlc.arg(revision), sqlc.arg(at), sqlc.arg(actor), sqlc.arg(role), sqlc.arg(action), sqlc.arg(subject), sqlc.arg(before_value),
        sqlc.arg(after_value), sqlc.arg(note), sqlc.arg(warnings), sqlc.arg(source), sqlc.arg(state_digest), sqlc.arg(leaf))
ON CONFLICT (revision) DO NOTHING;

-- name: RemoveForgedAudit :exec
-- Makes room where somebody put an entry at a revision that had not come yet.
DELETE FROM nlpcanary_audit WHERE revision = sqlc.arg(revision);

-- name: GetAudit :one
SELECT * FROM nlpcanary_audit WHERE revision = sqlc.arg(revision);

-- name: NextAudits :many
SELECT * FROM nlpcanary_audit WHERE revision > sqlc.arg(after) ORDER BY revision LIMIT sqlc.arg(most);

-- name: ListAuditNewest :many
SELECT * FROM nlpcanary_audit
WHERE revision < sqlc.arg(before) AND revision > sqlc.arg(after)
    AND (CAST(sqlc.arg(action) AS text) = '' OR action = sqlc.arg(action))
    AND (CAST(sqlc.arg(actor) AS text) = '' OR actor = sqlc.arg(actor))
ORDER BY revision DESC LIMIT sqlc.arg(most);

-- name: ListAuditOldest :many
SELECT * FROM nlpcanary_audit
WHERE revision < sqlc.arg(before) AND revision > sqlc.arg(after)
    AND (CAST(sqlc.arg(action) AS text) = '' OR action = sqlc.arg(action))
    AND (CAST(sqlc.arg(actor) AS text) = '' OR actor = sqlc.arg(actor))
ORDER BY revision LIMIT sqlc.arg(most);

-- name: PutAuditHash :exec
INSERT INTO nlpcanary_audit_hashes (idx, hash) VALUES (sqlc.arg(idx), sqlc.arg(hash))
ON CONFLICT (idx) DO UPDATE SET hash = excluded.hash;

-- name: GetAuditHash :one
SELECT hash FROM nlpcanary_audit_hashes WHERE idx = sqlc.arg(idx);

-- name: NextAuditHashes :many
SELECT idx, hash FROM nlpcanary_audit_hashes WHERE idx >= sqlc.arg(first) ORDER BY idx LIMIT sqlc.arg(most);
