package rollout

import (
	"fmt"
	"time"
)

// Advance moves the rollout to its next stage. Stages are never skipped. A person
// who advances also releases the latch that a rollback set; automation may not
// advance a latched rollout.
type Advance struct{}

// Action is "advance".
func (Advance) Action() Action { return ActionAdvance }

// Needs admin: advancing exposes users.
func (Advance) Needs() Permission { return Administer }

func (Advance) apply(s *State, c Context) (effect, error) {
	r := s.Rollout
	switch {
	case r.Finalised:
		return effect{}, refuse(CodeFinalised, fmt.Sprintf("the rollout %q is finalised", r.Name), "start a new rollout")
	case r.Stage == FullRollout:
		return effect{}, refuse(CodeAtFullRollout, "the rollout is at stage 4 FULL_ROLLOUT already: there is no next stage", "finalise it, or roll back")
	case c.AuditBroken:
		return effect{}, refuse(CodeAuditBroken, "the audit trail does not verify, so nothing may advance", "run 'nlpcanary audit verify'; rolling back still works")
	case r.Latched && c.Actor.Source == SourceGuardian:
		return effect{}, refuse(CodeLatched, "the rollout was rolled back, so automation may not advance it", "a person may advance it")
	case s.Guardian.Paused != PauseNone && c.Actor.Source == SourceGuardian:
		return effect{}, refuse(CodePaused, "automation is paused, so it may not advance", "a person may advance, or resume automation")
	}
	if missing := s.MissingApprovals(c.Actor); missing > 0 {
		return effect{}, refuse(CodeUnapproved, fmt.Sprintf("%d of %d approvals of the next stage are missing", missing, s.Settings.Approvals),
			"ask that many other people to run 'nlpcanary approve'")
	}
	if err := refuseDouble(r, s.Revision-1, c); err != nil {
		return effect{}, err
	}
	var warnings []string
	if left := s.SoakEndsAt().Sub(c.At); left > 0 {
		early := fmt.Sprintf("stage %d %s should stand for %s; %s are left, until %s",
			r.Stage, r.Stage, Span(s.Settings.SoakOf(r.Stage)), Span(left), s.SoakEndsAt().Format(time.RFC3339))
		if s.Settings.Soak == SoakEnforce || c.Actor.Source == SourceGuardian {
			return effect{}, refuse(CodeSoak, early, "wait, or set the setting soak to advise")
		}
		warnings = append(warnings, "advanced early: "+early)
	}
	if !s.NewArchitectureEnabled() {
		warnings = append(warnings, "the kill switch "+KillSwitch+" is off: everyone stays on the old architecture until it is enabled")
	}
	before := r.record()
	s.Rollout.Latched = false
	s.enter(r.Stage+1, ActionAdvance, c)
	return effect{subject: r.subject(), before: before, after: s.Rollout.record(), stageEntry: true, warnings: warnings}, nil
}

// refuseDouble refuses an advance that names no base revision within
// [DoubleWindow] of somebody else's: two people answering the same alert.
func refuseDouble(r Rollout, current int64, c Context) error {
	if c.Base != 0 || r.LastAction != ActionAdvance || r.UpdatedBy == c.Actor.Name {
		return nil
	}
	if since := c.At.Sub(r.UpdatedAt); since < 0 || since >= DoubleWindow {
		return nil
	}
	return &ConflictError{Current: current, LastBy: r.UpdatedBy, LastAt: r.UpdatedAt, LastDone: r.LastAction}
}

// Rollback takes users back to a stage at or below the present one. It needs no
// base revision, is allowed in every state, and latches: automation does not
// advance until a person has. Rolling back to where the rollout already is, and
// latched, changes nothing.
type Rollback struct {
	Target Stage
}

// Action is "rollback".
func (Rollback) Action() Action { return ActionRollback }

// Needs operator, so that everyone on call can.
func (Rollback) Needs() Permission { return Operate }

func (b Rollback) apply(s *State, c Context) (effect, error) {
	r := s.Rollout
	if !b.Target.Valid() {
		return effect{}, invalid("stage", fmt.Sprintf("%d is not a stage", b.Target), stageHint)
	}
	if b.Target > r.Stage {
		return effect{}, refuse(CodeNotARollback,
			fmt.Sprintf("the rollout is at stage %d %s, so stage %d %s is not a rollback", r.Stage, r.Stage, b.Target, b.Target),
			"to move on to a higher stage, advance")
	}
	eff := effect{subject: r.subject(), before: r.record()}
	if b.Target == r.Stage && r.Latched && !r.Finalised {
		eff.after, eff.unchanged = eff.before, true
		return eff, nil
	}
	if r.Finalised {
		eff.warnings = append(eff.warnings, "the rollout was finalised: make sure that the old architecture "+r.OldName+" still runs")
	}
	s.Rollout.Latched, s.Rollout.Finalised = true, false
	// A rollback must put everyone on old at once when the lease of an instance
	// ends, so holding a stale state ends with it.
	s.Settings.WhenStale = StaleOld
	s.enter(b.Target, ActionRollback, c)
	eff.after, eff.stageEntry = s.Rollout.record(), true
	return eff, nil
}

// Span writes a duration the way people say it: "6d 23h", "41m 10s".
func Span(d time.Duration) string {
	d = d.Round(time.Second)
	if d < time.Second {
		return "0s"
	}
	parts := []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	text, shown := "", 0
	for _, p := range parts {
		n := d / p.unit
		d %= p.unit
		if n == 0 && text == "" {
			continue
		}
		if n > 0 {
			if text != "" {
				text += " "
			}
			text += fmt.Sprintf("%d%s", n, p.name)
		}
		if shown++; shown == 2 {
			break
		}
	}
	return text
}
