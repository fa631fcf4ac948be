package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// Defaults of the lease.
const (
	DefaultLease    = 3 * time.Second
	DefaultInterval = 500 * time.Millisecond
)

// watchEvery is how often the kill file and, for the reason given with decisions
// for old, the lease are looked at.
const watchEvery = 100 * time.Millisecond

// ErrWentBack is the error of a renewal whose answer is older than a state that has
// been seen already, or of another history: the database was restored from a backup, or
// a stale primary has come up. A person must accept it, see rollout.AcceptRestore.
var ErrWentBack = errors.New("the database went back to an older state")

// Config says what to follow and how.
type Config struct {
	Source   Source
	Instance string // unique for each run of a process
	Region   rollout.Region
	Version  string
	Address  string
	Keyer    rollout.Keyer
	// Lease is how long a state is trusted after its renewal was sent;
	// DefaultLease if 0.
	Lease time.Duration
	// Interval is the mean time between renewals; DefaultInterval if 0. It should
	// leave room for several renewals within a lease.
	Interval time.Duration
	// CacheSlots bounds the cohort cache; rollout.DefaultCacheSlots if 0, no cache
	// if negative.
	CacheSlots int
	// KillFile, if set, sends everyone to old for as long as the file exists.
	KillFile string
	// Memory, if set, is a file in which the instance keeps which state it has seen last,
	// so that after a restart too it does not believe an older one. It belongs to one
	// source alone.
	Memory string
	// OnChange, if set, is called after a new state was adopted, from the goroutine
	// that renews: it must not block.
	OnChange func(rollout.State)
	Logger   *slog.Logger     // slog.Default if nil
	Now      func() time.Time // time.Now if nil; for tests
}

// Follower holds the state under a lease. Make one with [Start]; it is safe for
// concurrent use.
type Follower struct {
	config Config
	log    *slog.Logger
	now    func() time.Time

	seen, kept Seen // and the part of it that is in Memory; for the renewing goroutine
	held       atomic.Pointer[held]
	careful    atomic.Bool // lapsed or break-glass: Decide must look twice
	carefulMu  sync.Mutex  // orders the writes of careful
	breakGlass atomic.Bool // by BreakGlass
	killFile   atomic.Bool // by the kill file

	notified atomic.Bool // notifications arrive

	newsMu sync.Mutex
	news   chan struct{} // closed with the next news, see Changed

	renewals, failures atomic.Int64
	lastError          atomic.Pointer[error]

	wake   chan struct{}
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// held is a state with its lease. It is immutable.
type held struct {
	state   rollout.State
	plan    *rollout.Plan
	cache   *rollout.BucketCache
	version Version
	sent    time.Time // carries both clocks
	lease   time.Duration
}

// fresh reports whether the lease is valid by the monotonic and by the wall clock.
func (h *held) fresh(now time.Time) bool {
	return now.Sub(h.sent) < h.lease && now.UnixNano()-h.sent.UnixNano() < int64(h.lease)
}

// Start begins to follow and returns at once; until the first renewal is answered,
// every decision is old with reason STALE. The follower runs until Close.
func Start(config Config) *Follower {
	if config.Lease == 0 {
		config.Lease = DefaultLease
	}
	if config.Interval == 0 {
		config.Interval = DefaultInterval
	}
	if config.CacheSlots == 0 {
		config.CacheSlots = rollout.DefaultCacheSlots
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &Follower{
		config: config,
		log:    config.Logger.With("instance", config.Instance),
		now:    config.Now,
		wake:   make(chan struct{}, 1),
		news:   make(chan struct{}),
		cancel: cancel,
	}
	f.careful.Store(true)
	f.recall()
	f.lookAtKillFile()
	for _, loop := range []func(context.Context){f.renewLoop, f.listenLoop, f.watchLoop} {
		f.done.Go(func() { loop(ctx) })
	}
	return f
}

// Close stops following and takes the instance off the source's list. Decisions
// go on until the lease ends, then they are old.
func (f *Follower) Close() error {
	f.cancel()
	f.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := f.config.Source.Leave(ctx, f.config.Instance); err != nil {
		return fmt.Errorf("taking instance %s off the list: %w", f.config.Instance, err)
	}
	return nil
}

// Decide chooses the user's architecture from the held state. It never blocks,
// never fails and allocates nothing.
func (f *Follower) Decide(id rollout.UserID) rollout.Decision {
	h := f.held.Load()
	if h == nil {
		return rollout.Decision{Variant: rollout.Old, Reason: rollout.ReasonStale, Bucket: rollout.NoBucket, Region: f.config.Region}
	}
	d := h.plan.Decide(id)
	if f.careful.Load() {
		return f.decideCarefully(h, d)
	}
	if d.Variant == rollout.New && !h.plan.HoldsWhenStale() && !h.fresh(f.now()) {
		return d.Stale()
	}
	return d
}

func (f *Follower) decideCarefully(h *held, d rollout.Decision) rollout.Decision {
	switch {
	case d.Reason == rollout.ReasonError:
		return d
	case f.BrokenGlass():
		d.Variant, d.Reason, d.Forced = rollout.Old, rollout.ReasonDisabled, false
		return d
	case h.plan.HoldsWhenStale() || h.fresh(f.now()):
		return d
	}
	return d.Stale()
}

// State is the held state, fresh or not; nil before the first answer. Do not
// modify it.
func (f *Follower) State() *rollout.State {
	if h := f.held.Load(); h != nil {
		return &h.state
	}
	return nil
}

// Status is what a follower knows about itself.
type Status struct {
	// State is the held state; nil before the first answer. Do not modify it.
	State *rollout.State
	// Version is that of the held state.
	Version Version
	// Valid says that the lease has not ended.
	Valid bool
	// Remaining is what is left of the lease, at least 0.
	Remaining time.Duration
	// Lease is the lease's length.
	Lease time.Duration
	// BreakGlass says that everyone is sent to old by the kill file or by BreakGlass.
	BreakGlass bool
	// LastError is why the last renewal failed; nil if it did not.
	LastError error
	// CacheSize is how many users the cohort cache holds.
	CacheSize int
	// Notified says that the source announces changes, so that they arrive at once and
	// not with the next renewal.
	Notified bool
	// Renewals and Failures count since the start.
	Renewals, Failures int64
	Instance           string
}

// Status looks at the lease now.
func (f *Follower) Status() Status {
	s := Status{
		Lease:      f.config.Lease,
		BreakGlass: f.BrokenGlass(),
		Notified:   f.notified.Load(),
		Renewals:   f.renewals.Load(),
		Failures:   f.failures.Load(),
		Instance:   f.config.Instance,
	}
	if err := f.lastError.Load(); err != nil {
		s.LastError = *err
	}
	h := f.held.Load()
	if h == nil {
		return s
	}
	now := f.now()
	s.State, s.Version = &h.state, h.version
	s.Valid = h.fresh(now)
	if s.Valid {
		elapsed := max(now.Sub(h.sent), time.Duration(now.UnixNano()-h.sent.UnixNano()), 0)
		s.Remaining = h.lease - elapsed
	}
	s.CacheSize = h.cache.Size()
	return s
}

// Changed is closed with the next news: another state was adopted, the lease lapsed or
// came back, or break-glass was turned. Ask for it first and look at the status then, so
// that no news is missed.
func (f *Follower) Changed() <-chan struct{} {
	f.newsMu.Lock()
	defer f.newsMu.Unlock()
	return f.news
}

func (f *Follower) announce() {
	f.newsMu.Lock()
	defer f.newsMu.Unlock()
	close(f.news)
	f.news = make(chan struct{})
}

// Wake renews the lease now rather than at the next interval.
func (f *Follower) Wake() {
	select {
	case f.wake <- struct{}{}:
	default: // a wake-up is pending already
	}
}

// BreakGlass sends everyone to old on this instance, whatever the state says and
// also without a database, until it is called with false.
func (f *Follower) BreakGlass(on bool) {
	f.breakGlass.Store(on)
	f.refreshCareful()
	f.Wake() // so that the heartbeat tells
}

// BrokenGlass reports whether BreakGlass or the kill file is in force.
func (f *Follower) BrokenGlass() bool { return f.breakGlass.Load() || f.killFile.Load() }

// WaitValid waits for a valid lease. It returns the context's error, with the reason of
// the last failed renewal if there was one, or at once an error that matches
// [ErrWentBack], which waiting does not mend.
func (f *Follower) WaitValid(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		s := f.Status()
		switch {
		case s.Valid:
			return nil
		case errors.Is(s.LastError, ErrWentBack):
			return s.LastError
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), s.LastError)
		case <-tick.C:
		}
	}
}

func (f *Follower) refreshCareful() {
	f.carefulMu.Lock()
	defer f.carefulMu.Unlock()
	h := f.held.Load()
	careful := f.BrokenGlass() || h == nil || !h.fresh(f.now())
	if f.careful.Swap(careful) != careful {
		f.announce()
	}
}

func (f *Follower) lookAtKillFile() {
	if f.config.KillFile == "" {
		return
	}
	_, err := os.Stat(f.config.KillFile)
	// Only a file that is surely not there lets users to new: in doubt, old.
	there := !errors.Is(err, os.ErrNotExist)
	if f.killFile.Swap(there) != there {
		f.log.Warn("kill file", "present", there, "path", f.config.KillFile)
		f.Wake()
	}
}

// watchLoop keeps the flag current by which Decide knows that it must look twice.
func (f *Follower) watchLoop(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			was := f.careful.Load()
			f.lookAtKillFile()
			f.refreshCareful()
			if is := f.careful.Load(); is && !was && !f.BrokenGlass() {
				f.log.Error("lease lapsed: everyone is sent to old until it is renewed", "error", f.Status().LastError)
			}
		}
	}
}

// listenLoop turns the source's notifications into wake-ups, for ever.
func (f *Follower) listenLoop(ctx context.Context) {
	backoff := f.config.Interval
	for first := true; ctx.Err() == nil; first = false {
		began := f.now()
		err := f.config.Source.Watch(ctx, func() {
			f.notified.Store(true)
			f.Wake()
		})
		heard := f.notified.Swap(false)
		if ctx.Err() != nil {
			return
		}
		if f.now().Sub(began) > 10*time.Second {
			backoff = f.config.Interval
		}
		if heard || first { // an outage is told of once
			f.log.Warn("notifications interrupted; renewals go on", "error", err)
		}
		// Full jitter, so that a fleet does not come back all at once.
		sleep(ctx, rand.N(backoff)+time.Millisecond)
		backoff = min(2*backoff, 10*time.Second)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
