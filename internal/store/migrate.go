package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/rollout"
)

//go:embed migrations
var migrations embed.FS

// migrationsTable is not goose's usual one: the database may be shared with a
// system that migrates with goose as well.
const migrationsTable = "nlpcanary_migrations"

// The secrets, by their names in the database.
const (
	secretUserKey   = "user_key"
	secretOutcomeID = "outcome_id_key"
	secretSigner    = "audit_signing_seed"
	secretSize      = 32
)

// migrationLock is the advisory lock under which PostgreSQL is migrated: "nlpcanar".
const migrationLock = 0x6e6c7063616e6172

func notMigrated(what string) error {
	return fmt.Errorf("%w: %s; run 'nlpcanary migrate' or start 'nlpcanary serve'", ErrNotMigrated, what)
}

// wantedSchema is the number of the newest migration that this program knows.
func wantedSchema(dialect string) (int64, error) {
	files, err := fs.Glob(migrations, path.Join("migrations", dialect, "*.sql"))
	if err != nil {
		return 0, err
	}
	newest := int64(0)
	for _, file := range files {
		number, err := goose.NumericComponent(path.Base(file))
		if err != nil {
			return 0, err
		}
		newest = max(newest, number)
	}
	return newest, nil
}

// schema reads the number of the newest migration that the database has had; 0
// if it has had none.
func (s *Store) schema(ctx context.Context) (int64, error) {
	var version sql.NullInt64
	err := s.read.QueryRowContext(ctx, "SELECT max(version_id) FROM "+migrationsTable).Scan(&version)
	if noTable(err) {
		return 0, nil
	}
	return version.Int64, failed("reading the schema's version", err)
}

// checkSchema says in which way the schema is not the one that this program knows.
func (s *Store) checkSchema(ctx context.Context) error {
	version, err := s.schema(ctx)
	if err != nil {
		return err
	}
	wanted, err := wantedSchema(s.at.dialect)
	if err != nil {
		return err
	}
	switch {
	case version == 0:
		return notMigrated(s.at.String() + " has no nlpcanary tables")
	case version < wanted:
		return notMigrated(fmt.Sprintf("%s has schema %d and this nlpcanary needs %d", s.at, version, wanted))
	case version > wanted:
		return fmt.Errorf("%w: %s has schema %d and this one knows %d; use the newer nlpcanary", ErrNewerSchema, s.at, version, wanted)
	}
	clocks, err := gen.New(s.read).CountClocks(ctx)
	if err != nil {
		return failed("reading the state", err)
	}
	if clocks == 0 {
		return notMigrated(s.at.String() + " has tables but no state")
	}
	return nil
}

// migrate brings the schema up to date and puts in the first state. Any number of
// processes may do it at once.
func (s *Store) migrate(ctx context.Context) error {
	if err := s.checkSchema(ctx); err == nil || !errors.Is(err, ErrNotMigrated) {
		return err
	}
	release, err := s.lockMigration(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := s.migrateUp(ctx); err != nil {
		return err
	}
	return again(ctx, func() error {
		return s.transact(ctx, "putting in the first state", func(q *gen.Queries) (bool, error) {
			return s.initialise(ctx, q)
		})
	})
}

// lockMigration keeps other processes from migrating a PostgreSQL database at the
// same time. SQLite needs no lock, see migrateUp.
func (s *Store) lockMigration(ctx context.Context) (release func(), err error) {
	if s.at.dialect == SQLite {
		return func() {}, nil
	}
	conn, err := s.dial(ctx)
	if err != nil {
		return nil, failed("locking the schema", err)
	}
	// The lock goes with the connection.
	release = func() { _ = conn.Close(context.WithoutCancel(ctx)) }
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		release()
		return nil, failed("locking the schema", err)
	}
	return release, nil
}

// migrateUp runs the migrations that are missing. Each is one transaction. Where two
// processes run the same one at once, as they can on SQLite, the second fails
// whole, and finds on looking again that it is done.
func (s *Store) migrateUp(ctx context.Context) error {
	files, err := fs.Sub(migrations, path.Join("migrations", s.at.dialect))
	if err != nil {
		return err
	}
	wanted, err := wantedSchema(s.at.dialect)
	if err != nil {
		return err
	}
	dialect := goose.DialectPostgres
	if s.at.dialect == SQLite {
		dialect = goose.DialectSQLite3
	}
	for attempt := 1; ; attempt++ {
		provider, err := goose.NewProvider(dialect, s.write, files, goose.WithTableName(migrationsTable), goose.WithDisableGlobalRegistry(true))
		if err != nil {
			return fmt.Errorf("reading the migrations: %w", err)
		}
		_, err = provider.Up(ctx)
		if err == nil {
			return nil
		}
		if version, versionErr := s.schema(ctx); versionErr == nil && version == wanted {
			return nil
		}
		if attempt == 5 || ctx.Err() != nil {
			return failed("migrating "+s.at.String(), err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// initialise puts in revision 1, its audit entry and the secrets, unless they are
// there. The state starts from what the mission's tables say: the migration's own
// first rows, or what a system that came before left in them.
func (s *Store) initialise(ctx context.Context, q *gen.Queries) (bool, error) {
	clocks, err := q.CountClocks(ctx)
	if err != nil || clocks > 0 {
		return false, failed("reading the state", err)
	}
	at := s.now().UTC().Truncate(time.Microsecond)
	rows, err := q.ListHistory(ctx, gen.ListHistoryParams{Before: math.MaxInt32, Most: 1})
	if err != nil {
		return false, failed("reading nlp_rollout_config", err)
	}
	if len(rows) == 0 {
		return false, fmt.Errorf("%w: nlp_rollout_config is empty", ErrDatabase)
	}
	flags, err := readFlags(ctx, q)
	if err != nil {
		return false, err
	}
	state, note, err := firstState(rows[0], flags, at)
	if err != nil {
		return false, err
	}
	if err := q.AdoptHistory(ctx, gen.AdoptHistoryParams{
		ID: rows[0].ID, Revision: state.Revision, Rollout: state.Rollout.Name,
		UpdatedAt: sql.NullTime{Time: state.Rollout.UpdatedAt, Valid: true},
	}); err != nil {
		return false, failed("taking over nlp_rollout_config", err)
	}
	for _, name := range []string{secretUserKey, secretOutcomeID, secretSigner} {
		secret := make([]byte, secretSize)
		rand.Read(secret) // never fails
		if err := q.InsertSecret(ctx, gen.InsertSecretParams{Name: name, Value: secret}); err != nil {
			return false, failed("keeping the secret "+name, err)
		}
	}
	return true, writeFirst(ctx, q, state, note)
}

// firstState is the state of revision 1.
func firstState(row gen.ListHistoryRow, flags []rollout.Flag, at time.Time) (rollout.State, string, error) {
	state := rollout.Initial(at)
	state.Flags = flags
	r := &state.Rollout
	if row.Revision == state.Revision { // the migration's own row
		return state, r.Notes, nil
	}
	r.Stage, r.Percentage = rollout.Stage(row.CurrentStage), rollout.Percent(row.RolloutPercentage)
	if !r.Stage.Valid() || r.Percentage < 0 || r.Percentage > 100 {
		return state, "", fmt.Errorf("%w: the newest row of nlp_rollout_config (id %d) says stage %d, %d %%, which is not a stage from 0 to 4 and a percentage from 0 to 100; insert a row that is right, then migrate again",
			ErrDatabase, row.ID, r.Stage, r.Percentage)
	}
	if row.UpdatedAt.Valid {
		r.UpdatedAt = row.UpdatedAt.Time.UTC().Truncate(time.Microsecond)
		r.StageSince, r.StartedAt = r.UpdatedAt, r.UpdatedAt
	}
	r.UpdatedBy, r.Notes = cmp.Or(row.UpdatedBy, "system"), row.Notes
	return state, fmt.Sprintf("Taken over from nlp_rollout_config, row %d", row.ID), nil
}

// writeFirst writes revision 1 and its audit entry.
func writeFirst(ctx context.Context, q *gen.Queries, state rollout.State, note string) error {
	document, err := encodeState(state)
	if err != nil {
		return err
	}
	if err := q.InsertClock(ctx, gen.InsertClockParams{Revision: state.Revision, Document: document}); err != nil {
		return failed("writing the state", err)
	}
	after, err := json.Marshal(map[string]any{
		"stage": state.Rollout.Stage, "stage_name": state.Rollout.Stage.String(), "percentage": state.Rollout.Percentage,
		"enabled": state.NewArchitectureEnabled(),
	})
	if err != nil {
		return fmt.Errorf("encoding the first state: %w", err)
	}
	_, err = appendAudit(ctx, q, AuditEntry{
		Revision: state.Revision, At: state.Last.At, Actor: state.Last.By, Role: rollout.RoleAdmin,
		Action: rollout.ActionInitialise, Subject: "rollout/" + state.Rollout.Name,
		Before: json.RawMessage("null"), After: after, Note: note, Warnings: []string{},
		Source: rollout.SourceSystem, StateDigest: digestOf(document),
	})
	return err
}
