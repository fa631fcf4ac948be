package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/pgtest"
	"github.com/nlpcanary/nlpcanary/internal/server"
)

// running is an instance that serves, as a program would run it.
type running struct {
	url, token string
	stop       func() error
	out        *syncBuffer
}

// syncBuffer collects what a server writes while a test reads it.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func run(t *testing.T, database string, change func(*server.Config)) *running {
	t.Helper()
	r := &running{out: new(syncBuffer)}
	ready := make(chan struct{})
	config := server.Config{
		Database: database, Addr: "127.0.0.1:0", Region: "eu", Version: "test",
		Logger: slog.New(slog.NewTextHandler(r.out, &slog.HandlerOptions{Level: slog.LevelDebug})), Stdout: r.out,
		Ready: func(url, token string) { r.url, r.token = url, token; close(ready) },
	}
	if change != nil {
		change(&config)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx, config) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(20 * time.Second):
			return fmt.Errorf("the server did not stop within 20 s")
		}
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	case <-time.After(20 * time.Second):
		t.Fatal("the server was not ready within 20 s")
	}
	return r
}

// call makes a request and decodes the answer; it fails the test unless the status is
// the wanted one.
func (r *running) call(t *testing.T, method, path string, body any, status int, into any) {
	t.Helper()
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		sent = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, sent)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != status {
		t.Fatalf("%s %s: %s, want %d: %s", method, path, resp.Status, status, answer)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(answer, into); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, answer)
	}
}

const canary = "/api/v1/admin/nlp-canary/"

func databases(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, pgtest.Start(t).NewDatabase(t)) })
}

// The main job, over HTTP: texts go to each user's architecture, a stage is advanced,
// a rollback holds, and what was measured is shown.
func TestTheMainJob(t *testing.T) {
	databases(t, func(t *testing.T, url string) {
		t.Chdir(t.TempDir()) // a PostgreSQL server keeps its token in the working directory
		s := run(t, url, nil)
		var rolled api.StageChange
		s.call(t, "POST", canary+"rollback", map[string]any{"stage": 0}, 200, &rolled)
		if c := rolled.Convergence; c == nil || !c.Complete || c.Held != 1 || c.Total != 1 {
			t.Fatalf("convergence %+v, want held on 1 of 1", c)
		}
		for range 2 {
			s.call(t, "POST", canary+"advance", nil, 200, nil)
		}
		waitFor(t, "the instance honours the advance", func() bool {
			var d api.Decision
			s.call(t, "GET", "/api/v1/decision?user_id=u", nil, 200, &d)
			return d.Percentage == 25
		})
		served := map[string]int{}
		for i := range 200 {
			var e api.Extraction
			s.call(t, "POST", "/api/v1/extract", map[string]any{
				"user_id": fmt.Sprint("reader-", i),
				"text":    "В тёмной комнате с низким потолком стоял старый дубовый стол, а у окна висела тяжёлая пыльная штора.",
			}, 200, &e)
			served[e.Architecture]++
			if e.Language != "ru" || e.OutcomeID == "" || len(e.Descriptions) != 1 {
				t.Fatalf("extraction %+v", e)
			}
			if i == 0 {
				s.call(t, "POST", "/api/v1/outcomes/"+e.OutcomeID+"/feedback", map[string]any{"quality": 8}, 200, nil)
			}
		}
		if served["new"] < 25 || served["new"] > 75 {
			t.Errorf("%v of 200 users were served by each architecture at 25 %%", served)
		}
		waitFor(t, "what was measured is in the metrics", func() bool {
			var m api.Metrics
			s.call(t, "GET", canary+"metrics", nil, 200, &m)
			return m.NewArchitecture.TotalProcessed == int64(served["new"]) && m.OldArchitecture.TotalProcessed == int64(served["old"])
		})
		s.call(t, "POST", canary+"rollback", map[string]any{"stage": 0}, 200, nil)
		var d api.Decision
		for i := range 200 {
			s.call(t, "GET", fmt.Sprint("/api/v1/decision?user_id=reader-", i), nil, 200, &d)
			if d.Architecture != "old" {
				t.Fatalf("after the rollback user %d is on %s (%s)", i, d.Architecture, d.Reason)
			}
		}
	})
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within 10 s: %s", what)
}

// Outcomes that were not stored yet when the server was stopped are not lost.
func TestAStopLosesNoOutcome(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	first := run(t, url, nil)
	for i := range 20 {
		first.call(t, "POST", "/api/v1/extract", map[string]any{"user_id": fmt.Sprint(i), "text": "A tall woman in grey."}, 200, nil)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	second := run(t, url, func(c *server.Config) { c.AdminToken = "a token from the configuration" })
	var m api.Metrics
	second.call(t, "GET", canary+"metrics", nil, 200, &m)
	if n := m.NewArchitecture.TotalProcessed; n != 20 {
		t.Errorf("%d texts are in the metrics after a restart, 20 were processed", n)
	}
	var s api.Status
	second.call(t, "GET", canary+"status", nil, 200, &s)
	if len(s.Instances) != 1 {
		t.Errorf("%d instances are listed, want 1: the first one left", len(s.Instances))
	}
}

func TestAdminToken(t *testing.T) {
	dir := t.TempDir()
	url := "sqlite:" + filepath.Join(dir, "test.db")
	file := filepath.Join(dir, "test.db.admin-token")

	first := run(t, url, nil)
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(kept)); got != first.token || !strings.Contains(first.out.String(), got) {
		t.Errorf("the file holds another token than was printed")
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token's file has mode %v, %v; want 0600", info.Mode(), err)
	}
	first.call(t, "GET", canary+"status", nil, 200, nil)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}

	second := run(t, url, nil)
	if second.token != "" || strings.Contains(second.out.String(), "nlpc_") {
		t.Error("the second start made or printed a token")
	}
	second.token = first.token
	second.call(t, "GET", canary+"status", nil, 200, nil)
	if err := second.stop(); err != nil {
		t.Fatal(err)
	}

	third := run(t, url, func(c *server.Config) { c.AdminToken = "from-the-configuration-1234" })
	third.call(t, "GET", canary+"status", nil, 200, nil)
	third.token = first.token
	third.call(t, "GET", canary+"status", nil, 401, nil)
}

func TestShortAdminTokenIsRefused(t *testing.T) {
	err := server.Run(t.Context(), server.Config{
		Database: "sqlite:" + filepath.Join(t.TempDir(), "test.db"), Addr: "127.0.0.1:0", AdminToken: "secret", Logger: slog.New(slog.DiscardHandler),
	})
	if err == nil || !strings.Contains(err.Error(), "only 6 characters") {
		t.Errorf("started with a token that can be guessed: %v", err)
	}
}

// Neither user ids nor texts nor tokens are in the log or the database.
func TestNothingPrivateIsKept(t *testing.T) {
	dir := t.TempDir()
	s := run(t, "sqlite:"+filepath.Join(dir, "test.db"), nil)
	const user, text = "planted-user-4711", "planted-passage about a tall grey house behind the crumbling garden wall"
	s.call(t, "POST", "/api/v1/extract", map[string]any{"user_id": user, "text": text}, 200, nil)
	s.call(t, "GET", "/api/v1/decision?user_id="+user, nil, 200, nil)
	s.call(t, "GET", "/api/v1/decision?user_id="+user+"%00", nil, 422, nil)
	s.call(t, "POST", "/ofrep/v1/evaluate/flags", map[string]any{"context": map[string]any{"targetingKey": user}}, 200, nil)
	s.call(t, "POST", canary+"overrides", map[string]any{"user_id": user, "architecture": "old", "label": "a tester"}, 200, nil)
	var made api.NewToken
	s.call(t, "POST", "/api/v1/admin/tokens", map[string]any{"name": "planted", "role": "viewer"}, 201, &made)
	time.Sleep(2500 * time.Millisecond) // outcomes are stored
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	log := s.out.String()
	// The admin token is printed on purpose, before the rest.
	_, kept, served := strings.Cut(log, "nlpcanary serves on")
	if !served {
		t.Fatalf("the server did not say where it serves: %s", log)
	}
	files, err := filepath.Glob(filepath.Join(dir, "test.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".admin-token") {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		kept += string(b)
	}
	for what, planted := range map[string]string{"a user id": user, "a text": "crumbling garden", "a token": made.Secret, "the admin token": s.token} {
		if strings.Contains(kept, planted) {
			t.Errorf("%s is in the log or the database", what)
		}
	}
}

func TestBreakGlass(t *testing.T) {
	orders := make(chan bool)
	kill := filepath.Join(t.TempDir(), "kill")
	s := run(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"), func(c *server.Config) { c.BreakGlass, c.KillFile = orders, kill })
	architecture := func() string {
		var d api.Decision
		s.call(t, "GET", "/api/v1/decision?user_id=u", nil, 200, &d)
		return d.Architecture
	}
	waitFor(t, "everyone is on new at 100 %", func() bool { return architecture() == "new" })
	orders <- true
	waitFor(t, "the signal sends everyone to old", func() bool { return architecture() == "old" })
	waitFor(t, "status tells of it", func() bool {
		var status api.Status
		s.call(t, "GET", canary+"status", nil, 200, &status)
		return len(status.Instances) == 1 && status.Instances[0].BreakGlass && len(status.Warnings) == 1
	})
	orders <- false
	waitFor(t, "the state decides again", func() bool { return architecture() == "new" })
	if err := os.WriteFile(kill, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the kill file sends everyone to old", func() bool { return architecture() == "old" })
}

// Two instances on one PostgreSQL, and a command that works straight on the database.
func TestARollbackFromTheCommandLineHoldsOnEveryInstance(t *testing.T) {
	url := pgtest.Start(t).NewDatabase(t)
	t.Chdir(t.TempDir())
	given := func(c *server.Config) { c.AdminToken = "the same token for both" }
	instances := []*running{run(t, url, given), run(t, url, given)}
	for _, s := range instances {
		waitFor(t, "the instance is ready", func() bool {
			var d api.Decision
			s.call(t, "GET", "/api/v1/decision?user_id=u", nil, 200, &d)
			return d.Architecture == "new"
		})
	}
	direct, err := server.OpenDirect(t.Context(), server.DirectConfig{Database: url, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	req, err := http.NewRequestWithContext(api.WithIdentity(t.Context(), api.Identity{Name: "oncall@example.com", Role: "operator", Source: "cli"}),
		"POST", canary+"rollback", strings.NewReader(`{"stage": 0, "note": "3 a.m."}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	answer := &recorded{header: http.Header{}}
	direct.Handler().ServeHTTP(answer, req)
	var change api.StageChange
	if err := json.Unmarshal(answer.body.Bytes(), &change); err != nil || answer.status != 200 {
		t.Fatalf("%d %s", answer.status, answer.body.String())
	}
	if c := change.Convergence; c == nil || c.Held != 2 || c.Total != 2 || !c.Complete || change.Admin != "oncall@example.com" {
		t.Errorf("%+v with convergence %+v, want held on 2 of 2 by oncall@example.com", change, change.Convergence)
	}
	for _, s := range instances {
		var d api.Decision
		s.call(t, "GET", "/api/v1/decision?user_id=u", nil, 200, &d)
		if d.Architecture != "old" {
			t.Errorf("an instance that is said to honour the rollback sends a user to %s", d.Architecture)
		}
	}
}

type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorded) Header() http.Header    { return r.header }
func (r *recorded) WriteHeader(status int) { r.status = status }
func (r *recorded) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = 200
	}
	return r.body.Write(b)
}
