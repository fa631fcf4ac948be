package server_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/config"
	"github.com/nlpcanary/nlpcanary/internal/server"
)

const canaryAPI = "/api/v1/admin/nlp-canary/"

// The new architecture is a service of somebody's own. It serves; it breaks, and old
// serves in its place while it is left alone; it recovers.
func TestAServiceAsTheNewArchitecture(t *testing.T) {
	const house = "The old house stood on the hill."
	var broken atomic.Bool
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if broken.Load() {
			<-r.Context().Done() // hangs
			return
		}
		fmt.Fprintf(w, `{"descriptions": [{"type": "location", "start": 4, "end": %d, "text": %q}]}`, len(house), house[4:])
	}))
	t.Cleanup(service.Close)
	file, err := config.Parse("x.yaml", []byte("architectures:\n  old: builtin:ensemble\n  new:\n    use: "+service.URL+"\n    name: mine\n    timeout: 100ms\n"))
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, "sqlite:"+t.TempDir()+"/x.db", func(c *server.Config) {
		c.Old, c.New, err = server.Architectures(file.Architectures)
		if err != nil {
			t.Fatal(err)
		}
	})
	ask := func() (e api.Extraction) {
		t.Helper()
		r.call(t, "POST", "/api/v1/extract", map[string]string{"user_id": "u", "text": house}, 200, &e)
		return e
	}
	e := ask()
	if e.Architecture != "new" || e.Fallback || len(e.Descriptions) != 1 || e.Descriptions[0].Text != house[4:] || e.Descriptions[0].Start != 4 {
		t.Fatalf("%+v", e)
	}
	var status api.Status
	r.call(t, "GET", canaryAPI+"status", nil, 200, &status)
	if status.OldName != "ensemble" || status.NewName != "mine" || status.Architectures.New.URL != service.URL || status.Architectures.New.Breaker != "closed" || status.Architectures.Old.URL != "" {
		t.Errorf("%+v", status.Architectures)
	}
	for _, w := range status.Warnings {
		if strings.Contains(w, "architecture") {
			t.Errorf("warned: %s", w)
		}
	}
	broken.Store(true)
	for i := range 5 {
		if e := ask(); e.Architecture != "old" || !e.Fallback || e.FallbackReason != "timeout" {
			t.Fatalf("request %d: %+v", i, e)
		}
	}
	if e := ask(); e.Architecture != "old" || e.FallbackReason != "unavailable" {
		t.Errorf("the breaker is open: %+v", e)
	}
	r.call(t, "GET", canaryAPI+"status", nil, 200, &status)
	if status.Architectures.New.Breaker != "open" || !strings.Contains(strings.Join(status.Warnings, "\n"), "the new architecture, mine, gets no texts from this instance: it failed several times in a row") {
		t.Errorf("%+v, %q", status.Architectures, status.Warnings)
	}
	var metrics api.Metrics
	r.call(t, "GET", canaryAPI+"metrics", nil, 200, &metrics)
	if metrics.OldArchitecture.Name != "ensemble" || metrics.NewArchitecture.Name != "mine" || metrics.NewArchitecture.TotalProcessed != 7 {
		t.Errorf("%+v", metrics.NewArchitecture)
	}
	broken.Store(false)
	waitFor(t, "the service is tried again", func() bool { return ask().Architecture == "new" })
}
