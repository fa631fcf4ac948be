package store

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nlpcanary/nlpcanary/rollout"
)

func TestFirstState(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		c := newClock()
		s := d.openAt(t, c.now)
		state := mustState(t, s)
		want := rollout.Initial(c.now())
		for i := range state.Flags { // the migration's own time
			state.Flags[i].CreatedAt, state.Flags[i].UpdatedAt = want.Flags[i].CreatedAt, want.Flags[i].UpdatedAt
		}
		if diff := cmp.Diff(want, state); diff != "" {
			t.Errorf("first state (-want +got):\n%s", diff)
		}
		entries, total, err := s.History(t.Context(), 10, 0)
		if err != nil {
			t.Fatal(err)
		}
		wantHistory := []HistoryEntry{{
			ID: 1, Rollout: "nlp", Stage: rollout.FullRollout, Percentage: 100, UpdatedAt: want.Last.At, UpdatedBy: "system",
			Notes: "Initial state: new architecture already at 100%", Revision: 1,
		}}
		if diff := cmp.Diff(wantHistory, entries); diff != "" || total != 1 {
			t.Errorf("history of %d (-want +got):\n%s", total, diff)
		}
		audit := mustAudit(t, s, AuditQuery{})
		if len(audit) != 1 || audit[0].Action != rollout.ActionInitialise || audit[0].Actor != "system" || audit[0].Source != rollout.SourceSystem {
			t.Errorf("audit = %+v", audit)
		}
		secrets := s.Secrets()
		if len(secrets.UserKey) != 32 || len(secrets.OutcomeID) != 32 || string(secrets.UserKey) == string(secrets.OutcomeID) {
			t.Error("the secrets are not two keys of 32 bytes")
		}
		wantSound(t, s)
	})
}

func TestApplyWritesEverything(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		c := newClock()
		s := d.openAt(t, c.now)
		c.advance(time.Hour)
		rolledBack := mustApply(t, s, Request{Change: rollout.Rollback{Target: rollout.EarlyTesting}, Actor: operator("ann"), Note: "too slow\nsee #12"})
		if !rolledBack.Changed || rolledBack.State.Revision != 2 || rolledBack.Was.Revision != 1 || !rolledBack.At.Equal(c.now()) {
			t.Fatalf("applied = %+v", rolledBack)
		}
		if diff := cmp.Diff(rolledBack.State, mustState(t, s)); diff != "" {
			t.Errorf("what Apply returned is not what State reads (-applied +read):\n%s", diff)
		}
		c.advance(time.Minute)
		off := false
		mustApply(t, s, Request{Change: rollout.CreateFlag{Name: "dark_mode", Category: "ui", Description: "über", DefaultValue: true, Enabled: &off}, Actor: admin("bob")})
		mustApply(t, s, Request{Change: rollout.SetFlag{Name: rollout.KillSwitch, Enabled: false}, Actor: operator("ann")})
		if got := s.scalar(t, "SELECT CASE WHEN enabled THEN 'on' ELSE 'off' END FROM feature_flags WHERE name = '"+rollout.KillSwitch+"'"); got != "off" {
			t.Errorf("the kill switch in the table is %s", got)
		}
		state := mustState(t, s)
		if flag, ok := state.Flag("dark_mode"); !ok || flag.Enabled || !flag.DefaultValue || !flag.CreatedAt.Equal(c.now()) {
			t.Errorf("dark_mode = %+v", flag)
		}
		// The flags as written and as read are the same, times included: nothing
		// looks as if it had been typed into the database.
		if err := s.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := mustState(t, s).Revision; got != 4 {
			t.Errorf("revision = %d after a Reconcile without need", got)
		}
		history, total, err := s.History(t.Context(), 1, 0)
		if err != nil || total != 2 || len(history) != 1 {
			t.Fatalf("history = %v, %d, %v", history, total, err)
		}
		want := HistoryEntry{ID: 2, Rollout: "nlp", Stage: 1, Percentage: 5, UpdatedAt: rolledBack.At, UpdatedBy: "ann", Notes: "too slow\nsee #12", Revision: 2}
		if diff := cmp.Diff(want, history[0]); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		older, total, err := s.History(t.Context(), 10, history[0].ID)
		if err != nil || total != 2 || len(older) != 1 || older[0].ID != 1 {
			t.Errorf("older history = %v, %d, %v", older, total, err)
		}
		entry := mustAudit(t, s, AuditQuery{Action: rollout.ActionRollback})[0]
		if entry.Revision != 2 || entry.Actor != "ann" || entry.Role != rollout.RoleOperator || entry.Source != rollout.SourceAPI ||
			entry.Note != "too slow\nsee #12" || entry.Subject != "rollout/nlp" || !entry.At.Equal(rolledBack.At) {
			t.Errorf("audit entry = %+v", entry)
		}
		wantSound(t, s)
	})
}

func TestRefusalsChangeNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		cases := []struct {
			name    string
			request Request
			code    rollout.Code
		}{
			{"already at full rollout", Request{Change: rollout.Advance{}, Actor: admin("ann")}, rollout.CodeAtFullRollout},
			{"operators may not advance", Request{Change: rollout.Advance{}, Actor: operator("ann")}, rollout.CodeForbidden},
			{"no such stage", Request{Change: rollout.Rollback{Target: 7}, Actor: operator("ann")}, rollout.CodeInvalid},
			{"no such flag", Request{Change: rollout.SetFlag{Name: "nope"}, Actor: admin("ann")}, rollout.CodeNotFound},
			{"key with a line feed", Request{Change: rollout.ClearCache{}, Actor: admin("ann"), IdempotencyKey: "a\nb"}, rollout.CodeInvalid},
		}
		for _, c := range cases {
			_, err := s.Apply(t.Context(), c.request)
			var refusal *rollout.Refusal
			if !errors.As(err, &refusal) || refusal.Code != c.code || errors.Is(err, ErrDatabase) {
				t.Errorf("%s: %v, want a refusal %s", c.name, err, c.code)
			}
		}
		_, err := s.Apply(t.Context(), Request{Change: rollout.ClearCache{}, Actor: admin("ann"), Base: 9})
		var conflict *rollout.ConflictError
		if !errors.As(err, &conflict) || conflict.Base != 9 || conflict.Current != 1 || conflict.LastBy != "system" {
			t.Errorf("wrong base: %v", err)
		}
		dry := mustApply(t, s, Request{Change: rollout.Rollback{Target: 0}, Actor: operator("ann"), DryRun: true, IdempotencyKey: "k"})
		if !dry.Changed || dry.State.Rollout.Stage != 0 {
			t.Errorf("dry run = %+v", dry)
		}
		if state := mustState(t, s); state.Revision != 1 || state.Rollout.Stage != 4 {
			t.Errorf("state = revision %d, stage %d", state.Revision, state.Rollout.Stage)
		}
		wantSound(t, s)
	})
}

func TestUnchangedMakesNoRevision(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		again := mustApply(t, s, Request{Change: rollout.SetFlag{Name: rollout.KillSwitch, Enabled: true}, Actor: admin("ann"), IdempotencyKey: "k"})
		if again.Changed || again.State.Revision != 1 {
			t.Errorf("applied = %+v", again)
		}
		mustApply(t, s, Request{Change: rollout.Rollback{Target: 0}, Actor: operator("ann")})
		if twice := mustApply(t, s, Request{Change: rollout.Rollback{Target: 0}, Actor: operator("bob")}); twice.Changed {
			t.Error("a repeated rollback changed something")
		}
		// The first answer also to a change that changed nothing.
		first := mustApply(t, s, Request{Change: rollout.SetFlag{Name: rollout.KillSwitch, Enabled: true}, Actor: admin("ann"), IdempotencyKey: "k"})
		if !first.Replayed || first.State.Revision != 1 {
			t.Errorf("replayed = %v at revision %d", first.Replayed, first.State.Revision)
		}
		if entries := mustAudit(t, s, AuditQuery{}); len(entries) != 2 {
			t.Errorf("%d audit entries", len(entries))
		}
	})
}

func TestIdempotencyKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		c := newClock()
		s := d.openAt(t, c.now)
		request := Request{Change: rollout.Rollback{Target: rollout.Expanded}, Actor: operator("ann"), Note: "n", Base: 1, IdempotencyKey: "key 1"}
		first := mustApply(t, s, request)
		mustApply(t, s, Request{Change: rollout.ClearCache{}, Actor: operator("bob")})
		c.advance(23 * time.Hour)
		second := mustApply(t, s, request)
		if !second.Replayed {
			t.Error("the repetition was not recognised")
		}
		second.Replayed = false
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("the second answer differs (-first +second):\n%s", diff)
		}
		different := []Request{request, request, request}
		different[0].Change = rollout.Rollback{Target: rollout.Disabled}
		different[1].Note = "other"
		different[2].Base = 2
		for _, r := range different {
			if _, err := s.Apply(t.Context(), r); !errors.Is(err, ErrKeyReused) {
				t.Errorf("%+v under the same key: %v", r, err)
			}
		}
		other := request
		other.Actor = operator("bob")
		if applied := mustApply(t, s, other); applied.Replayed {
			t.Error("another actor got the first one's answer")
		}
		c.advance(2 * time.Hour)
		if applied := mustApply(t, s, request); applied.Replayed {
			t.Error("the key was remembered for more than 24 hours")
		}
		start := rollout.Start{Name: "next", OldName: "a", NewName: "b", Salt: "s1"}
		mustApply(t, s, Request{Change: rollout.Rollback{Target: 0}, Actor: operator("ann")})
		mustApply(t, s, Request{Change: start, Actor: admin("ann"), IdempotencyKey: "start"})
		start.Salt = "s2" // drawn anew for each attempt
		if applied := mustApply(t, s, Request{Change: start, Actor: admin("ann"), IdempotencyKey: "start"}); !applied.Replayed || applied.State.Rollout.Salt != "s1" {
			t.Errorf("a repeated start: replayed = %v, salt %q", applied.Replayed, applied.State.Rollout.Salt)
		}
		wantSound(t, s)
	})
}

func TestConcurrentAdvances(t *testing.T) {
	for _, base := range []int64{0, 2} {
		t.Run(fmt.Sprintf("base=%d", base), func(t *testing.T) {
			onBoth(t, func(t *testing.T, d *database) {
				const n = 8
				first := d.open(t)
				mustApply(t, first, Request{Change: rollout.Rollback{Target: 0}, Actor: operator("ann")})
				stores := []*Store{first, d.open(t)} // as of two processes
				errs := make([]error, n)
				var group sync.WaitGroup
				for i := range n {
					group.Go(func() {
						_, errs[i] = stores[i%2].Apply(t.Context(), Request{Change: rollout.Advance{}, Actor: admin(fmt.Sprint("admin", i)), Base: base})
					})
				}
				group.Wait()
				winner := -1
				for i, err := range errs {
					if err == nil {
						if winner >= 0 {
							t.Fatalf("%d and %d both advanced", winner, i)
						}
						winner = i
					}
				}
				if winner < 0 {
					t.Fatalf("nobody advanced: %v", errs)
				}
				for i, err := range errs {
					var conflict *rollout.ConflictError
					if i != winner && (!errors.As(err, &conflict) || conflict.LastBy != fmt.Sprint("admin", winner)) {
						t.Errorf("loser %d got %v", i, err)
					}
				}
				if state := mustState(t, first); state.Revision != 3 || state.Rollout.Stage != 1 {
					t.Errorf("revision %d, stage %d", state.Revision, state.Rollout.Stage)
				}
				wantSound(t, first)
			})
		})
	}
}

func TestConcurrentChangesLeaveNoGaps(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		const writers, each = 6, 8
		stores := []*Store{d.open(t), d.open(t)}
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				s := stores[i%2]
				for range each {
					if _, err := s.Apply(t.Context(), Request{Change: rollout.ClearCache{}, Actor: operator(fmt.Sprint("w", i))}); err != nil {
						t.Errorf("writer %d: %v", i, err)
					}
				}
			})
		}
		group.Wait()
		entries := mustAudit(t, stores[0], AuditQuery{Oldest: true, Limit: 1000})
		if len(entries) != 1+writers*each {
			t.Fatalf("%d entries", len(entries))
		}
		for i, e := range entries {
			if e.Revision != int64(i+1) {
				t.Fatalf("entry %d has revision %d", i, e.Revision)
			}
		}
		wantSound(t, stores[0])
	})
}

// Two machines' clocks differ: the time of changes does not go back, and a double
// is recognised. One clock that is far ahead does not stop time.
func TestClocksThatDiffer(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		right, ahead := newClock(), newClock()
		ahead.advance(10 * time.Second)
		a, b := d.openAt(t, ahead.now), d.openAt(t, right.now)
		mustApply(t, a, Request{Change: rollout.Rollback{Target: 0}, Actor: operator("ann")})
		first := mustApply(t, a, Request{Change: rollout.Advance{}, Actor: admin("ann")})
		var conflict *rollout.ConflictError
		if _, err := b.Apply(t.Context(), Request{Change: rollout.Advance{}, Actor: admin("bob")}); !errors.As(err, &conflict) || conflict.LastBy != "ann" {
			t.Errorf("a double from a slow clock: %v", err)
		}
		if next := mustApply(t, b, Request{Change: rollout.ClearCache{}, Actor: operator("bob")}); next.At.Before(first.At) {
			t.Errorf("time went back from %s to %s", first.At, next.At)
		}
		ahead.advance(24 * time.Hour)
		mustApply(t, a, Request{Change: rollout.ClearCache{}, Actor: operator("ann")})
		if next := mustApply(t, b, Request{Change: rollout.ClearCache{}, Actor: operator("bob")}); !next.At.Equal(right.now()) {
			t.Errorf("the wrong clock is followed to %s", next.At)
		}
	})
}

// When a COMMIT fails the store finds out whether the change was made, or says that
// it does not know.
func TestCommitWithUnknownOutcome(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		mustApply(t, s, Request{Change: rollout.ClearCache{}, Actor: operator("ann")})
		entry := mustAudit(t, s, AuditQuery{})[0]
		broke := &commitError{failed("changing the state", io.ErrUnexpectedEOF)}
		made := &writtenEntry{revision: entry.Revision, leaf: entry.leaf()}
		if err := s.settle(t.Context(), made, broke); err != nil {
			t.Errorf("a change that was made: %v", err)
		}
		for name, lost := range map[string]*writtenEntry{
			"another change came instead": {revision: entry.Revision},
			"nothing came":                {revision: entry.Revision + 1, leaf: entry.leaf()},
		} {
			if err := s.settle(t.Context(), lost, broke); !errors.Is(err, ErrDatabase) || errors.Is(err, ErrUnknownOutcome) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.settle(t.Context(), made, broke); !errors.Is(err, ErrUnknownOutcome) || !errors.Is(err, ErrDatabase) {
			t.Errorf("a database that cannot be asked: %v", err)
		}
	})
}
