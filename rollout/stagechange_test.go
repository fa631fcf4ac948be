package rollout_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

func TestAdvanceEntersTheNextStage(t *testing.T) {
	for _, from := range allStages[:4] {
		t.Run(from.String(), func(t *testing.T) {
			s := at(from)
			c := by(ann)
			c.Note = "looks good"
			result := apply(t, s, rollout.Advance{}, c)
			got, want := result.State.Rollout, s.Rollout
			want.Stage, want.Percentage = from+1, (from + 1).Percentage()
			want.Epoch, want.EpochSince, want.StageSince = s.Revision+1, later, later
			want.UpdatedAt, want.UpdatedBy, want.Notes, want.LastAction = later, ann.Name, "looks good", rollout.ActionAdvance
			if got != want {
				t.Errorf("the rollout is\n%+v, want\n%+v", got, want)
			}
			if !result.Changed || !result.StageEntry || len(result.Warnings) != 0 || result.Subject != "rollout/nlp" {
				t.Errorf("result is %+v", result)
			}
			wantJSON(t, result.Before, fmt.Sprintf(`{"stage":%d,"stage_name":"%s","percentage":%d}`, from, from, from.Percentage()))
			wantJSON(t, result.After, fmt.Sprintf(`{"stage":%d,"stage_name":"%s","percentage":%d}`, from+1, from+1, (from+1).Percentage()))
		})
	}
}

func TestAdvanceIsRefused(t *testing.T) {
	broken := by(ann)
	broken.AuditBroken = true
	soon := by(ann)
	soon.At = start.Add(time.Hour)
	for _, c := range []struct {
		name  string
		state rollout.State
		ctx   rollout.Context
		code  rollout.Code
		words []string
	}{
		{"at the last stage", at(rollout.FullRollout), by(ann), rollout.CodeAtFullRollout, []string{"stage 4 FULL_ROLLOUT", "no next stage", "finalise it, or roll back"}},
		{"finalised", finalised(), by(ann), rollout.CodeFinalised, []string{`"nlp" is finalised`, "start a new rollout"}},
		{"broken audit", at(rollout.Disabled), broken, rollout.CodeAuditBroken, []string{"does not verify", "audit verify", "rolling back still works"}},
		{"automation after a rollback", rolledBack(at(rollout.HalfRollout), rollout.Expanded), by(machine), rollout.CodeLatched, []string{"rolled back", "automation may not", "a person may"}},
		{"automation after a rollback to the same stage", rolledBack(at(rollout.HalfRollout), rollout.HalfRollout), by(machine), rollout.CodeLatched, nil},
		{"soak enforced", enforcing(at(rollout.HalfRollout)), soon, rollout.CodeSoak, []string{"stage 3 HALF_ROLLOUT should stand for 7d", "6d 23h are left", "until 2026-03-08T12:00:00Z", "wait, or set the setting soak to advise"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.state.Apply(rollout.Advance{}, c.ctx)
			wantRefusal(t, err, c.code, c.words...)
		})
	}
}

func TestAPersonReleasesTheLatch(t *testing.T) {
	s := rolledBack(at(rollout.HalfRollout), rollout.Expanded)
	if !s.Rollout.Latched {
		t.Fatal("a rollback did not latch")
	}
	s = apply(t, s, rollout.Advance{}, by(ann)).State
	if s.Rollout.Latched || s.Rollout.Stage != rollout.HalfRollout {
		t.Fatalf("after a person advanced the rollout is %+v", s.Rollout)
	}
	s = apply(t, s, rollout.ResumeGuardian{}, by(ann)).State
	c := by(machine)
	c.At, c.Base = later.Add(rollout.HalfRollout.Soak()), s.Revision
	if got := apply(t, s, rollout.Advance{}, c).State.Rollout.Stage; got != rollout.FullRollout {
		t.Errorf("automation advanced to %s, want FULL_ROLLOUT", got)
	}
}

func TestSoak(t *testing.T) {
	for _, from := range allStages[:4] {
		over := start.Add(from.Soak())
		if got := at(from).SoakEndsAt(); !got.Equal(over) {
			t.Errorf("soak of %s ends at %s, want %s", from, got, over)
		}
		for _, c := range []struct {
			name  string
			when  time.Time
			early bool
		}{
			{"at once", start, true},
			{"a microsecond before it is over", over.Add(-time.Microsecond), true},
			{"when it is over", over, false},
			{"long after", over.Add(1000 * time.Hour), false},
		} {
			t.Run(from.String()+" "+c.name, func(t *testing.T) {
				ctx := rollout.Context{Actor: ann, At: c.when}
				result := apply(t, at(from), rollout.Advance{}, ctx)
				if c.early != (len(result.Warnings) == 1) {
					t.Errorf("warnings of an advised soak: %q, want one: %t", result.Warnings, c.early)
				}
				if c.early && !strings.HasPrefix(result.Warnings[0], fmt.Sprintf("advanced early: stage %d %s should stand for %s", from, from, rollout.Span(from.Soak()))) {
					t.Errorf("warning is %q", result.Warnings[0])
				}
				_, err := enforcing(at(from)).Apply(rollout.Advance{}, ctx)
				if !c.early {
					if err != nil {
						t.Errorf("an enforced soak that is over refused: %v", err)
					}
					return
				}
				wantRefusal(t, err, rollout.CodeSoak, from.String(), rollout.Span(from.Soak()), over.Format(time.RFC3339))
			})
		}
	}
	if end := at(rollout.FullRollout).SoakEndsAt(); !end.IsZero() {
		t.Errorf("the last stage's soak ends at %s, want never", end)
	}
}

func TestAdvanceWarnsWhileKilled(t *testing.T) {
	result := apply(t, killed(at(rollout.Expanded)), rollout.Advance{}, by(ann))
	if len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0], rollout.KillSwitch) {
		t.Errorf("warnings are %q, want one that names the kill switch", result.Warnings)
	}
	if p := result.State.EffectivePercentage(); p != 0 {
		t.Errorf("effective percentage is %d, want 0 while killed", p)
	}
}

// Two people answering the same alert must not advance twice.
func TestDoubleAdvance(t *testing.T) {
	first := apply(t, at(rollout.Disabled), rollout.Advance{}, by(ann)).State
	flagged := must(first, rollout.CreateFlag{Name: "other"}) // does not hide the advance
	for _, c := range []struct {
		name   string
		state  rollout.State
		actor  rollout.Actor
		after  time.Duration
		base   int64
		double bool
	}{
		{"somebody else, at once", first, bob, 0, 0, true},
		{"somebody else, after a second", first, bob, time.Second, 0, true},
		{"somebody else, just before the window ends", first, bob, rollout.DoubleWindow - time.Microsecond, 0, true},
		{"somebody else, when the window ends", first, bob, rollout.DoubleWindow, 0, false},
		{"somebody else, who names the revision", first, bob, time.Second, first.Revision, false},
		{"automation", first, machine, time.Second, 0, true},
		{"the same person again", first, ann, time.Second, 0, false},
		{"somebody else, after another change", flagged, bob, time.Second, 0, true},
		{"somebody else, after a rollback", rolledBack(first, rollout.Disabled), bob, time.Second, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := rollout.Context{Actor: c.actor, At: later.Add(c.after), Base: c.base}
			c.state.Guardian = rollout.Guardian{}
			_, err := c.state.Apply(rollout.Advance{}, ctx)
			if !c.double {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			var conflict *rollout.ConflictError
			if !errors.As(err, &conflict) {
				t.Fatalf("error is %v, want a conflict", err)
			}
			want := rollout.ConflictError{Current: c.state.Revision, LastBy: ann.Name, LastAt: later, LastDone: rollout.ActionAdvance}
			if *conflict != want {
				t.Errorf("conflict is %+v, want %+v", *conflict, want)
			}
			wantWords(t, err.Error(), "a moment ago ann@example.com did \"advance\" at 2027-03-01T12:00:00Z", fmt.Sprintf("revision %d stands now", c.state.Revision), "look at the status and repeat the request with the revision you saw")
		})
	}
}

// A rollback always wins: whatever state the rollout is in.
func TestRollbackIsAllowedInEveryState(t *testing.T) {
	states := map[string]rollout.State{
		"killed":              killed(at(rollout.HalfRollout)),
		"without kill switch": withoutKillSwitch(at(rollout.HalfRollout)),
		"soak enforced":       enforcing(at(rollout.HalfRollout)),
		"latched":             rolledBack(at(rollout.FullRollout), rollout.HalfRollout),
		"finalised":           finalised(),
		"finalised, holding":  holding(),
		"latched, finalised":  must(rolledBack(at(rollout.FullRollout), rollout.FullRollout), rollout.Finalise{}),
		"with overrides":      pinned(at(rollout.Expanded), "user-1", rollout.New),
		"just advanced":       must(at(rollout.Expanded), rollout.Advance{}),
	}
	for _, stage := range allStages {
		states[stage.String()] = at(stage)
	}
	for name, s := range states {
		for target := rollout.Disabled; target <= s.Rollout.Stage; target++ {
			t.Run(fmt.Sprintf("%s to %d", name, target), func(t *testing.T) {
				// Everything that could speak against it at once.
				c := rollout.Context{Actor: olga, At: start.Add(-time.Hour), Base: 999, AuditBroken: true, Note: "it smells"}
				result := apply(t, s, rollout.Rollback{Target: target}, c)
				r := result.State.Rollout
				if r.Stage != target || r.Percentage != target.Percentage() || !r.Latched || r.Finalised {
					t.Errorf("the rollout is %+v, want latched at %s", r, target)
				}
				if moved := r.Epoch != s.Rollout.Epoch; moved != (target != s.Rollout.Stage) {
					t.Errorf("epoch is %d at revision %d, want a new one only for a new stage", r.Epoch, result.State.Revision)
				}
				if result.Changed && (r.UpdatedBy != olga.Name || r.Notes != "it smells" || r.LastAction != rollout.ActionRollback || !result.StageEntry) {
					t.Errorf("the rollback is not in the rollout: %+v", r)
				}
				if w := result.State.Settings.WhenStale; w != rollout.StaleOld {
					t.Errorf("when_stale is %s after a rollback, want old", w)
				}
				if s.Rollout.Finalised && (len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0], s.Rollout.OldName+" still runs")) {
					t.Errorf("warnings are %q, want one that the old architecture must still run", result.Warnings)
				}

				again := apply(t, result.State, rollout.Rollback{Target: target}, c)
				if again.Changed || again.StageEntry || again.State.Revision != result.State.Revision {
					t.Errorf("the same rollback again changed something: %+v", again)
				}
			})
		}
	}
}

func TestRollbackIsRefusedOnlyForItsTarget(t *testing.T) {
	for _, c := range []struct {
		from   rollout.Stage
		target rollout.Stage
		code   rollout.Code
		words  []string
	}{
		{rollout.EarlyTesting, rollout.Expanded, rollout.CodeNotARollback, []string{"at stage 1 EARLY_TESTING", "stage 2 EXPANDED is not a rollback", "advance"}},
		{rollout.Disabled, rollout.FullRollout, rollout.CodeNotARollback, []string{"at stage 0 DISABLED", "stage 4 FULL_ROLLOUT"}},
		{rollout.FullRollout, 7, rollout.CodeInvalid, []string{"7 is not a stage", "0 DISABLED, 1 EARLY_TESTING"}},
		{rollout.FullRollout, -1, rollout.CodeInvalid, []string{"-1 is not a stage"}},
	} {
		_, err := at(c.from).Apply(rollout.Rollback{Target: c.target}, by(olga))
		wantRefusal(t, err, c.code, c.words...)
	}
}

// Staying at the stage but latching it is a change; StageSince and the soak go on.
func TestRollbackToThePresentStageLatchesIt(t *testing.T) {
	s := at(rollout.Expanded)
	result := apply(t, s, rollout.Rollback{Target: rollout.Expanded}, by(olga))
	if !result.Changed || !result.StageEntry || !result.State.Rollout.Latched {
		t.Errorf("result is %+v, want a latched stage in the history", result)
	}
	if !result.State.Rollout.StageSince.Equal(start) {
		t.Errorf("the stage has stood since %s, want %s", result.State.Rollout.StageSince, start)
	}
}
