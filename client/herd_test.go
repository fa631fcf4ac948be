package client_test

import (
	"bufio"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/canarytest"
	"github.com/nlpcanary/nlpcanary/client"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// requests is how many requests the server has answered on a route, by status.
func requests(t *testing.T, s *canarytest.Server, route string) map[string]int {
	t.Helper()
	response, err := http.Get(s.URL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	counts := map[string]int{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		rest, found := strings.CutPrefix(lines.Text(), `nlpcanary_http_requests_total{route="`+route+`",status="`)
		status, value, whole := strings.Cut(rest, `"} `)
		if n, err := strconv.ParseFloat(value, 64); found && whole && err == nil {
			counts[status] = int(n)
		}
	}
	_, _ = io.Copy(io.Discard, response.Body)
	return counts
}

// herd is as many clients as come back at once; fewer where the race detector makes
// each of them many times dearer.
func herd() int {
	if raceDetector {
		return 100
	}
	return 500
}

// freshWithin is how soon all are to be fresh after an outage.
const freshWithin = 10 * time.Second

// An outage that outlasts every lease ends for all clients at the same moment. They are
// all fresh again soon, and the server is asked a few times by each and not in a storm.
// A busy machine may hold up one recovery, not every one of three.
func TestAHerdOfClientsComesBackAtOnce(t *testing.T) {
	s := canarytest.New(t, canarytest.Config{})
	all := make([]*client.Client, herd())
	for i := range all {
		c, err := client.Start(client.Config{
			Servers: []string{s.URL()}, Token: s.Token(), Logger: slog.New(slog.DiscardHandler),
			CacheSlots: -1, // a cache for each would take a quarter of a gigabyte
		})
		if err != nil {
			t.Fatal(err)
		}
		all[i] = c
	}
	defer func() {
		var closing sync.WaitGroup
		for _, c := range all {
			closing.Go(func() {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		closing.Wait()
	}()
	everyone(t, "have a lease and hear of changes", all, func(s client.Status) bool { return s.Ready && s.Notified })
	for attempt := 1; ; attempt++ {
		took := outage(t, s, all)
		if took <= freshWithin {
			return
		}
		if attempt == 3 {
			t.Fatalf("it took %s", took)
		}
	}
}

// outage cuts all clients off for longer than their lease, and says how long after its
// end all are fresh.
func outage(t *testing.T, s *canarytest.Server, all []*client.Client) time.Duration {
	t.Helper()
	s.SetStage(rollout.FullRollout)
	everyone(t, "are at 100 %", all, func(s client.Status) bool { return s.Stage == rollout.FullRollout })
	s.CutOff()
	s.Rollback(rollout.Disabled)
	everyone(t, "have lost their lease", all, func(s client.Status) bool { return !s.Ready })
	for i, c := range all {
		if d := c.Decide("u"); d.Variant != rollout.Old || d.Reason != rollout.ReasonStale {
			t.Fatalf("client %d decides %+v without a lease", i, d)
		}
	}
	s.Reconnect()
	began := time.Now()
	before := requests(t, s, "GET /api/v1/lease")
	everyone(t, "are fresh", all, func(s client.Status) bool { return s.Ready && s.Stage == rollout.Disabled })
	took := time.Since(began)
	asked := 0
	for status, n := range requests(t, s, "GET /api/v1/lease") {
		asked += n - before[status]
		if status != "200" && status != "304" && n > before[status] {
			t.Errorf("%d requests were answered %s", n-before[status], status)
		}
	}
	t.Logf("all %d are fresh after %s; they asked %d times", len(all), took, asked)
	if perSecond := float64(asked) / float64(len(all)) / max(took.Seconds(), 1); perSecond > 5 {
		t.Errorf("each client asked %.1f times a second", perSecond)
	}
	return took
}

// everyone waits until all are so. Looking takes time as well, so it is not done without
// pause.
func everyone(t *testing.T, what string, all []*client.Client, is func(client.Status) bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		missing := 0
		for _, c := range all {
			if !is(c.Status()) {
				missing++
			}
		}
		if missing == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: all %s; %d do not", what, missing)
		}
	}
}
