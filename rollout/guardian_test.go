package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

func TestAPersonPausesAdvancing(t *testing.T) {
	guardian := by(machine)
	for name, c := range map[string]struct {
		from   rollout.State
		change rollout.Change
		ctx    rollout.Context
		want   rollout.Pause
	}{
		"a person advances":           {at(rollout.EarlyTesting), rollout.Advance{}, by(ann), rollout.PauseAdvance},
		"a person rolls back":         {at(rollout.HalfRollout), rollout.Rollback{}, by(olga), rollout.PauseAdvance},
		"a person kills":              {at(rollout.HalfRollout), rollout.SetFlag{Name: rollout.KillSwitch}, by(olga), rollout.PauseAdvance},
		"a rollback that changes not": {rolledBack(at(rollout.HalfRollout), rollout.Disabled), rollout.Rollback{}, by(olga), rollout.PauseNone},
		"the guardian advances":       {at(rollout.EarlyTesting), rollout.Advance{}, guardian, rollout.PauseNone},
		"the guardian rolls back":     {at(rollout.HalfRollout), rollout.Rollback{}, guardian, rollout.PauseNone},
		"a setting":                   {at(rollout.HalfRollout), rollout.SetSetting{Key: "soak", Value: "enforce"}, by(ann), rollout.PauseNone},
		"a person who paused it":      {at(rollout.EarlyTesting), rollout.PauseGuardian{}, by(ann), rollout.PauseAll},
	} {
		t.Run(name, func(t *testing.T) {
			c.from.Guardian = rollout.Guardian{}
			c.ctx.Note = "because"
			got := apply(t, c.from, c.change, c.ctx).State.Guardian
			if got.Paused != c.want || c.want != rollout.PauseNone && (got.By != c.ctx.Actor.Name || !got.At.Equal(c.ctx.At) || got.Why == "") {
				t.Errorf("the guardian is %+v, want %q", got, c.want)
			}
		})
	}
}

func TestPauseAndResume(t *testing.T) {
	s := at(rollout.EarlyTesting)
	s.Guardian = rollout.Guardian{}
	paused := apply(t, s, rollout.PauseGuardian{}, by(ann))
	if !paused.Changed || len(paused.Warnings) != 1 {
		t.Errorf("pausing: %+v", paused)
	}
	again := apply(t, paused.State, rollout.PauseGuardian{}, by(ann))
	if again.Changed {
		t.Error("pausing twice changed something")
	}
	// What a person paused stays so when people move the rollout.
	moved := apply(t, paused.State, rollout.Advance{}, by(ann)).State
	if moved.Guardian.Paused != rollout.PauseAll {
		t.Errorf("after an advance the guardian is %+v", moved.Guardian)
	}
	_, err := moved.Apply(rollout.Advance{}, rollout.Context{Actor: machine, At: later.AddDate(1, 0, 0)})
	wantRefusal(t, err, rollout.CodePaused, "paused")
	resumed := apply(t, moved, rollout.ResumeGuardian{}, by(ann))
	if resumed.State.Guardian != (rollout.Guardian{}) || !resumed.Changed {
		t.Errorf("resuming: %+v", resumed.State.Guardian)
	}
	if apply(t, resumed.State, rollout.ResumeGuardian{}, by(ann)).Changed {
		t.Error("resuming twice changed something")
	}
	apply(t, resumed.State, rollout.Advance{}, rollout.Context{Actor: machine, At: later.AddDate(1, 0, 0)})
}

// An expired timer ships nothing, and a running one ships nothing early.
func TestTheGuardianWaitsForTheSoak(t *testing.T) {
	s := at(rollout.EarlyTesting)
	s.Guardian = rollout.Guardian{}
	if s.Settings.Soak != rollout.SoakAdvise {
		t.Fatal("people may advance early here")
	}
	_, err := s.Apply(rollout.Advance{}, rollout.Context{Actor: machine, At: s.SoakEndsAt().Add(-time.Microsecond)})
	wantRefusal(t, err, rollout.CodeSoak, "are left")
	apply(t, s, rollout.Advance{}, rollout.Context{Actor: machine, At: s.SoakEndsAt()})
}

func TestApprovals(t *testing.T) {
	carl := rollout.Actor{Name: "carl@example.com", Role: rollout.RoleAdmin, Source: rollout.SourceAPI}
	s := apply(t, at(rollout.EarlyTesting), rollout.SetSetting{Key: "approvals", Value: "2"}, by(ann)).State
	s.Guardian = rollout.Guardian{}

	_, err := s.Apply(rollout.Advance{}, by(ann))
	wantRefusal(t, err, rollout.CodeUnapproved, "1 of 2 approvals", "nlpcanary approve")
	s = apply(t, s, rollout.Approve{}, by(ann)).State
	if apply(t, s, rollout.Approve{}, by(ann)).Changed {
		t.Error("one person approved twice")
	}
	_, err = s.Apply(rollout.Advance{}, by(ann))
	wantRefusal(t, err, rollout.CodeUnapproved, "1 of 2")
	_, err = s.Apply(rollout.Advance{}, rollout.Context{Actor: machine, At: later.AddDate(1, 0, 0)})
	wantRefusal(t, err, rollout.CodeUnapproved, "1 of 2")
	_, err = s.Apply(rollout.Approve{}, by(machine))
	wantRefusal(t, err, rollout.CodeForbidden, "people approve")

	// A rollback never needs an approval, and ends those there are.
	if left := apply(t, s, rollout.Rollback{}, by(olga)).State.Approvals; len(left) != 0 {
		t.Errorf("after a rollback %v are left", left)
	}
	if left := apply(t, s, rollout.SetFlag{Name: rollout.KillSwitch}, by(olga)).State.Approvals; len(left) != 0 {
		t.Errorf("after the kill switch %v are left", left)
	}

	// Whoever advances approves by that; automation needs all of them.
	if next := apply(t, s, rollout.Advance{}, by(carl)).State; next.Rollout.Stage != rollout.Expanded || len(next.Approvals) != 0 {
		t.Errorf("after the advance: %+v", next)
	}
	both := apply(t, s, rollout.Approve{}, by(carl)).State
	apply(t, both, rollout.Advance{}, rollout.Context{Actor: machine, At: later.AddDate(1, 0, 0)})

	_, err = at(rollout.FullRollout).Apply(rollout.Approve{}, by(ann))
	wantRefusal(t, err, rollout.CodeAtFullRollout)
	_, err = finalised().Apply(rollout.Approve{}, by(ann))
	wantRefusal(t, err, rollout.CodeFinalised)
}

func TestSettingValues(t *testing.T) {
	for _, c := range []struct {
		key, text, value string // value is empty where the text is refused
	}{
		{"soak_stage_0", "7d", "168h"}, {"soak_stage_1", "90m", "90m"}, {"soak_stage_2", "0s", "0s"}, {"soak_stage_3", "1h30m", "90m"},
		{"soak_stage_0", "36500d", ""}, {"soak_stage_0", "-1h", ""}, {"soak_stage_0", "soon", ""}, {"soak_stage_0", "9223372036854775807d", ""},
		{"guardian", "auto", "auto"}, {"guardian", "AUTO", ""},
		{"approvals", "10", "10"}, {"approvals", "11", ""}, {"approvals", "-1", ""}, {"approvals", "two", ""},
		{"rollback_error_increase", "50%", "0.5"}, {"rollback_error_increase", "0.07", "0.07"}, {"rollback_error_increase", "7 %", "0.07"},
		{"rollback_error_increase", "0", ""}, {"rollback_error_increase", "NaN", ""}, {"rollback_error_increase", "Inf", ""}, {"rollback_error_increase", "%", ""},
		{"alpha_stage_4", "0.01", "0.01"}, {"alpha_stage_4", "1", ""}, {"safe_f1_gain", "0", "0"},
	} {
		result, err := at(0).Apply(rollout.SetSetting{Key: c.key, Value: c.text}, by(ann))
		if c.value == "" {
			wantRefusal(t, err, rollout.CodeInvalid, c.key)
			continue
		}
		if got, known := result.State.Settings.Value(c.key); err != nil || got != c.value || !known {
			t.Errorf("%s = %q gives %q, %v; want %q", c.key, c.text, got, err, c.value)
		}
	}
}

// Every setting takes its own value, and says what it is for.
func TestKnownSettings(t *testing.T) {
	defaults := rollout.DefaultSettings()
	for _, k := range defaults.Known() {
		value, known := defaults.Value(k.Key)
		if !known || k.About == "" || k.Values == "" || strings.Contains(k.About, ".") {
			t.Errorf("%+v is %q", k, value)
		}
		if result := apply(t, at(0), rollout.SetSetting{Key: k.Key, Value: value}, by(ann)); result.Changed {
			t.Errorf("%s is not as it is read: %q", k.Key, value)
		}
	}
}

// A state of an older version has no newer settings: it has their default values.
func TestSettingsOfAnOlderVersion(t *testing.T) {
	var s rollout.Settings
	if err := s.UnmarshalJSON([]byte(`{"soak": "enforce", "when_stale": "old"}`)); err != nil {
		t.Fatal(err)
	}
	want := rollout.DefaultSettings()
	want.Soak = rollout.SoakEnforce
	if s != want {
		t.Errorf("settings are %+v, want %+v", s, want)
	}
	if err := s.UnmarshalJSON([]byte(`{"soak_stage_0": "never"}`)); err == nil {
		t.Error("a period that is none was read")
	}
}
