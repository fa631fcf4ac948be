package api

import (
	"context"
	"math"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/advisor"
	"github.com/nlpcanary/nlpcanary/internal/evidence"
	"github.com/nlpcanary/nlpcanary/internal/guardian"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func (a *API) recommendationRoutes() {
	handle(a, route{method: "GET", path: canary + "recommendations", id: "recommendations", needs: rollout.View,
		summary: "What to do next, and why",
		about:   "The verdicts are those of the present stage. They stay valid however often they are asked for."}, a.recommendations)
}

type recommendationsOutput struct{ Body Recommendations }

func (a *API) recommendations(ctx context.Context, _ *struct{}) (*recommendationsOutput, error) {
	in, advice, err := guardian.Look(ctx, lookout{a}, a.now())
	if err != nil {
		return nil, err
	}
	r := in.State.Rollout
	oldName, newName := a.names(r)
	body := Recommendations{
		CurrentStage: int(r.Stage), CurrentPercentage: int(r.Percentage),
		RiskLevel: string(advice.Risk), RiskProbability: advice.Probability,
		Action: string(advice.Action), Why: advice.Why, Recommendations: []Recommendation{}, Verdicts: []Verdict{},
		Split:      splitOf(in.Report.Split),
		Prediction: predictionOf(advice.Prediction), LearnedFrom: advice.Learned, Caveat: advice.Caveat,
		MetricsSummary: MetricsSummary{architecture(oldName, cohortOf(in.Window.Old)), architecture(newName, cohortOf(in.Window.New))},
		Timestamp:      in.At.UTC(),
	}
	pairs, err := a.config.Store.GoldPairs(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	byGold(&body.MetricsSummary.OldArchitecture, &body.MetricsSummary.NewArchitecture, pairs)
	c := in.Report.Combined
	body.Combined = Combined{LogE: c.LogE, Limit: c.Limit, Proven: c.Proven, Trigger: string(c.Trigger)}
	if advice.NextStage != nil {
		next := int(*advice.NextStage)
		body.NextStage = &next
	}
	for _, one := range advice.Items {
		body.Recommendations = append(body.Recommendations, Recommendation{string(one.Kind), string(one.Priority), one.Message})
	}
	if r.Stage == rollout.Disabled {
		if seen, err := a.shadowed(ctx, r.Name, r.Epoch); err == nil && seen.Sums.Pairs > 0 {
			body.Recommendations = append(body.Recommendations, Recommendation{string(advisor.KindInfo), string(advisor.PriorityLow), shadowWords(seen)})
		}
	}
	for _, f := range in.Report.Findings {
		body.Verdicts = append(body.Verdicts, verdictOf(f, in.Words(f)))
	}
	return &recommendationsOutput{Body: body}, nil
}

// lookout is where the advisor looks from here: at windows that many share.
type lookout struct{ api *API }

func (l lookout) State(ctx context.Context) (rollout.State, error) {
	return l.api.config.Store.State(ctx)
}

func (l lookout) Window(ctx context.Context, query store.OutcomeQuery) (outcome.Window, error) {
	return l.api.window(ctx, query)
}

func (l lookout) GoldPairs(ctx context.Context, rollout string) ([]outcome.Pair, error) {
	return l.api.config.Store.GoldPairs(ctx, rollout)
}

func (l lookout) Effects(ctx context.Context) ([]store.Effect, error) {
	return l.api.config.Store.Effects(ctx)
}

func verdictOf(f evidence.Finding, message string) Verdict {
	v := Verdict{
		Metric: string(f.Metric), Verdict: string(f.Verdict), Message: message, Reasons: []string{},
		Old: intervalOf(f.Old), New: intervalOf(f.New), Difference: intervalOf(f.Difference), Change: intervalOf(f.Change),
		LogEHarm: f.LogHarm, HarmLimit: f.HarmLimit, LogESafe: f.LogSafe, SafeLimit: f.SafeLimit, DesignEffect: f.DesignEffect,
		OldRequests: f.OldRequests, NewRequests: f.NewRequests, OldUsers: f.OldEffective, NewUsers: f.NewEffective, Risk: f.Risk,
	}
	for _, reason := range f.Reasons {
		v.Reasons = append(v.Reasons, string(reason))
	}
	return v
}

func intervalOf(i *evidence.Interval) *Interval {
	if i == nil {
		return nil
	}
	return &Interval{finite(i.Estimate), finite(i.Low), finite(i.High)}
}

// finite is nil for what JSON cannot say.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func splitOf(s evidence.Split) Split {
	return Split{Share: s.Share, OldUsers: s.OldUsers, NewUsers: s.NewUsers, LogE: s.LogE, Limit: s.Limit, Mismatch: s.Mismatch}
}

func predictionOf(p *advisor.Prediction) *Prediction {
	if p == nil {
		return nil
	}
	out := &Prediction{
		Outcome: string(advisor.KindAdvance), Metric: p.Metric,
		Requests: Interval{finite(p.Requests), finite(p.LowRequests), finite(p.HighRequests)},
	}
	if p.Harm {
		out.Outcome = string(advisor.KindRollback)
	}
	if p.Median > 0 {
		out.Seconds = &Interval{seconds(p.Median), seconds(p.Low), nil}
		if p.High > 0 {
			out.Seconds.High = seconds(p.High)
		}
	}
	return out
}

func seconds(d time.Duration) *float64 {
	s := d.Seconds()
	return &s
}
