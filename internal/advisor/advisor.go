// Package advisor turns the state and what was measured into advice. It is pure: it
// fetches nothing and changes nothing.
//
// # What it does not do
//
// It does not judge significance. Differences past a threshold are reported as
// observations, with their numbers, and lead to "hold, look at this", never to
// "advance": a bare threshold, looked at continuously, is crossed by healthy releases
// as well. Nothing that was not measured is taken for good.
package advisor

import (
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Type is what a piece of advice says to do.
type Type string

// The types of advice.
const (
	Hold    Type = "hold"    // do not go on
	Advance Type = "advance" // nothing stands against the next stage but a person's judgement
	Wait    Type = "wait"    // nothing to do before a time
	Info    Type = "info"
)

// Priority says how urgent a piece of advice is.
type Priority string

// The priorities.
const (
	Critical Priority = "critical"
	High     Priority = "high"
	Medium   Priority = "medium"
	Low      Priority = "low"
)

// Risk is how bad things look.
type Risk string

// The risk levels. Without enough texts the risk is unknown: not low.
const (
	RiskUnknown  Risk = "unknown"
	RiskLow      Risk = "low"
	RiskMedium   Risk = "medium"
	RiskHigh     Risk = "high"
	RiskCritical Risk = "critical"
)

// Thresholds of observations, and how many texts a cohort must have before anything
// is said about it.
const (
	errorIncrease = 0.5  // of new over old
	timeoutRate   = 0.01 // of new
	f1Decrease    = 0.05 // of new under old
	minTexts      = 100
	minLabelled   = 50
)

// Measured is what is known of one cohort.
type Measured struct {
	Summary  outcome.Summary
	Labels   outcome.Labels
	Labelled int64    // outcomes with labels
	Quality  *float64 // mean mark, 1 to 10
}

// Recommendation is one piece of advice.
type Recommendation struct {
	Type     Type
	Priority Priority
	Message  string
}

// Advice is all of it, most urgent first.
type Advice struct {
	Risk            Risk
	Recommendations []Recommendation
}

// Recommend gives advice at any stage, whatever was or was not measured.
func Recommend(state rollout.State, at time.Time, old, canary Measured) Advice {
	observed := observe(old, canary)
	a := Advice{Risk: riskOf(state, canary, observed)}
	a.Recommendations = append(a.Recommendations, observed...)
	a.Recommendations = append(a.Recommendations, next(state, at, old, canary, len(observed) > 0)...)
	return a
}

// observe lists differences past a threshold.
func observe(old, canary Measured) []Recommendation {
	var list []Recommendation
	say := func(format string, args ...any) {
		list = append(list, Recommendation{Hold, High, fmt.Sprintf(format, args...) + ". This is an observation, not a proof; look at it, and roll back if users suffer."})
	}
	o, n := old.Summary, canary.Summary
	if n.Total >= minTexts {
		if *n.TimeoutRate > timeoutRate {
			say("%.1f %% of the %d texts on new timed out (limit %.0f %%)", 100**n.TimeoutRate, n.Total, 100*timeoutRate)
		}
		switch {
		case o.Total >= minTexts && *n.ErrorRate > (1+errorIncrease)**o.ErrorRate:
			say("new fails on %.2f %% of %d texts, old on %.2f %% of %d", 100**n.ErrorRate, n.Total, 100**o.ErrorRate, o.Total)
		case o.Total < minTexts && *n.ErrorRate > timeoutRate:
			say("new fails on %.2f %% of %d texts, and there are too few texts on old to compare (%d)", 100**n.ErrorRate, n.Total, o.Total)
		}
	}
	if old.Labelled >= minLabelled && canary.Labelled >= minLabelled {
		was, is := old.Labels.F1(), canary.Labels.F1()
		if was != nil && is != nil && *is < (1-f1Decrease)**was {
			say("the F1 of new is %.3f on %d labelled texts, that of old %.3f on %d", *is, canary.Labelled, *was, old.Labelled)
		}
	}
	return list
}

func riskOf(state rollout.State, canary Measured, observed []Recommendation) Risk {
	switch {
	case state.EffectivePercentage() == 0:
		return RiskLow // nobody is exposed
	case canary.Summary.Total < minTexts:
		return RiskUnknown
	case len(observed) > 1:
		return RiskCritical
	case len(observed) == 1:
		return RiskHigh
	}
	return RiskMedium // measured and unremarkable, but not proven
}

// next says what the state allows.
func next(state rollout.State, at time.Time, old, canary Measured, troubled bool) []Recommendation {
	r := state.Rollout
	one := func(t Type, p Priority, format string, args ...any) []Recommendation {
		return []Recommendation{{t, p, fmt.Sprintf(format, args...)}}
	}
	switch {
	case !state.NewArchitectureEnabled():
		return one(Hold, High, "The kill switch %s is off: everyone is on old whatever the stage. Find out why before it is enabled.", rollout.KillSwitch)
	case r.Finalised:
		return one(Info, Low, "The rollout %q is finalised. Start a new one for the next architecture.", r.Name)
	case r.Latched:
		return one(Hold, High, "The rollout was rolled back to stage %d %s by %s. Nothing advances it until a person does: find the cause first.", r.Stage, r.Stage, r.UpdatedBy)
	case troubled:
		return one(Hold, Medium, "Do not advance before the observations above are explained.")
	case r.Stage == rollout.FullRollout:
		return one(Info, Low, "Everyone is on new, so there is no old cohort to compare with any more. Finalise the rollout when the old architecture may go.")
	}
	if ends := r.SoakEndsAt(); ends.After(at) {
		return one(Wait, Medium, "Stage %d %s stands until %s (%s left).", r.Stage, r.Stage, ends.UTC().Format(time.RFC3339), rollout.Span(ends.Sub(at)))
	}
	if r.Stage == rollout.Disabled {
		return one(Advance, Low, "The soak time is over and nobody is on new yet. A person may advance to stage 1 (5 %%) to begin measuring.")
	}
	if canary.Summary.Total < minTexts || old.Summary.Total < minTexts {
		return one(Hold, Medium, "Too little was measured: %d texts on old and %d on new, and %d of each are needed before anything can be said.", old.Summary.Total, canary.Summary.Total, minTexts)
	}
	return one(Advance, Low, "The soak time is over and no limit is passed. Whether new is really no worse is not judged by statistics yet: look at the metrics before you advance to stage %d (%d %%).", r.Stage+1, (r.Stage + 1).Percentage())
}
