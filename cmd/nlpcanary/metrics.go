package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/nlpcanary/nlpcanary/internal/api"
)

type metricsCmd struct {
	Window string `enum:"stage,rollout" default:"stage" placeholder:"NAME" help:"Since the present stage began (stage) or the rollout did (rollout)."`
	Region string `placeholder:"NAME" help:"Only this region."`
	From   string `placeholder:"TIME" help:"Only from this time on, such as 2030-01-02T15:04:05Z."`
	To     string `placeholder:"TIME" help:"Only before this time."`
}

// query is what the API is asked for.
func (cmd metricsCmd) query() url.Values {
	values := url.Values{"window": {cmd.Window}}
	for name, value := range map[string]string{"region": cmd.Region, "from": cmd.From, "to": cmd.To} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// Run compares the two architectures.
func (cmd metricsCmd) Run(ctx context.Context, s *session) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // nothing was written
	var metrics api.Metrics
	raw, err := c.get(ctx, canaryPath+"/metrics", cmd.query(), &metrics)
	if err != nil {
		return err
	}
	return s.answer(raw, func() {
		fmt.Fprintf(s.stdout, "%s  since %s (%s)\n\n", s.style.strong(metrics.Rollout), timeText(metrics.Since), metrics.Window)
		writeComparison(s, metrics.OldArchitecture, metrics.NewArchitecture)
	})
}

// writeComparison shows the architectures side by side. What has not been measured
// is a dash.
func writeComparison(s *session, old, new api.ArchitectureMetrics) {
	t := table{header: []string{"", "OLD " + old.Name, "NEW " + new.Name}, right: map[int]bool{1: true, 2: true}}
	row := func(name string, text func(api.ArchitectureMetrics) string) {
		t.add(name, text(old), text(new))
	}
	number := func(of func(api.ArchitectureMetrics) *float64, format string, scale float64) func(api.ArchitectureMetrics) string {
		return func(m api.ArchitectureMetrics) string {
			value := of(m)
			if value == nil {
				return unmeasured
			}
			return fmt.Sprintf(format, *value*scale)
		}
	}
	row("texts processed", func(m api.ArchitectureMetrics) string { return countText(m.TotalProcessed) })
	row("users", func(m api.ArchitectureMetrics) string { return countOr(m.Users) })
	row("descriptions found", func(m api.ArchitectureMetrics) string { return countOr(m.Descriptions) })
	row("errors", number(func(m api.ArchitectureMetrics) *float64 { return m.ErrorRate }, "%.2f %%", 100))
	row("timeouts", number(func(m api.ArchitectureMetrics) *float64 { return m.TimeoutRate }, "%.2f %%", 100))
	row("time, mean", number(func(m api.ArchitectureMetrics) *float64 { return m.AvgProcessingTimeMS }, "%.2f ms", 1))
	row("time, p50", number(func(m api.ArchitectureMetrics) *float64 { return m.P50ProcessingTimeMS }, "%.2f ms", 1))
	row("time, p95", number(func(m api.ArchitectureMetrics) *float64 { return m.P95ProcessingTimeMS }, "%.2f ms", 1))
	row("time, p99", number(func(m api.ArchitectureMetrics) *float64 { return m.P99ProcessingTimeMS }, "%.2f ms", 1))
	row("quality, 1 to 10", number(func(m api.ArchitectureMetrics) *float64 { return m.AvgQualityScore }, "%.2f", 1))
	on := ""
	if old.F1Source != nil && *old.F1Source == "gold" {
		on = ", on gold"
	}
	row("F1"+on, number(func(m api.ArchitectureMetrics) *float64 { return m.F1Score }, "%.3f", 1))
	row("precision"+on, number(func(m api.ArchitectureMetrics) *float64 { return m.Precision }, "%.3f", 1))
	row("recall"+on, number(func(m api.ArchitectureMetrics) *float64 { return m.Recall }, "%.3f", 1))
	row("texts labelled", func(m api.ArchitectureMetrics) string { return countText(m.Labelled) })
	t.write(s.stdout, s.style, "")
}
