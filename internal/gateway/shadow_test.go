package gateway_test

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/gateway"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// shadowed is a stand at stage 0 that copies everything, POST included.
func shadowed(t *testing.T, old, canary http.Handler, change func(*gateway.Shadow)) (*stand, *outcome.ShadowSet) {
	t.Helper()
	set := outcome.NewShadowSet()
	s := newStand(t, old, canary, func(c *gateway.Config) {
		c.NewTimeout = time.Second
		c.Shadow = gateway.Shadow{Share: 1, Methods: []string{"GET", "POST"}, MaxBody: 1000, Recorder: set}
		if change != nil {
			change(&c.Shadow)
		}
	})
	s.apply(rollout.Rollback{Target: rollout.Disabled})
	return s, set
}

func sums(t *testing.T, set *outcome.ShadowSet) outcome.ShadowSums {
	t.Helper()
	list, err := set.Pending()
	if err != nil {
		t.Fatal(err)
	}
	var total outcome.Shadows
	for _, shipment := range list {
		var one outcome.Shadows
		if err := one.UnmarshalBinary(shipment.Data); err != nil {
			t.Fatal(err)
		}
		total.Merge(&one)
	}
	return total.Total()
}

func answersJSON(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	}
}

// A copy is what old got, marked; it is compared, and old's user is served as ever.
func TestShadowTrafficIsCompared(t *testing.T) {
	got := make(chan *http.Request, 10)
	bodies := make(chan string, 10)
	s, set := shadowed(t,
		answersJSON(`{"descriptions": [{"type": "location", "start": 0, "end": 10}, {"type": "character", "start": 20, "end": 30}, {"type": "location", "start": 40, "end": 50}]}`),
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got <- r
			bodies <- string(body)
			answersJSON(`{"descriptions": [{"type": "location", "start": 0, "end": 10}, {"type": "location", "start": 20, "end": 30}, {"type": "location", "start": 60, "end": 70}, {"type": "location", "start": 80, "end": 90}]}`)(w, r)
		}), nil)
	a := s.send("POST", "/v1?q=1", "u", "the text", "X-Kept", "k", "Cookie", "c=d")
	if a.status != 200 || a.header.Get("Nlpcanary-Architecture") != "old" {
		t.Fatalf("status %d, headers %v", a.status, a.header)
	}
	eventually(t, "the pair is counted", func() bool { return sums(t, set).Pairs == 1 })
	r := <-got
	if body := <-bodies; r.Method != "POST" || r.URL.RequestURI() != "/v1?q=1" || body != "the text" || r.Header.Get("Nlpcanary-Shadow") != "1" ||
		r.Header.Get("X-Kept") != "k" || r.Header.Get("Cookie") != "c=d" || r.Header.Get("X-User-Id") != "u" || r.Header.Get("X-Forwarded-For") != "127.0.0.1" {
		t.Errorf("new got %s %s %q %v", r.Method, r.URL, body, r.Header)
	}
	if p := sums(t, set); p.Compared != 1 || p.OldDescriptions != 3 || p.NewDescriptions != 4 || p.Added != 2 || p.Lost != 1 || p.Changed != 1 ||
		p.OldErrors+p.NewErrors+p.NewTimeouts != 0 || p.OldMicros == 0 || p.NewMicros == 0 {
		t.Errorf("sums %+v", p)
	}
	if n := s.counted(rollout.New).Total().Requests; n != 0 {
		t.Errorf("copies count as %d outcomes of new", n)
	}
}

func TestFailuresInTheShadow(t *testing.T) {
	slow := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	fails := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	for name, c := range map[string]struct {
		old, new http.Handler
		want     func(p outcome.ShadowSums) bool
	}{
		"new fails":     {answersJSON(`{}`), fails, func(p outcome.ShadowSums) bool { return p.NewErrors == 1 && p.NewFailedAlone == 1 && p.OldErrors == 0 }},
		"old fails":     {fails, answersJSON(`{}`), func(p outcome.ShadowSums) bool { return p.OldErrors == 1 && p.OldFailedAlone == 1 && p.NewErrors == 0 }},
		"new hangs":     {answersJSON(`{}`), slow, func(p outcome.ShadowSums) bool { return p.NewTimeouts == 1 && p.NewErrors == 0 }},
		"no list":       {answersJSON(`{}`), answersJSON(`{"descriptions": []}`), func(p outcome.ShadowSums) bool { return p.Compared == 0 }},
		"another shape": {answersJSON(`{"descriptions": []}`), answersJSON(`{"descriptions": [7]}`), func(p outcome.ShadowSums) bool { return p.Compared == 0 }},
		"both empty":    {answersJSON(`{"descriptions": []}`), answersJSON(`{"descriptions": []}`), func(p outcome.ShadowSums) bool { return p.Compared == 1 && p.SamePairs == 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, set := shadowed(t, c.old, c.new, nil)
			s.send("POST", "/", "u", "text")
			eventually(t, "the pair is counted", func() bool { return sums(t, set).Pairs == 1 })
			if p := sums(t, set); !c.want(p) {
				t.Errorf("sums %+v", p)
			}
		})
	}
}

// Not everything may be copied; and what may not, never comes to new.
func TestWhatIsNotShadowed(t *testing.T) {
	var copies atomic.Int64
	canary := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { copies.Add(1) })
	s, _ := shadowed(t, says("old"), canary, func(c *gateway.Shadow) { c.Paths = []string{"/v1/"} })
	long := make([]byte, 2000)
	s.send("POST", "/v2/x", "u", "text")       // another path
	s.send("PUT", "/v1/x", "u", "text")        // another method
	s.send("POST", "/v1/x", "", "text")        // no user
	s.send("POST", "/v1/x", "u", string(long)) // too long
	s.apply(rollout.AddOverride{User: s.keyer.Key("pinned"), Variant: rollout.Old})
	s.send("POST", "/v1/x", "pinned", "text")
	s.follower.BreakGlass(true)
	s.send("POST", "/v1/x", "u", "text")
	s.follower.BreakGlass(false)
	if n := copies.Load(); n != 0 {
		t.Fatalf("%d copies came to new", n)
	}
	s.send("POST", "/v1/x", "u", "text")
	eventually(t, "what may be copied is", func() bool { return copies.Load() == 1 })
	if n := s.metric("nlpcanary_gateway_shadow_total", "too_long"); n != 1 {
		t.Errorf("%v counted as too long, want 1", n)
	}
}

// New hangs: its copies fill the workers and the queue, the rest is dropped and counted,
// and nobody waits.
func TestShadowTrafficIsBounded(t *testing.T) {
	hang := make(chan struct{})
	var under atomic.Int64
	s, _ := shadowed(t, says("old"), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		under.Add(1)
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}), func(c *gateway.Shadow) { c.Workers, c.Queue = 2, 3 })
	const requests = 30
	for range requests {
		s.wantServed(s.send("GET", "/", "u", ""), "old", "STATIC", "")
	}
	if n := s.metric("nlpcanary_gateway_shadow_total", "dropped"); n < requests-2*(2+3) {
		t.Errorf("%v of %d copies were dropped", n, requests)
	}
	if n := under.Load(); n > 2*2 { // a worker may have given one up meanwhile
		t.Errorf("%d copies at once", n)
	}
	close(hang)
}
