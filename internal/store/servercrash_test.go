package store

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/pgtest"
	"github.com/nlpcanary/nlpcanary/rollout"
)

var crashes = flag.Int("store.crashes", 6, "how often TestServerCrashes kills PostgreSQL")

// diary is what writers in this process learn of their changes.
type diary struct {
	mu     sync.Mutex
	ledger ledger
	failed int // changes of which the writers were told that they were not made
}

func (d *diary) note(note string, applied Applied, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil && applied.Changed:
		d.ledger.made[note] = applied.State.Revision
	case errors.Is(err, ErrUnknownOutcome):
		d.ledger.unknown[note] = true
	case errors.Is(err, ErrDatabase):
		d.failed++
	}
}

// await waits until so many changes have been acknowledged.
func (d *diary) await(tb testing.TB, made int) {
	tb.Helper()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		d.mu.Lock()
		enough := len(d.ledger.made) >= made
		d.mu.Unlock()
		switch {
		case enough:
			return
		case time.Since(began) > time.Minute:
			tb.Fatal("the writers got nowhere in a minute")
		}
	}
}

// When PostgreSQL itself dies, and comes back from its write-ahead log, what it had
// acknowledged is there, what was reported as failed is not, and only of changes of
// unknown outcome may either be true. The stores find their way back by themselves.
func TestServerCrashes(t *testing.T) {
	t.Parallel()
	const writers = 4
	server := pgtest.StartOwn(t, pgtest.Config{Durable: true})
	d := &database{dialect: Postgres, url: server.NewDatabase(t)}
	stores := []*Store{d.open(t), d.open(t)}
	book := &diary{ledger: ledger{made: map[string]int64{}, unknown: map[string]bool{}}}
	for crash := range *crashes {
		stop := make(chan struct{})
		var group sync.WaitGroup
		for id := range writers {
			chance := rand.New(rand.NewPCG(rand.Uint64(), 0))
			group.Go(func() {
				name := fmt.Sprintf("writer %d", id)
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					note := fmt.Sprintf("%s, crash %d/%d", name, crash, n)
					change := nextChange(chance, fmt.Sprintf("%s-%d", name, crash), n)
					applied, err := stores[id%2].Apply(t.Context(), Request{Change: change, Actor: admin(name), Note: note})
					book.note(note, applied, err)
					if errors.Is(err, ErrDatabase) {
						time.Sleep(5 * time.Millisecond)
					}
				}
			})
		}
		book.await(t, 8*(crash+1))
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		server.Kill(t)
		// Most writers find the server gone before they are told to stop; some are
		// still looking whether their last change was made when it is back.
		close(stop)
		if crash%2 == 0 {
			group.Wait()
		}
		server.Restart(t)
		group.Wait()
		// The first to ask is the one in an emergency: it must not fail.
		note := fmt.Sprintf("after crash %d", crash)
		applied := mustApply(t, stores[crash%2], Request{Change: rollout.Rollback{Target: rollout.Disabled}, Actor: operator("ann"), Note: note})
		book.note(note, applied, nil)
		wantWhole(t, stores[0])
		book.ledger.want(t, stores[1])
		if t.Failed() {
			return
		}
	}
	t.Logf("%d crashes: %d changes acknowledged, %d failed, %d unknown", *crashes, len(book.ledger.made), book.failed, len(book.ledger.unknown))
	if book.failed+len(book.ledger.unknown) == 0 {
		t.Error("no crash met a change")
	}
}
