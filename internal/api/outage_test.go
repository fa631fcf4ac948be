package api_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// cuttable is a real source whose line can be cut.
type cuttable struct {
	follow.Source
	cut atomic.Bool
}

func (c *cuttable) Renew(ctx context.Context, h follow.Heartbeat) (follow.Renewal, error) {
	if c.cut.Load() {
		return follow.Renewal{}, errors.New("the line is cut")
	}
	return c.Source.Renew(ctx, h)
}

func waitFor(tb testing.TB, condition func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatal("it does not happen")
		}
	}
}

func TestWithoutALeaseEveryoneGetsOldAndReadinessFails(t *testing.T) {
	t.Parallel()
	source := new(cuttable)
	in := newInstance(t, options{follow: func(c *follow.Config) {
		source.Source, c.Source = c.Source, source
		c.Lease, c.Interval = 300*time.Millisecond, 20*time.Millisecond
	}})
	in.do(t, call{method: "GET", path: "/readyz"}).ok(t, nil)
	source.cut.Store(true)
	waitFor(t, func() bool { return !in.follower.Status().Valid })

	got := in.do(t, call{method: "GET", path: "/readyz"})
	got.problem(t, 503, "not_ready")
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	in.do(t, call{method: "GET", path: "/livez"}).ok(t, nil)
	var d api.Decision
	in.do(t, call{method: "GET", path: "/api/v1/decision?user_id=u", as: client}).ok(t, &d) // the token works still
	if d.Architecture != "old" || d.Reason != "STALE" {
		t.Errorf("%+v", d)
	}
	metrics := in.do(t, call{method: "GET", path: "/metrics"}).ok(t, nil).text
	for _, line := range []string{"nlpcanary_lease_valid 0", "nlpcanary_lease_remaining_seconds 0", `nlpcanary_decisions_total{architecture="old",reason="STALE"} 1`} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
	source.cut.Store(false)
	waitFor(t, func() bool { return in.follower.Status().Valid })
	in.follower.BreakGlass(true)
	if text := in.do(t, call{method: "GET", path: "/readyz"}).ok(t, nil).text; !strings.Contains(text, `"break_glass":true`) {
		t.Errorf("break-glass: %s", text)
	}
}

func TestWithoutTheDatabaseDecisionsGoOn(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{follow: func(c *follow.Config) { c.Lease = time.Minute }})
	if err := in.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []call{
		{method: "GET", path: canary + "status"},
		{method: "GET", path: canary + "metrics"},
		{method: "POST", path: canary + "advance"},
		{method: "POST", path: canary + "rollback", body: `{"stage": 0}`},
		{method: "GET", path: "/api/v1/admin/audit"},
	} {
		c.as = admin
		got := in.do(t, c)
		p := got.problem(t, 503, "database_unavailable")
		if got.header.Get("Retry-After") == "" || strings.Contains(p.Detail, "sql:") {
			t.Errorf("%s: Retry-After %q, %s", c.path, got.header.Get("Retry-After"), p.Detail)
		}
	}
	var d api.Decision
	in.do(t, call{method: "GET", path: "/api/v1/decision?user_id=u", as: client}).ok(t, &d)
	if d.Architecture != "new" {
		t.Errorf("%+v", d)
	}
	var e api.Extraction
	in.do(t, call{method: "POST", path: extractPath, as: client, body: `{"user_id": "u", "text": "A tall house."}`}).ok(t, &e)
	if e.Architecture != "new" || len(e.Descriptions) != 1 {
		t.Errorf("%+v", e)
	}
}

func TestOverloadIsRefusedAndDecisionsAreStillAnswered(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var inside atomic.Int64
	slow := architecture(func(ctx context.Context, doc extract.Document) (extract.Result, error) {
		inside.Add(1)
		select {
		case <-release:
		case <-ctx.Done():
		}
		return wholeText(ctx, doc)
	})
	in := newInstance(t, options{old: slow, canary: slow, config: func(c *api.Config) {
		c.MaxExtractions, c.QueueTime = 2, 20*time.Millisecond
	}})
	text := call{method: "POST", path: extractPath, as: client, body: `{"user_id": "u", "text": "A tall house."}`}
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() { in.do(t, text).ok(t, nil) })
	}
	waitFor(t, func() bool { return inside.Load() == 2 })
	for range 5 {
		got := in.do(t, text)
		got.problem(t, 503, "overloaded")
		if got.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	in.do(t, call{method: "GET", path: "/api/v1/decision?user_id=u", as: client}).ok(t, nil)
	close(release)
	running.Wait()
	in.do(t, text).ok(t, nil)
}

func TestAFailingNewArchitectureFallsBack(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{canary: architecture(func(context.Context, extract.Document) (extract.Result, error) { panic("planted") })})
	var e api.Extraction
	text := call{method: "POST", path: extractPath, as: client, body: `{"user_id": "u", "text": "Высокий дом."}`}
	in.do(t, text).ok(t, &e)
	if e.Architecture != "old" || !e.Fallback || e.FallbackReason != "panic" || e.Descriptions[0].End != 12 || e.Descriptions[0].EndByte != 22 {
		t.Errorf("%+v", e)
	}
}

func TestWhenBothArchitecturesFailTheTextIsNotRepeated(t *testing.T) {
	t.Parallel()
	quoting := architecture(func(_ context.Context, doc extract.Document) (extract.Result, error) {
		return extract.Result{}, errors.New("cannot read " + doc.Text)
	})
	in := newInstance(t, options{old: quoting})
	in.apply(t, rollout.Rollback{Target: rollout.Disabled})
	got := in.do(t, call{method: "POST", path: extractPath, as: client, body: `{"user_id": "u", "text": "planted-text"}`})
	got.problem(t, http.StatusInternalServerError, "extraction_failed")
	if strings.Contains(got.text+in.log.String(), "planted-text") {
		t.Errorf("the text is repeated: %s", got.text)
	}
}
