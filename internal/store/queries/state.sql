-- name: LockClock :one
-- Takes the lock that serialises all changes, and reads the state under it. An
-- UPDATE rather than SELECT FOR UPDATE, because SQLite has no such thing.
UPDATE nlpcanary_clock SET id = id RETURNING lineage, revision, document;

-- name: SetClock :execrows
UPDATE nlpcanary_clock SET revision = sqlc.arg(revision), document = sqlc.arg(document), lineage = sqlc.arg(lineage)
WHERE revision = sqlc.arg(was);

-- name: InsertClock :exec
INSERT INTO nlpcanary_clock (id, revision, document) VALUES (1, sqlc.arg(revision), sqlc.arg(document));

-- name: Distrust :execrows
-- Nobody has accepted this lineage anew meanwhile, or it would be another one. The
-- first one to doubt is the one that is told of.
UPDATE nlpcanary_clock SET distrust = sqlc.arg(distrust)
WHERE lineage = sqlc.arg(lineage) AND distrust = '';

-- name: TrustAgain :exec
UPDATE nlpcanary_clock SET distrust = '';

-- name: GetDistrust :one
SELECT distrust FROM nlpcanary_clock;

-- name: CountClocks :one
SELECT count(*) FROM nlpcanary_clock;

-- name: Version :one
SELECT c.lineage, c.revision, f.changes FROM nlpcanary_clock c, nlpcanary_flag_changes f;

-- name: Snapshot :one
-- The flags come as one text, see decodeSwitches.
SELECT c.lineage, c.revision, f.changes, c.document,
    CAST(COALESCE((
        SELECT string_agg(CAST(octet_length(name) AS text) || CASE WHEN enabled THEN '+' ELSE '-' END || name, '')
        FROM feature_flags
    ), '') AS text) AS switches
FROM nlpcanary_clock c, nlpcanary_flag_changes f;

-- name: Renew :one
-- The write is what makes the answer trustworthy: a stale replica or an isolated
-- primary cannot make it.
--
-- What the subselects see: on PostgreSQL the snapshot of the whole statement,
-- taken when it begins to run, even though RETURNING is computed last. The
-- statement begins after it was sent, and a commit is visible to every snapshot
-- taken after the commit returned. So a change committed before the renewal was
-- sent is always in the answer, which is all that the lease needs, as it counts
-- from the send; one that commits while the statement runs may be missing. All
-- four values come from one snapshot: a document from before a rollback can never
-- meet flags from after it. On SQLite the statement holds the only write lock.
--
-- An instance that honours more than this database knows, or a state of another
-- lineage, honours nothing of this database's: it must not count as having confirmed a
-- rollback. same_installation is 0 where another database was put in place of the one
-- that was opened. mark and seen_mark are the digests of the state as it stands and as it was
-- at the newest revision that the instance has seen.
INSERT INTO nlpcanary_instances (id, region, version, address, started_at, seen_at, revision, lease, break_glass, cache_size)
VALUES (sqlc.arg(id), sqlc.arg(region), sqlc.arg(version), sqlc.arg(address), sqlc.arg(started_at), sqlc.arg(seen_at),
        (SELECT CASE WHEN c.lineage = sqlc.arg(known_lineage) AND c.revision >= sqlc.arg(honours) THEN CAST(sqlc.arg(honours) AS bigint) ELSE 0 END FROM nlpcanary_clock c),
        sqlc.arg(lease), sqlc.arg(break_glass), sqlc.arg(cache_size))
ON CONFLICT (id) DO UPDATE SET
    region = excluded.region, version = excluded.version, address = excluded.address, started_at = excluded.started_at,
    seen_at = excluded.seen_at, revision = excluded.revision, lease = excluded.lease,
    break_glass = excluded.break_glass, cache_size = excluded.cache_size
RETURNING
    CAST((SELECT c.lineage FROM nlpcanary_clock c) AS bigint) AS lineage,
    CAST((SELECT c.revision FROM nlpcanary_clock c) AS bigint) AS clock_revision,
    CAST((SELECT f.changes FROM nlpcanary_flag_changes f) AS bigint) AS flag_changes,
    CAST(COALESCE((
        SELECT c.document FROM nlpcanary_clock c, nlpcanary_flag_changes f
        WHERE c.lineage <> sqlc.arg(known_lineage) OR c.revision <> sqlc.arg(known_revision) OR f.changes <> sqlc.arg(known_flag_changes)
    ), '') AS text) AS document,
    CAST((SELECT c.distrust FROM nlpcanary_clock c) AS text) AS distrust,
    CAST(COALESCE((SELECT a.state_digest FROM nlpcanary_audit a, nlpcanary_clock c WHERE a.revision = c.revision), '') AS text) AS mark,
    CAST(COALESCE((SELECT a.state_digest FROM nlpcanary_audit a WHERE a.revision = sqlc.arg(seen_revision)), '') AS text) AS seen_mark,
    CAST((SELECT count(*) FROM nlpcanary_secrets s WHERE s.name = 'user_key' AND s.value = sqlc.arg(user_key)) AS bigint) AS same_installation,
    CAST(COALESCE((
        SELECT string_agg(CAST(octet_length(name) AS text) || CASE WHEN enabled THEN '+' ELSE '-' END || name, '')
        FROM feature_flags
    ), '') AS text) AS switches;

-- name: Leave :exec
DELETE FROM nlpcanary_instances WHERE id = sqlc.arg(id);

-- name: ListInstances :many
SELECT id, region, version, address, started_at, seen_at, revision, lease, break_glass, cache_size
FROM nlpcanary_instances
WHERE seen_at + lease >= sqlc.arg(since)
ORDER BY id;

-- name: ForgetInstances :exec
DELETE FROM nlpcanary_instances WHERE seen_at + lease < sqlc.arg(since);

-- name: GetSecret :one
SELECT value FROM nlpcanary_secrets WHERE name = sqlc.arg(name);

-- name: InsertSecret :exec
INSERT INTO nlpcanary_secrets (name, value) VALUES (sqlc.arg(name), sqlc.arg(value));

-- name: GetIdempotency :one
SELECT digest, answer, at FROM nlpcanary_idempotency WHERE key = sqlc.arg(key) AND actor = sqlc.arg(actor);

-- name: PutIdempotency :exec
INSERT INTO nlpcanary_idempotency (key, actor, digest, answer, at)
VALUES (sqlc.arg(key), sqlc.arg(actor), sqlc.arg(digest), sqlc.arg(answer), sqlc.arg(at));

-- name: ForgetIdempotency :exec
DELETE FROM nlpcanary_idempotency WHERE at <= sqlc.arg(until);
