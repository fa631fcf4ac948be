package guardian

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/evidence"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// finished is a rollout that is over.
type finished struct {
	name    string
	endedAt time.Time
}

// learn keeps the effects of each rollout that is over, those rolled back too, for
// the forecasts of the next ones.
func (g *Guardian) learn(ctx context.Context, s sight) error {
	var over []finished
	for _, p := range s.State.Past {
		over = append(over, finished{p.Name, p.EndedAt})
	}
	if r := s.State.Rollout; r.Finalised {
		over = append(over, finished{r.Name, r.UpdatedAt})
	}
	var failed error
	for _, one := range over {
		if g.learned[one.name] {
			continue
		}
		effects, err := effectsOf(ctx, g.config.Store, one)
		if err == nil && len(effects) > 0 {
			err = g.config.Store.PutEffects(ctx, effects)
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		g.learned[one.name] = true
		g.config.Logger.Info("learned from a finished rollout", "rollout", one.name, "metrics", len(effects))
	}
	return failed
}

// beginners are the actions that may begin an epoch.
var beginners = []rollout.Action{
	rollout.ActionInitialise, rollout.ActionStart, rollout.ActionAdvance, rollout.ActionRollback, rollout.ActionFlagSet, rollout.ActionFlagDirect,
}

// effectsOf is what a rollout did to each metric: the mean over its epochs, each
// weighted by its precision. Epochs share users, so the standard error is that of the
// most precise one alone, which is never too small.
func effectsOf(ctx context.Context, source Store, over finished) ([]store.Effect, error) {
	type sum struct{ weight, weighted, best float64 }
	sums := map[evidence.Metric]*sum{}
	for _, action := range beginners {
		entries, err := source.Audit(ctx, store.AuditQuery{Action: action, Limit: 1000})
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			w, err := source.Window(ctx, store.OutcomeQuery{Rollout: over.name, Epoch: entry.Revision})
			if err != nil {
				return nil, err
			}
			for _, f := range judgedAlone(&w) {
				if f.Effect == nil || !(f.Effect.StdErr > 0) || math.IsInf(f.Effect.LogRatio, 0) || math.IsNaN(f.Effect.LogRatio) {
					continue
				}
				at := sums[f.Metric]
				if at == nil {
					at = &sum{best: math.Inf(1)}
					sums[f.Metric] = at
				}
				weight := 1 / (f.Effect.StdErr * f.Effect.StdErr)
				at.weight += weight
				at.weighted += weight * f.Effect.LogRatio
				at.best = min(at.best, f.Effect.StdErr)
			}
		}
	}
	var effects []store.Effect
	for metric, s := range sums {
		effects = append(effects, store.Effect{Rollout: over.name, Metric: string(metric), LogRatio: s.weighted / s.weight, StdErr: s.best, EndedAt: over.endedAt})
	}
	slices.SortFunc(effects, func(a, b store.Effect) int { return cmp.Compare(a.Metric, b.Metric) })
	return effects, nil
}

// judgedAlone judges an epoch for its effects only: limits do not matter for them.
func judgedAlone(w *outcome.Window) []evidence.Finding {
	plan := evidence.NewPlan(rollout.DefaultSettings(), rollout.HalfRollout)
	return evidence.Judge(evidence.Input{Window: w}, plan).Findings
}
