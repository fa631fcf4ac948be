// Package advisor says what a person should do next with a rollout. It is pure:
// it is given the state and what was measured, fetches nothing and changes nothing.
//
// # Invariants
//
//   - There is advice at every stage, 100 % included, and with no data at all.
//   - What is not measured is said to be not measured; it is never taken for good.
//   - A difference between two averages is an observation, not a proof: it can
//     advise to hold and look, never to advance. Evidence that holds however often
//     it is looked at is not judged by this package yet.
package advisor

import (
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Risk is how dangerous the rollout looks.
type Risk string

// The levels of risk. Unknown is no low risk: nothing was measured.
const (
	RiskLow      Risk = "low"
	RiskMedium   Risk = "medium"
	RiskHigh     Risk = "high"
	RiskCritical Risk = "critical"
	RiskUnknown  Risk = "unknown"
)

// Kind is what a piece of advice tells to do.
type Kind string

// The kinds of advice.
const (
	KindRollback Kind = "rollback"
	KindHold     Kind = "hold"
	KindAdvance  Kind = "advance"
	KindWait     Kind = "wait"
	KindInfo     Kind = "info"
)

// Priority is how urgent a piece of advice is.
type Priority string

// The priorities.
const (
	PriorityCritical Priority = "critical"
	PriorityHigh     Priority = "high"
	PriorityMedium   Priority = "medium"
	PriorityLow      Priority = "low"
)

// Measured is what is known of one cohort. The zero value is a cohort of which
// nothing was measured.
type Measured struct {
	Summary outcome.Summary
	Labels  outcome.Labels
	// Labelled is how many texts the labels are of.
	Labelled int64
}

func (m Measured) nothing() bool { return m.Summary.Total == 0 }

// Item is one piece of advice.
type Item struct {
	Kind     Kind
	Priority Priority
	Message  string
}

// Advice is what to do, the most urgent first.
type Advice struct {
	Risk  Risk
	Items []Item
}

// Recommend advises on a rollout in this state at this time, given what was
// measured of its cohorts since the present split of users began.
func Recommend(state rollout.State, at time.Time, control, canary Measured) Advice {
	seen := observe(control, canary)
	c := situation{state, at, control, canary, len(seen) > 0}
	a := Advice{Risk: c.risk(), Items: seen}
	for _, advise := range []func() (Item, bool){c.killSwitch, c.latch, c.data, c.stage} {
		if item, applies := advise(); applies {
			a.Items = append(a.Items, item)
		}
	}
	return a
}

// situation is what advice follows from.
type situation struct {
	state           rollout.State
	at              time.Time
	control, canary Measured
	observed        bool // a difference past a threshold
}

// risk never says more than what was seen allows.
func (c situation) risk() Risk {
	switch {
	case c.canary.nothing():
		return RiskUnknown
	case c.state.EffectivePercentage() == 0:
		return RiskLow // nobody is on new
	case c.observed:
		return RiskHigh
	}
	return RiskMedium
}

func (c situation) killSwitch() (Item, bool) {
	return Item{KindHold, PriorityHigh,
			"The kill switch " + rollout.KillSwitch + " is off: everyone is on the old architecture whatever the stage. Find out why it was switched off before enabling it."},
		!c.state.NewArchitectureEnabled()
}

func (c situation) latch() (Item, bool) {
	r := c.state.Rollout
	return Item{KindHold, PriorityHigh,
		fmt.Sprintf("%s rolled back to stage %d %s at %s: nothing automatic advances until a person does. Advance once the cause is found and mended.",
			r.UpdatedBy, r.Stage, r.Stage, r.UpdatedAt.Format(time.RFC3339))}, r.Latched
}

func (c situation) data() (Item, bool) {
	percentage := c.state.EffectivePercentage()
	item := Item{Kind: KindHold, Priority: PriorityMedium}
	switch {
	case c.control.nothing() && c.canary.nothing():
		item.Message = "Nothing was measured since the present split of users began, so there is nothing to judge by."
		if percentage == 0 || percentage == 100 {
			item.Kind, item.Priority = KindInfo, PriorityLow
		}
	case c.canary.nothing() && percentage > 0:
		item.Message = fmt.Sprintf("Nothing was measured on the new architecture, although %d %% of users should be on it. Check that their requests arrive.", percentage)
	case c.control.nothing() && percentage > 0 && percentage < 100:
		item.Message = "Nothing was measured on the old architecture, so there is nothing to compare the new one with."
	case c.control.nothing() && percentage == 100:
		item = Item{KindInfo, PriorityLow, "There is no control cohort at 100 %: the new architecture is compared with nothing."}
	default:
		return Item{}, false
	}
	return item, true
}

// stage says when, by the stage alone, one could go on.
func (c situation) stage() (Item, bool) {
	r := c.state.Rollout
	left := c.state.SoakEndsAt().Sub(c.at)
	switch {
	case r.Finalised:
		return Item{KindInfo, PriorityLow, fmt.Sprintf("The rollout %q is finalised. Start the next one when there is a new architecture to roll out.", r.Name)}, true
	case !c.state.NewArchitectureEnabled():
		return Item{}, false // nothing to move on to
	case r.Stage == rollout.FullRollout && c.observed:
		return Item{KindInfo, PriorityLow, "The rollout is complete; finalise it only once what was observed is explained. Rolling back stays possible until then, and after."}, true
	case r.Stage == rollout.FullRollout:
		return Item{KindInfo, PriorityLow, "The rollout is complete: everyone is on the new architecture. Finalise it once the old architecture is no longer needed; until then, keep it running so that a rollback has somewhere to go."}, true
	case left > 0:
		return Item{KindWait, PriorityMedium, fmt.Sprintf("Stage %d %s should stand for %s; %s are left, until %s.",
			r.Stage, r.Stage, rollout.Span(c.state.Settings.SoakOf(r.Stage)), rollout.Span(left), c.state.SoakEndsAt().Format(time.RFC3339))}, true
	case c.observed || r.Latched || (c.canary.nothing() && c.state.EffectivePercentage() > 0):
		return Item{}, false // the advice to hold stands
	}
	next := r.Stage + 1
	return Item{KindInfo, PriorityMedium, fmt.Sprintf("Stage %d %s has stood for %s. A person may advance to stage %d %s (%d %%); the evidence is not judged yet, so look at the metrics first.",
		r.Stage, r.Stage, rollout.Span(c.state.Settings.SoakOf(r.Stage)), next, next, next.Percentage())}, true
}
