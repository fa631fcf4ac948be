package rollout_test

import (
	"testing"

	"github.com/nlpcanary/nlpcanary/rollout"
)

var allRoles = []rollout.Role{rollout.RoleClient, rollout.RoleViewer, rollout.RoleOperator, rollout.RoleAdmin}

func TestRolesAndPermissions(t *testing.T) {
	matrix := map[rollout.Role]map[rollout.Permission]bool{
		rollout.RoleClient:   {rollout.Decide: true, rollout.Report: true},
		rollout.RoleViewer:   {rollout.Decide: true, rollout.View: true},
		rollout.RoleOperator: {rollout.Decide: true, rollout.Report: true, rollout.View: true, rollout.Operate: true},
		rollout.RoleAdmin:    {rollout.Decide: true, rollout.Report: true, rollout.View: true, rollout.Operate: true, rollout.Administer: true},
		"":                   {},
		"root":               {},
		"Admin":              {},
	}
	for role, may := range matrix {
		for p := rollout.Decide; p <= rollout.Administer; p++ {
			if got := role.May(p); got != may[p] {
				t.Errorf("role %q, permission %d: %t, want %t", role, p, got, may[p])
			}
		}
		for _, unknown := range []rollout.Permission{-1, rollout.Administer + 1} {
			if role.May(unknown) {
				t.Errorf("role %q has the unknown permission %d", role, unknown)
			}
		}
	}
}

// Who may make which change: rolling back, killing, clearing caches and pinning to
// old make users safer and need operator; what exposes users needs admin.
func TestChangesAndRoles(t *testing.T) {
	user := keyer.Key("user-1")
	token := rollout.CreateToken{ID: "t2", Name: "ci", Role: rollout.RoleClient, Hash: rollout.HashToken("s2")}
	withThings := func() rollout.State {
		s := pinned(at(rollout.Disabled), "user-2", rollout.New)
		return must(s, rollout.CreateToken{ID: "t1", Name: "x", Role: rollout.RoleClient, Hash: rollout.HashToken("s1")})
	}
	for _, c := range []struct {
		name   string
		state  rollout.State
		change rollout.Change
		least  rollout.Role
	}{
		{"rollback", at(rollout.Expanded), rollout.Rollback{Target: rollout.Disabled}, rollout.RoleOperator},
		{"kill", at(rollout.Expanded), rollout.SetFlag{Name: rollout.KillSwitch}, rollout.RoleOperator},
		{"clear the cache", at(rollout.Expanded), rollout.ClearCache{}, rollout.RoleOperator},
		{"pin to old", withThings(), rollout.AddOverride{User: user, Variant: rollout.Old}, rollout.RoleOperator},
		{"pin from new to old", withThings(), rollout.AddOverride{User: keyer.Key("user-2"), Variant: rollout.Old}, rollout.RoleOperator},
		{"pin to new", withThings(), rollout.AddOverride{User: user, Variant: rollout.New}, rollout.RoleAdmin},
		{"unpin", withThings(), rollout.RemoveOverride{User: keyer.Key("user-2")}, rollout.RoleAdmin},
		{"advance", at(rollout.Expanded), rollout.Advance{}, rollout.RoleAdmin},
		{"revive", killed(at(rollout.Expanded)), rollout.SetFlag{Name: rollout.KillSwitch, Enabled: true}, rollout.RoleAdmin},
		{"set another flag", must(at(0), rollout.CreateFlag{Name: "other", DefaultValue: true}), rollout.SetFlag{Name: "other"}, rollout.RoleAdmin},
		{"create a flag", at(rollout.Expanded), rollout.CreateFlag{Name: "other"}, rollout.RoleAdmin},
		{"create a token", withThings(), token, rollout.RoleAdmin},
		{"revoke a token", withThings(), rollout.RevokeToken{ID: "t1"}, rollout.RoleAdmin},
		{"set a setting", at(rollout.Expanded), rollout.SetSetting{Key: "soak", Value: "enforce"}, rollout.RoleAdmin},
		{"start", at(rollout.Disabled), rollout.Start{Name: "b", OldName: "x", NewName: "y", Salt: "s"}, rollout.RoleAdmin},
		{"finalise", at(rollout.FullRollout), rollout.Finalise{}, rollout.RoleAdmin},
		{"flags found changed", at(rollout.Expanded), rollout.DirectFlags{}, rollout.RoleViewer},
	} {
		t.Run(c.name, func(t *testing.T) {
			rank := map[rollout.Role]int{rollout.RoleClient: 1, rollout.RoleViewer: 2, rollout.RoleOperator: 3, rollout.RoleAdmin: 4}
			for _, role := range append([]rollout.Role{"", "root"}, allRoles...) {
				who := rollout.Actor{Name: "someone@example.com", Role: role}
				result, err := c.state.Apply(c.change, by(who))
				if rank[role] >= rank[c.least] {
					if err != nil || !result.Changed {
						t.Errorf("%q may not do it: changed %t, %v", role, result.Changed, err)
					}
					continue
				}
				wantRefusal(t, err, rollout.CodeForbidden, string(c.change.Action()), "role "+string(c.least), who.Name, "ask somebody")
			}
		})
	}
}
