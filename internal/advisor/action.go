package advisor

import (
	"fmt"
	"strings"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/evidence"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// rollback: harm is proven, and past the limit that people set. A mismatch of the
// split, a pause or a soak time does not mask it.
func (c situation) rollback() (Item, bool) {
	if !c.Report.Combined.Rollback || !c.exposed() {
		return Item{}, false
	}
	trigger := c.Report.Finding(c.Report.Combined.Trigger)
	return Item{KindRollback, PriorityCritical, "Roll back. Harm is proven. " + c.Words(*trigger)}, true
}

// hold lists what speaks against moving on, the most serious first.
func (c situation) hold() (Item, bool) {
	r := c.State.Rollout
	old, canary, percentage := c.served(rollout.Old), c.served(rollout.New), c.State.EffectivePercentage()
	gold := c.Report.Finding(evidence.GoldF1)
	for _, reason := range []struct {
		applies  bool
		priority Priority
		message  string
	}{
		{!c.State.NewArchitectureEnabled(), PriorityHigh,
			"The kill switch " + rollout.KillSwitch + " is off: everyone is on the old architecture whatever the stage. Find out why it was switched off before enabling it."},
		{r.Finalised, PriorityLow, fmt.Sprintf("The rollout %q is finalised. Start the next one when there is a new architecture to roll out.", r.Name)},
		{c.oldToo(), PriorityHigh, "Hold: more texts time out than allowed, but on old as well, so rolling back would not help. Look at what both depend on."},
		{c.Report.Combined.Proven, PriorityHigh, "Hold: it is proven that something is worse on new, though not by as much as the rollback limit. " + c.worst()},
		{gold.Verdict == evidence.Harm || gold.Verdict == evidence.Worse, PriorityHigh, "Hold: new is proven to be worse on the labelled texts. " + c.Words(*gold)},
		{percentage > 0 && old == 0 && canary == 0, PriorityMedium,
			"Hold: nothing was measured since the present split of users began, so there is nothing to judge by."},
		{percentage > 0 && canary == 0, PriorityMedium,
			fmt.Sprintf("Hold: nothing was measured on the new architecture, although %d %% of users should be on it. Check that their requests arrive.", percentage)},
		{percentage > 0 && percentage < 100 && old == 0, PriorityMedium,
			"Hold: nothing was measured on the old architecture, so there is nothing to compare the new one with. Check that its requests arrive."},
		{c.Report.Split.Mismatch, PriorityHigh, fmt.Sprintf(
			"Hold: users are not split as designed (about %d on old and %d on new, where %d %% should be on new). The assignment or the counting is broken, so comparisons may mislead.",
			c.Report.Split.OldUsers, c.Report.Split.NewUsers, percentage)},
		{c.proven(evidence.Worse), PriorityHigh, "Hold. " + c.worst()},
		{r.Latched, PriorityHigh, fmt.Sprintf("%s rolled back to stage %d %s at %s: nothing automatic advances until a person does. Advance once the cause is found and mended.",
			r.UpdatedBy, r.Stage, r.Stage, r.UpdatedAt.Format(time.RFC3339))},
	} {
		if reason.applies {
			return Item{KindHold, reason.priority, reason.message}, true
		}
	}
	return Item{}, false
}

// proven reports whether a guardrail has the verdict.
func (c situation) proven(v evidence.Verdict) bool {
	for _, m := range evidence.Guardrails() {
		if f := c.Report.Finding(m); f.Verdict == v {
			return true
		}
	}
	return c.Report.Finding(evidence.Quality).Verdict == v
}

// worst puts the findings into words that are proven to be worse.
func (c situation) worst() string {
	var list []string
	for _, f := range c.Report.Findings {
		if f.Verdict == evidence.Harm || f.Verdict == evidence.Worse || f.Metric == c.Report.Combined.Trigger {
			list = append(list, c.Words(f))
		}
	}
	return strings.Join(list, " ")
}

func (c situation) oldToo() bool {
	for _, reason := range c.Report.Finding(evidence.Timeouts).Reasons {
		if reason == evidence.OldToo {
			return true
		}
	}
	return false
}

// unproven are the guardrails that stand between this stage and the next. Before the
// first one there are no cohorts: only the labelled texts can speak.
func (c situation) unproven() []evidence.Metric {
	if c.State.Rollout.Stage > rollout.Disabled {
		return c.Report.Unproven()
	}
	if c.Report.Finding(evidence.GoldF1).Verdict == evidence.Safe {
		return nil
	}
	return []evidence.Metric{evidence.GoldF1}
}

func (c situation) soakLeft() time.Duration { return c.State.SoakEndsAt().Sub(c.At) }

// advance: everything is proven safe, and the soak time is over.
func (c situation) advance() (Item, bool) {
	r := c.State.Rollout
	if r.Stage == rollout.FullRollout || c.soakLeft() > 0 || len(c.unproven()) > 0 {
		return Item{}, false
	}
	next := r.Stage + 1
	what := "every guardrail is proven safe"
	if r.Stage == rollout.Disabled {
		what = "the labelled texts show that new finds more"
	}
	message := fmt.Sprintf("Advance to stage %d %s (%d %%): %s, and stage %d %s has stood for %s.",
		next, next, next.Percentage(), what, r.Stage, r.Stage, rollout.Span(c.State.Settings.SoakOf(r.Stage)))
	if needed := c.State.Settings.Approvals; needed > len(c.State.Approvals) {
		message += fmt.Sprintf(" %d of %d people have approved it.", len(c.State.Approvals), needed)
	}
	return Item{KindAdvance, PriorityMedium, message}, true
}

// wait says what one waits for.
func (c situation) wait(p *Prediction) Item {
	r := c.State.Rollout
	if r.Stage == rollout.FullRollout {
		return Item{KindWait, PriorityLow, "The rollout is complete: everyone is on the new architecture. Finalise it once the old architecture is no longer needed; until then, keep it running so that a rollback has somewhere to go."}
	}
	var waiting []string
	if left := c.soakLeft(); left > 0 {
		waiting = append(waiting, fmt.Sprintf("stage %d %s should stand for %s; %s are left, until %s",
			r.Stage, r.Stage, rollout.Span(c.State.Settings.SoakOf(r.Stage)), rollout.Span(left), c.State.SoakEndsAt().Format(time.RFC3339)))
	}
	if open := c.unproven(); len(open) > 0 {
		text := "not yet proven safe: " + names(open)
		if p != nil && p.Median > 0 {
			text += " (about " + rollout.Span(p.Median) + " more at the present traffic)"
		}
		if r.Stage == rollout.Disabled {
			text = "nobody is on new yet, so there is nothing to compare but labelled texts, and these have not shown a gain; a person may advance, and look closely at stage 1"
		}
		waiting = append(waiting, text)
	}
	return Item{KindWait, PriorityMedium, "Wait: " + strings.Join(waiting, "; ") + "."}
}

// remarks are what else one should know.
func (c situation) remarks() []Item {
	var list []Item
	r := c.State.Rollout
	if p := c.State.Guardian; p.Paused == rollout.PauseAll {
		list = append(list, Item{KindInfo, PriorityHigh, fmt.Sprintf("%s paused the guardian at %s: nothing rolls back by itself.", p.By, p.At.Format(time.RFC3339))})
	}
	if r.Stage == rollout.FullRollout && !r.Finalised && c.exposed() {
		list = append(list, Item{KindInfo, PriorityLow, "At 100 % there is no control cohort. " + c.carries()})
	}
	if c.labelled() == 0 && r.Stage > rollout.Disabled && r.Stage < rollout.FullRollout && !r.Finalised {
		list = append(list, Item{KindInfo, PriorityLow, "No text of users was labelled: send feedback on outcomes, or rely on the labelled texts of the gold set. Without either the F1 score proves nothing, and nothing advances by itself."})
	}
	return list
}

// carries says what carries the comparison where there is no control.
func (c situation) carries() string {
	if c.Report.Finding(evidence.GoldF1).Verdict != evidence.NoData {
		return "The labelled texts of the gold set, which both architectures read, carry the comparison."
	}
	return "Nothing compares the architectures now: evaluate a gold set regularly, or hold a few percent of users back at stage 3."
}

func (c situation) labelled() int64 {
	n := c.Report.Finding(evidence.GoldF1).NewRequests
	for i := range c.Window.New.Marks {
		n += c.Window.New.Marks[i].Labelled
	}
	return n
}

// caveat is what one must know to read the numbers rightly.
func (c situation) caveat() string {
	text := "Verdicts hold however often they are looked at. An estimate at the moment at which it decides is exaggerated: expect the true difference to be smaller. The risk is a forecast, not a proof"
	if c.Learned > 0 {
		return fmt.Sprintf("%s; it rests on %d finished rollouts.", text, c.Learned)
	}
	return text + "; it rests on default assumptions, not on past rollouts."
}
