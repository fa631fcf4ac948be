package rollout

import (
	"fmt"
	"slices"
)

// Start ends the present rollout and starts a new one at stage 0, under new names
// and a fresh salt, so that it is not always the same users who go first. The
// present rollout must be finalised, or stand at stage 0 with nobody on new.
type Start struct {
	Name    string // 1 to 64 ASCII letters, digits, '-', '_' or '.'; never used before
	OldName string
	NewName string
	Salt    Salt // drawn at random by the caller; not empty
}

// Action is "rollout.start".
func (Start) Action() Action { return ActionStart }

// Needs admin.
func (Start) Needs() Permission { return Administer }

func (n Start) apply(s *State, c Context) (effect, error) {
	r := s.Rollout
	for _, name := range []struct{ field, value string }{{"name", n.Name}, {"old", n.OldName}, {"new", n.NewName}} {
		if err := checkName(name.field, name.value, 1, 64); err != nil {
			return effect{}, err
		}
	}
	if err := checkName("salt", string(n.Salt), 1, MaxSalt); err != nil {
		return effect{}, err
	}
	if n.OldName == n.NewName {
		return effect{}, invalid("new", "the old and the new architecture have the same name", "name two different architectures")
	}
	used := slices.ContainsFunc(s.Past, func(p Past) bool { return p.Name == n.Name })
	switch {
	case used || n.Name == r.Name:
		return effect{}, &Refusal{Code: CodeAlreadyExists, Field: "name", Message: fmt.Sprintf("there has been a rollout named %q", n.Name), Hint: "choose a name that was not used before"}
	case !r.Finalised && r.Stage != Disabled:
		return effect{}, refuse(CodeNotFinished, fmt.Sprintf("the rollout %q is at stage %d %s", r.Name, r.Stage, r.Stage), "finalise it or roll it back to stage 0 first")
	case c.AuditBroken:
		return effect{}, refuse(CodeAuditBroken, "the audit trail does not verify, so no rollout may start", "run 'nlpcanary audit verify'")
	}
	var warnings []string
	if removed := len(s.Overrides); removed > 0 {
		warnings = append(warnings, fmt.Sprintf("%d overrides of the rollout %q were removed", removed, r.Name))
	}
	s.Past = append(s.Past, Past{r.Name, r.OldName, r.NewName, r.StartedAt, c.At, r.Stage, r.Finalised})
	s.Overrides = []Override{}
	s.Settings.WhenStale = StaleOld
	s.Guardian = Guardian{}
	s.Rollout = Rollout{Name: n.Name, OldName: n.OldName, NewName: n.NewName, Salt: n.Salt, StartedAt: c.At}
	s.enter(Disabled, ActionStart, c)
	return effect{subject: s.Rollout.subject(), after: s.Rollout.record(), stageEntry: true, warnings: warnings}, nil
}

// Finalise declares the rollout done: everyone is on new and the old
// architecture may be taken away.
type Finalise struct{}

// Action is "rollout.finalise".
func (Finalise) Action() Action { return ActionFinalise }

// Needs admin.
func (Finalise) Needs() Permission { return Administer }

func (Finalise) apply(s *State, c Context) (effect, error) {
	r := s.Rollout
	eff := effect{subject: r.subject(), before: r.record(), after: r.record()}
	switch {
	case r.Finalised:
		eff.unchanged = true
		return eff, nil
	case r.Stage != FullRollout:
		return effect{}, refuse(CodeNotFinished, fmt.Sprintf("the rollout is at stage %d %s, not at stage 4 FULL_ROLLOUT", r.Stage, r.Stage), "advance it to stage 4 first")
	case !s.NewArchitectureEnabled():
		return effect{}, refuse(CodeNotFinished, "the kill switch "+KillSwitch+" is off, so nobody is on the new architecture", "enable it first")
	case c.AuditBroken:
		return effect{}, refuse(CodeAuditBroken, "the audit trail does not verify, so nothing may be finalised", "run 'nlpcanary audit verify'")
	}
	pinned := 0
	for _, o := range s.Overrides {
		if o.Variant == Old {
			pinned++
		}
	}
	if pinned > 0 {
		eff.warnings = append(eff.warnings, fmt.Sprintf("%d users are pinned to the old architecture %s: remove their overrides before it is taken away", pinned, r.OldName))
	}
	s.Rollout.Finalised = true
	s.enter(r.Stage, ActionFinalise, c)
	eff.after, eff.stageEntry = s.Rollout.record(), true
	return eff, nil
}

// ClearCache makes every instance forget its cohort cache. It changes no
// decision: buckets are computed, not chosen.
type ClearCache struct{}

// Action is "cache.clear".
func (ClearCache) Action() Action { return ActionClearCache }

// Needs operator.
func (ClearCache) Needs() Permission { return Operate }

func (ClearCache) apply(s *State, _ Context) (effect, error) {
	before := s.CacheEpoch
	s.CacheEpoch = s.Revision
	return effect{subject: "cache", before: before, after: s.CacheEpoch}, nil
}
