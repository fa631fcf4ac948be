package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/dispatch"
	"github.com/nlpcanary/nlpcanary/internal/ingest"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

const (
	canary = "/api/v1/admin/nlp-canary/"
	flags  = "/api/v1/admin/feature-flags"
	kill   = flags + "/" + rollout.KillSwitch
)

// roles with a token each. The token of nobody is empty.
var roles = []rollout.Role{"", rollout.RoleClient, rollout.RoleViewer, rollout.RoleOperator, rollout.RoleAdmin}

// architecture is an Extractor that does what a test says.
type architecture func(ctx context.Context, doc extract.Document) (extract.Result, error)

func (architecture) Name() string { return "test" }
func (a architecture) Extract(ctx context.Context, doc extract.Document) (extract.Result, error) {
	return a(ctx, doc)
}

// wholeText finds the text itself.
func wholeText(_ context.Context, doc extract.Document) (extract.Result, error) {
	return extract.Result{Language: extract.English, Descriptions: []extract.Description{{
		Type: extract.TypeLocation, Start: 0, End: len(doc.Text), Content: doc.Text,
		Confidence: 1, Priority: 80, Quality: 7, Sources: []string{"test"}, Consensus: 1,
	}}}, nil
}

// instance is a whole instance behind a real HTTP server on loopback.
type instance struct {
	store    *store.Store
	follower *follow.Follower
	api      *api.API
	server   *httptest.Server
	set      *outcome.Set
	log      *logBuffer
	tokens   map[rollout.Role]string
}

// options of an instance; the zero value is an ordinary one.
type options struct {
	old, canary extract.Extractor
	config      func(*api.Config)
	follow      func(*follow.Config)
	readTimeout time.Duration // of the HTTP server
}

func newInstance(tb testing.TB, o options) *instance {
	tb.Helper()
	ctx := tb.Context()
	st, err := store.Open(ctx, "sqlite:"+filepath.Join(tb.TempDir(), "test.db"), store.Options{Migrate: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { st.Close() })
	in := &instance{store: st, set: outcome.NewSet(), log: new(logBuffer), tokens: map[rollout.Role]string{}}
	for _, role := range roles[1:] {
		in.tokens[role] = in.newToken(tb, string(role), role, time.Time{})
	}
	keyer := rollout.NewKeyer(st.Secrets().UserKey)
	sealer := outcome.NewSealer(st.Secrets().OutcomeID)
	logger := slog.New(slog.NewJSONHandler(in.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	seen := new(api.Seen)
	reports := ingest.Start(ingest.Config{Store: st, Instance: "test", Logger: logger})
	tb.Cleanup(reports.Close)
	following := follow.Config{OnChange: seen.Add, Source: st, Instance: "test", Region: "eu", Version: "v1", Keyer: keyer, Logger: logger}
	if o.follow != nil {
		o.follow(&following)
	}
	in.follower = follow.Start(following)
	tb.Cleanup(func() { in.follower.Close() })
	if err := in.follower.WaitValid(ctx); err != nil {
		tb.Fatal(err)
	}
	if o.old == nil {
		o.old = architecture(wholeText)
	}
	if o.canary == nil {
		o.canary = architecture(wholeText)
	}
	dispatcher := dispatch.New(dispatch.Config{
		Follower: in.follower, Old: o.old, New: o.canary, Keyer: keyer, Sealer: sealer, Recorder: in.set, Budget: 2 * time.Second, Logger: logger,
	})
	config := api.Config{
		Store: st, Follower: in.follower, Dispatcher: dispatcher, Ingest: reports, Seen: seen, Sealer: sealer, Keyer: keyer, Region: "eu", Version: "v1", Logger: logger,
	}
	if o.config != nil {
		o.config(&config)
	}
	if in.api, err = api.New(config); err != nil {
		tb.Fatal(err)
	}
	in.server = httptest.NewUnstartedServer(in.api.Handler())
	in.server.Config.ReadTimeout = o.readTimeout
	in.server.Start()
	tb.Cleanup(in.server.Close)
	return in
}

// newToken makes a token past the API. It is named after its role.
func (in *instance) newToken(tb testing.TB, name string, role rollout.Role, expires time.Time) string {
	tb.Helper()
	id, secret := api.DrawToken()
	in.apply(tb, rollout.CreateToken{ID: id, Name: name, Role: role, Hash: rollout.HashToken(secret), ExpiresAt: expires})
	return secret
}

// apply makes a change past the API, and waits until the instance honours it.
func (in *instance) apply(tb testing.TB, change rollout.Change) {
	tb.Helper()
	applied, err := in.store.Apply(tb.Context(), store.Request{
		Change: change, Actor: rollout.Actor{Name: "test", Role: rollout.RoleAdmin, Source: rollout.SourceCLI},
	})
	if err != nil {
		tb.Fatal(err)
	}
	for in.follower != nil && in.follower.State().Revision < applied.State.Revision {
		time.Sleep(time.Millisecond)
	}
}

// ship stores the outcomes so far, as a running server does every few seconds.
func (in *instance) ship(tb testing.TB) {
	tb.Helper()
	pending, err := in.set.Pending(time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	if err := in.store.PutTallies(tb.Context(), "test", pending); err != nil {
		tb.Fatal(err)
	}
	in.set.Acknowledge(pending)
}

func (in *instance) revision(tb testing.TB) int64 {
	tb.Helper()
	state, err := in.store.State(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return state.Revision
}

// call is one request. Headers come in pairs; a repeated name is sent twice.
type call struct {
	method, path, body string
	as                 rollout.Role
	header             []string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	text   string
}

func (in *instance) do(tb testing.TB, c call) answer {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), c.method, in.server.URL+c.path, strings.NewReader(c.body))
	if err != nil {
		tb.Fatal(err)
	}
	if c.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token := in.tokens[c.as]; token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	seen := map[string]bool{}
	for i := 0; i < len(c.header); i += 2 {
		if name := c.header[i]; seen[name] {
			r.Header.Add(name, c.header[i+1])
		} else {
			r.Header.Set(name, c.header[i+1])
			seen[name] = true
		}
	}
	response, err := in.server.Client().Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

// ok expects success and reads the body.
func (a answer) ok(tb testing.TB, into any) answer {
	tb.Helper()
	if a.status >= 300 {
		tb.Fatalf("status %d: %s", a.status, a.text)
	}
	if into != nil {
		a.read(tb, into)
	}
	return a
}

func (a answer) read(tb testing.TB, into any) {
	tb.Helper()
	if err := json.Unmarshal([]byte(a.text), into); err != nil {
		tb.Fatalf("%v in %s", err, a.text)
	}
}

// problem expects a problem with this status and code, whole in every field that all
// problems have.
func (a answer) problem(tb testing.TB, status int, code string) api.Problem {
	tb.Helper()
	var p api.Problem
	if kind := a.header.Get("Content-Type"); kind != "application/problem+json" {
		tb.Fatalf("status %d: content type %q, body %.300s", a.status, kind, a.text)
	}
	a.read(tb, &p)
	if a.status != status || p.Status != status || (code != "" && p.Code != code) {
		tb.Errorf("status %d, want %d with code %q: %s", a.status, status, code, a.text)
	}
	if p.Type != "about:blank" || p.Title != http.StatusText(status) || p.Detail == "" || p.Code == "" || p.RequestID == "" || p.RequestID != a.header.Get("X-Request-Id") {
		tb.Errorf("an incomplete problem: %s", a.text)
	}
	return p
}

// logBuffer collects log lines from several goroutines.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
