package rollout_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/nlpcanary/nlpcanary/rollout"
)

func TestOverride(t *testing.T) {
	user := keyer.Key("user-1")
	s := at(rollout.Disabled)
	added := apply(t, s, rollout.AddOverride{User: user, Variant: rollout.New, Label: "тестер Anna"}, by(ann))
	want := rollout.Override{User: user, Variant: rollout.New, Label: "тестер Anna", CreatedAt: later, CreatedBy: ann.Name}
	if got, ok := added.State.Override(user); !ok || got != want {
		t.Fatalf("override is %+v, want %+v", got, want)
	}
	if added.Subject != "override/"+user.String() || string(added.Before) != "null" || strings.Contains(string(added.After), "user-1") {
		t.Errorf("the audit would read %s: %s, %s", added.Subject, added.Before, added.After)
	}

	same := apply(t, added.State, rollout.AddOverride{User: user, Variant: rollout.New, Label: "тестер Anna"}, by(bob))
	if same.Changed {
		t.Error("the same override again is a change")
	}
	relabelled := apply(t, added.State, rollout.AddOverride{User: user, Variant: rollout.New, Label: "x"}, by(bob))
	if !relabelled.Changed || len(relabelled.State.Overrides) != 1 {
		t.Errorf("another label gave %+v", relabelled.State.Overrides)
	}
	turned := apply(t, added.State, rollout.AddOverride{User: user, Variant: rollout.Old}, by(olga))
	if got, _ := turned.State.Override(user); got.Variant != rollout.Old || len(turned.State.Overrides) != 1 || !strings.Contains(string(turned.Before), `"new"`) {
		t.Errorf("turned to old, the overrides are %+v", turned.State.Overrides)
	}

	removed := apply(t, added.State, rollout.RemoveOverride{User: user}, by(ann))
	if _, still := removed.State.Override(user); still || string(removed.After) != "null" || !removed.Changed {
		t.Errorf("removed, the overrides are %+v", removed.State.Overrides)
	}
	_, err := removed.State.Apply(rollout.RemoveOverride{User: user}, by(ann))
	wantRefusal(t, err, rollout.CodeNotFound, "not pinned", "list the overrides")
}

func TestAddOverrideIsRefused(t *testing.T) {
	full := at(rollout.Expanded)
	for i := range rollout.MaxOverrides {
		var user rollout.UserKey
		binary.BigEndian.PutUint32(user[:], uint32(i))
		full.Overrides = append(full.Overrides, rollout.Override{User: user, Variant: rollout.New})
	}
	user := keyer.Key("user-1")
	for _, c := range []struct {
		name   string
		state  rollout.State
		change rollout.AddOverride
		words  []string
	}{
		{"no architecture", at(0), rollout.AddOverride{User: user}, []string{`"" is not an architecture`, "old and new"}},
		{"unknown architecture", at(0), rollout.AddOverride{User: user, Variant: "ensemble"}, []string{`"ensemble"`}},
		{"long label", at(0), rollout.AddOverride{User: user, Variant: rollout.New, Label: strings.Repeat("я", 101)}, []string{"label is 101 characters", "0 to 100"}},
		{"label of two lines", at(0), rollout.AddOverride{User: user, Variant: rollout.New, Label: "a\nb"}, []string{"label contains a control character"}},
		{"too many", full, rollout.AddOverride{User: user, Variant: rollout.Old}, []string{"10000 users are pinned already", "remove overrides"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.state.Apply(c.change, by(ann))
			wantRefusal(t, err, rollout.CodeInvalid, c.words...)
		})
	}
	t.Run("a pinned user can be turned when there are too many", func(t *testing.T) {
		apply(t, full, rollout.AddOverride{User: full.Overrides[7].User, Variant: rollout.Old}, by(olga))
	})
}

// A rollback to stage 0 takes everyone back, the testers too, until somebody
// advances; users pinned to old stay pinned throughout.
func TestOverridesAreSuspendedAfterARollbackToZero(t *testing.T) {
	const tester, complainer = rollout.UserID("tester"), rollout.UserID("complainer")
	s := pinned(pinned(at(rollout.FullRollout), tester, rollout.New), complainer, rollout.Old)
	decide := func(s rollout.State, id rollout.UserID) rollout.Decision { return planOf(s, false).Decide(id) }
	check := func(name string, s rollout.State, want rollout.Variant, reason rollout.Reason) {
		t.Helper()
		if d := decide(s, tester); d.Variant != want || d.Reason != reason {
			t.Errorf("%s: the tester is on %s (%s), want %s (%s)", name, d.Variant, d.Reason, want, reason)
		}
		if d := decide(s, complainer); d.Variant != rollout.Old || d.Reason != rollout.ReasonTargetingMatch || !d.Forced {
			t.Errorf("%s: the complainer's decision is %+v, want old by the override", name, d)
		}
	}
	check("at stage 4", s, rollout.New, rollout.ReasonTargetingMatch)
	check("rolled back to stage 1", rolledBack(s, rollout.EarlyTesting), rollout.New, rollout.ReasonTargetingMatch)
	zero := rolledBack(s, rollout.Disabled)
	check("rolled back to stage 0", zero, rollout.Old, rollout.ReasonStatic)

	again := apply(t, zero, rollout.AddOverride{User: keyer.Key("late"), Variant: rollout.New}, by(ann))
	if len(again.Warnings) != 1 || !strings.Contains(again.Warnings[0], "until somebody advances") {
		t.Errorf("pinning to new while suspended warns %q", again.Warnings)
	}
	if d := decide(again.State, "late"); d.Variant != rollout.Old {
		t.Errorf("pinned to new while suspended, the decision is %+v, want old", d)
	}
	check("advanced again", must(zero, rollout.Advance{}), rollout.New, rollout.ReasonTargetingMatch)
	check("at stage 0 without a rollback", pinned(pinned(at(rollout.Disabled), tester, rollout.New), complainer, rollout.Old), rollout.New, rollout.ReasonTargetingMatch)
}
