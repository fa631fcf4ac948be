package store

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/pgtest"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// A checker that accepts everything proves nothing: here it is given histories that
// are wrong, and rules that are wrong, and must say so.

// errUnknown is the error of a change of which nobody knows whether it was made.
var errUnknown = fmt.Errorf("%w: %w", ErrUnknownOutcome, ErrDatabase)

// script is a history of calls made one after the other, by the lawful rule.
type script struct {
	first, state rollout.State
	clock        *clock
	history      []porcupine.Operation
}

// newScript begins at stage 0, latched.
func newScript() *script {
	s := &script{clock: newClock()}
	s.state = rollout.Initial(s.clock.now())
	s.change("ann", rollout.Rollback{Target: rollout.Disabled}, 0)
	s.first, s.history = s.state, nil
	return s
}

func (s *script) change(name string, change rollout.Change, base int64) {
	c := call{request: &Request{Change: change, Actor: admin(name), Base: base}, from: s.clock.now(), until: s.clock.now()}
	result, err := s.state.Apply(change, rollout.Context{Actor: c.request.Actor, At: c.from, Base: base})
	r := reply{err: err}
	if err == nil {
		r.applied = Applied{Result: result, Was: s.state, At: c.from}
		s.state = result.State
	}
	s.history = append(s.history, porcupine.Operation{Input: c, Output: r})
}

func (s *script) read() {
	s.history = append(s.history, porcupine.Operation{Input: call{}, Output: reply{state: documentOf(s.state)}})
}

func (s *script) renew(known follow.Version) {
	r := reply{}
	if known.Revision != s.state.Revision {
		r.state = documentOf(s.state)
	}
	s.history = append(s.history, porcupine.Operation{Input: call{renewal: true, known: known}, Output: r})
}

// play is the script that is spoilt below. Its calls, by their place:
func play() *script {
	s := newScript()
	s.change("ann", rollout.Advance{}, 2)                                        // 0: to revision 3, stage 1
	s.change("bob", rollout.Advance{}, 2)                                        // 1: a conflict: ann was first
	s.change("bob", rollout.Advance{}, 0)                                        // 2: a double
	s.read()                                                                     // 3
	s.clock.advance(tick)                                                        //
	s.change("bob", rollout.Advance{}, 0)                                        // 4: to revision 4, stage 2
	s.renew(follow.Version{Revision: 4})                                         // 5: as you know it
	s.change("cy", rollout.Rollback{Target: 1}, 3)                               // 6: to revision 5; its base does not matter
	s.read()                                                                     // 7
	s.change("cy", rollout.SetFlag{Name: rollout.KillSwitch, Enabled: false}, 5) // 8: to revision 6
	s.renew(follow.Version{Revision: 5})                                         // 9
	s.change("cy", rollout.Rollback{Target: 1}, 0)                               // 10: changes nothing
	s.change("ann", rollout.Rollback{Target: 4}, 0)                              // 11: refused
	return s
}

// explained reports whether the calls, of which each begins after the one before
// has ended, follow the rule.
func explained(first rollout.State, apply rule, history []porcupine.Operation) bool {
	for i := range history {
		history[i].Call, history[i].Return = int64(10*i), int64(10*i+5)
		if errors.Is(history[i].Output.(reply).err, ErrUnknownOutcome) {
			history[i].Return = math.MaxInt64
		}
	}
	return porcupine.CheckOperations(model(first, apply), history)
}

func TestCheckerRejectsWrongHistories(t *testing.T) {
	// with changes the answer to a call of the script.
	with := func(place int, change func(*reply)) func([]porcupine.Operation) []porcupine.Operation {
		return func(history []porcupine.Operation) []porcupine.Operation {
			r := history[place].Output.(reply)
			change(&r)
			history[place].Output = r
			return history
		}
	}
	read := func(place int) reply { return play().history[place].Output.(reply) }
	forget := func(place int) func([]porcupine.Operation) []porcupine.Operation {
		return func(history []porcupine.Operation) []porcupine.Operation {
			return slices.Delete(history, place, place+1)
		}
	}
	cases := []struct {
		name  string
		spoil func([]porcupine.Operation) []porcupine.Operation
		right bool
	}{
		{"as it was", func(history []porcupine.Operation) []porcupine.Operation { return history }, true},
		{"a read that goes back behind a rollback", with(7, func(r *reply) { r.state = read(3).state }), false},
		{"a read of a revision that never was", with(3, func(r *reply) { r.state = read(9).state }), false},
		{"a renewal that goes back behind the kill switch", with(9, func(r *reply) { r.state = read(7).state }), false},
		{"a renewal that has not noticed the kill switch", with(9, func(r *reply) { r.state = "" }), false},
		{"two advances from one revision", with(1, func(r *reply) {
			r.applied, r.err = read(0).applied, nil
		}), false},
		{"a double that got through", with(2, func(r *reply) { *r = read(4) }), false},
		{"a conflict that names another than was first", with(1, func(r *reply) {
			var wrong rollout.ConflictError
			if conflict := (*rollout.ConflictError)(nil); errors.As(r.err, &conflict) {
				wrong = *conflict
			}
			wrong.LastBy = "bob"
			r.err = &wrong
		}), false},
		{"a rollback refused for its base", with(6, func(r *reply) { *r = read(1) }), false},
		{"an advance refused that was allowed", with(4, func(r *reply) { *r = read(2) }), false},
		{"a change that skipped a revision", with(8, func(r *reply) { r.applied.State.Revision++ }), false},
		{"a change dated before it was asked for", with(4, func(r *reply) { r.applied.At = r.applied.At.Add(-tick) }), false},
		{"an unchanged answer to a rollback that was needed", with(6, func(r *reply) { *r = read(10) }), false},
		{"a change that failed and was made", forget(4), false},
		{"a refusal that nobody saw", forget(11), true},
		{"a change of unknown outcome that was made", with(4, func(r *reply) { *r = reply{err: errUnknown} }), true},
		{"a change of unknown outcome that was not made", with(2, func(r *reply) { *r = reply{err: errUnknown} }), true},
		{"a change of unknown outcome that came true before it was asked for", func(history []porcupine.Operation) []porcupine.Operation {
			history = with(4, func(r *reply) { *r = reply{err: errUnknown} })(history)
			return append(forget(4)(slices.Clone(history)), history[4])
		}, false},
	}
	for _, c := range cases {
		s := play()
		if got := explained(s.first, rollout.State.Apply, c.spoil(s.history)); got != c.right {
			t.Errorf("%s: explained = %v", c.name, got)
		}
	}
}

func TestCheckerRejectsWrongRules(t *testing.T) {
	rules := map[string]rule{
		"the base is not looked at": func(s rollout.State, change rollout.Change, c rollout.Context) (rollout.Result, error) {
			c.Base = 0
			return s.Apply(change, c)
		},
		"doubles are let through": func(s rollout.State, change rollout.Change, c rollout.Context) (rollout.Result, error) {
			s.Rollout.UpdatedBy = c.Actor.Name
			return s.Apply(change, c)
		},
		"a rollback does not latch": func(s rollout.State, change rollout.Change, c rollout.Context) (rollout.Result, error) {
			result, err := s.Apply(change, c)
			result.State.Rollout.Latched = false
			return result, err
		},
		"a rollback wins only on the right base": func(s rollout.State, change rollout.Change, c rollout.Context) (rollout.Result, error) {
			if _, back := change.(rollout.Rollback); back && c.Base != 0 && c.Base != s.Revision {
				return rollout.Result{}, &rollout.ConflictError{Base: c.Base, Current: s.Revision}
			}
			return s.Apply(change, c)
		},
		"a change may leave a gap": func(s rollout.State, change rollout.Change, c rollout.Context) (rollout.Result, error) {
			result, err := s.Apply(change, c)
			if result.Changed {
				result.State.Revision++
			}
			return result, err
		},
	}
	for name, wrong := range rules {
		s := play()
		if explained(s.first, wrong, s.history) {
			t.Errorf("%s: the history is explained nevertheless", name)
		}
	}
}

// The same with what really happened at once: each change that was made is needed
// to explain what the others saw.
func TestCheckerMissesEveryChangeOfARealHistory(t *testing.T) {
	d := &database{dialect: Postgres, url: pgtest.Start(t).NewDatabase(t)}
	c := newClock()
	s := d.openAt(t, c.now)
	s.stage(t, rollout.Disabled)
	first := mustState(t, s)
	r := &recorder{stores: []*Store{s, d.openAt(t, c.now)}, clock: c, fault: calm, clients: 8, each: 4, seed: 1}
	history := r.record(t.Context())
	// What is read last sees the last change too.
	end := call{from: c.now(), until: c.now()}
	history = append(history, porcupine.Operation{Input: end, Output: reply{state: documentOf(mustState(t, s))}, Call: int64(time.Hour), Return: int64(time.Hour)})
	checkHistory(t, first, history, r.seed)
	made := 0
	for i, op := range history {
		if !op.Output.(reply).applied.Changed {
			continue
		}
		made++
		without := slices.Delete(slices.Clone(history), i, i+1)
		if porcupine.CheckOperations(model(first, rollout.State.Apply), without) {
			t.Errorf("the history is explained without %s", describe(op.Input.(call), op.Output.(reply)))
		}
	}
	if made < 3 {
		t.Errorf("only %d changes were made", made)
	}
}
