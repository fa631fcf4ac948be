package follow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// renewLoop renews the lease until the context ends.
func (f *Follower) renewLoop(ctx context.Context) {
	started := f.now()
	for {
		changed, err := f.renew(ctx, started)
		if ctx.Err() != nil {
			return
		}
		f.note(err)
		if changed {
			// Renew again at once, so that the source learns which revision this
			// instance honours: a rollback is waiting for it.
			continue
		}
		f.keepMemory()
		timer := time.NewTimer(jitter(f.pause()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-f.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// pause is the mean time until the next renewal: short enough for several within a lease
// that is shorter than usual, but never a storm of them while it runs out.
func (f *Follower) pause() time.Duration {
	h := f.held.Load()
	if h == nil {
		return f.config.Interval
	}
	return min(f.config.Interval, max(h.lease/3, f.config.Interval/5))
}

// renew sends one heartbeat and adopts the answer. An answer that takes longer
// than the lease is of no use, so none is waited for longer.
func (f *Follower) renew(ctx context.Context, started time.Time) (changed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, f.config.Lease)
	defer cancel()
	h := f.held.Load()
	beat := Heartbeat{
		Instance:   f.config.Instance,
		Region:     f.config.Region,
		Version:    f.config.Version,
		Address:    f.config.Address,
		StartedAt:  started,
		Lease:      f.config.Lease,
		BreakGlass: f.BrokenGlass(),
		Seen:       f.seen,
	}
	if h != nil {
		beat.Known, beat.Honours, beat.CacheSize = h.version, h.version.Revision, h.cache.Size()
	}
	sent := f.now()
	answer, err := f.config.Source.Renew(ctx, beat)
	if err != nil {
		return false, fmt.Errorf("renewing the lease: %w", err)
	}
	if answer.Sent.IsZero() {
		answer.Sent = sent
	}
	next, err := f.adopt(h, answer)
	if err != nil {
		return false, err
	}
	f.held.Store(next)
	f.refreshCareful()
	changed = h == nil || next.version != h.version
	if answer.State != nil {
		f.announce()
	}
	if changed {
		f.seen = Seen{Version: answer.Version, Mark: answer.Mark}
	}
	if changed && f.config.OnChange != nil {
		f.config.OnChange(next.state)
	}
	return changed, nil
}

func (f *Follower) adopt(h *held, answer Renewal) (*held, error) {
	lease := f.config.Lease
	if answer.Lease > 0 {
		lease = min(lease, answer.Lease)
	}
	if answer.Version.OlderThan(f.seen.Version) {
		return nil, fmt.Errorf("%w: %s after %s", ErrWentBack, answer.Version, f.seen.Version)
	}
	if answer.State == nil {
		if h == nil || answer.Version != h.version {
			return nil, fmt.Errorf("the source answered with revision %d but without its state", answer.Version.Revision)
		}
		renewed := *h
		renewed.sent, renewed.lease = answer.Sent, lease
		return &renewed, nil
	}
	state := *answer.State
	cache := f.cacheFor(h, state)
	keyer := f.config.Keyer
	if answer.Keyer != nil {
		keyer = *answer.Keyer
	}
	return &held{
		state:   state,
		plan:    state.Plan(f.config.Region, keyer, cache),
		cache:   cache,
		version: answer.Version,
		sent:    answer.Sent,
		lease:   lease,
	}, nil
}

// cacheFor keeps the cohort cache over a change of state, unless the change was to
// clear it or brought another salt.
func (f *Follower) cacheFor(h *held, state rollout.State) *rollout.BucketCache {
	if h != nil && h.state.CacheEpoch == state.CacheEpoch && h.state.Rollout.Salt == state.Rollout.Salt {
		return h.cache
	}
	return rollout.NewBucketCache(state.Rollout.Salt, f.config.CacheSlots)
}

// note keeps the outcome of a renewal and logs where it turns.
func (f *Follower) note(err error) {
	f.renewals.Add(1)
	was := f.lastError.Load()
	if err == nil {
		f.lastError.Store(nil)
		if was != nil {
			f.log.Info("lease renewed again", "revision", f.held.Load().version.Revision)
		}
		return
	}
	f.failures.Add(1)
	f.lastError.Store(&err)
	switch wentBack := errors.Is(err, ErrWentBack); {
	case wentBack && (was == nil || !errors.Is(*was, ErrWentBack)):
		f.log.Error("the state is not believed: everyone is sent to old when the lease ends", "error", err)
	case !wentBack && was == nil && f.held.Load() == nil:
		f.log.Warn("no state yet: everyone is sent to old until the source answers", "error", err)
	case !wentBack && was == nil:
		f.log.Warn("lease not renewed; decisions go on until it ends", "error", err)
	}
}

// jitter spreads renewals by a fifth either way, so that instances started
// together do not stay together.
func jitter(d time.Duration) time.Duration {
	if d < 5 {
		return d
	}
	return d - d/5 + rand.N(2*d/5)
}
