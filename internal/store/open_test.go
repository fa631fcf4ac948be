package store

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nlpcanary/nlpcanary/rollout"
)

func TestBadURLs(t *testing.T) {
	for _, url := range []string{
		"", "nlpcanary.db", "mysql://u:hunter2@h/d", "sqlite:", "sqlite::memory:", "sqlite://host/x", "sqlite:" + t.TempDir(),
		"host=h password=hunter2", "postgres://u:hunter2@h:notaport/d", "u:hunter2@h", "postgres://u:hunter2@h/%zz",
	} {
		_, err := Open(t.Context(), url, Options{Migrate: true})
		if refusalCode(err) != rollout.CodeInvalid || !strings.Contains(err.Error(), "sqlite:nlpcanary.db") {
			t.Errorf("%q: %v", url, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error tells the password: %v", url, err)
		}
	}
}

func TestLocationHidesThePassword(t *testing.T) {
	at, err := parseLocation("postgresql://ann:hunter2@db.example:5433/prod?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	if got := at.String(); got != "postgres://ann@db.example:5433/prod" {
		t.Errorf("location = %s", got)
	}
	s := (&database{dialect: Postgres, url: newURL(t, Postgres)}).open(t)
	if strings.Contains(s.Location(), s.at.config.Password) {
		t.Errorf("location = %s", s.Location())
	}
}

func TestOpenWithoutMigrating(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		_, err := Open(t.Context(), d.url, Options{})
		if !errors.Is(err, ErrNotMigrated) || !strings.Contains(err.Error(), "nlpcanary migrate") {
			t.Errorf("an empty database: %v", err)
		}
		if d.dialect == SQLite {
			path := strings.TrimPrefix(d.url, "sqlite:")
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the file was created: %v", err)
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(t.Context(), d.url, Options{}); !errors.Is(err, ErrNotMigrated) {
				t.Errorf("an empty file: %v", err)
			}
			if left, err := filepath.Glob(path + "*"); err != nil || len(left) != 1 {
				t.Errorf("files: %v, %v", left, err)
			}
		}
		s := d.open(t)
		again, err := Open(t.Context(), d.url, Options{})
		if err != nil {
			t.Fatalf("a migrated database: %v", err)
		}
		if diff := cmp.Diff(s.Secrets(), again.Secrets()); diff != "" {
			t.Error("the secrets are not the same")
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
		s.sql(t, "INSERT INTO "+migrationsTable+" (version_id, is_applied) VALUES (999, $1)", true)
		for _, migrate := range []bool{false, true} {
			if _, err := Open(t.Context(), d.url, Options{Migrate: migrate}); !errors.Is(err, ErrNewerSchema) {
				t.Errorf("a newer schema, migrate %v: %v", migrate, err)
			}
		}
	})
}

func TestMigratingAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		const n = 4
		secrets := make([]Secrets, n)
		var group sync.WaitGroup
		for i := range n {
			group.Go(func() {
				s, err := Open(t.Context(), d.url, Options{Migrate: true})
				if err != nil {
					t.Errorf("process %d: %v", i, err)
					return
				}
				secrets[i] = s.Secrets()
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		for i := range n {
			if diff := cmp.Diff(secrets[0], secrets[i]); diff != "" {
				t.Errorf("process %d has other secrets", i)
			}
		}
		s := d.open(t)
		if state := mustState(t, s); state.Revision != 1 || len(state.Flags) != 1 {
			t.Errorf("state = %+v", state)
		}
		if _, total, err := s.History(t.Context(), 10, 0); err != nil || total != 1 {
			t.Errorf("%d rows of history, %v", total, err)
		}
		wantSound(t, s)
	})
}

func TestSQLiteFileIsPrivate(t *testing.T) {
	d := &database{dialect: SQLite, url: newURL(t, SQLite)}
	s := d.open(t)
	mustApply(t, s, Request{Change: rollout.ClearCache{}, Actor: operator("ann")})
	files, err := filepath.Glob(s.at.path + "*")
	if err != nil || len(files) < 2 {
		t.Fatalf("files = %v, %v", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
}

func TestOddPaths(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a b?c=d#e%20f.db", "ünïcode.db"} {
		s, err := Open(t.Context(), "sqlite:"+filepath.Join(dir, name), Options{Migrate: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// A host that accepts and then says nothing must not hang a command.
func TestSilentHost(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	began := time.Now()
	_, err = Open(t.Context(), "postgres://u@"+listener.Addr().String()+"/d?sslmode=disable&connect_timeout=1", Options{})
	if !errors.Is(err, ErrDatabase) || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

func TestCancelledContextIsADatabaseError(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Apply(ctx, Request{Change: rollout.ClearCache{}, Actor: operator("ann")})
		if !errors.Is(err, ErrDatabase) || !errors.Is(err, context.Canceled) {
			t.Errorf("Apply: %v", err)
		}
		if _, err := s.State(ctx); !errors.Is(err, ErrDatabase) || !errors.Is(err, context.Canceled) {
			t.Errorf("State: %v", err)
		}
	})
}

// After PostgreSQL has dropped every connection the next call works.
func TestLostConnections(t *testing.T) {
	s := (&database{dialect: Postgres, url: newURL(t, Postgres)}).open(t)
	for i := range int64(5) {
		s.sql(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		// The one that did it is lost as well.
		_, _ = s.write.ExecContext(t.Context(), "SELECT pg_terminate_backend(pg_backend_pid())")
		if applied := mustApply(t, s, Request{Change: rollout.ClearCache{}, Actor: operator("ann")}); applied.State.Revision != i+2 {
			t.Errorf("revision = %d", applied.State.Revision)
		}
	}
	wantSound(t, s)
}

func TestTakeoverOfLegacyTables(t *testing.T) {
	url := newURL(t, Postgres)
	legacy, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = legacy.Close() }()
	if _, err := legacy.ExecContext(t.Context(), `
		CREATE TABLE nlp_rollout_config (id serial PRIMARY KEY, current_stage integer, rollout_percentage integer,
			updated_at timestamp with time zone, updated_by varchar(255), notes text);
		INSERT INTO nlp_rollout_config (current_stage, rollout_percentage, updated_at, updated_by, notes) VALUES
			(0, 0, '2024-01-01T00:00:00Z', 'system', NULL), (1, 5, NULL, NULL, 'first'), (2, 25, '2024-03-01T10:20:30.123456Z', 'zoë@example.com', 'second');
		CREATE TABLE feature_flags (id serial PRIMARY KEY, name varchar(50) UNIQUE NOT NULL, enabled boolean, category varchar(30), description text);
		INSERT INTO feature_flags (name, enabled, category) VALUES ('USE_NEW_NLP_ARCHITECTURE', false, 'nlp'), ('OTHER', NULL, NULL);
		CREATE TABLE audit (id integer); CREATE TABLE feedback (id integer);`); err != nil {
		t.Fatal(err)
	}
	s := (&database{dialect: Postgres, url: url}).open(t)
	state := mustState(t, s)
	r := state.Rollout
	at := time.Date(2024, 3, 1, 10, 20, 30, 123456000, time.UTC)
	if r.Stage != rollout.Expanded || r.Percentage != 25 || r.UpdatedBy != "zoë@example.com" || r.Notes != "second" || !r.StageSince.Equal(at) || state.Revision != 1 {
		t.Errorf("rollout = %+v", r)
	}
	if other, ok := state.Flag("OTHER"); state.NewArchitectureEnabled() || !ok || other.Enabled {
		t.Errorf("flags = %+v", state.Flags)
	}
	wantSound(t, s)
	mustApply(t, s, Request{Change: rollout.Advance{}, Actor: admin("ann")})
	mustApply(t, s, Request{Change: rollout.SetFlag{Name: "OTHER", Enabled: true}, Actor: admin("ann")})
	history, total, err := s.History(t.Context(), 10, 0)
	if err != nil || total != 4 || history[0].Stage != 3 || history[1].Notes != "second" || history[2].Notes != "first" || history[3].UpdatedBy != "system" {
		t.Errorf("history of %d = %+v, %v", total, history, err)
	}
	wantSound(t, s)
}

func TestTakeoverRefusesNonsense(t *testing.T) {
	url := newURL(t, Postgres)
	legacy, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = legacy.Close() }()
	if _, err := legacy.ExecContext(t.Context(), `
		CREATE TABLE nlp_rollout_config (id serial PRIMARY KEY, current_stage integer, rollout_percentage integer, updated_at timestamptz, updated_by varchar(255), notes text);
		INSERT INTO nlp_rollout_config (current_stage, rollout_percentage) VALUES (7, 130)`); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), url, Options{Migrate: true}); err == nil || !strings.Contains(err.Error(), "stage 7, 130 %") {
		t.Errorf("Open: %v", err)
	}
	if _, err := legacy.ExecContext(t.Context(), "INSERT INTO nlp_rollout_config (current_stage, rollout_percentage) VALUES (0, 0)"); err != nil {
		t.Fatal(err)
	}
	if s := (&database{dialect: Postgres, url: url}).open(t); mustState(t, s).Rollout.Stage != 0 {
		t.Error("it did not start from the row that is right")
	}
}

// The mission's columns, to the letter.
func TestMissionTables(t *testing.T) {
	s := (&database{dialect: Postgres, url: newURL(t, Postgres)}).open(t)
	columns := func(table string) string {
		return s.scalar(t, `SELECT string_agg(column_name || ' ' || data_type || COALESCE('(' || character_maximum_length || ')', ''), ', ' ORDER BY ordinal_position)
			FROM information_schema.columns WHERE table_name = $1`, table)
	}
	const rolloutConfig = "id integer, current_stage integer, rollout_percentage integer, updated_at timestamp with time zone, updated_by character varying(255), notes text, rollout text, revision bigint"
	if got := columns("nlp_rollout_config"); got != rolloutConfig {
		t.Errorf("nlp_rollout_config: %s", got)
	}
	const flags = "name character varying(100), enabled boolean, category character varying(100), description text, default_value boolean, created_at timestamp with time zone, updated_at timestamp with time zone"
	if got := columns("feature_flags"); got != flags {
		t.Errorf("feature_flags: %s", got)
	}
	if got := s.scalar(t, "SELECT pg_get_serial_sequence('nlp_rollout_config', 'id')"); got != "public.nlp_rollout_config_id_seq" {
		t.Errorf("id has the sequence %q", got)
	}
	if got := s.scalar(t, "SELECT string_agg(indexdef, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'nlp_rollout_config'"); !strings.Contains(got, "(updated_at)") || !strings.Contains(got, "UNIQUE INDEX nlp_rollout_config_pkey") {
		t.Errorf("indexes: %s", got)
	}
}
