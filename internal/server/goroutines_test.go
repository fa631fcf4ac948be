package server_test

import (
	"net/http"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/pgtest"
	"github.com/nlpcanary/nlpcanary/internal/server"
)

// An instance that has stopped leaves nothing running, with its database and without.
// Not parallel: it counts.
func TestAStopLeavesNoGoroutines(t *testing.T) {
	url := pgtest.Start(t).NewDatabase(t)
	for name, database := range map[string]string{
		"sqlite":     "sqlite:" + filepath.Join(t.TempDir(), "test.db"),
		"postgres":   url,
		"none there": "postgres://nobody@127.0.0.1:1/none",
	} {
		t.Run(name, func(t *testing.T) {
			http.DefaultClient.CloseIdleConnections()
			before := runtime.NumGoroutine()
			s := run(t, database, func(c *server.Config) { c.AdminToken, c.StateDir = "the same token for all", t.TempDir() })
			s.call(t, "GET", "/api/v1/decision?user_id=u", nil, 200, nil)
			s.call(t, "POST", "/api/v1/extract", map[string]any{"user_id": "u", "text": "A tall woman in grey stood at the gate."}, 200, nil)
			http.DefaultClient.CloseIdleConnections()
			if err := s.stop(); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					stacks := make([]byte, 1<<20)
					t.Fatalf("%d goroutines, before there were %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
				}
			}
		})
	}
}
