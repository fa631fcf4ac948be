package store

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/pgtest"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// onBoth runs a test on both databases: they must not differ in anything that a
// caller can see.
func onBoth(t *testing.T, test func(t *testing.T, d *database)) {
	t.Helper()
	for _, dialect := range []string{SQLite, Postgres} {
		t.Run(dialect, func(t *testing.T) {
			test(t, &database{dialect: dialect, url: newURL(t, dialect)})
		})
	}
}

// newURL names an empty database.
func newURL(tb testing.TB, dialect string) string {
	tb.Helper()
	if dialect == SQLite {
		return "sqlite:" + filepath.Join(tb.TempDir(), "test.db")
	}
	return pgtest.Start(tb).NewDatabase(tb)
}

// database is an empty database and what tests do with it.
type database struct {
	dialect, url string
}

// open migrates and opens the database.
func (d *database) open(tb testing.TB) *Store {
	tb.Helper()
	return d.openAt(tb, nil)
}

func (d *database) openAt(tb testing.TB, now func() time.Time) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), d.url, Options{Migrate: true, Now: now})
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return s
}

// sql runs SQL past the store, as somebody at psql would.
func (s *Store) sql(tb testing.TB, query string, args ...any) {
	tb.Helper()
	if _, err := s.write.ExecContext(context.Background(), query, args...); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
}

func (s *Store) scalar(tb testing.TB, query string, args ...any) string {
	tb.Helper()
	var value sql.NullString
	if err := s.read.QueryRowContext(context.Background(), query, args...).Scan(&value); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	return value.String
}

const (
	kill   = "UPDATE feature_flags SET enabled = false WHERE name = '" + rollout.KillSwitch + "'"
	unkill = "UPDATE feature_flags SET enabled = true WHERE name = '" + rollout.KillSwitch + "'"
)

func admin(name string) rollout.Actor {
	return rollout.Actor{Name: name, Role: rollout.RoleAdmin, Source: rollout.SourceCLI}
}

func operator(name string) rollout.Actor {
	return rollout.Actor{Name: name, Role: rollout.RoleOperator, Source: rollout.SourceAPI}
}

func mustApply(tb testing.TB, s *Store, r Request) Applied {
	tb.Helper()
	applied, err := s.Apply(tb.Context(), r)
	if err != nil {
		tb.Fatalf("Apply(%#v): %v", r.Change, err)
	}
	return applied
}

func mustState(tb testing.TB, s *Store) rollout.State {
	tb.Helper()
	state, err := s.State(tb.Context())
	if err != nil {
		tb.Fatalf("State: %v", err)
	}
	return state
}

func mustVerify(tb testing.TB, s *Store, head string) AuditReport {
	tb.Helper()
	report, err := s.VerifyAudit(tb.Context(), head)
	if err != nil {
		tb.Fatalf("VerifyAudit: %v", err)
	}
	return report
}

func wantSound(tb testing.TB, s *Store) {
	tb.Helper()
	if report := mustVerify(tb, s, ""); !report.OK {
		tb.Fatalf("the audit trail does not verify: revision %d: %s", report.FirstBad, report.Problem)
	}
}

func mustAudit(tb testing.TB, s *Store, q AuditQuery) []AuditEntry {
	tb.Helper()
	entries, err := s.Audit(tb.Context(), q)
	if err != nil {
		tb.Fatalf("Audit: %v", err)
	}
	return entries
}

// clock is a clock that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2030, 1, 2, 3, 4, 5, 678901000, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// refusalCode is the code of a refusal; empty if the error is none.
func refusalCode(err error) rollout.Code {
	var refusal *rollout.Refusal
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}

func isConflict(err error) bool {
	var conflict *rollout.ConflictError
	return errors.As(err, &conflict)
}
