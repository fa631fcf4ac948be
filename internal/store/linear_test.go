package store

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/nlpcanary/nlpcanary/internal/pgtest"
	"github.com/nlpcanary/nlpcanary/rollout"
)

var (
	histories   = flag.Int("store.histories", 200, "how many histories TestHistoriesAreLinearizable records and checks")
	historySeed = flag.Uint64("store.seed", 0, "the seed of the first history; 0 draws one")
)

// rule is how a state changes. The lawful one is rollout.State.Apply.
type rule func(rollout.State, rollout.Change, rollout.Context) (rollout.Result, error)

// standing is a state of the model, with the form by which states are compared.
type standing struct {
	state    rollout.State
	document string
}

func stand(state rollout.State) *standing { return &standing{state, documentOf(state)} }

// model is the sequential specification: one state, one call at a time, each doing
// what the rule says at once.
func model(first rollout.State, apply rule) porcupine.Model {
	nondeterministic := porcupine.NondeterministicModel{
		Init: func() []any { return []any{stand(first)} },
		Step: func(state, input, output any) []any {
			return step(apply, state.(*standing), input.(call), output.(reply))
		},
		Equal: func(a, b any) bool { return a.(*standing).document == b.(*standing).document },
		DescribeOperation: func(input, output any) string {
			return describe(input.(call), output.(reply))
		},
		DescribeState: func(state any) string {
			s := state.(*standing).state
			return fmt.Sprintf("revision %d, stage %d", s.Revision, s.Rollout.Stage)
		},
	}
	return nondeterministic.ToModel()
}

// step is the states in which a call may have left the state, given its answer; none
// if the answer would have been wrong.
func step(apply rule, now *standing, c call, r reply) []any {
	if c.request == nil {
		if r.state == now.document || c.renewal && r.state == "" && c.known.Revision == now.state.Revision {
			return []any{now}
		}
		return nil
	}
	if r.err == nil && r.applied.Was.Revision != now.state.Revision {
		return nil // spares the rule
	}
	var next []any
	if errors.Is(r.err, ErrUnknownOutcome) {
		next = append(next, now)
	}
	for _, at := range c.times() {
		result, err := apply(now.state, c.request.Change, rollout.Context{Actor: c.request.Actor, At: at, Note: c.request.Note, Base: c.request.Base})
		switch {
		case errors.Is(r.err, ErrUnknownOutcome):
			if err == nil {
				next = append(next, stand(result.State))
			}
		case r.err != nil:
			if sameRefusal(err, r.err) {
				return []any{now}
			}
		case err == nil && at.Equal(r.applied.At):
			then := stand(result.State)
			if sameResult(result, r.applied.Result) && documentOf(r.applied.State) == then.document && documentOf(r.applied.Was) == now.document {
				return []any{then}
			}
		}
	}
	return next
}

// sameRefusal compares all that a refusal says: a conflict names who was first.
func sameRefusal(want, got error) bool {
	if want == nil || got == nil {
		return false
	}
	var wantConflict, gotConflict *rollout.ConflictError
	if errors.As(want, &wantConflict) && errors.As(got, &gotConflict) {
		a, b := *wantConflict, *gotConflict
		sameTime := a.LastAt.Equal(b.LastAt)
		a.LastAt, b.LastAt = time.Time{}, time.Time{}
		return sameTime && a == b
	}
	var wantRefusal, gotRefusal *rollout.Refusal
	return errors.As(want, &wantRefusal) && errors.As(got, &gotRefusal) && *wantRefusal == *gotRefusal
}

func sameResult(a, b rollout.Result) bool {
	return a.Changed == b.Changed && a.StageEntry == b.StageEntry && a.Action == b.Action && a.Subject == b.Subject &&
		string(a.Before) == string(b.Before) && string(a.After) == string(b.After) && slices.Equal(a.Warnings, b.Warnings)
}

func describe(c call, r reply) string {
	switch {
	case c.request == nil && r.state == "":
		return fmt.Sprintf("read: still revision %d", c.known.Revision)
	case c.request == nil:
		return "read: " + r.state
	case r.err != nil:
		return fmt.Sprintf("%#v on %d: %v", c.request.Change, c.request.Base, r.err)
	}
	return fmt.Sprintf("%#v on %d: revision %d to %d", c.request.Change, c.request.Base, r.applied.Was.Revision, r.applied.State.Revision)
}

// Whatever eight clients of two processes do at once, and whatever happens to
// their connections, there is an order of their calls, one after the other, in
// which each answer is the one that the rules of package rollout give.
func TestHistoriesAreLinearizable(t *testing.T) {
	t.Parallel()
	const perDatabase = 10 // verifying the log, as each advance does, takes longer as it grows
	seed := *historySeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("the first history's seed: -store.seed=%d", seed)
	met := newEncounters()
	// Several databases at once, because most of a history's time is spent waiting.
	t.Run("on", func(t *testing.T) {
		for first := 0; first < *histories; first += perDatabase {
			t.Run(fmt.Sprintf("database=%d", first/perDatabase), func(t *testing.T) {
				t.Parallel()
				recordHistories(t, first, min(first+perDatabase, *histories), seed, met)
			})
		}
	})
	for f, m := range met.tallies {
		t.Logf("%s: %+v", f, *m)
	}
	if *histories >= 100 && !t.Failed() {
		wantWorthwhile(t, met.tallies)
	}
}

// encounters are what the histories have met, by what disturbed them.
type encounters struct {
	mu      sync.Mutex
	tallies map[fault]*tally
}

func newEncounters() *encounters {
	return &encounters{tallies: map[fault]*tally{calm: {}, impatience: {}, cuts: {}, allAtOnce: {}}}
}

func (e *encounters) add(f fault, t tally) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tallies[f].add(t)
}

// recordHistories records and checks some histories, one after the other, on a
// database of their own.
func recordHistories(t *testing.T, from, to int, seed uint64, met *encounters) {
	t.Helper()
	faults := []fault{calm, impatience, calm, cuts, calm, allAtOnce, calm, calm}
	d := &database{dialect: Postgres, url: pgtest.Start(t).NewDatabase(t)}
	c := newClock()
	stores := []*Store{d.openAt(t, c.now), d.openAt(t, c.now)}
	for n := from; n < to && !t.Failed(); n++ {
		stores[0].stage(t, rollout.Stage(n%4))
		first := mustState(t, stores[0])
		r := &recorder{stores: stores, clock: c, fault: faults[n%len(faults)], clients: 8, each: 3, seed: seed + uint64(n)}
		history := r.record(t.Context())
		met.add(r.fault, r.tally)
		checkHistory(t, first, history, r.seed)
	}
	wantSound(t, stores[0])
}

// wantWorthwhile fails a test whose histories were too tame to prove anything.
func wantWorthwhile(t *testing.T, met map[fault]*tally) {
	t.Helper()
	for f, m := range met {
		if m.made == 0 || m.refused == 0 || m.conflicts == 0 || m.reads == 0 {
			t.Errorf("%s: %+v leaves something out", f, *m)
		}
		if disturbed := m.failed + m.unknown + m.cut; (f == calm) != (disturbed == 0) {
			t.Errorf("%s: %+v", f, *m)
		}
	}
}

func checkHistory(t *testing.T, first rollout.State, history []porcupine.Operation, seed uint64) {
	t.Helper()
	m := model(first, rollout.State.Apply)
	result, info := porcupine.CheckOperationsVerbose(m, history, time.Minute)
	if result == porcupine.Ok {
		return
	}
	picture := filepath.Join(t.ArtifactDir(), fmt.Sprintf("history-%d.html", seed))
	if err := porcupine.VisualizePath(m, info, picture); err != nil {
		t.Log(err)
	}
	t.Errorf("the history of seed %d cannot be explained (%s); with -artifacts it is kept as %s", seed, result, picture)
}
