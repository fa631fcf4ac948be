package server_test

import (
	"database/sql"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to copy a database

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/pgtest"
	"github.com/nlpcanary/nlpcanary/internal/server"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// restorable is a database of which copies are made and put back, as operators do.
type restorable struct {
	url    string
	backup func() (restore func())
}

func restorables(t *testing.T, test func(t *testing.T, d restorable)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "test.db")
		test(t, restorable{"sqlite:" + path, func() func() { return backUpFile(t, path) }})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		cluster := pgtest.StartOwn(t, pgtest.Config{Durable: true})
		test(t, restorable{cluster.NewDatabase(t), func() func() { return cluster.Backup(t) }})
	})
}

// backUpFile copies a database in use. Restoring puts another file in its place,
// whoever has the old one open.
func backUpFile(t *testing.T, path string) (restore func()) {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "backup.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("VACUUM INTO ?", copied); err != nil {
		t.Fatal(err)
	}
	return func() {
		text, err := os.ReadFile(copied)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+".restored", text, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, beside := range []string{"-wal", "-shm"} {
			if err := os.Remove(path + beside); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
		if err := os.Rename(path+".restored", path); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *running) architecture(t *testing.T) (architecture, reason string) {
	t.Helper()
	var d api.Decision
	r.call(t, "GET", "/api/v1/decision?user_id=u", nil, 200, &d)
	return d.Architecture, d.Reason
}

// readiness is the answer of /readyz.
func (r *running) readiness(t *testing.T) (status int, body string) {
	t.Helper()
	resp, err := http.Get(r.url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// wantRefused waits until the instance says that its database went back, and then
// watches that it sends nobody to new for longer than a lease.
func (r *running) wantRefused(t *testing.T) {
	t.Helper()
	waitFor(t, "the instance is not ready because the database went back", func() bool {
		status, body := r.readiness(t)
		return status == 503 && strings.Contains(body, "went back")
	})
	for began := time.Now(); time.Since(began) < 1500*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		if architecture, reason := r.architecture(t); architecture != "old" {
			t.Fatalf("%s (%s) by a database that went back", architecture, reason)
		}
	}
	if _, reason := r.architecture(t); reason != "STALE" {
		t.Errorf("the reason for old is %s", reason)
	}
}

func (r *running) wantNew(t *testing.T) {
	t.Helper()
	waitFor(t, "everyone is on new again", func() bool {
		architecture, _ := r.architecture(t)
		status, _ := r.readiness(t)
		return architecture == "new" && status == 200
	})
}

func acceptRestore(t *testing.T, url string) {
	t.Helper()
	st, err := store.Open(t.Context(), url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	_, err = st.Apply(t.Context(), store.Request{
		Change: rollout.AcceptRestore{}, Note: "the disk was lost",
		Actor: rollout.Actor{Name: "ann", Role: rollout.RoleAdmin, Source: rollout.SourceCLI},
	})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := st.Audit(t.Context(), store.AuditQuery{Action: rollout.ActionAcceptRestore})
	if err != nil || len(entries) == 0 || entries[0].Actor != "ann" {
		t.Errorf("the audit trail has %+v, %v", entries, err)
	}
	if report, err := st.VerifyAudit(t.Context(), ""); err != nil || !report.OK {
		t.Errorf("the audit trail: %+v, %v", report, err)
	}
}

// A backup from before a rollback is put back: what stands in it is 100 %. Neither the
// instance that saw the rollback believes it, nor one that starts now, until a person
// accepts it. Then all do, and refuse it when it comes a second time.
func TestARestoredDatabaseIsRefusedUntilItIsAccepted(t *testing.T) {
	t.Parallel()
	restorables(t, func(t *testing.T, d restorable) {
		configure := func(state string) func(*server.Config) {
			return func(c *server.Config) {
				c.AdminToken, c.StateDir, c.Lease, c.Interval = "the same token for all", state, time.Second, 100*time.Millisecond
			}
		}
		first := run(t, d.url, configure(t.TempDir()))
		first.wantNew(t)
		restore := d.backup()
		waitFor(t, "the database is back from being copied", func() bool { status, _ := first.readiness(t); return status == 200 })
		first.call(t, "POST", canary+"rollback", map[string]any{"stage": 0}, 200, nil)

		restore()
		first.wantRefused(t)
		second := run(t, d.url, configure(t.TempDir())) // has no memory of its own
		second.wantRefused(t)
		var status api.Status
		second.call(t, "GET", canary+"status", nil, 200, &status)
		if status.Stage != 4 || !strings.Contains(status.Distrust, "has seen revision") {
			t.Errorf("status tells of stage %d and %q", status.Stage, status.Distrust)
		}
		// A rollback is made all the same.
		first.call(t, "POST", canary+"rollback", map[string]any{"stage": 3}, 200, nil)
		first.wantRefused(t)

		acceptRestore(t, d.url)
		waitFor(t, "both trust the database again", func() bool {
			one, _ := first.readiness(t)
			two, _ := second.readiness(t)
			return one == 200 && two == 200
		})
		if err := first.stop(); err != nil {
			t.Error(err)
		}
		restore()
		second.wantRefused(t)
		acceptRestore(t, d.url)
		second.wantNew(t)
	})
}

// An instance remembers what it saw over a restart, when nobody else is there to tell.
func TestARestoredDatabaseIsRefusedAfterARestart(t *testing.T) {
	t.Parallel()
	restorables(t, func(t *testing.T, d restorable) {
		state := t.TempDir()
		configure := func(c *server.Config) {
			c.AdminToken, c.StateDir, c.Lease, c.Interval = "the same token for all", state, time.Second, 100*time.Millisecond
		}
		s := run(t, d.url, configure)
		s.wantNew(t)
		restore := d.backup()
		waitFor(t, "the database is back from being copied", func() bool { status, _ := s.readiness(t); return status == 200 })
		s.call(t, "POST", canary+"rollback", map[string]any{"stage": 0}, 200, nil)
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		restore()
		s = run(t, d.url, configure)
		s.wantRefused(t)
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		// Changes past the revision that was seen do not make it the same history.
		restore()
		changeSomething(t, d.url, 5)
		s = run(t, d.url, configure)
		s.wantRefused(t)
		acceptRestore(t, d.url)
		s.wantNew(t)
	})
}

func changeSomething(t *testing.T, url string, times int) {
	t.Helper()
	st, err := store.Open(t.Context(), url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for range times {
		actor := rollout.Actor{Name: "bob", Role: rollout.RoleAdmin, Source: rollout.SourceCLI}
		if _, err := st.Apply(t.Context(), store.Request{Change: rollout.ClearCache{}, Actor: actor}); err != nil {
			t.Fatal(err)
		}
	}
}
