package rollout_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// The random histories are about few things, so that changes meet each other.
var (
	fewUsers  = []rollout.UserID{"user-1", "user-2", "пользователь", "用户", "👩‍👩‍👧‍👦"}
	fewNames  = []string{"alpha", "beta", "Gamma", "nlp", rollout.KillSwitch, ""}
	manyUsers = func() (users []rollout.UserID) {
		for i := range 60 {
			users = append(users, rollout.UserID(fmt.Sprint("user-", i)))
		}
		return append(users, fewUsers...)
	}()
)

// anyChange draws a change of every kind, sensible or not.
func anyChange(t *rapid.T, s rollout.State) rollout.Change {
	name := rapid.SampledFrom(fewNames)
	user := keyer.Key(rapid.SampledFrom(fewUsers).Draw(t, "user"))
	switch rapid.IntRange(0, 16).Draw(t, "kind") {
	case 14:
		return rapid.SampledFrom([]rollout.Change{rollout.Approve{}, rollout.PauseGuardian{}, rollout.ResumeGuardian{}}).Draw(t, "change")
	case 15:
		return rollout.SetSetting{Key: "approvals", Value: rapid.SampledFrom([]string{"0", "1", "2", "11"}).Draw(t, "approvals")}
	case 0, 1, 2:
		return rollout.Advance{}
	case 3, 4:
		return rollout.Rollback{Target: rollout.Stage(rapid.IntRange(-1, 5).Draw(t, "target"))}
	case 5:
		return rollout.SetFlag{Name: rollout.KillSwitch, Enabled: rapid.Bool().Draw(t, "enabled")}
	case 6:
		return rollout.SetFlag{Name: name.Draw(t, "flag"), Enabled: rapid.Bool().Draw(t, "enabled")}
	case 7:
		return rollout.CreateFlag{Name: name.Draw(t, "flag"), DefaultValue: rapid.Bool().Draw(t, "default")}
	case 8:
		found := rapid.Permutation(s.Flags).Draw(t, "found")
		if len(found) > 0 && rapid.Bool().Draw(t, "one is gone") {
			found = found[1:]
		}
		if len(found) > 0 && rapid.Bool().Draw(t, "one is turned") {
			found = slices.Clone(found)
			found[0].Enabled = !found[0].Enabled
		}
		return rollout.DirectFlags{Found: found}
	case 9:
		return rollout.AddOverride{User: user, Variant: rapid.SampledFrom([]rollout.Variant{rollout.Old, rollout.New, ""}).Draw(t, "variant"), Label: name.Draw(t, "label")}
	case 10:
		return rollout.RemoveOverride{User: user}
	case 11:
		id := name.Draw(t, "token")
		return rollout.CreateToken{ID: id, Name: "token " + id, Role: rollout.RoleClient, Hash: rollout.HashToken(id)}
	case 12:
		if rapid.Bool().Draw(t, "clear the cache") {
			return rollout.ClearCache{}
		}
		return rollout.RevokeToken{ID: name.Draw(t, "token")}
	case 13:
		return rollout.SetSetting{
			Key:   rapid.SampledFrom([]string{"soak", "when_stale", "other"}).Draw(t, "key"),
			Value: rapid.SampledFrom([]string{"advise", "enforce", "old", "hold", ""}).Draw(t, "value"),
		}
	default:
		if rapid.Bool().Draw(t, "finalise") {
			return rollout.Finalise{}
		}
		return rollout.Start{Name: name.Draw(t, "rollout"), OldName: "a", NewName: "b", Salt: rapid.SampledFrom([]rollout.Salt{"s1", "s2", ""}).Draw(t, "salt")}
	}
}

func anyContext(t *rapid.T, s rollout.State, now time.Time) rollout.Context {
	return rollout.Context{
		Actor:       rapid.SampledFrom([]rollout.Actor{ann, ann, ann, bob, olga, machine}).Draw(t, "actor"),
		At:          now,
		Note:        rapid.SampledFrom([]string{"", "why <not> & \"so\" \u2028 — да", "bad \x00"}).Draw(t, "note"),
		Base:        rapid.SampledFrom([]int64{0, 0, s.Revision, s.Revision - 1}).Draw(t, "base"),
		AuditBroken: rapid.IntRange(0, 9).Draw(t, "audit") == 0,
	}
}

func encode(t rapid.TB, s rollout.State) []byte {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatalf("encoding the state: %v", err)
	}
	return text
}

// Whatever people, automation and SQL do, in whatever order, these hold.
func TestInvariantsOfEveryHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, now := at(rapid.SampledFrom(allStages).Draw(t, "first stage")), start
		t.Repeat(map[string]func(*rapid.T){
			"change": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.SampledFrom([]int64{0, 1, 4, 6, 3600, 1_000_000}).Draw(t, "seconds")) * time.Second)
				change, c := anyChange(t, s), anyContext(t, s, now)
				before := encode(t, s)

				result, err := s.Apply(change, c)
				if !bytes.Equal(before, encode(t, s)) {
					t.Fatalf("%+v modified the state it was applied to", change)
				}
				if err != nil {
					if diff := cmp.Diff(rollout.Result{}, result); diff != "" {
						t.Fatalf("a refusal came with a result:\n%s", diff)
					}
					return
				}
				checkStep(t, s, result, change, c)
				s = result.State
			},
			"rollback": func(t *rapid.T) { s = checkRollback(t, s, now) },
			"":         func(t *rapid.T) { checkState(t, s) },
		})
	})
}

// checkStep checks what one allowed change may have done.
func checkStep(t *rapid.T, s rollout.State, result rollout.Result, change rollout.Change, c rollout.Context) {
	is, was := result.State, s
	if !result.Changed {
		if !bytes.Equal(encode(t, s), encode(t, is)) || result.StageEntry {
			t.Fatalf("%+v changed nothing, yet the state is another or in the history", change)
		}
		return
	}
	if is.Revision != was.Revision+1 {
		t.Fatalf("revision went from %d to %d", was.Revision, is.Revision)
	}
	if want := (rollout.Last{Action: change.Action(), By: c.Actor.Name, At: c.At}); is.Last != want {
		t.Fatalf("last is %+v, want %+v", is.Last, want)
	}
	restarted := is.Rollout.Stage != was.Rollout.Stage || is.Rollout.Name != was.Rollout.Name || is.NewArchitectureEnabled() != was.NewArchitectureEnabled()
	if want := map[bool]int64{true: is.Revision, false: was.Rollout.Epoch}[restarted]; is.Rollout.Epoch != want {
		t.Fatalf("%+v moved the epoch from %d to %d, want %d", change, was.Rollout.Epoch, is.Rollout.Epoch, want)
	}
	_, started := change.(rollout.Start)
	if step := is.Rollout.Stage - was.Rollout.Stage; step > 1 || step == 1 && change.Action() != rollout.ActionAdvance {
		t.Fatalf("%+v raised the stage from %s to %s", change, was.Rollout.Stage, is.Rollout.Stage)
	} else if step < 0 && change.Action() != rollout.ActionRollback && !started {
		t.Fatalf("%+v lowered the stage from %s to %s", change, was.Rollout.Stage, is.Rollout.Stage)
	}
	if was.Rollout.Latched && !is.Rollout.Latched && c.Actor.Source == rollout.SourceGuardian && !started {
		t.Fatalf("automation released the latch by %+v", change)
	}
	if _, advanced := change.(rollout.Advance); advanced {
		if missing := was.MissingApprovals(c.Actor); missing > 0 {
			t.Fatalf("%s advanced although %d approvals were missing", c.Actor.Name, missing)
		}
		if c.Actor.Source == rollout.SourceGuardian && (was.Guardian.Paused != rollout.PauseNone || c.At.Before(was.SoakEndsAt())) {
			t.Fatalf("the guardian advanced while paused (%q) or before the end of the soak", was.Guardian.Paused)
		}
	}
	if restarted && len(is.Approvals) > 0 {
		t.Fatalf("%+v left approvals of another stage", change)
	}
	if moved := is.Rollout.EpochSince; restarted && !moved.Equal(c.At) || !restarted && !moved.Equal(was.Rollout.EpochSince) {
		t.Fatalf("%+v: the epoch began at %s and now at %s", change, was.Rollout.EpochSince, moved)
	}
	was.Rollout.Epoch, was.Rollout.EpochSince = is.Rollout.Epoch, is.Rollout.EpochSince // the kill switch may move it
	if result.StageEntry != (is.Rollout != was.Rollout) {
		t.Fatalf("%+v: in the history of stages %t, rollout was %+v, is %+v", change, result.StageEntry, was.Rollout, is.Rollout)
	}
	if !json.Valid(result.Before) || !json.Valid(result.After) || result.Subject == "" || result.Action != change.Action() {
		t.Fatalf("the audit cannot tell of %+v: %+v", change, result)
	}
}

// checkRollback: it is never refused, whatever the history, and only takes users back.
func checkRollback(t *rapid.T, s rollout.State, now time.Time) rollout.State {
	target := rollout.Stage(rapid.IntRange(0, int(s.Rollout.Stage)).Draw(t, "rollback target"))
	c := rollout.Context{Actor: olga, At: now, Base: rapid.Int64().Draw(t, "any base"), AuditBroken: rapid.Bool().Draw(t, "audit broken")}
	result, err := s.Apply(rollout.Rollback{Target: target}, c)
	if err != nil {
		t.Fatalf("a rollback from %s to %s was refused: %v", s.Rollout.Stage, target, err)
	}
	is := result.State
	if is.Rollout.Stage != target || !is.Rollout.Latched || is.Rollout.Finalised || planOf(is, false).HoldsWhenStale() {
		t.Fatalf("rolled back to %s, the rollout is %+v", target, is.Rollout)
	}
	before, after := planOf(s, false), planOf(is, false)
	for _, id := range manyUsers {
		was, now := before.Decide(id), after.Decide(id)
		if was.Variant == rollout.Old && now.Variant != rollout.Old {
			t.Fatalf("the rollback moved %q from old to new", id)
		}
		if target == rollout.Disabled && now.Variant != rollout.Old {
			t.Fatalf("rolled back to stage 0, %q is on new", id)
		}
	}
	again, err := is.Apply(rollout.Rollback{Target: target}, c)
	if err != nil || again.Changed || !bytes.Equal(encode(t, is), encode(t, again.State)) {
		t.Fatalf("the same rollback again: changed %t, %v", again.Changed, err)
	}
	return is
}

// checkState checks what holds in every state.
func checkState(t *rapid.T, s rollout.State) {
	r := s.Rollout
	if !r.Stage.Valid() || r.Percentage != r.Stage.Percentage() || r.Epoch > s.Revision || s.CacheEpoch > s.Revision {
		t.Fatalf("the state contradicts itself: %+v", s)
	}
	if s.Settings.WhenStale == rollout.StaleHold && !r.Finalised {
		t.Fatalf("a rollout that is not finalised may be held: %+v", s)
	}
	if r.Finalised && r.Stage != rollout.FullRollout {
		t.Fatalf("finalised at %s", r.Stage)
	}
	if !slices.IsSortedFunc(s.Flags, func(a, b rollout.Flag) int { return strings.Compare(a.Name, b.Name) }) ||
		!slices.IsSortedFunc(s.Tokens, func(a, b rollout.Token) int { return strings.Compare(a.ID, b.ID) }) ||
		!slices.IsSortedFunc(s.Overrides, func(a, b rollout.Override) int { return bytes.Compare(a.User[:], b.User[:]) }) {
		t.Fatalf("a list is not sorted: %+v", s)
	}

	text := encode(t, s)
	var decoded rollout.State
	if err := json.Unmarshal(text, &decoded); err != nil {
		t.Fatalf("decoding the state: %v", err)
	}
	if diff := cmp.Diff(s, decoded); diff != "" {
		t.Fatalf("the state changed on its way through JSON:\n%s", diff)
	}
	if again := encode(t, decoded); !bytes.Equal(text, again) {
		t.Fatalf("the state's JSON is not stable:\n%s\n%s", text, again)
	}

	plan := planOf(s, true)
	for _, id := range manyUsers {
		d := plan.Decide(id)
		if !s.NewArchitectureEnabled() && (d.Variant != rollout.Old || d.Reason != rollout.ReasonDisabled) {
			t.Fatalf("the kill switch is off, yet the decision for %q is %+v", id, d)
		}
		if r.OverridesSuspended() && d.Variant != rollout.Old {
			t.Fatalf("after a rollback to stage 0 the decision for %q is %+v", id, d)
		}
		if d.Forced != (d.Reason == rollout.ReasonTargetingMatch) || d.Revision != s.Revision || d.Epoch != r.Epoch {
			t.Fatalf("the decision for %q contradicts itself or the state: %+v", id, d)
		}
	}
}

// Lists do not depend on the order in which their entries came.
func TestTheOrderOfChangesDoesNotShow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changes := []rollout.Change{
			rollout.CreateFlag{Name: "b"}, rollout.CreateFlag{Name: "a"}, rollout.CreateFlag{Name: "Z"},
			rollout.AddOverride{User: keyer.Key("user-1"), Variant: rollout.New}, rollout.AddOverride{User: keyer.Key("user-2"), Variant: rollout.Old},
			rollout.CreateToken{ID: "t2", Name: "x", Role: rollout.RoleClient, Hash: rollout.HashToken("x")},
			rollout.CreateToken{ID: "t1", Name: "y", Role: rollout.RoleClient, Hash: rollout.HashToken("y")},
		}
		run := func(list []rollout.Change) rollout.State {
			s := at(rollout.Expanded)
			for _, change := range list {
				s = must(s, change)
			}
			s.Last = rollout.Last{}
			return s
		}
		if diff := cmp.Diff(run(changes), run(rapid.Permutation(changes).Draw(t, "order"))); diff != "" {
			t.Fatalf("the order shows:\n%s", diff)
		}
	})
}
