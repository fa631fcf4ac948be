package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Unleash/unleash-go-sdk/v5"
	ucontext "github.com/Unleash/unleash-go-sdk/v5/context"
	"github.com/growthbook/growthbook-golang"
	ffclient "github.com/thomaspoignant/go-feature-flag"
	"github.com/thomaspoignant/go-feature-flag/ffcontext"
	"github.com/thomaspoignant/go-feature-flag/retriever/fileretriever"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/rollout"
)

const (
	percent = 25
	rounds  = 7
	// each is how many decisions a round makes.
	each = 50_000
)

// users are the ids that everyone decides about.
var users = func() (list [10_000]string) {
	for i := range list {
		list[i] = fmt.Sprintf("user-%08d", i)
	}
	return list
}()

// contender decides in process whether a user gets the new thing.
type contender struct {
	name string
	// goal is how many times as long as ours a decision must take at least; 0 for ours.
	goal   float64
	decide func(id string) bool

	serial, parallel []time.Duration // a decision, by round
}

// TestDecideInProcess asks everyone the same: is this user among the 25 %?
func TestDecideInProcess(t *testing.T) {
	ours := newOurs(t, 0)
	contenders := []*contender{
		{name: "nlpcanary (follow.Follower, lease checked)", decide: ours},
		{name: "nlpcanary, without the cohort cache", decide: newOurs(t, -1)},
		{name: "go-feature-flag v1.55.2 (BoolVariation)", goal: 10, decide: newGoFeatureFlag(t)},
		{name: "Unleash unleash-go-sdk v5.1.0 (IsEnabled)", goal: 10, decide: newUnleash(t)},
		{name: "growthbook-golang v0.7.0 (child client for the user, EvalFeature)", goal: 3, decide: newGrowthBook(t)},
	}
	for _, c := range contenders {
		wantShare(t, c)
	}
	for range rounds {
		for _, c := range contenders {
			c.serial = append(c.serial, timeSerial(c.decide))
			c.parallel = append(c.parallel, timeParallel(c.decide))
		}
	}
	base, baseParallel := median(contenders[0].serial), median(contenders[0].parallel)
	print := table("decision in process, 25 % of 10,000 users", "ns", "ns on two cores", "allocations", "times ours", "goal")
	for _, c := range contenders {
		i := 0
		allocations := testing.AllocsPerRun(1000, func() { c.decide(users[i%len(users)]); i++ })
		ratio := float64(median(c.serial)) / float64(base)
		goal := "–"
		if c.goal > 0 {
			goal = fmt.Sprintf("≥ %.0f", c.goal)
			if least := min(ratio, float64(median(c.parallel))/float64(baseParallel)); least < c.goal {
				t.Errorf("%s takes %.1f times as long as nlpcanary, and %.0f is the goal", c.name, least, c.goal)
			}
		}
		print(c.name, fmt.Sprint(median(c.serial).Nanoseconds()), fmt.Sprint(median(c.parallel).Nanoseconds()), fmt.Sprintf("%.0f", allocations), fmt.Sprintf("%.1f", ratio), goal)
	}
}

// wantShare checks that the contender is set up for the question: about 25 % of users,
// and always the same.
func wantShare(t *testing.T, c *contender) {
	t.Helper()
	n := 0
	for _, id := range users {
		is := c.decide(id)
		if is {
			n++
		}
		if c.decide(id) != is {
			t.Fatalf("%s changed its mind about %s", c.name, id)
		}
	}
	if share := 100 * float64(n) / float64(len(users)); share < percent-2 || share > percent+2 {
		t.Fatalf("%s gives %.1f %%, not 25 %%", c.name, share)
	}
}

var sink bool

func timeSerial(decide func(string) bool) time.Duration {
	began := time.Now()
	for i := range each {
		sink = decide(users[i%len(users)])
	}
	return time.Since(began) / each
}

func timeParallel(decide func(string) bool) time.Duration {
	began := time.Now()
	var all sync.WaitGroup
	for core := range 2 {
		all.Go(func() {
			for i := range each / 2 {
				decide(users[(core*each/2+i)%len(users)])
			}
		})
	}
	all.Wait()
	return time.Since(began) / each
}

func median(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// table returns what prints a row of a Markdown table, after its head.
func table(title string, columns ...string) (row func(cells ...string)) {
	fmt.Printf("\n| %s |\n|%s\n", strings.Join(append([]string{title}, columns...), " | "), strings.Repeat("---|", len(columns)+1))
	return func(cells ...string) { fmt.Printf("| %s |\n", strings.Join(cells, " | ")) }
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// authority is a source of truth that always answers: what is measured is deciding.
type authority struct{ state rollout.State }

func (a *authority) Renew(context.Context, follow.Heartbeat) (follow.Renewal, error) {
	return follow.Renewal{Version: follow.Version{Lineage: 1, Revision: a.state.Revision}, State: &a.state}, nil
}

func (a *authority) Watch(ctx context.Context, _ func()) error {
	<-ctx.Done()
	return ctx.Err()
}

func (a *authority) Leave(context.Context, string) error { return nil }

func newOurs(t *testing.T, cacheSlots int) func(string) bool {
	t.Helper()
	state := rollout.Initial(time.Now())
	state.Rollout.Stage, state.Rollout.Percentage = rollout.Expanded, rollout.Expanded.Percentage()
	f := follow.Start(follow.Config{Source: &authority{state}, Instance: "bench", CacheSlots: cacheSlots, Logger: quiet()})
	t.Cleanup(func() { _ = f.Close() })
	if err := f.WaitValid(t.Context()); err != nil {
		t.Fatal(err)
	}
	return func(id string) bool { return f.Decide(rollout.UserID(id)).Variant == rollout.New }
}

// newGoFeatureFlag is set up as its README says, with a local file and no exporter, so
// that no usage data is collected.
func newGoFeatureFlag(t *testing.T) func(string) bool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flags.yaml")
	if err := os.WriteFile(path, []byte(goFeatureFlags(percent)), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := ffclient.New(ffclient.Config{PollingInterval: time.Minute, Retriever: &fileretriever.Retriever{Path: path}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return func(id string) bool {
		is, err := client.BoolVariation(flagName, ffcontext.NewEvaluationContext(id), false)
		if err != nil {
			panic(err)
		}
		return is
	}
}

const flagName = "use-new-nlp"

// goFeatureFlags is the flag in go-feature-flag's file format.
func goFeatureFlags(percent int) string {
	return fmt.Sprintf("%s:\n  variations:\n    old: false\n    new: true\n  defaultRule:\n    percentage:\n      old: %d\n      new: %d\n", flagName, 100-percent, percent)
}

// newUnleash is set up with the strategy for gradual rollouts, metrics switched off,
// and a server that answers from memory: after the first answer it decides from memory,
// as with its bootstrap storage.
func newUnleash(t *testing.T) func(string) bool {
	t.Helper()
	features := fmt.Sprintf(`{"version": 2, "features": [{"name": %q, "type": "release", "enabled": true, "strategies": [
		{"name": "flexibleRollout", "parameters": {"rollout": "%d", "stickiness": "userId", "groupId": %q}}]}]}`, flagName, percent, flagName)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/client/features") {
			fmt.Fprint(w, features)
		}
	}))
	t.Cleanup(server.Close)
	client, err := unleash.NewClient(unleash.WithAppName("bench"), unleash.WithUrl(server.URL+"/api/"), unleash.WithListener(&unleash.NoopListener{}),
		unleash.WithDisableMetrics(true), unleash.WithRefreshInterval(time.Minute), unleash.WithBackupPath(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	client.WaitForReady()
	return func(id string) bool {
		return client.IsEnabled(flagName, unleash.WithContext(ucontext.Context{UserId: id}))
	}
}

// newGrowthBook is set up with the features in memory. The attributes are the client's,
// so each user has a child client, as its README shows.
func newGrowthBook(t *testing.T) func(string) bool {
	t.Helper()
	features := fmt.Sprintf(`{%q: {"defaultValue": false, "rules": [{"force": true, "coverage": %v, "hashAttribute": "id"}]}}`, flagName, float64(percent)/100)
	client, err := growthbook.NewClient(t.Context(), growthbook.WithJsonFeatures(features), growthbook.WithLogger(quiet()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	ctx := context.Background()
	return func(id string) bool {
		child, err := client.WithAttributes(growthbook.Attributes{"id": id})
		if err != nil {
			panic(err)
		}
		return child.EvalFeature(ctx, flagName).On
	}
}
