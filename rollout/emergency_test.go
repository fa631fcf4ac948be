package rollout_test

import (
	"strings"
	"testing"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// Somebody deleted the kill switch's row in the database; everyone is on old already,
// and the one who kills in an emergency must not be told that there is no such flag.
func TestKillingWithoutTheRowIsNotRefused(t *testing.T) {
	s := withoutKillSwitch(at(rollout.FullRollout))
	result := apply(t, s, rollout.SetFlag{Name: rollout.KillSwitch}, by(rollout.Actor{Name: "ann", Role: rollout.RoleOperator}))
	if result.Changed || result.State.NewArchitectureEnabled() {
		t.Errorf("changed %v, enabled %v; want unchanged and off", result.Changed, result.State.NewArchitectureEnabled())
	}
}

func TestFinaliseWarnsOfUsersPinnedToOld(t *testing.T) {
	s := pinned(at(rollout.FullRollout), "a", rollout.Old)
	result := apply(t, s, rollout.Finalise{}, by(rollout.Actor{Name: "ann", Role: rollout.RoleAdmin}))
	if len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0], "1 users are pinned to the old architecture") {
		t.Errorf("warnings %q", result.Warnings)
	}
}

func TestNamesDoNotBeginWithAFullStop(t *testing.T) {
	for _, name := range []string{".", "..", ".hidden"} {
		_, err := at(rollout.FullRollout).Apply(rollout.CreateFlag{Name: name}, by(rollout.Actor{Name: "ann", Role: rollout.RoleAdmin}))
		wantRefusal(t, err, rollout.CodeInvalid, "full stop")
	}
}
