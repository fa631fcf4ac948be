package rollout_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// Accepting a restore raises the lineage above its own, and above that of every
// accepted restore before it, also of those that the backup knows nothing of.
func TestAcceptRestoreOutgrowsEveryLineageBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(1, 1<<33).Draw(t, "time"), 0)
		backup := rollout.Initial(at)
		actor := rollout.Actor{Name: "ann", Role: rollout.RoleAdmin, Source: rollout.SourceCLI}
		highest := int64(0)
		for range rapid.IntRange(1, 5).Draw(t, "restores") {
			at = at.Add(time.Duration(rapid.IntRange(1, 1e6).Draw(t, "seconds")) * time.Second)
			result, err := backup.Apply(rollout.AcceptRestore{}, rollout.Context{Actor: actor, At: at})
			if err != nil {
				t.Fatal(err)
			}
			if got := result.State.Lineage; got <= highest {
				t.Fatalf("lineage %d after %d", got, highest)
			}
			highest = result.State.Lineage
			if result.State.Revision != backup.Revision+1 || result.State.Rollout != backup.Rollout {
				t.Fatalf("accepting changed %+v to %+v", backup.Rollout, result.State.Rollout)
			}
			if rapid.Bool().Draw(t, "a newer backup") {
				backup = result.State
			}
		}
	})
}

func TestOnlyAnAdminAcceptsARestore(t *testing.T) {
	state := rollout.Initial(time.Unix(1, 0))
	for role, may := range map[rollout.Role]bool{rollout.RoleClient: false, rollout.RoleViewer: false, rollout.RoleOperator: false, rollout.RoleAdmin: true} {
		_, err := state.Apply(rollout.AcceptRestore{}, rollout.Context{Actor: rollout.Actor{Name: "a", Role: role}, At: time.Unix(2, 0)})
		if (err == nil) != may {
			t.Errorf("%s: %v", role, err)
		}
	}
}
