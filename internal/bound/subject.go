package bound

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// subject decides without pause and is watched: an instance in this process, or one
// that is a process of its own.
type subject interface {
	// String is what errors call it.
	String() string
	// faults are those that it can suffer; one is drawn in each round.
	faults() []fault
	// recovered reports whether nothing of a fault is left: it decides for new, and
	// hears of changes.
	recovered() (bool, error)
	// lastNew is when it last decided for new; zero if it never did.
	lastNew() (moment, error)
	// decisions is how many it has made.
	decisions() int64
	close() error
}

// fault is what is done to a subject during a rollback.
type fault struct {
	name  string
	begin func() error
	// end undoes it, and returns when what the subject does then has been seen.
	end func() error
}

// moment is between two times: a busy machine may stop a goroutine at any point.
type moment struct{ before, after time.Time }

// someUser is any user: at 100 % everyone is on new.
const someUser rollout.UserID = "verify-bound"

// decideEvery is the pause between two decisions.
const decideEvery = 500 * time.Microsecond

// watch remembers when something last decided for new.
type watch struct {
	last atomic.Pointer[moment]
	made atomic.Int64
}

// run decides without pause until the context ends.
func (w *watch) run(ctx context.Context, decide func(rollout.UserID) rollout.Variant) {
	for ctx.Err() == nil {
		before := time.Now()
		variant := decide(someUser)
		w.made.Add(1)
		if variant == rollout.New {
			w.last.Store(&moment{before, time.Now()})
		}
		time.Sleep(decideEvery)
	}
}

func (w *watch) lastMoment() moment {
	if at := w.last.Load(); at != nil {
		return *at
	}
	return moment{}
}

func (w *watch) decisions() int64 { return w.made.Load() }
