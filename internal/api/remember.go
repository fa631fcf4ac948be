package api

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// dear is the cost from which on an answer is used again. What is cheap is
	// computed each time, so that small installations always see the newest numbers.
	dear = 50 * time.Millisecond
	// keepFactor bounds the load: computing takes at most 1/keepFactor of the time.
	keepFactor = 20
	// computeWithin bounds a computation, whoever still waits for it.
	computeWithin = time.Minute
)

// remembered are answers that grow dearer with the age of an installation: sums over
// all tallies, the verification of the whole log. Whoever asks while one is being
// computed waits for the same one. The zero value is ready to use.
type remembered[T any] struct {
	flights singleflight.Group
	mu      sync.Mutex
	kept    map[string]kept[T]
}

type kept[T any] struct {
	value T
	until time.Time
}

// get is the answer for a key. The computation goes on when the context ends, so that
// the next one who asks finds it done.
func (m *remembered[T]) get(ctx context.Context, key string, compute func(context.Context) (T, error)) (T, error) {
	if value, found := m.look(key); found {
		return value, nil
	}
	done := m.flights.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), computeWithin)
		defer cancel()
		began := time.Now()
		value, err := compute(ctx)
		if cost := time.Since(began); err == nil && cost > dear {
			m.keep(key, value, began.Add(keepFactor*cost))
		}
		return value, err
	})
	var none T
	select {
	case <-ctx.Done():
		return none, ctx.Err()
	case result := <-done:
		value, _ := result.Val.(T)
		return value, result.Err
	}
}

func (m *remembered[T]) look(key string) (T, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.kept[key]
	return k.value, time.Now().Before(k.until)
}

func (m *remembered[T]) keep(key string, value T, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil || len(m.kept) > 16 { // keys are few: rollout and epoch
		m.kept = map[string]kept[T]{}
	}
	m.kept[key] = kept[T]{value, until}
}
