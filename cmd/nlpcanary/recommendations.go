package main

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/rollout"
)

type recommendationsCmd struct{}

// Run shows what to do next, and why.
func (recommendationsCmd) Run(ctx context.Context, s *session) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // nothing was written
	var advice api.Recommendations
	raw, err := c.get(ctx, canaryPath+"/recommendations", nil, &advice)
	if err != nil {
		return err
	}
	return s.answer(raw, func() { s.writeAdvice(advice) })
}

func (s *session) writeAdvice(advice api.Recommendations) {
	fmt.Fprintf(s.stdout, "%s  at stage %s, risk %s\n\n%s\n", s.action(advice.Action),
		stageText(advice.CurrentStage, advice.CurrentPercentage), s.riskText(advice), printable(advice.Why))
	if p := advice.Prediction; p != nil {
		fmt.Fprintf(s.stdout, "\n%s\n", predictionText(*p))
	}
	t := table{header: []string{"", "OLD", "NEW", "CHANGE", "AT ANY LOOK", "VERDICT"}, right: map[int]bool{1: true, 2: true, 3: true, 4: true}}
	for _, v := range advice.Verdicts {
		if v.Verdict != "NO_DATA" {
			t.add(v.Metric, estimate(v.Metric, v.Old), estimate(v.Metric, v.New), changeText(v.Change), rangeText(v.Change), s.verdict(v.Verdict))
		}
	}
	if len(t.rows) > 0 {
		fmt.Fprintln(s.stdout)
		t.write(s.stdout, s.style, "  ")
	}
	fmt.Fprintln(s.stdout)
	notes := table{}
	for _, r := range advice.Recommendations {
		if r.Message != advice.Why {
			notes.add(s.style.strong(r.Type), s.risk(r.Priority), printable(r.Message))
		}
	}
	notes.write(s.stdout, s.style, "  ")
	fmt.Fprintf(s.stdout, "\n%s\n", s.style.quiet(printable(advice.Caveat)))
}

// action is the one thing to do, in a colour that says how urgent it is.
func (s *session) action(action string) string {
	word := strings.ToUpper(action)
	switch action {
	case "rollback":
		return s.style.bad(word)
	case "hold":
		return s.style.warn(word)
	case "advance":
		return s.style.good(word)
	}
	return s.style.strong(word)
}

func (s *session) riskText(advice api.Recommendations) string {
	text := s.risk(advice.RiskLevel)
	if p := advice.RiskProbability; p != nil {
		text += fmt.Sprintf(" (%.0f %%)", 100**p)
	}
	return text
}

func (s *session) verdict(verdict string) string {
	switch verdict {
	case "HARM":
		return s.style.bad(verdict)
	case "WORSE":
		return s.style.warn(verdict)
	case "SAFE":
		return s.style.good(verdict)
	}
	return verdict
}

// estimate writes a metric's value in its unit.
func estimate(metric string, i *api.Interval) string {
	if i == nil || i.Estimate == nil {
		return unmeasured
	}
	switch v := *i.Estimate; metric {
	case "errors", "timeouts", "slow":
		return fmt.Sprintf("%.2f %%", 100*v)
	case "processing_time", "mean_processing_time":
		return fmt.Sprintf("%.1f ms", v)
	case "f1", "gold_f1":
		return fmt.Sprintf("%.3f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func changeText(i *api.Interval) string {
	if i == nil || i.Estimate == nil {
		return unmeasured
	}
	return fmt.Sprintf("%+.0f %%", 100**i.Estimate)
}

func rangeText(i *api.Interval) string {
	if i == nil || i.Low == nil && i.High == nil {
		return unmeasured
	}
	end := func(v *float64) string {
		if v == nil {
			return "…"
		}
		return fmt.Sprintf("%+.0f", 100**v)
	}
	return end(i.Low) + " to " + end(i.High) + " %"
}

// predictionText says when the stage will be decided.
func predictionText(p api.Prediction) string {
	what := "An advance may be decided (by " + p.Metric + ", the last guardrail)"
	if p.Outcome == "rollback" {
		what = "A rollback may be decided (by " + p.Metric + ")"
	}
	number := func(v *float64) string {
		if v == nil {
			return "many"
		}
		return countText(int64(math.Ceil(*v)))
	}
	text := fmt.Sprintf("%s after about %s more texts on new (80 %% band: %s to %s)", what,
		number(p.Requests.Estimate), number(p.Requests.Low), number(p.Requests.High))
	if p.Seconds != nil && p.Seconds.Estimate != nil {
		text += ", about " + rollout.Span(time.Duration(*p.Seconds.Estimate*float64(time.Second))) + " at the present traffic"
	}
	return text + "."
}

// risk colours a risk level or a priority.
func (s *session) risk(level string) string {
	switch level {
	case "critical", "high":
		return s.style.bad(level)
	case "medium":
		return s.style.warn(level)
	case "low":
		return s.style.good(level)
	}
	return level
}
