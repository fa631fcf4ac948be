package server_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/pgtest"
	"github.com/nlpcanary/nlpcanary/internal/server"
	"github.com/nlpcanary/nlpcanary/internal/store"
)

// Without its database an instance starts, is live and not ready, and everyone gets
// old. When the database comes, it becomes ready by itself.
func TestStartsWithoutItsDatabase(t *testing.T) {
	cluster := pgtest.StartOwn(t, pgtest.Config{})
	url := cluster.NewDatabase(t)
	cluster.Stop(t)
	orders := make(chan bool)
	s := run(t, url, func(c *server.Config) {
		c.AdminToken, c.StateDir, c.BreakGlass = "given from the start", t.TempDir(), orders
	})
	if status, body := s.readiness(t); status != http.StatusServiceUnavailable || !strings.Contains(body, "not_ready") {
		t.Errorf("readyz answers %d %s", status, body)
	}
	s.call(t, "GET", "/livez", nil, 200, nil)
	if architecture, reason := s.architecture(t); architecture != "old" || reason != "STALE" {
		t.Errorf("decided %s (%s)", architecture, reason)
	}
	var text api.Extraction
	s.call(t, "POST", "/api/v1/extract", map[string]any{"user_id": "u", "text": "A tall woman in grey stood at the gate."}, 200, &text)
	if text.Architecture != "old" || text.OutcomeID != "" {
		t.Errorf("extracted %+v", text)
	}
	s.call(t, "POST", "/ofrep/v1/evaluate/flags", map[string]any{"context": map[string]any{"targetingKey": "u"}}, 200, nil)
	s.call(t, "GET", "/api/v1/lease", nil, 503, nil)
	s.call(t, "GET", canary+"status", nil, 503, nil)
	s.call(t, "POST", canary+"rollback", map[string]any{"stage": 0}, 503, nil)
	s.call(t, "POST", "/api/v1/outcomes/none/feedback", map[string]any{"quality": 7}, 503, nil)
	orders <- true

	cluster.Restart(t)
	waitFor(t, "the instance becomes ready", func() bool { status, _ := s.readiness(t); return status == 200 })
	if architecture, reason := s.architecture(t); architecture != "old" || reason != "DISABLED" {
		t.Errorf("the broken glass was forgotten: %s (%s)", architecture, reason)
	}
	orders <- false
	s.wantNew(t)
	s.call(t, "POST", "/api/v1/extract", map[string]any{"user_id": "u", "text": "A tall woman in grey stood at the gate."}, 200, &text)
	if text.Architecture != "new" || text.OutcomeID == "" {
		t.Errorf("extracted %+v", text)
	}
	given := s.token
	s.token = "nlpc_not-a-token"
	s.call(t, "GET", "/api/v1/decision?user_id=u", nil, 401, nil) // let through only as long as nobody could tell
	s.token = given
	var status api.Status
	s.call(t, "GET", canary+"status", nil, 200, &status)
	if len(status.Instances) != 1 {
		t.Errorf("%d instances are listed, want 1", len(status.Instances))
	}
}

// An instance that waits for its database can be stopped.
func TestStopsWithoutItsDatabase(t *testing.T) {
	s := run(t, "postgres://nobody@127.0.0.1:1/none", nil)
	began := time.Now()
	if err := s.stop(); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("stopped with %v after %s", err, time.Since(began))
	}
}

// What waiting does not mend is an error at the start.
func TestDoesNotStartWithADatabaseThatRefuses(t *testing.T) {
	cluster := pgtest.Start(t)
	url := cluster.NewDatabase(t)
	for name, bad := range map[string]string{
		"no such database": strings.Replace(url, "/test_", "/missing_", 1),
		"a wrong password": strings.Replace(url, "//postgres:", "//postgres:wrong", 1),
		"not a URL":        "nonsense",
	} {
		err := server.Run(t.Context(), server.Config{Database: bad, Addr: "127.0.0.1:0", StateDir: t.TempDir()})
		if err == nil || errors.Is(err, store.ErrUnreachable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
