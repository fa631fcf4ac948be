package api

import (
	"context"
	"fmt"

	"github.com/nlpcanary/nlpcanary/internal/evidence"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func (a *API) shadowRoutes() {
	handle(a, route{method: "GET", path: canary + "shadow", id: "shadow", needs: rollout.View,
		summary: "How new did on copies of old's requests",
		about:   "Sums over pairs: requests of old's users that new processed too, beside them. Bounds hold at every look. Nobody saw new's answers, so this is no ground for a verdict, but a look at new before anybody is on it."}, a.shadow)
}

type shadowInput struct {
	Window string `query:"window" enum:"stage,rollout" default:"stage" doc:"Since the present split of users began, or since the rollout began."`
}

type shadowOutput struct{ Body Shadow }

func (a *API) shadow(ctx context.Context, in *shadowInput) (*shadowOutput, error) {
	state, err := a.config.Store.State(ctx)
	if err != nil {
		return nil, err
	}
	r := state.Rollout
	body := Shadow{Rollout: r.Name, Stage: int(r.Stage), Window: in.Window, Since: r.StartedAt, Timestamp: a.now().UTC()}
	epoch := int64(0)
	if in.Window == "stage" {
		epoch, body.Since = r.Epoch, r.EpochSince
	}
	s, err := a.shadowed(ctx, r.Name, epoch)
	if err != nil {
		return nil, err
	}
	body.Pairs, body.Compared, body.Same = s.Sums.Pairs, s.Sums.Compared, s.Sums.SamePairs
	body.Added, body.Lost, body.Changed = s.Sums.Added, s.Sums.Lost, s.Sums.Changed
	body.OnlyOldFailed, body.OnlyNewFailed = s.Sums.OldFailedAlone, s.Sums.NewFailedAlone
	body.ErrorRate, body.TimeoutRate = differenceOf(s.Errors), differenceOf(s.Timeouts)
	body.ProcessingTimeMS, body.DescriptionsPerText = differenceOf(s.Time), differenceOf(s.Descriptions)
	return &shadowOutput{body}, nil
}

func (a *API) shadowed(ctx context.Context, name string, epoch int64) (evidence.Shadowed, error) {
	a.flush(ctx)
	pairs, err := a.config.Store.Shadows(ctx, name, epoch)
	if err != nil {
		return evidence.Shadowed{}, err
	}
	return evidence.Shadow(pairs, shadowAlpha), nil
}

// shadowWords tells of shadow traffic before anybody is on new.
func shadowWords(s evidence.Shadowed) string {
	words := fmt.Sprintf("In the shadow new processed %d of old's requests: new failed alone on %d, old alone on %d; new took %.1f ms on average against %.1f ms.",
		s.Sums.Pairs, s.Sums.NewFailedAlone, s.Sums.OldFailedAlone, s.Time.New, s.Time.Old)
	if d := s.Descriptions; d != nil {
		words += fmt.Sprintf(" It found %.2f descriptions a text against %.2f.", d.New, d.Old)
	}
	return words + " Nobody saw its answers: no ground for a verdict, but a look at new before anybody is on it."
}

// shadowAlpha is how often the bounds may be wrong at some look.
const shadowAlpha = .05

func differenceOf(d *evidence.PairedDifference) *PairedDifference {
	if d == nil {
		return nil
	}
	return &PairedDifference{Old: d.Old, New: d.New, Difference: *intervalOf(&d.Difference)}
}
