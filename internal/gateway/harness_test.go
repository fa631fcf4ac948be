package gateway_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/gateway"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// stand is a real store on SQLite with a follower, two services and a gateway in front
// of them. The rollout is at 100 %, so that everyone is on new.
type stand struct {
	t        testing.TB
	store    *store.Store
	follower *follow.Follower
	set      *outcome.Set
	sealer   *outcome.Sealer
	keyer    rollout.Keyer
	registry *prometheus.Registry
	gateway  *gateway.Gateway
	url      string
	log      *logBuffer
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// says answers with a text, and with the request's user and path.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Served-By", text)
		_, _ = io.WriteString(w, text+" "+r.Method+" "+r.URL.RequestURI()+" "+string(body))
	}
}

func service(tb testing.TB, h http.Handler) string {
	tb.Helper()
	s := httptest.NewServer(h)
	tb.Cleanup(s.Close)
	return s.URL
}

func newStand(tb testing.TB, old, canary http.Handler, change func(*gateway.Config)) *stand {
	tb.Helper()
	return newStandAt(tb, service(tb, old), service(tb, canary), change)
}

func newStandAt(tb testing.TB, old, canary string, change func(*gateway.Config)) *stand {
	tb.Helper()
	st, err := store.Open(tb.Context(), "sqlite:"+filepath.Join(tb.TempDir(), "test.db"), store.Options{Migrate: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { st.Close() })
	s := &stand{t: tb, store: st, set: outcome.NewSet(), sealer: outcome.NewSealer(st.Secrets().OutcomeID),
		keyer: rollout.NewKeyer(st.Secrets().UserKey), registry: prometheus.NewRegistry(), log: &logBuffer{}}
	s.follower = follow.Start(follow.Config{Source: st, Instance: "test", Region: "eu", Keyer: s.keyer, Logger: slog.New(slog.DiscardHandler)})
	tb.Cleanup(func() { s.follower.Close() })
	if err := s.follower.WaitValid(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	config := gateway.Config{
		Old: gateway.Upstream{URL: old}, New: gateway.Upstream{URL: canary},
		Users:    []gateway.UserSource{{Header: "X-User-Id"}},
		Timeout:  5 * time.Second,
		Follower: s.follower, Keyer: s.keyer, Sealer: s.sealer, Recorder: s.set, Registry: s.registry,
		Logger: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&config)
	}
	s.gateway, err = gateway.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = gateway.HTTPServer(config, s.gateway)
	server.Start()
	s.url = server.URL
	tb.Cleanup(func() { s.gateway.Close(); server.Close() })
	return s
}

func (s *stand) apply(c rollout.Change) {
	s.t.Helper()
	actor := rollout.Actor{Name: "test", Role: rollout.RoleAdmin, Source: rollout.SourceCLI}
	applied, err := s.store.Apply(s.t.Context(), store.Request{Change: c, Actor: actor})
	if err != nil {
		s.t.Error(err)
		return
	}
	eventually(s.t, "the follower sees the change", func() bool { return s.follower.State().Revision >= applied.State.Revision })
}

func eventually(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Errorf("not within 10 s: %s", what)
			return
		}
	}
}

// answer is what a client got.
type answer struct {
	status int
	header http.Header
	text   string
}

// send makes a request as a user; none if the id is empty.
func (s *stand) send(method, path, user, body string, header ...string) answer {
	s.t.Helper()
	var sent io.Reader
	if body != "" {
		sent = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, sent)
	if err != nil {
		s.t.Fatal(err)
	}
	if user != "" {
		r.Header.Set("X-User-Id", user)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// counted is the sum of what was recorded for an architecture.
func (s *stand) counted(v rollout.Variant) *outcome.Tally {
	s.t.Helper()
	list, err := s.set.Pending(time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	sum := new(outcome.Tally)
	for _, shipment := range list {
		var tally outcome.Tally
		if err := tally.UnmarshalBinary(shipment.Data); err != nil {
			s.t.Fatal(err)
		}
		if shipment.Key.Variant == v {
			sum.Merge(&tally)
		}
	}
	return sum
}

func (s *stand) wantServed(a answer, by, reason, fallback string) {
	s.t.Helper()
	if a.status != 200 || a.header.Get("Served-By") != by || a.header.Get("Nlpcanary-Architecture") != by ||
		a.header.Get("Nlpcanary-Reason") != reason || a.header.Get("Nlpcanary-Fallback") != fallback {
		s.t.Fatalf("status %d, served by %q, headers %v, text %q; want 200 by %s, reason %s, fallback %q", a.status, a.header.Get("Served-By"), a.header, a.text, by, reason, fallback)
	}
}

// raw opens a connection to the gateway.
func (s *stand) raw() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}

// hangs accepts connections and never answers.
func hangs(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
		}
	}()
	tb.Cleanup(func() {
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range conns {
			c.Close()
		}
	})
	return "http://" + l.Addr().String()
}

func prefixes(list ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range list {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}
