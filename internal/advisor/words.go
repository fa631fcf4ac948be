package advisor

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/nlpcanary/nlpcanary/internal/evidence"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// names are for people.
var metricNames = map[evidence.Metric]string{
	evidence.Errors:         "the error rate",
	evidence.Timeouts:       "the timeout rate",
	evidence.ProcessingTime: "the typical processing time",
	evidence.MeanTime:       "the mean processing time",
	evidence.Slow:           "the share of slow texts",
	evidence.Quality:        "the quality",
	evidence.F1:             "the F1 score",
	evidence.GoldF1:         "the F1 score on the gold set",
	evidence.Descriptions:   "the descriptions found per text",
}

func names(list []evidence.Metric) string {
	var words []string
	for _, m := range list {
		words = append(words, metricNames[m])
	}
	return strings.Join(words, ", ")
}

// value writes a metric's value in its own unit.
func value(m evidence.Metric, v float64) string {
	switch m {
	case evidence.Errors, evidence.Timeouts, evidence.Slow:
		return fmt.Sprintf("%.2f %%", 100*v)
	case evidence.ProcessingTime, evidence.MeanTime:
		return fmt.Sprintf("%.1f ms", v)
	case evidence.F1, evidence.GoldF1:
		return fmt.Sprintf("%.3f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// Words is what the evidence says of one metric, in a sentence that a tired person
// understands.
func (in Input) Words(f evidence.Finding) string {
	name := metricNames[f.Metric]
	text := strings.ToUpper(name[:1]) + name[1:]
	switch {
	case f.New == nil || math.IsNaN(f.New.Estimate):
		return text + " was not measured on new."
	case f.Metric == evidence.Timeouts:
		text += fmt.Sprintf(" on new is %s, the limit is %s", value(f.Metric, f.New.Estimate), value(f.Metric, in.State.Settings.RollbackTimeoutRate))
		if f.Old != nil && !math.IsNaN(f.Old.Estimate) {
			text += ", old's is " + value(f.Metric, f.Old.Estimate)
		}
	case f.Old == nil || math.IsNaN(f.Old.Estimate):
		return text + fmt.Sprintf(" on new is %s; there is nothing on old to compare it with.", value(f.Metric, f.New.Estimate))
	default:
		text += fmt.Sprintf(" is %s on new against %s on old", value(f.Metric, f.New.Estimate), value(f.Metric, f.Old.Estimate))
		if f.Change != nil && !math.IsNaN(f.Change.Estimate) {
			text += fmt.Sprintf(" (%+.0f %%", 100*f.Change.Estimate)
			if low, high := f.Change.Low, f.Change.High; !math.IsInf(low, 0) && !math.IsInf(high, 0) {
				text += fmt.Sprintf("; %+.0f to %+.0f %% at any look", 100*low, 100*high)
			}
			text += ")"
		}
	}
	return text + ": " + verdictWords(f) + "."
}

func verdictWords(f evidence.Finding) string {
	has := func(r evidence.Reason) bool { return slices.Contains(f.Reasons, r) }
	switch f.Verdict {
	case evidence.Harm:
		return "proven harm, " + strength(f.LogHarm, f.HarmLimit)
	case evidence.Worse:
		if has(evidence.InsideLimit) {
			return "proven worse, but inside the rollback limit, " + strength(f.LogHarm, f.HarmLimit)
		}
		return "proven worse, " + strength(f.LogHarm, f.HarmLimit)
	case evidence.Safe:
		return "proven safe, " + strength(f.LogSafe, f.SafeLimit)
	case evidence.NoData:
		return "not enough was measured to judge"
	}
	switch {
	case has(evidence.FewUsers):
		return fmt.Sprintf("not decided: too few independent users (worth %.0f equally busy ones)", f.NewEffective)
	case has(evidence.FewRequests):
		return fmt.Sprintf("not decided: only %d texts on new", f.NewRequests)
	case has(evidence.GainNotShown):
		return "not worse, but the gain that an advance asks for is not shown"
	}
	return "not decided yet"
}

// strength writes an e-value against its limit: how many times more likely the data
// are than without the effect, however often one looked.
func strength(logE, limit float64) string {
	return fmt.Sprintf("evidence %s against the %s that are needed", times(logE), times(limit))
}

func times(log float64) string {
	if log > math.Log(1e6) {
		return fmt.Sprintf("10^%.0f", log/math.Ln10)
	}
	return fmt.Sprintf("%.3g", math.Exp(log))
}

// findings puts every verdict that decides something into words, and what is open of
// the guardrails.
func (c situation) findings() []Item {
	var list []Item
	if !c.exposed() && c.State.Rollout.Stage > rollout.Disabled {
		return nil // the kill switch is off: nothing is measured
	}
	for _, f := range c.Report.Findings {
		item := Item{Kind: KindInfo, Priority: PriorityLow, Message: c.Words(f)}
		switch f.Verdict {
		case evidence.Harm:
			item.Kind, item.Priority = KindHold, PriorityCritical
		case evidence.Worse:
			item.Kind, item.Priority = KindHold, PriorityHigh
		case evidence.NoData:
			continue
		}
		list = append(list, item)
	}
	return list
}

// Evidence is the numbers behind the advice, short enough for the audit trail.
func (in Input) Evidence() string {
	var b strings.Builder
	fmt.Fprintf(&b, "combined ln E %.2f of %.2f", in.Report.Combined.LogE, in.Report.Combined.Limit)
	for _, f := range in.Report.Findings {
		if f.Verdict == evidence.NoData {
			continue
		}
		fmt.Fprintf(&b, "; %s %s", f.Metric, f.Verdict)
		if f.Change != nil && !math.IsNaN(f.Change.Estimate) {
			fmt.Fprintf(&b, " %+.1f %%", 100*f.Change.Estimate)
		}
		fmt.Fprintf(&b, " ln E %.2f of %.2f, n %d/%d", f.LogHarm, f.HarmLimit, f.OldRequests, f.NewRequests)
	}
	return b.String()
}
