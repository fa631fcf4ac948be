package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// Convergence says how far a change has come.
type Convergence struct {
	Revision int64
	// Held is how many instances honour the change, or can no longer act on an
	// older state because their lease has ended; of Total.
	Held, Total int
	Elapsed     time.Duration // since the commit
	Complete    bool
	Awaited     []Awaited // by id
}

// Awaited is an instance that does not honour a change yet.
type Awaited struct {
	ID       string
	Region   rollout.Region
	Revision int64 // that it honours
	// LeaseEndsAt is when its lease ends at the latest, by this machine's clock: from
	// then on it sends everyone to old, whatever it knows.
	LeaseEndsAt time.Time
}

// How often AwaitHonoured looks.
const (
	firstLook   = 2 * time.Millisecond
	slowestLook = 100 * time.Millisecond
)

// AwaitHonoured waits until every instance honours the revision or its lease must
// have ended. Committed is time.Now just after the change was made, with its
// monotonic clock: a renewal sent after it brings the change, so an older state is
// trusted until committed + lease at the latest. An instance that leaves the list
// while it is awaited is awaited on: it may still be deciding.
//
// Progress, if not nil, is called after each look that found something new. When the
// context ends first, the convergence so far comes with the context's error. A
// failing database is asked again, as long as time itself brings an answer.
func (s *Store) AwaitHonoured(ctx context.Context, revision int64, committed time.Time, progress func(Convergence)) (Convergence, error) {
	c := Convergence{Revision: revision}
	seen := map[string]Instance{}
	pause := firstLook
	for {
		listed, err := s.Instances(ctx)
		for _, instance := range listed {
			seen[instance.ID] = instance
		}
		if err != nil && len(seen) == 0 {
			c.Elapsed = time.Since(committed)
			return c, err
		}
		next := c.look(seen, revision, committed)
		if progress != nil && (next.Held != c.Held || next.Total != c.Total || next.Complete) {
			progress(next)
		}
		c = next
		if c.Complete {
			return c, nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			c.Elapsed = time.Since(committed)
			return c, ctx.Err()
		case <-timer.C:
		}
		pause = min(pause*3/2, slowestLook)
	}
}

func (Convergence) look(seen map[string]Instance, revision int64, committed time.Time) Convergence {
	c := Convergence{Revision: revision, Total: len(seen), Elapsed: time.Since(committed)}
	for _, i := range seen {
		if i.Revision >= revision || c.Elapsed >= i.Lease {
			c.Held++
			continue
		}
		c.Awaited = append(c.Awaited, Awaited{ID: i.ID, Region: i.Region, Revision: i.Revision, LeaseEndsAt: committed.Add(i.Lease).Round(0)})
	}
	slices.SortFunc(c.Awaited, func(a, b Awaited) int { return cmp.Compare(a.ID, b.ID) })
	c.Complete = c.Held == c.Total
	return c
}
