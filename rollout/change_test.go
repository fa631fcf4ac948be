package rollout_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// wantJSON compares JSON by meaning.
func wantJSON(t testing.TB, got json.RawMessage, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatalf("%q is not JSON: %v", got, err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, a); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}

func wantWords(t testing.TB, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q does not mention %q", text, word)
		}
	}
}

func TestInitial(t *testing.T) {
	moscow := time.FixedZone("MSK", 3*60*60)
	s := rollout.Initial(time.Date(2026, 3, 1, 15, 0, 0, 123456789, moscow))
	r := s.Rollout
	if s.Revision != 1 || r.Stage != rollout.FullRollout || r.Percentage != 100 || r.UpdatedBy != "system" || r.Notes != "Initial state: new architecture already at 100%" || r.Salt != "" {
		t.Errorf("the first state is %+v", s)
	}
	if want := start.Add(123456 * time.Microsecond); !r.UpdatedAt.Equal(want) || r.UpdatedAt.Location() != time.UTC {
		t.Errorf("time is %s, want %s", r.UpdatedAt, want)
	}
	if f, ok := s.Flag(rollout.KillSwitch); !ok || !f.Enabled || !f.DefaultValue || rollout.KillSwitch != "USE_NEW_NLP_ARCHITECTURE" {
		t.Errorf("the kill switch is %+v", f)
	}
	if d := planOf(s, false).Decide("user-1"); d.Variant != rollout.New || d.Reason != rollout.ReasonStatic {
		t.Errorf("the first decision is %+v", d)
	}
}

// An allowed change says who did it and raises the revision by one; times are UTC
// and in microseconds, which is what both databases keep.
func TestAppliedChangeIsTheLast(t *testing.T) {
	s := at(rollout.Disabled)
	c := by(ann)
	c.At = later.In(time.FixedZone("MSK", 3*60*60)).Add(1999 * time.Nanosecond)
	result := apply(t, s, rollout.ClearCache{}, c)
	want := rollout.Last{Action: rollout.ActionClearCache, By: ann.Name, At: later.Add(time.Microsecond)}
	if result.State.Last != want || result.State.Revision != s.Revision+1 || result.Action != rollout.ActionClearCache {
		t.Errorf("last is %+v at revision %d, want %+v at %d", result.State.Last, result.State.Revision, want, s.Revision+1)
	}
	if result.State.CacheEpoch != result.State.Revision || result.Subject != "cache" || result.StageEntry {
		t.Errorf("clearing the cache gave %+v", result)
	}
	wantJSON(t, result.Before, "0")
	wantJSON(t, result.After, "2")
}

// Apply never writes to the state it is applied to: neither to its lists nor to
// the spare room behind them, which other states may share.
func TestApplyNeverModifiesItsReceiver(t *testing.T) {
	roomy := func(s rollout.State) rollout.State {
		for i := range 3 {
			name := fmt.Sprint("m", i)
			s = must(s, rollout.CreateFlag{Name: name})
			s = pinned(s, rollout.UserID(name), rollout.New)
			s = must(s, rollout.CreateToken{ID: name, Name: name, Role: rollout.RoleClient, Hash: rollout.HashToken(name)})
			s.Past = append(s.Past, rollout.Past{Name: name})
		}
		s.Flags, s.Overrides = slices.Grow(s.Flags, 9), slices.Grow(s.Overrides, 9)
		s.Tokens, s.Past = slices.Grow(s.Tokens, 9), slices.Grow(s.Past, 9)
		return s
	}
	// everything is the state with what its lists could still hold.
	everything := func(s rollout.State) rollout.State {
		s.Flags, s.Overrides = slices.Clone(s.Flags[:cap(s.Flags)]), slices.Clone(s.Overrides[:cap(s.Overrides)])
		s.Tokens, s.Past = slices.Clone(s.Tokens[:cap(s.Tokens)]), slices.Clone(s.Past[:cap(s.Past)])
		return s
	}
	for _, c := range []struct {
		name   string
		state  rollout.State
		change rollout.Change
	}{
		{"advance", at(rollout.Expanded), rollout.Advance{}},
		{"rollback", at(rollout.Expanded), rollout.Rollback{}},
		{"set a flag", at(rollout.Expanded), rollout.SetFlag{Name: rollout.KillSwitch}},
		{"create the first flag", at(rollout.Expanded), rollout.CreateFlag{Name: "A"}},
		{"create the last flag", at(rollout.Expanded), rollout.CreateFlag{Name: "z"}},
		{"find flags", at(rollout.Expanded), rollout.DirectFlags{}},
		{"pin", at(rollout.Expanded), rollout.AddOverride{Variant: rollout.New}},
		{"turn a pin", at(rollout.Expanded), rollout.AddOverride{User: keyer.Key("m1"), Variant: rollout.Old}},
		{"unpin", at(rollout.Expanded), rollout.RemoveOverride{User: keyer.Key("m1")}},
		{"create a token", at(rollout.Expanded), rollout.CreateToken{ID: "a", Name: "a", Role: rollout.RoleClient, Hash: rollout.HashToken("a")}},
		{"revoke a token", at(rollout.Expanded), rollout.RevokeToken{ID: "m1"}},
		{"set a setting", at(rollout.Expanded), rollout.SetSetting{Key: "soak", Value: "enforce"}},
		{"clear the cache", at(rollout.Expanded), rollout.ClearCache{}},
		{"finalise", at(rollout.FullRollout), rollout.Finalise{}},
		{"start", at(rollout.Disabled), nextRollout},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := roomy(c.state)
			before := everything(s)
			if !apply(t, s, c.change, by(ann)).Changed {
				t.Fatal("nothing was changed, so this shows nothing")
			}
			if diff := cmp.Diff(before, everything(s)); diff != "" {
				t.Errorf("the receiver was modified:\n%s", diff)
			}
		})
	}
}

func TestConflict(t *testing.T) {
	s := must(at(rollout.Expanded), rollout.CreateFlag{Name: "other"})
	for _, c := range []struct {
		name     string
		change   rollout.Change
		conflict bool
	}{
		{"advance", rollout.Advance{}, true},
		{"flag", rollout.SetFlag{Name: "other", Enabled: true}, true},
		{"revive", rollout.SetFlag{Name: rollout.KillSwitch, Enabled: true}, true},
		{"pin to new", rollout.AddOverride{User: keyer.Key("u"), Variant: rollout.New}, true},
		{"setting", rollout.SetSetting{Key: "soak", Value: "enforce"}, true},
		{"rollback", rollout.Rollback{Target: rollout.Disabled}, false},
		{"kill", rollout.SetFlag{Name: rollout.KillSwitch}, false},
	} {
		for _, base := range []int64{s.Revision - 1, s.Revision + 1, -1} {
			ctx := by(bob)
			ctx.Base = base
			_, err := s.Apply(c.change, ctx)
			if !c.conflict {
				if err != nil {
					t.Errorf("%s, which is right whatever came before, was refused: %v", c.name, err)
				}
				continue
			}
			var conflict *rollout.ConflictError
			if !errors.As(err, &conflict) {
				t.Errorf("%s based on %d: error is %v, want a conflict", c.name, base, err)
				continue
			}
			want := rollout.ConflictError{Base: base, Current: s.Revision, LastBy: ann.Name, LastAt: later, LastDone: rollout.ActionFlagCreate}
			if *conflict != want {
				t.Errorf("%s: conflict is %+v, want %+v", c.name, *conflict, want)
			}
		}
		ctx := by(bob)
		ctx.Base = s.Revision
		if _, err := s.Apply(c.change, ctx); err != nil {
			t.Errorf("%s based on the revision that stands was refused: %v", c.name, err)
		}
	}
	err := &rollout.ConflictError{Base: 7, Current: 9, LastBy: "ann@example.com", LastAt: later, LastDone: rollout.ActionRollback}
	wantWords(t, err.Error(), "based on revision 7", `ann@example.com did "rollback" at 2027-03-01T12:00:00Z`, "revision 9 stands now", "look at the status and decide again")
}

func TestActorAndNoteAreChecked(t *testing.T) {
	for _, c := range []struct {
		name        string
		actor, note string
		wrong       []string // nil if it is allowed
	}{
		{"plain", "ann@example.com", "", nil},
		{"255 characters", strings.Repeat("ж", 255), "", nil},
		{"note of 2,000 characters with line breaks", "ann", strings.Repeat("ж\n", 1000), nil},
		{"note with tab and CR", "ann", "a\tb\r\n", nil},
		{"no actor", "", "", []string{"actor is 0 characters long", "1 to 255 characters"}},
		{"long actor", strings.Repeat("a", 256), "", []string{"actor is 256 characters long"}},
		{"actor with a line break", "ann\nbob", "", []string{"actor contains a control character"}},
		{"actor with NUL", "ann\x00", "", []string{"actor contains a control character"}},
		{"actor of broken UTF-8", "ann\xff", "", []string{"actor is not valid UTF-8"}},
		{"long note", "ann", strings.Repeat("a", 2001), []string{"note is 2001 characters long", "0 to 2000 characters"}},
		{"note with NUL", "ann", "a\x00", []string{"note contains a control character"}},
		{"note with escape", "ann", "\x1b[31m", []string{"note contains a control character"}},
		{"note of broken UTF-8", "ann", "\xc3", []string{"note is not valid UTF-8"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := by(rollout.Actor{Name: c.actor, Role: rollout.RoleAdmin})
			ctx.Note = c.note
			_, err := at(rollout.Expanded).Apply(rollout.Advance{}, ctx)
			if c.wrong == nil {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			wantRefusal(t, err, rollout.CodeInvalid, c.wrong...)
			wantPrintable(t, err)
		})
	}
}

func TestForbiddenActorsNameIsShownSafely(t *testing.T) {
	for _, name := range []string{"", "a\x00\x1b[31m\xff", strings.Repeat("я", 1<<20)} {
		_, err := at(0).Apply(rollout.Advance{}, by(rollout.Actor{Name: name}))
		wantRefusal(t, err, rollout.CodeForbidden)
		wantPrintable(t, err)
	}
}

func TestStateJSON(t *testing.T) {
	first, err := json.Marshal(rollout.Initial(start))
	if err != nil {
		t.Fatal(err)
	}
	// The store and every SDK read this: a changed name breaks them.
	const want = `{
		"revision": 1,
		"last": {"action": "initialise", "by": "system", "at": "2026-03-01T12:00:00Z"},
		"rollout": {
			"name": "nlp", "old_name": "single", "new_name": "ensemble", "salt": "",
			"stage": 4, "percentage": 100, "epoch": 1, "epoch_since": "2026-03-01T12:00:00Z",
			"started_at": "2026-03-01T12:00:00Z", "stage_since": "2026-03-01T12:00:00Z",
			"updated_at": "2026-03-01T12:00:00Z", "updated_by": "system",
			"notes": "Initial state: new architecture already at 100%", "last_action": "initialise",
			"latched": false, "finalised": false
		},
		"flags": [{
			"name": "USE_NEW_NLP_ARCHITECTURE", "enabled": true, "category": "nlp",
			"description": "Kill switch: while off, everyone is on the old architecture whatever the stage",
			"default_value": true, "created_at": "2026-03-01T12:00:00Z", "updated_at": "2026-03-01T12:00:00Z"
		}],
		"overrides": [], "tokens": [],
		"approvals": [], "guardian": {"paused": ""},
		"settings": {
			"soak": "advise", "when_stale": "old", "soak_stage_0": "24h", "soak_stage_1": "48h", "soak_stage_2": "72h", "soak_stage_3": "168h",
			"guardian": "guard", "approvals": 0,
			"rollback_error_increase": 0.5, "rollback_timeout_rate": 0.01, "rollback_f1_drop": 0.05, "rollback_time_increase": 0.3, "rollback_quality_drop": 0.05,
			"safe_error_increase": 0.25, "safe_time_increase": 0.3, "safe_f1_gain": 0.05,
			"alpha_stage_1": 0.02, "alpha_stage_2": 0.01, "alpha_stage_3": 0.01, "alpha_stage_4": 0.01
		},
		"cache_epoch": 0,
		"past": []
	}`
	wantJSON(t, first, want)
	if bytes.Contains(first, []byte("null")) {
		t.Errorf("an empty list is null in %s", first)
	}
}
