package rollout_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nlpcanary/nlpcanary/rollout"
)

var nextRollout = rollout.Start{Name: "nlp-2", OldName: "ensemble", NewName: "transformer", Salt: "0f8c2b7e"}

func TestStart(t *testing.T) {
	for _, c := range []struct {
		name  string
		state rollout.State
		past  rollout.Past
	}{
		{"after a finalised rollout", holding(), rollout.Past{Stage: rollout.FullRollout, Finalised: true}},
		{"after one rolled back to stage 0", rolledBack(at(rollout.HalfRollout), rollout.Disabled), rollout.Past{Stage: rollout.Disabled}},
		{"after one that never began", at(rollout.Disabled), rollout.Past{Stage: rollout.Disabled}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := pinned(c.state, "user-1", rollout.New)
			ctx := by(ann)
			ctx.Note = "the next one"
			result := apply(t, s, nextRollout, ctx)
			want := rollout.Rollout{
				Name: "nlp-2", OldName: "ensemble", NewName: "transformer", Salt: "0f8c2b7e",
				Stage: rollout.Disabled, Percentage: 0, Epoch: s.Revision + 1, EpochSince: later,
				StartedAt: later, StageSince: later, UpdatedAt: later, UpdatedBy: ann.Name,
				Notes: "the next one", LastAction: rollout.ActionStart,
			}
			if diff := cmp.Diff(want, result.State.Rollout); diff != "" {
				t.Errorf("the new rollout (-want +got):\n%s", diff)
			}
			c.past.Name, c.past.OldName, c.past.NewName, c.past.StartedAt, c.past.EndedAt = "nlp", "single", "ensemble", start, later
			if diff := cmp.Diff([]rollout.Past{c.past}, result.State.Past); diff != "" {
				t.Errorf("the past (-want +got):\n%s", diff)
			}
			if len(result.State.Overrides) != 0 || len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0], `1 overrides of the rollout "nlp" were removed`) {
				t.Errorf("overrides are %v with the warnings %q, want none of the old ones, and to be told", result.State.Overrides, result.Warnings)
			}
			if w := result.State.Settings.WhenStale; w != rollout.StaleOld {
				t.Errorf("when_stale is %s, want old: the new rollout is not finalised", w)
			}
			if result.Subject != "rollout/nlp-2" || !result.StageEntry || string(result.Before) != "null" {
				t.Errorf("result is %+v", result)
			}
			wantJSON(t, result.After, `{"stage":0,"stage_name":"DISABLED","percentage":0}`)
		})
	}
}

func TestStartIsRefused(t *testing.T) {
	with := func(change func(*rollout.Start)) rollout.Start {
		s := nextRollout
		change(&s)
		return s
	}
	broken := by(ann)
	broken.AuditBroken = true
	const rule = "ASCII letters, digits, '-', '_' or '.'"
	for _, c := range []struct {
		name  string
		state rollout.State
		start rollout.Start
		ctx   rollout.Context
		code  rollout.Code
		words []string
	}{
		{"rollout under way", at(rollout.EarlyTesting), nextRollout, by(ann), rollout.CodeNotFinished, []string{`"nlp" is at stage 1 EARLY_TESTING`, "finalise it or roll it back to stage 0"}},
		{"full but not finalised", at(rollout.FullRollout), nextRollout, by(ann), rollout.CodeNotFinished, []string{"stage 4 FULL_ROLLOUT"}},
		{"broken audit", at(rollout.Disabled), nextRollout, broken, rollout.CodeAuditBroken, []string{"does not verify", "audit verify"}},
		{"the present name", at(rollout.Disabled), with(func(s *rollout.Start) { s.Name = "nlp" }), by(ann), rollout.CodeAlreadyExists, []string{`named "nlp"`, "not used before"}},
		{"a past name", must(at(rollout.Disabled), nextRollout), with(func(s *rollout.Start) { s.Name = "nlp" }), by(ann), rollout.CodeAlreadyExists, []string{`named "nlp"`}},
		{"no name", at(rollout.Disabled), with(func(s *rollout.Start) { s.Name = "" }), by(ann), rollout.CodeInvalid, []string{"name is 0 bytes long", "1 to 64 " + rule}},
		{"long name", at(rollout.Disabled), with(func(s *rollout.Start) { s.Name = strings.Repeat("n", 65) }), by(ann), rollout.CodeInvalid, []string{"name is 65 bytes long"}},
		{"bad name", at(rollout.Disabled), with(func(s *rollout.Start) { s.Name = "a/b" }), by(ann), rollout.CodeInvalid, []string{"name contains '/'", rule}},
		{"no old name", at(rollout.Disabled), with(func(s *rollout.Start) { s.OldName = "" }), by(ann), rollout.CodeInvalid, []string{"old is 0 bytes long"}},
		{"no new name", at(rollout.Disabled), with(func(s *rollout.Start) { s.NewName = "" }), by(ann), rollout.CodeInvalid, []string{"new is 0 bytes long"}},
		{"all wrong: the first is named", at(rollout.Disabled), rollout.Start{}, by(ann), rollout.CodeInvalid, []string{"name is 0 bytes long"}},
		{"the same architecture twice", at(rollout.Disabled), with(func(s *rollout.Start) { s.OldName = s.NewName }), by(ann), rollout.CodeInvalid, []string{"same name", "two different architectures"}},
		{"no salt", at(rollout.Disabled), with(func(s *rollout.Start) { s.Salt = "" }), by(ann), rollout.CodeInvalid, []string{"salt is 0 bytes long", "1 to 64"}},
		{"long salt", at(rollout.Disabled), with(func(s *rollout.Start) { s.Salt = rollout.Salt(strings.Repeat("s", 65)) }), by(ann), rollout.CodeInvalid, []string{"salt is 65 bytes long"}},
		{"salt with the separator", at(rollout.Disabled), with(func(s *rollout.Start) { s.Salt = "a:b" }), by(ann), rollout.CodeInvalid, []string{"salt contains ':'"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 20 { // the same answer every time
				_, err := c.state.Apply(c.start, c.ctx)
				wantRefusal(t, err, c.code, c.words...)
			}
		})
	}
}

func TestFinalise(t *testing.T) {
	s := at(rollout.FullRollout)
	result := apply(t, s, rollout.Finalise{}, by(ann))
	r := result.State.Rollout
	if !r.Finalised || r.Stage != rollout.FullRollout || r.Epoch != s.Rollout.Epoch || r.LastAction != rollout.ActionFinalise || !result.StageEntry || !result.Changed {
		t.Errorf("finalised, the rollout is %+v", r)
	}
	wantJSON(t, result.After, `{"stage":4,"stage_name":"FULL_ROLLOUT","percentage":100,"finalised":true}`)
	if again := apply(t, result.State, rollout.Finalise{}, by(ann)); again.Changed || again.StageEntry {
		t.Errorf("finalising again changed something: %+v", again)
	}

	broken := by(ann)
	broken.AuditBroken = true
	for _, c := range []struct {
		name  string
		state rollout.State
		ctx   rollout.Context
		code  rollout.Code
		words []string
	}{
		{"not at the last stage", at(rollout.HalfRollout), by(ann), rollout.CodeNotFinished, []string{"stage 3 HALF_ROLLOUT, not at stage 4 FULL_ROLLOUT", "advance it"}},
		{"killed", killed(at(rollout.FullRollout)), by(ann), rollout.CodeNotFinished, []string{rollout.KillSwitch + " is off", "enable it first"}},
		{"broken audit", at(rollout.FullRollout), broken, rollout.CodeAuditBroken, []string{"does not verify"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.state.Apply(rollout.Finalise{}, c.ctx)
			wantRefusal(t, err, c.code, c.words...)
		})
	}
}

func TestSettings(t *testing.T) {
	with := func(soak rollout.SoakMode, stale rollout.WhenStale) rollout.Settings {
		s := rollout.DefaultSettings()
		s.Soak, s.WhenStale = soak, stale
		return s
	}
	for _, c := range []struct {
		name       string
		state      rollout.State
		key, value string
		want       rollout.Settings
		changed    bool
		warned     bool
	}{
		{"enforce the soak", at(0), "soak", "enforce", with("enforce", "old"), true, false},
		{"advise again", enforcing(at(0)), "soak", "advise", with("advise", "old"), true, false},
		{"as it is", at(0), "soak", "advise", with("advise", "old"), false, false},
		{"hold once finalised", finalised(), "when_stale", "hold", with("advise", "hold"), true, true},
		{"old again", holding(), "when_stale", "old", with("advise", "old"), true, false},
		{"old as it is", at(0), "when_stale", "old", with("advise", "old"), false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			result := apply(t, c.state, rollout.SetSetting{Key: c.key, Value: c.value}, by(ann))
			if result.State.Settings != c.want || result.Changed != c.changed || (len(result.Warnings) > 0) != c.warned || result.Subject != "setting/"+c.key {
				t.Errorf("settings are %+v, changed %t, warnings %q; want %+v, %t, warned %t", result.State.Settings, result.Changed, result.Warnings, c.want, c.changed, c.warned)
			}
		})
	}
	for _, c := range []struct {
		name       string
		state      rollout.State
		key, value string
		code       rollout.Code
		words      []string
	}{
		{"hold while under way", at(rollout.FullRollout), "when_stale", "hold", rollout.CodeNotFinished, []string{"only for a finalised rollout", "finalise"}},
		{"hold after a rollback", rolledBack(finalised(), rollout.FullRollout), "when_stale", "hold", rollout.CodeNotFinished, nil},
		{"bad soak", at(0), "soak", "never", rollout.CodeInvalid, []string{`"never" is not a value of the setting soak`, "advise or enforce"}},
		{"empty soak", at(0), "soak", "", rollout.CodeInvalid, []string{`""`}},
		{"bad when_stale", at(0), "when_stale", "new\x00", rollout.CodeInvalid, []string{"when_stale", "old or hold"}},
		{"unknown", at(0), "Soak", "advise", rollout.CodeNotFound, []string{`no setting "Soak"`, "soak, soak_stage_0"}},
		{"unknown and long", at(0), strings.Repeat("ж", 1<<20), "", rollout.CodeNotFound, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.state.Apply(rollout.SetSetting{Key: c.key, Value: c.value}, by(ann))
			wantRefusal(t, err, c.code, c.words...)
			wantPrintable(t, err)
		})
	}
}
