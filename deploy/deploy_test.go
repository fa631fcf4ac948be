package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/server"
)

const (
	rules     = "prometheus/nlpcanary.rules.yml"
	ruleTests = "prometheus/nlpcanary.rules_test.yml"
	dashboard = "grafana/nlpcanary.json"
)

func promtool(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Fatal("promtool is missing; scripts/test installs it, or: apt-get install prometheus")
	}
	out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestRules(t *testing.T) {
	promtool(t, "check", "rules", rules)
	promtool(t, "test", "rules", ruleTests)
}

// queries are the dashboard's expressions.
func queries(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(dashboard)
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Annotations struct{ List []struct{ Expr string } }
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, p := range board.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("the panel %q asks nothing", p.Title)
		}
		for _, target := range p.Targets {
			list = append(list, target.Expr)
		}
	}
	for _, a := range board.Annotations.List {
		list = append(list, a.Expr)
	}
	return list
}

// Prometheus understands every query of the dashboard.
func TestDashboardQueries(t *testing.T) {
	var file strings.Builder
	file.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	for i, expr := range queries(t) {
		quoted, err := json.Marshal(strings.ReplaceAll(expr, "$__rate_interval", "5m"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&file, "      - record: dashboard:query:%d\n        expr: %s\n", i, quoted)
	}
	path := filepath.Join(t.TempDir(), "queries.yml")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", path)
}

var metricName = regexp.MustCompile(`\bnlpcanary[a-z0-9_:]+`)

// What rules and dashboard ask for, a server really has, or a rule records.
func TestMetricsExist(t *testing.T) {
	text, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	exported := scrape(t)
	known := func(name string) bool {
		if strings.Contains(name, ":") {
			return strings.Contains(string(text), "record: "+name+"\n")
		}
		return strings.Contains(exported, "# TYPE "+strings.TrimSuffix(name, "_bucket")+" ")
	}
	used := metricName.FindAllString(strings.Join(queries(t), "\n"), -1)
	for _, line := range strings.Split(string(text), "\n") {
		if !strings.Contains(line, "summary:") && !strings.Contains(line, "description:") && !strings.Contains(line, "name:") {
			used = append(used, metricName.FindAllString(line, -1)...)
		}
	}
	slices.Sort(used)
	used = slices.Compact(used)
	if len(used) < 15 {
		t.Fatalf("only %d metrics are used: %v", len(used), used)
	}
	for _, name := range used {
		// These are there only while there is something to count, or a notifier.
		if name == "nlpcanary_alert_firing" || name == "nlpcanary_notifications_total" || name == "nlpcanary_extractions_total" || name == "nlpcanary_extraction_duration_seconds_bucket" {
			continue
		}
		if !known(name) {
			t.Errorf("no server exports %s", name)
		}
	}
}

// scrape is what a server that leads the guardian tells Prometheus.
func scrape(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- server.Run(ctx, server.Config{
			Database: "sqlite:" + filepath.Join(t.TempDir(), "test.db"), Addr: "127.0.0.1:0", GuardianEvery: 10 * time.Millisecond,
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Ready: func(url, _ string) { ready <- url },
		})
	}()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	var url string
	select {
	case url = <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "nlpcanary_evidence_log{") {
			return string(text)
		}
		if time.Now().After(deadline) {
			t.Fatalf("the guardian does not lead:\n%s", text)
		}
	}
}
