package gateway_test

import (
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/gateway"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// New accepts connections and never answers: its users get old, the bound on what is
// under way in it holds, and the old cohort does not notice.
func TestAHangingNewDoesNotStarveOld(t *testing.T) {
	const slots, clients = 4, 40
	s := newStandAt(t, service(t, says("old")), hangs(t), func(c *gateway.Config) {
		c.New.MaxConcurrent, c.Timeout, c.NewTimeout = slots, 20*time.Second, 10*time.Second
	})
	pinned := s.keyer.Key("pinned")
	s.apply(rollout.AddOverride{User: pinned, Variant: rollout.Old})
	before := runtime.NumGoroutine()
	for i := range slots {
		fmt.Fprintf(s.raw(), "GET / HTTP/1.1\r\nHost: h\r\nX-User-Id: u%d\r\n\r\n", i)
	}
	eventually(t, "the slots are taken", func() bool { return s.metric("nlpcanary_gateway_in_flight", "new") == slots })
	var served sync.WaitGroup
	for i := range clients {
		served.Go(func() {
			if a := s.send("GET", "/", fmt.Sprint("u", i), ""); a.status != 200 || a.header.Get("Nlpcanary-Fallback") != "saturated" {
				t.Errorf("status %d, headers %v; want old, because new is saturated", a.status, a.header)
			}
			s.wantServed(s.send("GET", "/", "pinned", ""), "old", "TARGETING_MATCH", "")
		})
	}
	served.Wait()
	// A request takes about six goroutines of the client, the server and the proxy.
	if more := runtime.NumGoroutine() - before; more > 6*(clients+slots) {
		t.Errorf("%d more goroutines for %d clients", more, clients)
	}
}

// What was started ends.
func TestNothingIsLeftRunning(t *testing.T) {
	s := newStand(t, says("old"), says("new"), func(c *gateway.Config) { c.NewTimeout = 50 * time.Millisecond })
	s.send("GET", "/", "u", "")
	http.DefaultClient.CloseIdleConnections()
	before := runtime.NumGoroutine()
	for i := range 100 {
		s.send("POST", "/", fmt.Sprint("u", i), "text")
	}
	http.DefaultClient.CloseIdleConnections()
	s.gateway.Close()
	eventually(t, "the goroutines are gone", func() bool { return runtime.NumGoroutine() <= before })
}
