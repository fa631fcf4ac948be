// Package advisor says what a person should do next with a rollout, from the state
// and the evidence. It fetches nothing by itself and changes nothing.
//
// # Invariants
//
//   - There is one action at every stage, 100 % included, and with no data at all.
//   - A hard rollback comes first, and nothing masks it; then what speaks for holding;
//     then an advance, if everything is proven safe and the soak is over; else it is
//     to wait. An expired timer never ships anything.
//   - What is not measured is said to be not measured; it is never taken for good.
//   - Stages are never skipped, nor their soak times.
package advisor

import (
	"strings"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/evidence"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Risk is how probable it is that the new architecture is past a rollback limit: a
// forecast, not a proof.
type Risk string

// The levels of risk, by that probability. Unknown is no low risk: nothing was measured.
const (
	RiskLow      Risk = "low"      // less than 5 %
	RiskMedium   Risk = "medium"   // less than 25 %
	RiskHigh     Risk = "high"     // less than 75 %
	RiskCritical Risk = "critical" // 75 % or more, or harm is proven
	RiskUnknown  Risk = "unknown"
)

// Kind is what a piece of advice tells to do.
type Kind string

// The kinds of advice. Info is never the action.
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

// Item is one piece of advice.
type Item struct {
	Kind     Kind
	Priority Priority
	Message  string
}

// Advice is what to do.
type Advice struct {
	// Action is the one thing to do.
	Action Kind
	// Why is its reason in a sentence or two.
	Why  string
	Risk Risk
	// Probability is the one that Risk stands for; nil if nothing was measured.
	Probability *float64
	// Items are all pieces of advice, the action first.
	Items []Item
	// NextStage is where an advance would go; nil if there is none.
	NextStage *rollout.Stage
	// Prediction is when this stage will be decided; nil if that cannot be said.
	Prediction *Prediction
	// Caveat is what one must know to read the numbers rightly.
	Caveat string
	// Learned is on how many finished rollouts the forecasts rest; 0 for defaults.
	Learned int
}

// Prediction is the time until the evidence decides.
type Prediction struct {
	// Harm says that a rollback is the likelier end; else it is an advance.
	Harm bool
	// Metric is the one that decides.
	Metric string
	// Requests on new, from now on: the median, and the ends of an 80 % band. A band
	// that is open has an infinite High.
	Requests, LowRequests, HighRequests float64
	// Median, Low and High are the same in time at the present rate of requests; 0 if
	// there is none, and High is 0 for an open band.
	Median, Low, High time.Duration
}

// Input is what advice follows from.
type Input struct {
	State  rollout.State
	At     time.Time
	Window outcome.Window // of the present epoch
	Report evidence.Report
	// Learned is on how many finished rollouts the report's priors rest.
	Learned int
}

// Recommend advises on a rollout.
func Recommend(in Input) Advice {
	c := situation{Input: in}
	a := Advice{Learned: in.Learned, Caveat: c.caveat(), Prediction: c.predict()}
	a.Risk, a.Probability = c.risk()
	if r := in.State.Rollout; r.Stage < rollout.FullRollout && !r.Finalised {
		next := r.Stage + 1
		a.NextStage = &next
	}
	for _, decide := range []func() (Item, bool){c.rollback, c.hold, c.advance} {
		if item, applies := decide(); applies {
			a.Items = []Item{item}
			break
		}
	}
	if a.Items == nil {
		a.Items = []Item{c.wait(a.Prediction)}
	}
	a.Action, a.Why = a.Items[0].Kind, strings.TrimPrefix(a.Items[0].Message, "Roll back. ")
	a.Items = append(a.Items, c.findings()...)
	a.Items = append(a.Items, c.remarks()...)
	return a
}

// situation is an input, with what can be asked of it.
type situation struct{ Input }

// exposed reports whether users are on new now.
func (c situation) exposed() bool { return c.State.EffectivePercentage() > 0 }

func (c situation) served(v rollout.Variant) int64 {
	if v == rollout.New {
		return c.Window.New.Tally.Total().Requests
	}
	return c.Window.Old.Tally.Total().Requests
}

// risk never says more than what was measured allows, and never less than what is proven.
func (c situation) risk() (Risk, *float64) {
	p := c.Report.Risk
	switch {
	case c.Report.Combined.Rollback:
		return RiskCritical, p
	case p == nil:
		return RiskUnknown, nil
	case *p >= .75:
		return RiskCritical, p
	case *p >= .25 || c.Report.Combined.Proven:
		return RiskHigh, p
	case *p >= .05:
		return RiskMedium, p
	}
	return RiskLow, p
}
