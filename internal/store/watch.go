package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/store/gen"
)

const (
	// probeEvery is how often the connection that listens is tried: a half-open one
	// would be silent for ever.
	probeEvery   = 2 * time.Second
	probeTimeout = 2 * time.Second
	// lookEvery is how often SQLite is looked at for changes by other processes,
	// which it cannot announce. One look is some tens of microseconds.
	lookEvery = 50 * time.Millisecond
)

// Watch calls wake whenever the state may have changed, and once at the beginning,
// until the context ends or the connection breaks. It always returns an error.
func (s *Store) Watch(ctx context.Context, wake func()) error {
	if s.absence != nil {
		return s.absence
	}
	if s.at.dialect == SQLite {
		return s.look(ctx, wake)
	}
	return s.listen(ctx, wake)
}

// listen waits for PostgreSQL's notifications on a connection of its own.
func (s *Store) listen(ctx context.Context, wake func()) error {
	conn, err := s.dial(ctx)
	if err != nil {
		return failed("connecting to listen", err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing) // there is nothing to lose on it
	}()
	asking, cancel := context.WithTimeout(ctx, probeTimeout)
	_, err = conn.Exec(asking, "LISTEN nlpcanary")
	cancel()
	if err != nil {
		return failed("listening", err)
	}
	wake()
	for {
		waiting, cancel := context.WithTimeout(ctx, probeEvery)
		_, err := conn.WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil:
			wake()
		case ctx.Err() != nil:
			return failed("listening", ctx.Err())
		case errors.Is(err, context.DeadlineExceeded):
			probing, cancel := context.WithTimeout(ctx, probeTimeout)
			err = conn.Ping(probing)
			cancel()
			if err != nil {
				return failed("probing the connection that listens", err)
			}
		default:
			return failed("listening", err)
		}
	}
}

// look wakes at once for this Store's own changes, and soon for those of others.
func (s *Store) look(ctx context.Context, wake func()) error {
	defer s.wakes.add(wake)()
	wake()
	q := gen.New(s.read)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var seen follow.Version
	for {
		select {
		case <-ctx.Done():
			return failed("watching", ctx.Err())
		case <-tick.C:
		}
		s.noticeReplacement()
		row, err := q.Version(ctx)
		if err != nil {
			return failed("watching", err)
		}
		if found := (follow.Version{Lineage: row.Lineage, Revision: row.Revision, FlagChanges: row.Changes}); found != seen {
			seen = found
			wake()
		}
	}
}

// wakes are the callers of Watch within this process.
type wakes struct {
	mu    sync.Mutex
	next  int
	calls map[int]func()
}

func (w *wakes) add(wake func()) (remove func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls == nil {
		w.calls = map[int]func(){}
	}
	id := w.next
	w.next++
	w.calls[id] = wake
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.calls, id)
	}
}

func (w *wakes) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, wake := range w.calls {
		wake()
	}
}
