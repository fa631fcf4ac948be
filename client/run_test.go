package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/canarytest"
	"github.com/nlpcanary/nlpcanary/client"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

type texts []string

func (t texts) Descriptions() int { return len(t) }

func answering(values ...string) func(context.Context) (texts, error) {
	return func(context.Context) (texts, error) { return values, nil }
}

// Everything that needs a whole server shares one, since each takes time to start.
func TestAgainstAServer(t *testing.T) {
	s := canarytest.New(t, canarytest.Config{Lease: 2 * time.Second})
	for _, part := range []struct {
		name string
		test func(*testing.T, *canarytest.Server)
	}{
		{"run falls back to old", testRunFallsBack},
		{"feedback", testFeedback},
		{"acknowledgements are lost", testLostAcknowledgements},
		{"an answer without a lease", testAnswerWithoutALease},
		{"an answer after a rollback", testAnswerAfterARollback},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, s) })
	}
}

func testRunFallsBack(t *testing.T, s *canarytest.Server) {
	c := start(t, func(c *client.Config) {
		c.Servers, c.Token, c.Budget = []string{s.URL()}, s.Token(), time.Second
	})
	ready(t, c)
	for _, tt := range []struct {
		name   string
		canary func(context.Context) (texts, error)
		reason string
	}{
		{"good", answering("new"), ""},
		{"an error", func(context.Context) (texts, error) { return nil, errors.New("no") }, "error"},
		{"a panic", func(context.Context) (texts, error) { panic("no") }, "panic"},
		{"too slow", func(ctx context.Context) (texts, error) { <-ctx.Done(); return nil, ctx.Err() }, "timeout"},
		{"deaf to its context", func(context.Context) (texts, error) { time.Sleep(1200 * time.Millisecond); return nil, nil }, "timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer, err := client.Run(t.Context(), c, "u", answering("old"), tt.canary)
			if err != nil {
				t.Fatal(err)
			}
			want := rollout.New
			if tt.reason != "" {
				want = rollout.Old
			}
			if answer.Served != want || answer.Value[0] != string(want) || answer.Fallback != (tt.reason != "") || answer.FallbackReason != tt.reason || answer.Decision.Variant != rollout.New {
				t.Errorf("%+v", answer)
			}
		})
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if old, canary := s.Counted(rollout.Old), s.Counted(rollout.New); old != 0 || canary != 5 {
		t.Errorf("%d outcomes for old, %d for new: each is to count for what was decided", old, canary)
	}
}

// A rollback that comes while new works: its answer is dropped.
func testAnswerAfterARollback(t *testing.T, s *canarytest.Server) {
	c := s.Client()
	answer, err := client.Run(t.Context(), c, "u", answering("old"), func(context.Context) (texts, error) {
		s.Rollback(rollout.Disabled)
		eventually(t, "the rollback arrived", func() bool { return c.Status().Stage == rollout.Disabled })
		return texts{"new"}, nil
	})
	if err != nil || answer.Served != rollout.Old || answer.FallbackReason != "taken_back" || answer.Value[0] != "old" {
		t.Errorf("%+v, %v", answer, err)
	}
}

// The same with the network gone, so that nobody can tell of the rollback.
func testAnswerWithoutALease(t *testing.T, s *canarytest.Server) {
	defer s.Reconnect()
	c := s.Client()
	answer, err := client.Run(t.Context(), c, "u", answering("old"), func(context.Context) (texts, error) {
		s.CutOff()
		eventually(t, "the lease ended", func() bool { return !c.Status().Ready })
		return texts{"new"}, nil
	})
	if err != nil || answer.Served != rollout.Old || answer.FallbackReason != "taken_back" {
		t.Errorf("%+v, %v", answer, err)
	}
}

func TestRunBeforeAnyServerAnswers(t *testing.T) {
	c := start(t, func(c *client.Config) { c.Servers = []string{"http://127.0.0.1:1"} })
	answer, err := client.Run(t.Context(), c, "u", answering("old"), answering("new"))
	if err != nil || answer.Served != rollout.Old || answer.Decision.Reason != rollout.ReasonStale || answer.OutcomeID != "" {
		t.Errorf("%+v, %v", answer, err)
	}
}

// Feedback goes by the id that Run gave, counts once, and cannot be changed.
func testFeedback(t *testing.T, s *canarytest.Server) {
	c := s.Client()
	answer, err := client.Run(t.Context(), c, "u", answering("old"), answering("new"))
	if err != nil {
		t.Fatal(err)
	}
	good, bad := 9, 2
	for range 2 {
		if err := c.Feedback(t.Context(), answer.OutcomeID, outcome.Feedback{Quality: &good}); err != nil {
			t.Fatal(err)
		}
	}
	var refused *client.ServerError
	if err := c.Feedback(t.Context(), answer.OutcomeID, outcome.Feedback{Quality: &bad}); !errors.As(err, &refused) || refused.Status != http.StatusConflict {
		t.Errorf("another mark: %v", err)
	}
	if err := c.Feedback(t.Context(), "made-up", outcome.Feedback{Quality: &good}); !errors.As(err, &refused) || refused.Code != "not_found" {
		t.Errorf("an id that is none: %v", err)
	}
	var invalid *outcome.InvalidError
	if err := c.Feedback(t.Context(), answer.OutcomeID, outcome.Feedback{}); !errors.As(err, &invalid) {
		t.Errorf("nothing said: %v", err)
	}
}

// Every acknowledgement of the first shipments is lost on the way: what was stored is
// sent again, and counts once.
func testLostAcknowledgements(t *testing.T, s *canarytest.Server) {
	before := s.Counted(rollout.New)
	target, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	var posts atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		if strings.HasSuffix(r.Request.URL.Path, "/tallies") && posts.Add(1) <= 3 {
			return errors.New("lost") // the server has stored it
		}
		return nil
	}
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	between := httptest.NewServer(proxy)
	defer between.Close()
	c := start(t, func(c *client.Config) {
		c.Servers, c.Token, c.ShipEvery = []string{between.URL}, s.Token(), 20*time.Millisecond
	})
	ready(t, c)
	const calls = 50
	for range calls {
		if _, err := client.Run(t.Context(), c, "u", answering("old"), answering("new")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "a shipment was acknowledged", func() bool { return posts.Load() > 3 })
	if err := c.Close(); err != nil { // ships the rest
		t.Fatal(err)
	}
	if n := s.Counted(rollout.New) - before; n != calls {
		t.Errorf("%d of %d outcomes count", n, calls)
	}
}
