package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// measure counts outcomes that are given past the dispatcher, and stores them.
func (in *instance) measure(t *testing.T, n int, o outcome.Outcome, at time.Time) {
	t.Helper()
	state := in.follower.State()
	o.Rollout, o.Epoch = state.Rollout.Name, state.Rollout.Epoch
	set := outcome.NewSet()
	for i := range n {
		o.UserKey = rollout.UserKey{byte(i), byte(i >> 8), byte(i * 7), byte(i * 13)}
		if err := set.Add(o, at); err != nil {
			t.Fatal(err)
		}
	}
	list, err := set.Pending(at)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.store.PutTallies(t.Context(), fmt.Sprint(at.UnixNano(), o.Variant, o.Region, n), list); err != nil {
		t.Fatal(err)
	}
}

func TestMetricsByRegionAndTimeAndInSteps(t *testing.T) {
	t.Parallel()
	in := half(t)
	hour := time.Now().UTC().Truncate(time.Hour).Add(-3 * time.Hour)
	old := outcome.Outcome{Variant: rollout.Old, Region: "eu", ProcessingTime: 20 * time.Millisecond}
	canary, other := old, old
	canary.Variant, other.Region = rollout.New, "us"
	broken := canary
	broken.Error = true
	in.measure(t, 400, old, hour.Add(5*time.Minute))
	in.measure(t, 300, canary, hour.Add(5*time.Minute))
	in.measure(t, 100, broken, hour.Add(70*time.Minute))
	in.measure(t, 50, other, hour.Add(70*time.Minute))
	get := func(query string) api.Metrics {
		t.Helper()
		var m api.Metrics
		in.do(t, call{method: "GET", path: canaryPath("metrics", query), as: viewer}).ok(t, &m)
		return m
	}
	count := func(m api.Metrics, oldTotal, newTotal int64) {
		t.Helper()
		if m.OldArchitecture.TotalProcessed != oldTotal || m.NewArchitecture.TotalProcessed != newTotal {
			t.Errorf("%d on old, %d on new; want %d and %d", m.OldArchitecture.TotalProcessed, m.NewArchitecture.TotalProcessed, oldTotal, newTotal)
		}
	}
	all := get("")
	count(all, 450, 400)
	count(get("region=eu"), 400, 400)
	count(get("region=us"), 50, 0)
	count(get("region=mars"), 0, 0)
	count(get("from="+hour.Add(time.Hour).Format(time.RFC3339)), 50, 100)
	part := get("region=eu&to=" + hour.Add(6*time.Minute).Format(time.RFC3339))
	count(part, 400, 300)
	if len(part.Comparison) != 0 || part.To == nil || part.Region == nil || *part.Region != "eu" || part.From != nil {
		t.Errorf("a part: %+v", part)
	}
	found := false
	for _, c := range all.Comparison {
		if c.Metric == "errors" && c.Difference != nil && c.Difference.Estimate != nil && *c.Difference.Estimate > .2 && *c.Difference.Low < *c.Difference.High {
			found = true
		}
	}
	if !found {
		t.Errorf("no difference of errors in %+v", all.Comparison)
	}
	var s api.MetricsSeries
	in.do(t, call{method: "GET", path: canaryPath("metrics/series", "step=hour"), as: viewer}).ok(t, &s)
	if len(s.Points) != 2 || !s.Points[0].Start.Equal(hour) || s.Points[0].OldArchitecture.TotalProcessed != 400 || *s.Points[1].NewArchitecture.ErrorRate != 1 || s.Points[1].OldArchitecture.F1Score != nil {
		t.Errorf("%+v", s.Points)
	}
	in.do(t, call{method: "GET", path: canaryPath("metrics/series", "step=minute&region=us&from="+hour.Format(time.RFC3339)), as: viewer}).ok(t, &s)
	if len(s.Points) != 1 || !s.Points[0].Start.Equal(hour.Add(70*time.Minute)) || *s.Points[0].OldArchitecture.AvgProcessingTimeMS != 20 || s.Points[0].NewArchitecture.ErrorRate != nil {
		t.Errorf("%+v", s.Points)
	}
	for query, field := range map[string]string{
		"from=yesterday": "from", "to=0001-01-01T00:00:00Z": "to", "from=2030-01-02T00:00:00Z&to=2030-01-01T00:00:00Z": "to", "region=a+b": "region",
	} {
		for _, route := range []string{"metrics", "metrics/series"} {
			p := in.do(t, call{method: "GET", path: canaryPath(route, query), as: viewer}).problem(t, 422, "invalid")
			if len(p.Errors) != 1 || p.Errors[0].Field != field {
				t.Errorf("%s?%s: %+v", route, query, p.Errors)
			}
		}
	}
	if p := in.do(t, call{method: "GET", path: canaryPath("metrics/series", "step=minute&from=2001-01-01T00:00:00Z"), as: viewer}).problem(t, 422, "invalid"); !strings.Contains(p.Detail, "3000 steps") {
		t.Error(p.Detail)
	}
}

func canaryPath(route, query string) string { return canary + route + "?" + query }
