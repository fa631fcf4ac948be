package client_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/client"
	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// server answers for the lease as a test says. The real one is behind the other tests;
// this one can misbehave.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	revision int64
	stage    rollout.Stage
	left     time.Duration
	late     time.Duration // the answer is delayed by
	hang     bool
	status   int  // instead of an answer
	cached   bool // answers what somebody else asked
	asked    int
	unmod    int // of these, answered 304
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{revision: 1, stage: rollout.FullRollout, left: 3 * time.Second}
	s.Server = httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(s.Close)
	return s
}

func (s *server) set(change func(*server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *server) count() (asked, unmodified int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, s.unmod
}

func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/api/v1/lease" {
		http.NotFound(w, r) // no events: the lease is all there is
		return
	}
	s.mu.Lock()
	s.asked++
	revision, stage, left, late, hang, status, cached := s.revision, s.stage, s.left, s.late, s.hang, s.status, s.cached
	s.mu.Unlock()
	if hang {
		<-r.Context().Done()
		return
	}
	time.Sleep(late)
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	id := r.Header.Get("X-Request-Id")
	if cached {
		id = "of-another-request"
	}
	tag := strconv.Quote(strconv.FormatInt(revision, 10))
	w.Header().Set("X-Request-Id", id)
	w.Header().Set("ETag", tag)
	w.Header().Set(follow.LeaseHeader, strconv.FormatInt(left.Milliseconds(), 10))
	if r.Header.Get("If-None-Match") == tag {
		s.set(func(s *server) { s.unmod++ })
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_ = json.NewEncoder(w).Encode(follow.Lease{
		Version: follow.Version{Revision: revision}, Rollout: "nlp", Stage: stage, Percentage: stage.Percentage(), Epoch: 1,
		Enabled: true, WhenStale: rollout.StaleOld, UserKey: "c2VjcmV0", OutcomeKey: "c2VjcmV0",
	})
}

func start(t *testing.T, change func(*client.Config), servers ...*server) *client.Client {
	t.Helper()
	config := client.Config{Token: "token", Logger: slog.New(slog.DiscardHandler), Interval: 50 * time.Millisecond}
	for _, s := range servers {
		config.Servers = append(config.Servers, s.URL)
	}
	if change != nil {
		change(&config)
	}
	c, err := client.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func ready(t *testing.T, c *client.Client) {
	t.Helper()
	if err := c.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestALeaseIsKeptAndEnds(t *testing.T) {
	s := newServer(t)
	s.left = 500 * time.Millisecond
	c := start(t, nil, s)
	ready(t, c)
	eventually(t, "the lease was renewed without its content", func() bool { _, unmodified := s.count(); return unmodified > 3 })
	if d := c.Decide("u"); d.Variant != rollout.New || !c.Status().Ready {
		t.Errorf("under the lease: %+v", d)
	}
	s.set(func(s *server) { s.hang = true })
	eventually(t, "without a lease everyone gets old", func() bool {
		d := c.Decide("u")
		return d.Variant == rollout.Old && d.Reason == rollout.ReasonStale
	})
	if s := c.Status(); s.Ready || s.Remaining != 0 {
		t.Errorf("the status is %+v", s)
	}
	s.set(func(s *server) { s.hang = false })
	eventually(t, "the lease came back", func() bool { return c.Decide("u").Variant == rollout.New })
}

// The lease counts from the request. An answer that was under way for longer than the
// lease it carries is worth nothing.
func TestTheLeaseCountsFromTheRequest(t *testing.T) {
	s := newServer(t)
	s.left, s.late = 300*time.Millisecond, 400*time.Millisecond
	c := start(t, nil, s)
	eventually(t, "several answers came, each too late", func() bool {
		if d := c.Decide("u"); d.Variant != rollout.Old {
			t.Fatalf("decided %+v by a lease that was over", d)
		}
		asked, _ := s.count()
		return asked > 3
	})
	s.set(func(s *server) { s.late = 0 })
	eventually(t, "an answer in time counts", func() bool { return c.Decide("u").Variant == rollout.New })
}

// What a cache says is left of a lease is not what is left.
func TestAnswersFromACacheAreNotBelieved(t *testing.T) {
	s := newServer(t)
	s.cached = true
	c := start(t, func(c *client.Config) { c.Lease = 300 * time.Millisecond }, s)
	eventually(t, "the error says why", func() bool { return c.Status().LastError != nil })
	if d := c.Decide("u"); d.Reason != rollout.ReasonStale {
		t.Errorf("decided %+v", d)
	}
}

func TestAnotherServerIsAskedInTime(t *testing.T) {
	for name, fail := range map[string]func(*server){
		"one hangs":            func(s *server) { s.hang = true },
		"one is overloaded":    func(s *server) { s.status = http.StatusServiceUnavailable },
		"one is behind a fool": func(s *server) { s.cached = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := newServer(t), newServer(t)
			c := start(t, nil, a, b)
			ready(t, c)
			good, bad := a, b
			if c.Status().Server == a.URL {
				good, bad = b, a
			}
			bad.set(fail)
			eventually(t, "the other one is asked", func() bool {
				if d := c.Decide("u"); d.Reason == rollout.ReasonStale {
					t.Fatalf("the lease lapsed meanwhile: %+v", c.Status())
				}
				return c.Status().Server == good.URL
			})
			before, _ := good.count()
			eventually(t, "it answers", func() bool { asked, _ := good.count(); return asked > before+2 })
		})
	}
}

// A server that has not heard of the rollback yet does not take it back.
func TestAServerThatIsBehindIsNotBelieved(t *testing.T) {
	a, b := newServer(t), newServer(t)
	a.revision, b.revision = 5, 5
	c := start(t, func(c *client.Config) { c.Lease = time.Second }, a, b)
	ready(t, c)
	first, behind := a, b
	if c.Status().Server == b.URL {
		first, behind = b, a
	}
	first.set(func(s *server) { s.revision, s.stage = 6, rollout.Disabled })
	eventually(t, "the rollback arrived", func() bool { return c.Status().Revision == 6 })
	first.set(func(s *server) { s.status = http.StatusServiceUnavailable })
	before, _ := behind.count()
	eventually(t, "the other one was asked", func() bool {
		if d := c.Decide("u"); d.Variant == rollout.New {
			t.Fatalf("taken back to %+v", d)
		}
		asked, _ := behind.count()
		return asked > before+2
	})
	if got := c.Status().Revision; got != 6 {
		t.Errorf("the client holds revision %d", got)
	}
	behind.set(func(s *server) { s.revision = 6 })
	eventually(t, "it has caught up", func() bool { return c.Status().Ready })
}

func TestAConfigurationThatCannotBeRightIsRefused(t *testing.T) {
	good := client.Config{Servers: []string{"http://127.0.0.1:1"}, Token: "t"}
	for name, spoil := range map[string]func(*client.Config){
		"no server":       func(c *client.Config) { c.Servers = nil },
		"no scheme":       func(c *client.Config) { c.Servers = []string{"127.0.0.1:8080"} },
		"another scheme":  func(c *client.Config) { c.Servers = []string{"postgres://h/d"} },
		"with a password": func(c *client.Config) { c.Servers = []string{"http://u:p@h"} },
		"no token":        func(c *client.Config) { c.Token = "" },
		"a bad region":    func(c *client.Config) { c.Region = "a b" },
	} {
		bad := good
		spoil(&bad)
		if c, err := client.Start(bad); err == nil {
			c.Close()
			t.Errorf("%s: it starts", name)
		}
	}
}
