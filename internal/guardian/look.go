package guardian

import (
	"context"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/advisor"
	"github.com/nlpcanary/nlpcanary/internal/evidence"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Source is where a look finds what it judges; [store.Store] is one.
type Source interface {
	State(ctx context.Context) (rollout.State, error)
	Window(ctx context.Context, query store.OutcomeQuery) (outcome.Window, error)
	Effects(ctx context.Context) ([]store.Effect, error)
	GoldPairs(ctx context.Context, rollout string) ([]outcome.Pair, error)
}

// Look reads the state and what was measured in the present epoch, judges it and
// advises: what the guardian does at each tick, and the API when it is asked.
func Look(ctx context.Context, source Source, at time.Time) (advisor.Input, advisor.Advice, error) {
	in := advisor.Input{At: at}
	var err error
	if in.State, err = source.State(ctx); err != nil {
		return in, advisor.Advice{}, err
	}
	r := in.State.Rollout
	if in.Window, err = source.Window(ctx, store.OutcomeQuery{Rollout: r.Name, Epoch: r.Epoch}); err != nil {
		return in, advisor.Advice{}, err
	}
	effects, err := source.Effects(ctx)
	if err != nil {
		return in, advisor.Advice{}, err
	}
	past := map[evidence.Metric][]evidence.PastEffect{}
	for _, e := range effects {
		m := evidence.Metric(e.Metric)
		past[m] = append(past[m], evidence.PastEffect{LogRatio: e.LogRatio, StdErr: e.StdErr})
	}
	gold, err := source.GoldPairs(ctx, r.Name)
	if err != nil {
		return in, advisor.Advice{}, err
	}
	in.Judge(past, gold)
	return in, advisor.Recommend(in), nil
}
