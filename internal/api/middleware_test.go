package api

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// newBare is an API straight on a database, as commands use it.
func newBare(t *testing.T, log *bytes.Buffer) *API {
	t.Helper()
	st, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "test.db"), store.Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	a, err := New(Config{Store: st, Sealer: outcome.NewSealer(st.Secrets().OutcomeID), Keyer: rollout.NewKeyer(st.Secrets().UserKey), Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAPanicIsAnsweredAndLoggedOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	a := newBare(t, &log)
	var nobody *store.Store
	for path, panics := range map[string]func(){
		"/panic/value": func() { panic("planted-text") },
		"/panic/nil":   func() { nobody.Dialect() },
	} {
		a.direct(huma.Operation{Method: "GET", Path: path, OperationID: path}, nil, func(http.ResponseWriter, *http.Request) { panics() })
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, http.NoBody))
		if w.Code != http.StatusInternalServerError || w.Header().Get("Content-Type") != problemType || strings.Contains(w.Body.String(), "planted") {
			t.Errorf("%s: status %d: %s", path, w.Code, w.Body)
		}
		if n := strings.Count(log.String(), "a handler panicked"); n != 1 || strings.Contains(log.String(), "planted") || !strings.Contains(log.String(), "middleware_test.go") {
			t.Errorf("%s: logged %d times: %s", path, n, log.String())
		}
		log.Reset()
	}
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/livez", http.NoBody))
	if w.Code != http.StatusOK {
		t.Errorf("afterwards: status %d", w.Code)
	}
}

// A command straight on the database is trusted, is the actor it says it is, and has
// everything but a data plane.
func TestACommandWorksStraightOnTheDatabase(t *testing.T) {
	t.Parallel()
	a := newBare(t, new(bytes.Buffer))
	do := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(WithIdentity(t.Context(), Identity{Name: "ops@example.org", Role: rollout.RoleAdmin, Source: rollout.SourceCLI}), method, path, strings.NewReader(body))
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, r)
		return w
	}
	if w := do("POST", canary+"rollback", `{"stage": 0}`); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"admin":"ops@example.org"`) || !strings.Contains(w.Body.String(), `"total":0`) {
		t.Errorf("rollback: %d %s", w.Code, w.Body)
	}
	if w := do("GET", auditRoot+"?limit=1", ""); !strings.Contains(w.Body.String(), `"source":"cli"`) {
		t.Errorf("audit: %s", w.Body)
	}
	if w := do("GET", canary+"status", ""); !strings.Contains(w.Body.String(), `"lease":null`) {
		t.Errorf("status: %s", w.Body)
	}
	if w := do("GET", "/readyz", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d", w.Code)
	}
	for _, path := range []string{"/api/v1/extract", ofrepRoot + "/OTHER"} {
		body := `{"user_id": "u", "text": "x"}`
		if path != "/api/v1/extract" {
			body = `{"context": {"targetingKey": "u"}}`
		}
		if w := do("POST", path, body); w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := do("GET", "/api/v1/decision?user_id=u", ""); !strings.Contains(w.Body.String(), `"reason":"STALE"`) {
		t.Errorf("decision: %s", w.Body)
	}
}
