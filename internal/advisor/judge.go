package advisor

import (
	"github.com/nlpcanary/nlpcanary/internal/evidence"
)

// Judge judges the input's window under the settings that stand, with what finished
// rollouts did to each metric and what both architectures made of labelled texts.
func (in *Input) Judge(past map[evidence.Metric][]evidence.PastEffect, gold []evidence.GoldPair) {
	plan := evidence.NewPlan(in.State.Settings, in.State.Rollout.Stage)
	plan.Priors = map[evidence.Metric]evidence.Prior{}
	in.Learned = 0
	for m, effects := range past {
		if p := evidence.LearnPrior(effects); p.Rollouts > 0 {
			plan.Priors[m] = p
			in.Learned = max(in.Learned, p.Rollouts)
		}
	}
	if p, learned := plan.Priors[evidence.Errors]; learned {
		plan.ErrorWeights = p.RatioWeights()
	}
	share := float64(in.State.EffectivePercentage()) / 100
	if share == 1 {
		share = 0 // there is no split to test
	}
	in.Report = evidence.Judge(evidence.Input{Window: &in.Window, Share: share, Gold: gold}, plan)
}
