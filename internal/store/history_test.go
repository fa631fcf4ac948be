package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// tick is by how much a history's clock moves, now and then: further than the
// window in which a bare advance is taken for a double.
const tick = rollout.DoubleWindow + time.Second

// call is what a client asked for.
type call struct {
	request *Request // nil for a read
	// renewal is a read by the renewal of a lease, which may be answered with "as you
	// know it" if the client knew the state at this version.
	renewal bool
	known   follow.Version
	// from and until are what the store's clock showed at the call and at the return.
	from, until time.Time
}

// times are those at which the store may have dated the change.
func (c call) times() []time.Time {
	times := []time.Time{c.from}
	for at := c.from.Add(tick); !at.After(c.until); at = at.Add(tick) {
		times = append(times, at)
	}
	return times
}

// reply is what the store answered.
type reply struct {
	applied Applied
	// state is the state read, in the form in which the store keeps it; empty for a
	// renewal that said "as you know it".
	state string
	err   error
}

// fault is what goes wrong during a history.
type fault string

const (
	calm       fault = "calm"
	impatience fault = "clients give up"      // their contexts end in the middle
	cuts       fault = "connections are cut"  // by the server, at random moments
	allAtOnce  fault = "clients and cuts too" // both
)

// recorder runs clients against stores and writes down what they saw.
type recorder struct {
	stores  []*Store // as of several processes
	clock   *clock
	fault   fault
	clients int
	each    int // calls per client
	seed    uint64

	began time.Time
	mu    sync.Mutex
	done  []porcupine.Operation
	tally tally
}

// tally counts what a set of histories has met, so that a test can tell whether
// they were worth checking.
type tally struct{ made, refused, conflicts, reads, failed, unknown, cut int }

func (t *tally) add(u tally) {
	t.made += u.made
	t.refused += u.refused
	t.conflicts += u.conflicts
	t.reads += u.reads
	t.failed += u.failed
	t.unknown += u.unknown
	t.cut += u.cut
}

// record runs one history to its end.
func (r *recorder) record(ctx context.Context) []porcupine.Operation {
	r.began = time.Now()
	cutting, stop := context.WithCancel(ctx)
	var cutter sync.WaitGroup
	if r.fault == cuts || r.fault == allAtOnce {
		cutter.Go(func() { r.cut(cutting) })
	}
	var clients sync.WaitGroup
	for id := range r.clients {
		clients.Go(func() { r.client(ctx, id) })
	}
	clients.Wait()
	stop()
	cutter.Wait()
	return r.done
}

// cut ends one of the database's sessions at a time, whatever it is doing.
func (r *recorder) cut(ctx context.Context) {
	chance := rand.New(rand.NewPCG(r.seed, math.MaxUint64))
	for ctx.Err() == nil {
		result, err := r.stores[0].write.ExecContext(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1`)
		if err == nil { // its own session may have been cut before
			n, _ := result.RowsAffected()
			r.mu.Lock()
			r.tally.cut += int(n)
			r.mu.Unlock()
		}
		time.Sleep(time.Duration(chance.IntN(20)) * time.Millisecond)
	}
}

// client makes its calls one after the other. What it bases changes on is what it
// last saw, so that some of it is out of date.
func (r *recorder) client(ctx context.Context, id int) {
	chance := rand.New(rand.NewPCG(r.seed, uint64(id)))
	s := r.stores[id%len(r.stores)]
	actor := admin(fmt.Sprint("client ", id))
	if id == 0 {
		actor.Source = rollout.SourceGuardian // which a latch holds back
	}
	var seen follow.Version
	for n := range r.each {
		if chance.IntN(12) == 0 {
			r.clock.advance(tick)
		}
		patient, giveUp := ctx, context.CancelFunc(func() {})
		if (r.fault == impatience || r.fault == allAtOnce) && chance.IntN(3) == 0 {
			patient, giveUp = context.WithTimeout(ctx, time.Duration(chance.IntN(15_000))*time.Microsecond)
		}
		c := call{}
		switch chance.IntN(8) {
		case 0:
			// A plain read.
		case 1:
			c.renewal = true
			if chance.IntN(2) == 0 {
				c.known = seen
			}
		default:
			c.request = &Request{Change: anyChange(chance), Actor: actor, Note: fmt.Sprintf("call %d", n)}
			if _, advance := c.request.Change.(rollout.Advance); chance.IntN(3) > 0 || !advance {
				c.request.Base = seen.Revision
			}
		}
		r.make(patient, s, id, c, &seen)
		giveUp()
	}
}

func anyChange(chance *rand.Rand) rollout.Change {
	switch chance.IntN(8) {
	case 0, 1, 2, 3:
		return rollout.Advance{}
	case 4, 5:
		return rollout.Rollback{Target: rollout.Stage(chance.IntN(4))}
	default:
		return rollout.SetFlag{Name: rollout.KillSwitch, Enabled: chance.IntN(2) == 0}
	}
}

// make makes one call and writes it down.
func (r *recorder) make(ctx context.Context, s *Store, client int, c call, seen *follow.Version) {
	var answer reply
	c.from = r.clock.now()
	called := time.Since(r.began)
	switch {
	case c.request != nil:
		answer.applied, answer.err = s.Apply(ctx, *c.request)
		seen.Revision = max(seen.Revision, answer.applied.State.Revision)
	case c.renewal:
		var renewal follow.Renewal
		renewal, answer.err = s.Renew(ctx, follow.Heartbeat{Instance: fmt.Sprint("client ", client), Lease: follow.DefaultLease, Known: c.known})
		if answer.err == nil {
			*seen = renewal.Version
		}
		if renewal.State != nil {
			answer.state = documentOf(*renewal.State)
		}
	default:
		var state rollout.State
		state, answer.err = s.State(ctx)
		answer.state = documentOf(state)
		seen.Revision = max(seen.Revision, state.Revision)
	}
	returned := time.Since(r.began)
	c.until = r.clock.now()

	op := porcupine.Operation{ClientId: client, Input: c, Output: answer, Call: int64(called), Return: int64(returned)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tally.count(c, answer.err) {
		if errors.Is(answer.err, ErrUnknownOutcome) {
			op.Return = math.MaxInt64 // it may still be made, at any time
		}
		r.done = append(r.done, op)
	}
}

// count reports whether a call belongs in the history. A read that failed says
// nothing. Neither does a change that failed, unless its outcome is unknown: Apply
// promises that it was not made, and a history that leaves it out and has its
// effect cannot be explained.
func (t *tally) count(c call, err error) bool {
	var conflict *rollout.ConflictError
	switch {
	case errors.Is(err, ErrUnknownOutcome):
		t.unknown++
	case errors.Is(err, ErrDatabase):
		t.failed++
		return false
	case errors.As(err, &conflict):
		t.conflicts++
	case err != nil:
		t.refused++
	case c.request == nil:
		t.reads++
	default:
		t.made++
	}
	return true
}

// documentOf is a state in the form in which the store keeps it.
func documentOf(state rollout.State) string {
	document, err := encodeState(state)
	if err != nil {
		panic(err) // a state can always be encoded
	}
	return document
}

// stage brings the store to a stage, so that a history has somewhere to go.
func (s *Store) stage(tb testing.TB, stage rollout.Stage) {
	tb.Helper()
	mustApply(tb, s, Request{Change: rollout.SetFlag{Name: rollout.KillSwitch, Enabled: true}, Actor: admin("ann")})
	for mustState(tb, s).Rollout.Stage < stage {
		mustApply(tb, s, Request{Change: rollout.Advance{}, Actor: admin("ann"), Base: mustState(tb, s).Revision})
	}
	mustApply(tb, s, Request{Change: rollout.Rollback{Target: stage}, Actor: admin("ann")})
}
