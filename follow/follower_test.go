package follow_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// source is an authority in memory whose network can be made to misbehave. The
// real sources have their own tests; this one lets time be controlled.
type source struct {
	mu      sync.Mutex
	state   rollout.State
	cut     bool          // renewals hang until their context ends
	fail    error         // renewals fail at once
	delay   time.Duration // of the answer, after the state was read
	beats   []follow.Heartbeat
	left    []string
	wake    func()
	watched chan struct{}
	deaf    bool        // Watch fails at once
	asked   []time.Time // when Watch was called
}

func newSource() *source {
	return &source{state: rollout.Initial(time.Unix(0, 0)), watched: make(chan struct{}, 16)}
}

func (s *source) Renew(ctx context.Context, h follow.Heartbeat) (follow.Renewal, error) {
	s.mu.Lock()
	s.beats = append(s.beats, h)
	cut, fail, delay, state := s.cut, s.fail, s.delay, s.state
	s.mu.Unlock()
	if fail != nil {
		return follow.Renewal{}, fail
	}
	if cut {
		<-ctx.Done()
		return follow.Renewal{}, ctx.Err()
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return follow.Renewal{}, ctx.Err()
		}
	}
	r := follow.Renewal{Version: follow.Version{Lineage: state.Lineage, Revision: state.Revision}}
	if h.Known != r.Version {
		r.State = &state
	}
	return r, nil
}

func (s *source) Watch(ctx context.Context, wake func()) error {
	s.mu.Lock()
	s.asked = append(s.asked, time.Now())
	deaf := s.deaf
	if !deaf {
		s.wake = wake
	}
	s.mu.Unlock()
	if deaf {
		return errors.New("nothing to hear")
	}
	wake()
	s.watched <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

func (s *source) Leave(_ context.Context, instance string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = append(s.left, instance)
	return nil
}

// apply commits a change and returns when.
func (s *source) apply(t *testing.T, c rollout.Change, notify bool) time.Time {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	res, err := s.state.Apply(c, rollout.Context{Actor: rollout.Actor{Name: "test", Role: rollout.RoleAdmin}, At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	s.state = res.State
	if notify && s.wake != nil {
		s.wake()
	}
	return time.Now()
}

func (s *source) set(change func(*source)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *source) lastBeat() follow.Heartbeat {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.beats[len(s.beats)-1]
}

func start(t *testing.T, s *source, change func(*follow.Config)) *follow.Follower {
	t.Helper()
	c := follow.Config{Source: s, Instance: "test-1", Region: "eu", Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	f := follow.Start(c)
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

const user = rollout.UserID("reader-1")

func wantDecision(t *testing.T, f *follow.Follower, v rollout.Variant, r rollout.Reason) {
	t.Helper()
	if d := f.Decide(user); d.Variant != v || d.Reason != r {
		t.Fatalf("decided %s (%s), want %s (%s)", d.Variant, d.Reason, v, r)
	}
}

func TestDecidesOldUntilTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		s.delay = time.Second
		f := start(t, s, nil)
		wantDecision(t, f, rollout.Old, rollout.ReasonStale)
		if f.Status().Valid {
			t.Error("a follower without an answer says that its lease is valid")
		}
		if err := f.WaitValid(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantDecision(t, f, rollout.New, rollout.ReasonStatic)
	})
}

// The bound: after a rollback committed at C, nothing is decided for new after
// C + T, whatever happens to the renewals.
func TestRollbackHoldsWithinTheLease(t *testing.T) {
	const lease = 3 * time.Second
	for name, fault := range map[string]func(*source){
		"cut off":                       func(s *source) { s.cut = true },
		"refused":                       func(s *source) { s.fail = errors.New("connection refused") },
		"answers delayed by 2.5 s":      func(s *source) { s.delay = 2500 * time.Millisecond },
		"answers delayed by 2.9 s":      func(s *source) { s.delay = 2900 * time.Millisecond },
		"healthy without notifications": func(*source) {},
	} {
		t.Run(name, func(t *testing.T) {
			// The moment of the rollback moves through a whole cycle of renewals.
			for offset := time.Duration(0); offset < 6*time.Second; offset += 170 * time.Millisecond {
				synctest.Test(t, func(t *testing.T) {
					s := newSource()
					f := start(t, s, func(c *follow.Config) { c.Lease = lease })
					if err := f.WaitValid(t.Context()); err != nil {
						t.Fatal(err)
					}
					s.set(fault)
					time.Sleep(offset)
					committed := s.apply(t, rollout.Rollback{Target: rollout.Disabled}, false)
					var last time.Duration
					for time.Since(committed) < 4*lease {
						if f.Decide(user).Variant == rollout.New {
							last = time.Since(committed)
						}
						time.Sleep(7 * time.Millisecond)
					}
					if last > lease {
						t.Errorf("rollback %s after the fault: decided for new %s after the commit, the bound is %s", offset, last, lease)
					}
				})
			}
		})
	}
}

func TestNotificationMakesARollbackArriveAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		f := start(t, s, nil)
		<-s.watched
		if err := f.WaitValid(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
		s.apply(t, rollout.Rollback{Target: rollout.Disabled}, true)
		synctest.Wait()
		wantDecision(t, f, rollout.Old, rollout.ReasonStatic)
		if got, want := s.lastBeat().Honours, int64(2); got != want {
			t.Errorf("the instance reports revision %d, want %d at once after adopting it", got, want)
		}
	})
}

func TestKeepsDecidingThroughAShortOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		f := start(t, s, nil)
		if err := f.WaitValid(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.set(func(s *source) { s.fail = errors.New("down") })
		time.Sleep(2 * time.Second)
		wantDecision(t, f, rollout.New, rollout.ReasonStatic)
		time.Sleep(2 * time.Second)
		wantDecision(t, f, rollout.Old, rollout.ReasonStale)
		if err := f.Status().LastError; err == nil || f.Status().Failures == 0 {
			t.Errorf("status does not tell of the failed renewals: %v", err)
		}
		s.set(func(s *source) { s.fail = nil })
		time.Sleep(time.Second)
		wantDecision(t, f, rollout.New, rollout.ReasonStatic)
		if err := f.Status().LastError; err != nil {
			t.Errorf("status still tells of %v", err)
		}
	})
}

func TestOldDecisionsBecomeStaleToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		s.apply(t, rollout.Rollback{Target: rollout.Disabled}, false)
		f := start(t, s, nil)
		if err := f.WaitValid(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantDecision(t, f, rollout.Old, rollout.ReasonStatic)
		s.set(func(s *source) { s.cut = true })
		time.Sleep(5 * time.Second)
		wantDecision(t, f, rollout.Old, rollout.ReasonStale)
	})
}

// A process that was stopped, or a machine that slept, wakes with a state whose
// lease ended meanwhile: the very first decision must know.
func TestLeaseEndsWhileTheProcessSleeps(t *testing.T) {
	for name, jump := range map[string]func(time.Time) time.Time{
		"stopped: both clocks went on": func(now time.Time) time.Time { return now.Add(10 * time.Second) },
		// A suspended machine's monotonic clock stands still; the wall clock is set
		// from the hardware clock. Round(0) strips the monotonic reading.
		"suspended: only the wall clock went on": func(now time.Time) time.Time { return now.Round(0).Add(10 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSource()
			var mu sync.Mutex
			slept := false
			f := start(t, s, func(c *follow.Config) {
				c.Interval = time.Hour // no renewal comes to help
				c.Now = func() time.Time {
					mu.Lock()
					defer mu.Unlock()
					if slept {
						return jump(time.Now())
					}
					return time.Now()
				}
			})
			if err := f.WaitValid(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantDecision(t, f, rollout.New, rollout.ReasonStatic)
			mu.Lock()
			slept = true
			mu.Unlock()
			wantDecision(t, f, rollout.Old, rollout.ReasonStale)
		})
	}
}

func TestRefusesAnOlderRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		before := s.state
		s.apply(t, rollout.Rollback{Target: rollout.EarlyTesting}, false)
		f := start(t, s, nil)
		if err := f.WaitValid(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.set(func(s *source) { s.state = before }) // restored from a backup: 100 %
		time.Sleep(4 * time.Second)
		if d := f.Decide(user); d.Variant != rollout.Old || d.Reason != rollout.ReasonStale {
			t.Errorf("decided %s (%s) by a state that went back", d.Variant, d.Reason)
		}
		if err := f.Status().LastError; !errors.Is(err, follow.ErrWentBack) {
			t.Errorf("the last error is %v, want ErrWentBack", err)
		}
	})
}

func TestHoldsOnlyAFinalisedRollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		s.apply(t, rollout.Finalise{}, false)
		s.apply(t, rollout.SetSetting{Key: "when_stale", Value: "hold"}, false)
		f := start(t, s, nil)
		if err := f.WaitValid(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.set(func(s *source) { s.cut = true })
		time.Sleep(time.Minute)
		wantDecision(t, f, rollout.New, rollout.ReasonStatic)
	})
}

func TestClearCacheAndSaltMakeANewCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		f := start(t, s, nil)
		if err := f.WaitValid(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.Decide(user)
		if n := f.Status().CacheSize; n != 1 {
			t.Fatalf("the cache holds %d users, want 1", n)
		}
		s.apply(t, rollout.SetFlag{Name: rollout.KillSwitch, Enabled: false}, false)
		time.Sleep(time.Second)
		if n := f.Status().CacheSize; n != 1 {
			t.Errorf("a change that is none of the cache's emptied it")
		}
		s.apply(t, rollout.ClearCache{}, false)
		time.Sleep(time.Second)
		if n := f.Status().CacheSize; n != 0 {
			t.Errorf("after clear-cache the cache holds %d users", n)
		}
	})
}

func TestBreakGlassAndKillFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kill")
	s := newSource()
	f := start(t, s, func(c *follow.Config) { c.KillFile = path })
	if err := f.WaitValid(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantDecision(t, f, rollout.New, rollout.ReasonStatic)

	f.BreakGlass(true)
	wantDecision(t, f, rollout.Old, rollout.ReasonDisabled)
	f.BreakGlass(false)
	wantDecision(t, f, rollout.New, rollout.ReasonStatic)

	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the kill file sends everyone to old", func() bool { return f.Decide(user).Reason == rollout.ReasonDisabled })
	eventually(t, "the heartbeat tells of it", func() bool { return s.lastBeat().BreakGlass })
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "without the kill file the state decides again", func() bool { return f.Decide(user).Variant == rollout.New })
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within 5 s: %s", what)
}

// A follower that is closed leaves nothing running, whatever it was waiting for.
// synctest fails the test if a goroutine is left.
func TestCloseLeavesNoGoroutines(t *testing.T) {
	for name, fault := range map[string]func(*source){
		"healthy": func(*source) {},
		"cut off": func(s *source) { s.cut = true },
		"refused": func(s *source) { s.fail = errors.New("refused") },
		"delayed": func(s *source) { s.delay = time.Second },
		"deaf":    func(s *source) { s.deaf = true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSource()
				s.set(fault)
				f := follow.Start(follow.Config{
					Source: s, Instance: "i", Memory: filepath.Join(t.TempDir(), "seen"), Logger: slog.New(slog.DiscardHandler),
				})
				time.Sleep(700 * time.Millisecond)
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// When the source goes away from a whole fleet at once, the instances do not come back
// to listen all at the same moment.
func TestAFleetDoesNotListenAgainAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fleet = 50
		s := newSource()
		s.deaf = true
		began := time.Now()
		for range fleet {
			start(t, s, nil)
		}
		time.Sleep(3 * time.Second)
		s.mu.Lock()
		defer s.mu.Unlock()
		moments := map[time.Duration]int{}
		for _, at := range s.asked[fleet:] { // the first of each is at the start
			moments[at.Sub(began).Truncate(50*time.Millisecond)]++
		}
		for at, together := range moments {
			if together > fleet/3 {
				t.Errorf("%d of %d listen again within the 50 ms from %s on", together, fleet, at)
			}
		}
		if len(s.asked) < 3*fleet {
			t.Errorf("only %d attempts", len(s.asked))
		}
	})
}

func TestCloseLeaves(t *testing.T) {
	s := newSource()
	f := follow.Start(follow.Config{Source: s, Instance: "gone", Logger: slog.New(slog.DiscardHandler)})
	if err := f.WaitValid(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if len(s.left) != 1 || s.left[0] != "gone" {
		t.Errorf("left %q, want the instance once", s.left)
	}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	s := newSource()
	f := start(t, s, nil)
	if err := f.WaitValid(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() { f.Decide(user) }); n != 0 {
		t.Errorf("Decide allocates %v times", n)
	}
}

func TestConcurrentDecisionsWhileTheStateChanges(t *testing.T) {
	s := newSource()
	f := start(t, s, func(c *follow.Config) { c.Interval = 2 * time.Millisecond })
	if err := f.WaitValid(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if d := f.Decide(user); d.Variant == rollout.New && d.Percentage != 100 {
						t.Errorf("decided for new at %d %%: a mixture of two states", d.Percentage)
						return
					}
				}
			}
		})
	}
	for range 50 {
		s.apply(t, rollout.SetFlag{Name: rollout.KillSwitch, Enabled: false}, true)
		time.Sleep(time.Millisecond)
		s.apply(t, rollout.SetFlag{Name: rollout.KillSwitch, Enabled: true}, true)
		time.Sleep(time.Millisecond)
	}
	close(stop)
	readers.Wait()
}
