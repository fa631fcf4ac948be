package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/gateway"
	"github.com/nlpcanary/nlpcanary/internal/pgtest"
	"github.com/nlpcanary/nlpcanary/internal/server"
)

// An instance with a gateway: its users go to their cohort's service, a rollback holds
// on it, and what it counted is in the metrics.
func TestAnInstanceWithAGateway(t *testing.T) {
	t.Chdir(t.TempDir())
	s, ask := runGateway(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	if got := ask(); got != "new" {
		t.Errorf("%q serves at 100 %%", got)
	}
	var m api.Metrics
	s.call(t, "GET", canary+"metrics", nil, 200, &m)
	if m.NewArchitecture.TotalProcessed != 1 {
		t.Errorf("%d outcomes of new, want 1", m.NewArchitecture.TotalProcessed)
	}
	var rolled api.StageChange
	s.call(t, "POST", canary+"rollback", map[string]any{"stage": 0}, 200, &rolled)
	if c := rolled.Convergence; c == nil || !c.Complete || c.Total != 1 {
		t.Fatalf("convergence %+v, want held on 1 of 1", c)
	}
	if got := ask(); got != "old" {
		t.Errorf("%q serves after the rollback", got)
	}
	resp, err := http.Get(s.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if want := `nlpcanary_gateway_requests_total{decided="new",fallback="",served="new",status="2xx"} 1`; !strings.Contains(string(text), want) {
		t.Errorf("the metrics lack %s", want)
	}
}

// runGateway runs an instance with a gateway; ask tells which service serves the user u.
func runGateway(t *testing.T, database string, changes ...func(*server.Config)) (s *running, ask func() string) {
	t.Helper()
	says := func(text string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	front := make(chan string, 1)
	s = run(t, database, func(c *server.Config) {
		c.Gateway = &server.Gateway{Addr: "127.0.0.1:0", Ready: func(url string) { front <- url }, Config: gateway.Config{
			Old: gateway.Upstream{URL: says("old")}, New: gateway.Upstream{URL: says("new")}, Users: []gateway.UserSource{{Header: "X-User-Id"}},
		}}
		for _, change := range changes {
			change(c)
		}
	})
	url := <-front
	return s, func() string {
		r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-User-Id", "u")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return string(text)
	}
}

// A gateway that starts without its database serves, everyone by old, and takes up the
// rollout when the database comes.
func TestAGatewayStartsWithoutItsDatabase(t *testing.T) {
	t.Chdir(t.TempDir())
	cluster := pgtest.StartOwn(t, pgtest.Config{})
	url := cluster.NewDatabase(t)
	cluster.Stop(t)
	_, ask := runGateway(t, url)
	if got := ask(); got != "old" {
		t.Errorf("%q serves without a state", got)
	}
	cluster.Restart(t)
	waitFor(t, "the gateway takes up the rollout", func() bool { return ask() == "new" })
}

// A gateway that cannot start keeps the instance from starting.
func TestABadGatewayIsRefusedAtTheStart(t *testing.T) {
	t.Chdir(t.TempDir())
	err := server.Run(t.Context(), server.Config{Database: "sqlite:test.db", Addr: "127.0.0.1:0", Gateway: &server.Gateway{Addr: "127.0.0.1:0"}})
	if err == nil || !strings.Contains(err.Error(), "gateway.old.url is an http or https URL") {
		t.Errorf("%v", err)
	}
}

// At stage 0 new works in the shadow of the gateway and of the extraction, and the API
// tells how it did.
func TestShadowTraffic(t *testing.T) {
	t.Chdir(t.TempDir())
	s, ask := runGateway(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"), func(c *server.Config) { c.Shadow = gateway.Shadow{Share: 1} })
	s.call(t, "POST", canary+"rollback", map[string]any{"stage": 0}, 200, nil)
	if got := ask(); got != "old" {
		t.Errorf("%q serves", got)
	}
	s.call(t, "POST", "/api/v1/extract", map[string]any{"user_id": "u", "text": "A tall woman in a grey coat stood at the iron gate of the old house, and the cold rain ran down her face."}, 200, nil)
	var seen api.Shadow
	waitFor(t, "two pairs are counted", func() bool {
		s.call(t, "GET", canary+"shadow", nil, 200, &seen)
		return seen.Pairs == 2
	})
	if seen.Compared != 1 || seen.ErrorRate == nil || seen.ErrorRate.New != 0 || seen.ProcessingTimeMS == nil || seen.ProcessingTimeMS.Old <= 0 || seen.ErrorRate.Difference.Low != nil {
		t.Errorf("%+v", seen)
	}
	var advice api.Recommendations
	s.call(t, "GET", canary+"recommendations", nil, 200, &advice)
	found := false
	for _, r := range advice.Recommendations {
		found = found || strings.Contains(r.Message, "In the shadow new processed 2 of old's requests")
	}
	if !found {
		t.Errorf("the recommendations tell nothing of it: %+v", advice.Recommendations)
	}
}
