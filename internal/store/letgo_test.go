package store

import (
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// A process that stops while it holds the lock on the state, as one that is suspended
// or cut off does, holds up a rollback for some seconds and not until it comes back;
// then its own change fails, or is made anew.
func TestAStoppedProcessDoesNotHoldUpARollback(t *testing.T) {
	t.Parallel()
	d := &database{dialect: Postgres, url: newURL(t, Postgres)}
	stopped, living := d.open(t), d.open(t)
	locked, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- stopped.transact(t.Context(), "changing the state", func(q *gen.Queries) (bool, error) {
			_, err := q.LockClock(t.Context())
			close(locked)
			<-goOn
			return err == nil, err
		})
	}()
	<-locked
	began := time.Now()
	mustApply(t, living, Request{Change: rollout.Rollback{Target: rollout.Disabled}, Actor: operator("ann")})
	t.Logf("the rollback took %s", time.Since(began))
	close(goOn)
	if err := <-ended; err == nil {
		t.Error("the transaction of the stopped process was committed after its lock had gone to another")
	}
	mustApply(t, stopped, Request{Change: rollout.ClearCache{}, Actor: operator("bob")})
	wantWhole(t, living)
}
