package evidence

import (
	"encoding/json"
	"math"
)

// Verdict is what the evidence says of one metric.
type Verdict string

// The verdicts.
const (
	Harm      Verdict = "HARM"      // proven worse, and the estimate is past the rollback limit
	Worse     Verdict = "WORSE"     // proven worse, but the estimate is inside the rollback limit, or there is none
	Safe      Verdict = "SAFE"      // proven to be within the margin of safety
	Undecided Verdict = "UNDECIDED" // not enough evidence either way
	NoData    Verdict = "NO_DATA"   // not measured, or nothing to compare with
)

// Reason is why a verdict is what it is, for programs to put into words.
type Reason string

// The reasons.
const (
	NothingOnNew   Reason = "nothing_on_new"   // new's cohort has no data for the metric
	NothingOnOld   Reason = "nothing_on_old"   // there is nothing to compare with
	FewRequests    Reason = "too_few_requests" // fewer than a test of means needs to begin
	FewUsers       Reason = "too_few_independent_users"
	ProvenWorse    Reason = "proven_worse"          // E reached its limit
	PastLimit      Reason = "estimate_past_limit"   // past the rollback limit
	InsideLimit    Reason = "estimate_inside_limit" // proven worse, but not by that much
	ProvenTogether Reason = "proven_together"       // the combined evidence is proof, this metric's alone is not
	OldToo         Reason = "old_is_past_limit_too" // rolling back would not help
	ProvenSafe     Reason = "proven_safe"
	GainNotShown   Reason = "gain_not_shown"          // better, but by less than what an advance asks for
	NotFrozen      Reason = "slow_not_defined_yet"    // no 95th percentile of old was frozen yet
	Exaggerated    Reason = "estimate_is_exaggerated" // as any estimate at the moment of stopping
)

// Interval is an estimate with bounds that hold at every look at once, with a confidence
// of 1 - AlphaInterval. A bound that the data does not give is infinite, an estimate NaN;
// both are null in JSON.
type Interval struct{ Estimate, Low, High float64 }

// MarshalJSON writes null for what is not finite.
func (i Interval) MarshalJSON() ([]byte, error) {
	return marshalFinite(map[string]float64{"estimate": i.Estimate, "low": i.Low, "high": i.High})
}

func marshalFinite(values map[string]float64) ([]byte, error) {
	out := make(map[string]*float64, len(values))
	for key, v := range values {
		out[key] = finite(v)
	}
	return json.Marshal(out)
}

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// Finding is what the evidence says of one metric.
type Finding struct {
	Metric  Metric
	Verdict Verdict
	Reasons []Reason

	// Old and New are the cohorts' own values: a share of requests, milliseconds,
	// marks, F1, or descriptions per text; nil if not measured. Difference is new less
	// old in the same unit; nil for ProcessingTime, a geometric mean.
	Old, New, Difference *Interval
	// Change is new relative to old, less 1; nil without both. For errors and slow
	// requests it is the Mantel-Haenszel ratio over minutes and regions, which
	// may differ from New/Old - 1 where the mix changed.
	Change *Interval

	// LogHarm and LogSafe are ln E against "not worse" and against "not within the
	// margin of safety". HarmLimit and SafeLimit are what they must reach:
	// ln(1/(weight alpha)), with weight 1 for a metric without weight, and ln(1/alpha).
	LogHarm, HarmLimit float64
	LogSafe, SafeLimit float64
	// Past says that the estimate is past the rollback limit.
	Past bool

	// DesignEffect is by how much requests of the same user inflate the variance; 1 for
	// the tests of means, which need none.
	DesignEffect float64
	// Requests on old and new that the metric was measured on, and how many equally
	// busy users they are worth.
	OldRequests, NewRequests   int64
	OldEffective, NewEffective float64

	// Effect is the logarithm of new's value over old's with its standard error: what a
	// finished rollout leaves for the next one's Prior. Nil without both.
	Effect *PastEffect
	// Risk is the posterior probability that the effect is past its rollback limit; nil
	// if nothing was measured. A forecast, not a proof.
	Risk *float64
	// ToHarm and ToSafe forecast when this metric alone will be decided; nil where it
	// cannot be said.
	ToHarm, ToSafe *Forecast
}

// Combined is the evidence of harm over all metrics: sum_m w_m E_m, an average of
// e-values and so an e-value under any dependence.
type Combined struct {
	// LogE is its logarithm, Limit is ln(1/alpha).
	LogE, Limit float64
	// Proven says that LogE reached Limit.
	Proven bool
	// Trigger is the metric that the proof rests on; empty if nothing is proven.
	Trigger Metric
	// Rollback says that harm is proven and the trigger's estimate is past its limit.
	// Proven without Rollback is a reason to hold.
	Rollback bool
}

// Split is the test of the sample ratio: are users split as designed?
type Split struct {
	// Share is new's share of users by design; 0 if there is no single one.
	Share float64
	// OldUsers and NewUsers are estimates, to within 1.6 %.
	OldUsers, NewUsers int64
	LogE, Limit        float64
	// Mismatch is an alarm: the assignment or the counting is broken, and comparisons
	// of the cohorts may mislead. It is a reason to hold, and never masks a rollback.
	Mismatch bool
}

// Report is what the evidence says.
type Report struct {
	// Findings are in the order of [Metrics], one for each.
	Findings []Finding
	Combined Combined
	Split    Split
	// Risk is the greatest of the findings'; nil if nothing was measured.
	Risk *float64
	// Decision forecasts when this stage will be decided; nil if it is (everything is
	// proven safe) or if it cannot be said, as without any labels.
	Decision *Decision
}

// Finding is the one of a metric.
func (r *Report) Finding(m Metric) *Finding {
	for i := range r.Findings {
		if r.Findings[i].Metric == m {
			return &r.Findings[i]
		}
	}
	return nil
}

// Unproven lists the guardrails that are not SAFE yet. F1 is safe if F1 or GoldF1 is,
// and the other one is not worse.
func (r *Report) Unproven() []Metric {
	var list []Metric
	for _, m := range Guardrails() {
		if !r.safe(m) {
			list = append(list, m)
		}
	}
	return list
}

func (r *Report) safe(m Metric) bool {
	v := r.Finding(m).Verdict
	if m != F1 {
		return v == Safe
	}
	gold := r.Finding(GoldF1).Verdict
	bad := func(v Verdict) bool { return v == Harm || v == Worse }
	return (v == Safe || gold == Safe) && !bad(v) && !bad(gold)
}
