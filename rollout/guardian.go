package rollout

import (
	"fmt"
	"slices"
	"time"
)

// Pause says what automation leaves alone.
type Pause string

// The pauses. A person who changes the stage by hand pauses advancing, so that the
// guardian never argues with people; users stay protected. Only a person who says so
// pauses the protection as well.
const (
	PauseNone    Pause = ""        // nothing is paused
	PauseAdvance Pause = "advance" // the guardian does not advance
	PauseAll     Pause = "all"     // the guardian does not roll back either: it alerts
)

// Guardian is how far the guardian is paused, and by whom.
type Guardian struct {
	Paused Pause     `json:"paused"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at,omitzero"`
	Why    string    `json:"why,omitempty"`
}

// PauseGuardian stops everything automatic: the guardian then only alerts.
type PauseGuardian struct{}

// Action is "guardian.pause".
func (PauseGuardian) Action() Action { return ActionGuardianPause }

// Needs admin: without automation nobody takes users back from a bad release at night.
func (PauseGuardian) Needs() Permission { return Administer }

func (PauseGuardian) apply(s *State, c Context) (effect, error) {
	before := s.Guardian
	eff := effect{subject: "guardian", before: before, after: before, unchanged: before.Paused == PauseAll}
	if eff.unchanged {
		return eff, nil
	}
	s.Guardian = Guardian{PauseAll, c.Actor.Name, c.At, c.Note}
	eff.after = s.Guardian
	eff.warnings = []string{"nothing rolls back by itself until automation is resumed"}
	return eff, nil
}

// ResumeGuardian lets the guardian act again as its mode says. It does not release
// the latch of a rollback: only a person who advances does.
type ResumeGuardian struct{}

// Action is "guardian.resume".
func (ResumeGuardian) Action() Action { return ActionGuardianResume }

// Needs admin.
func (ResumeGuardian) Needs() Permission { return Administer }

func (ResumeGuardian) apply(s *State, _ Context) (effect, error) {
	before := s.Guardian
	s.Guardian = Guardian{}
	return effect{subject: "guardian", before: before, after: s.Guardian, unchanged: before.Paused == PauseNone}, nil
}

// noticePerson pauses automatic advancing after a person moved the rollout.
func (s *State) noticePerson(change Change, c Context) {
	moved := false
	switch change := change.(type) {
	case Advance, Rollback, Finalise:
		moved = true
	case SetFlag:
		moved = change.Name == KillSwitch
	case DirectFlags:
		moved = true
	}
	switch {
	case !moved || c.Actor.Source == SourceGuardian || s.Guardian.Paused != PauseNone:
	default:
		s.Guardian = Guardian{PauseAdvance, c.Actor.Name, c.At, fmt.Sprintf("%s by hand", change.Action())}
	}
}

// Approval is one person's consent to the next stage.
type Approval struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Approve consents to the next stage. An approval is for one step: it ends with the
// stage, with a rollback, and when the kill switch is turned.
type Approve struct{}

// Action is "rollout.approve".
func (Approve) Action() Action { return ActionApprove }

// Needs admin: it is a part of advancing.
func (Approve) Needs() Permission { return Administer }

func (Approve) apply(s *State, c Context) (effect, error) {
	r := s.Rollout
	switch {
	case c.Actor.Source == SourceGuardian:
		return effect{}, refuse(CodeForbidden, "automation may not approve", "people approve")
	case r.Finalised:
		return effect{}, refuse(CodeFinalised, fmt.Sprintf("the rollout %q is finalised", r.Name), "start a new rollout")
	case r.Stage == FullRollout:
		return effect{}, refuse(CodeAtFullRollout, "the rollout is at stage 4 FULL_ROLLOUT already: there is no next stage to approve", "finalise it, or roll back")
	}
	eff := effect{subject: r.subject() + "/approvals", before: s.Approvals, after: s.Approvals}
	if s.approvedBy(c.Actor.Name) {
		eff.unchanged = true
		return eff, nil
	}
	s.Approvals = append(s.Approvals, Approval{c.Actor.Name, c.At})
	eff.after = s.Approvals
	return eff, nil
}

func (s State) approvedBy(name string) bool {
	return slices.ContainsFunc(s.Approvals, func(a Approval) bool { return a.By == name })
}

// MissingApprovals is how many more people must approve before this actor can
// advance. A person who advances approves by that; automation does not.
func (s State) MissingApprovals(actor Actor) int {
	have := len(s.Approvals)
	if actor.Source != SourceGuardian && !s.approvedBy(actor.Name) {
		have++
	}
	return max(0, s.Settings.Approvals-have)
}
