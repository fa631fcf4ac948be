package api

import (
	"context"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func (a *API) goldRoutes() {
	handle(a, route{method: "GET", path: canary + "gold", id: "gold", needs: rollout.View,
		summary: "What both architectures made of the gold set",
		about:   "The runs of the present rollout. No user sent these texts, so they count for no cohort."}, a.goldRuns)
}

type goldInput struct {
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"10"`
}

type goldOutput struct{ Body GoldRuns }

func (a *API) goldRuns(ctx context.Context, in *goldInput) (*goldOutput, error) {
	state, err := a.config.Store.State(ctx)
	if err != nil {
		return nil, err
	}
	runs, err := a.config.Store.GoldRuns(ctx, state.Rollout.Name, in.Limit)
	if err != nil {
		return nil, err
	}
	body := GoldRuns{Rollout: state.Rollout.Name, Runs: []GoldRun{}}
	for _, r := range runs {
		old, canary := outcome.SumPairs(r.Pairs)
		body.Runs = append(body.Runs, GoldRun{
			At: r.At, Revision: r.Revision, Gold: r.Gold, Documents: len(r.Pairs), Failed: r.Failed,
			Old: goldScore(r.OldName, old), New: goldScore(r.NewName, canary),
		})
	}
	return &goldOutput{body}, nil
}

func goldScore(name string, l outcome.Labels) GoldScore {
	return GoldScore{
		Name: name, Correct: l.Correct, Wrong: l.Wrong, Missed: l.Missed,
		F1Score: l.F1(), Precision: l.Precision(), Recall: l.Recall(),
	}
}

// byGold fills in F1, precision and recall from the gold set where no user labelled a
// text of either architecture: side by side, both come from one source.
func byGold(old, canary *ArchitectureMetrics, pairs []outcome.Pair) {
	if len(pairs) == 0 || old.Labelled > 0 || canary.Labelled > 0 {
		return
	}
	source := "gold"
	oldLabels, newLabels := outcome.SumPairs(pairs)
	for _, one := range []struct {
		m *ArchitectureMetrics
		l outcome.Labels
	}{{old, oldLabels}, {canary, newLabels}} {
		one.m.F1Score, one.m.Precision, one.m.Recall, one.m.F1Source = one.l.F1(), one.l.Precision(), one.l.Recall(), &source
	}
}
