package rollout

import (
	"fmt"
	"time"
)

// Override pins a user to an architecture: a tester to new, a complaint to old.
// Of the user it holds a keyed hash only, and a label by which people know it.
type Override struct {
	User      UserKey   `json:"user"`
	Variant   Variant   `json:"architecture"`
	Label     string    `json:"label"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
}

func overrideKey(o Override) string { return o.User.String() }

// MaxOverrides is how many users may be pinned: overrides are for testers and
// complaints, and every instance holds them all.
const MaxOverrides = 10_000

// AddOverride pins a user, or changes where the user is pinned to.
type AddOverride struct {
	User    UserKey
	Variant Variant
	Label   string // at most 100 characters; never the user id
}

// Action is "override.add".
func (AddOverride) Action() Action { return ActionOverrideAdd }

// Needs operator to pin a user to old, admin to pin one to new.
func (o AddOverride) Needs() Permission {
	if o.Variant == Old {
		return Operate
	}
	return Administer
}

func (o AddOverride) apply(s *State, c Context) (effect, error) {
	if _, err := ParseVariant(string(o.Variant)); err != nil {
		return effect{}, err
	}
	if err := checkText("label", o.Label, 0, 100, false); err != nil {
		return effect{}, err
	}
	eff := effect{subject: "override/" + o.User.String()}
	if old, exists := s.Override(o.User); exists {
		eff.before, eff.after = old, old
		if old.Variant == o.Variant && old.Label == o.Label {
			eff.unchanged = true
			return eff, nil
		}
	} else if len(s.Overrides) >= MaxOverrides {
		return effect{}, invalid("user_id", fmt.Sprintf("%d users are pinned already", len(s.Overrides)), "remove overrides that are no longer needed, or advance the rollout")
	}
	added := Override{User: o.User, Variant: o.Variant, Label: o.Label, CreatedAt: c.At, CreatedBy: c.Actor.Name}
	s.Overrides = put(s.Overrides, added, overrideKey)
	eff.after = added
	if o.Variant == New && s.Rollout.OverridesSuspended() {
		eff.warnings = append(eff.warnings, "the rollout was rolled back to stage 0, so users pinned to new stay on old until somebody advances")
	}
	return eff, nil
}

// RemoveOverride lets a user's bucket decide again.
type RemoveOverride struct {
	User UserKey
}

// Action is "override.remove".
func (RemoveOverride) Action() Action { return ActionOverrideRemove }

// Needs admin: without the override the user may go to new.
func (RemoveOverride) Needs() Permission { return Administer }

func (o RemoveOverride) apply(s *State, _ Context) (effect, error) {
	old, exists := s.Override(o.User)
	if !exists {
		return effect{}, &Refusal{Code: CodeNotFound, Field: "user", Message: "this user is not pinned", Hint: "list the overrides to see which there are"}
	}
	s.Overrides = remove(s.Overrides, o.User.String(), overrideKey)
	return effect{subject: "override/" + o.User.String(), before: old}, nil
}
