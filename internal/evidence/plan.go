package evidence

import "github.com/nlpcanary/nlpcanary/rollout"

// Metric is what is compared between the two architectures.
type Metric string

// The metrics.
const (
	Errors   Metric = "errors"   // errors per request
	Timeouts Metric = "timeouts" // timeouts per request on new, against a fixed limit
	// ProcessingTime is the typical (geometric mean) time: the more powerful contrast,
	// and not moved by a few very long ones. MeanTime and Slow watch those.
	ProcessingTime Metric = "processing_time"
	MeanTime       Metric = "mean_processing_time" // the arithmetic mean
	Slow           Metric = "slow"                 // requests slower than 1.3 x the frozen 95th percentile of old
	Quality        Metric = "quality"              // mean of the quality marks, 1 to 10
	F1             Metric = "f1"                   // from feedback on what users sent
	GoldF1         Metric = "gold_f1"              // from labelled texts that both architectures read
	Descriptions   Metric = "descriptions"         // descriptions per text; no guardrail
)

// Metrics lists all metrics in the order in which people should see them.
func Metrics() []Metric {
	return []Metric{Errors, Timeouts, F1, GoldF1, Quality, ProcessingTime, MeanTime, Slow, Descriptions}
}

// Plan is what was decided before the data: alphas, limits, margins and weights. Validity
// rests on its not being changed in reaction to a stage's data while that stage stands.
type Plan struct {
	// Alpha is the probability with which harm may be found at this stage where there
	// is none, over all metrics together and however often one looks.
	Alpha float64
	// AlphaSafe is the same for finding safe what is past its margin. Everything must
	// be found safe before an advance, so each metric has it for itself.
	AlphaSafe float64
	// AlphaInterval is 1 less the confidence of the intervals, at all looks together.
	AlphaInterval float64
	// AlphaSplit is for the sample ratio mismatch.
	AlphaSplit float64

	// Weights of the metrics in the combined evidence of harm; their sum is at most 1.
	// A metric that is not here is shown, and can be WORSE, but never rolls back.
	Weights map[Metric]float64
	// ErrorWeights are those of the ratios 1.25, 1.5, 2, 3, 5 and 10 in the test of
	// errors; see [Prior.RatioWeights]. Their sum is 1.
	ErrorWeights [6]float64

	// Rollback limits, as new's value relative to old's: past them, harm that is
	// proven is HARM, else it is WORSE.
	RollbackErrors  float64 // 1.5: half as many errors again
	RollbackTime    float64 // 1.3; for the typical and the mean time
	RollbackF1      float64 // .95
	RollbackQuality float64 // .95
	// TimeoutRate is the greatest rate of timeouts on new; absolute.
	TimeoutRate float64

	// Margins of safety, relative to old: what must be proven before an advance.
	SafeErrors float64 // 1.25
	SafeTime   float64 // 1.3; for the typical and the mean time, and how often requests are slow
	// SafeF1Gain is the gain that the estimate of F1 must show, with a lower bound above
	// no change; 0 asks only for proof that F1 is above its rollback limit.
	SafeF1Gain float64

	// Priors are what past rollouts taught of each metric. They move forecasts and
	// risk, never a verdict.
	Priors map[Metric]Prior

	broken without
}

// defaultWeights are .5 errors, .2 timeouts, .2 F1, .1 latency or quality. The parts of
// F1 and of the last share theirs: an average of e-values is an e-value.
func defaultWeights() map[Metric]float64 {
	return map[Metric]float64{
		Errors: .5, Timeouts: .2,
		F1: .1, GoldF1: .1,
		ProcessingTime: .04, Slow: .03, Quality: .03,
	}
}

// NewPlan is the plan that an installation's settings make for a stage.
func NewPlan(s rollout.Settings, stage rollout.Stage) Plan {
	return Plan{
		Alpha: s.AlphaOf(stage), AlphaSafe: .05, AlphaInterval: .05, AlphaSplit: .001,
		Weights: defaultWeights(), ErrorWeights: defaultRatioWeights,
		RollbackErrors: 1 + s.RollbackErrorIncrease, RollbackTime: 1 + s.RollbackTimeIncrease,
		RollbackF1: 1 - s.RollbackF1Drop, RollbackQuality: 1 - s.RollbackQualityDrop,
		TimeoutRate: s.RollbackTimeoutRate,
		SafeErrors:  1 + s.SafeErrorIncrease, SafeTime: 1 + s.SafeTimeIncrease, SafeF1Gain: s.SafeF1Gain,
	}
}

// Guardrails are the metrics that must be SAFE before an advance. F1 is served by either
// of F1 and GoldF1, see [Report.Unproven].
func Guardrails() []Metric { return []Metric{Errors, Timeouts, ProcessingTime, MeanTime, F1} }
