package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	neturl "net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/faultproxy"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func TestRenew(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		c := newClock()
		s := d.openAt(t, c.now)
		beat := follow.Heartbeat{
			Instance: "i1", Region: "eu", Version: "v1", Address: "http://a", StartedAt: c.now().Add(-time.Hour),
			Lease: 3 * time.Second, BreakGlass: true, CacheSize: 7,
		}
		first, err := s.Renew(t.Context(), beat)
		if err != nil || first.State == nil || first.Version.Revision != 1 {
			t.Fatalf("first renewal = %+v, %v", first, err)
		}
		if diff := cmp.Diff(mustState(t, s), *first.State); diff != "" {
			t.Errorf("state (-State +Renew):\n%s", diff)
		}
		beat.Known, beat.Honours = first.Version, first.Version.Revision
		second, err := s.Renew(t.Context(), beat)
		if err != nil || second.State != nil || second.Version != first.Version {
			t.Fatalf("second renewal = %+v, %v", second, err)
		}
		instances, err := s.Instances(t.Context())
		want := []Instance{{
			ID: "i1", Region: "eu", Version: "v1", Address: "http://a", StartedAt: beat.StartedAt, SeenAt: c.now(), Revision: 1,
			Lease: 3 * time.Second, BreakGlass: true, CacheSize: 7,
		}}
		if diff := cmp.Diff(want, instances); err != nil || diff != "" {
			t.Errorf("instances, %v (-want +got):\n%s", err, diff)
		}
		mustApply(t, s, Request{Change: rollout.Rollback{Target: 0}, Actor: operator("ann")})
		third, err := s.Renew(t.Context(), beat)
		if err != nil || third.State == nil || third.State.Revision != 2 || third.State.Rollout.Stage != 0 {
			t.Fatalf("third renewal = %+v, %v", third, err)
		}
		c.advance(62 * time.Second)
		if instances, err := s.Instances(t.Context()); err != nil || len(instances) != 1 {
			t.Errorf("a minute after its lease: %v, %v", instances, err)
		}
		c.advance(2 * time.Second)
		if instances, err := s.Instances(t.Context()); err != nil || len(instances) != 0 {
			t.Errorf("later: %v, %v", instances, err)
		}
		c.advance(2 * time.Minute) // rows go once a minute
		if _, err := s.Instances(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.scalar(t, "SELECT count(*) FROM nlpcanary_instances"); got != "0" {
			t.Errorf("%s rows are left", got)
		}
		if _, err := s.Renew(t.Context(), beat); err != nil {
			t.Fatal(err)
		}
		if err := s.Leave(t.Context(), "i1"); err != nil {
			t.Fatal(err)
		}
		if instances, err := s.Instances(t.Context()); err != nil || len(instances) != 0 {
			t.Errorf("after leaving: %v, %v", instances, err)
		}
	})
}

// Every renewal sent after a change was acknowledged brings it, and none ever goes
// back, also while many change and renew at once.
func TestRenewNeverMissesAnAcknowledgedChange(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s, other := d.open(t), d.open(t)
		stop, done := make(chan struct{}), make(chan error, 1)
		go func() { // a second instance keeps writing
			for i := 0; ; i++ {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				if _, err := other.Renew(context.Background(), follow.Heartbeat{Instance: "noise", Lease: time.Second}); err != nil {
					done <- err
					return
				}
			}
		}()
		for i := range 40 {
			change := rollout.Change(rollout.ClearCache{})
			if i%2 == 0 {
				change = rollout.SetFlag{Name: rollout.KillSwitch, Enabled: i%4 != 0}
			}
			applied := mustApply(t, s, Request{Change: change, Actor: admin("ann")})
			renewal, err := other.Renew(t.Context(), follow.Heartbeat{Instance: "i1", Lease: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if renewal.Version.Revision < applied.State.Revision || renewal.State.NewArchitectureEnabled() != applied.State.NewArchitectureEnabled() {
				t.Fatalf("after revision %d a renewal brought %d", applied.State.Revision, renewal.Version.Revision)
			}
		}
		close(stop)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestWatch(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		watcher, changer := d.open(t), d.open(t)
		ctx, cancel := context.WithCancel(t.Context())
		woken, ended := make(chan time.Time, 100), make(chan error, 1)
		go func() { ended <- watcher.Watch(ctx, func() { woken <- time.Now() }) }()
		wait := func(what string) time.Time {
			t.Helper()
			select {
			case at := <-woken:
				return at
			case <-time.After(2 * time.Second):
				t.Fatalf("no wake-up %s", what)
				return time.Time{}
			}
		}
		wait("at the beginning")
		for _, change := range []struct {
			what string
			make func()
		}{
			{"after a change by this process", func() {
				mustApply(t, watcher, Request{Change: rollout.ClearCache{}, Actor: operator("ann")})
			}},
			{"after a change by another one", func() {
				mustApply(t, changer, Request{Change: rollout.ClearCache{}, Actor: operator("ann")})
			}},
			{"after SQL", func() { changer.sql(t, kill) }},
		} {
			for len(woken) > 0 {
				<-woken
			}
			change.make()
			made := time.Now()
			took := wait(change.what).Sub(made)
			t.Logf("woken %s after %s", change.what, max(took, 0))
			time.Sleep(2 * lookEvery)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch ended with %v", err)
		}
	})
}

func TestWatchEndsWhenItsConnectionBreaks(t *testing.T) {
	s := (&database{dialect: Postgres, url: newURL(t, Postgres)}).open(t)
	ended, woken := make(chan error, 1), make(chan struct{}, 10)
	go func() { ended <- s.Watch(t.Context(), func() { woken <- struct{}{} }) }()
	<-woken
	s.sql(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN nlpcanary'")
	select {
	case err := <-ended:
		if !errors.Is(err, ErrDatabase) {
			t.Errorf("Watch ended with %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("Watch did not notice")
	}
}

// A connection on which nothing comes any more, although nobody has closed it, is
// noticed; so is one that goes silent while LISTEN is being asked for.
func TestWatchNoticesAHalfOpenConnection(t *testing.T) {
	t.Parallel()
	url := newURL(t, Postgres)
	at, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := faultproxy.Listen(t.Context(), at.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	at.Host = proxy.Addr()
	s := (&database{dialect: Postgres, url: at.String()}).open(t)
	silence := faultproxy.Fault{HoldUp: true, HoldDown: true, ListenOnly: true}
	for _, silentFromTheStart := range []bool{false, true} {
		proxy.Set(faultproxy.Fault{})
		if silentFromTheStart {
			proxy.Set(silence)
		}
		ended, woken := make(chan error, 1), make(chan struct{}, 10)
		go func() { ended <- s.Watch(t.Context(), func() { woken <- struct{}{} }) }()
		if !silentFromTheStart {
			<-woken
			proxy.Set(silence)
		}
		select {
		case err := <-ended:
			if !errors.Is(err, ErrDatabase) {
				t.Errorf("Watch ended with %v", err)
			}
		case <-time.After(probeEvery + probeTimeout + 10*time.Second):
			t.Errorf("silent from the start %v: Watch did not notice", silentFromTheStart)
		}
	}
}

func TestFollowersConverge(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		const n = 3
		for i := range n {
			f := follow.Start(follow.Config{Source: s, Instance: fmt.Sprint("i", i), Region: "eu", Logger: slog.New(slog.DiscardHandler)})
			t.Cleanup(func() {
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			})
			if err := f.WaitValid(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		applied := mustApply(t, s, Request{Change: rollout.Rollback{Target: 0}, Actor: operator("ann")})
		committed := time.Now()
		calls := 0
		c, err := s.AwaitHonoured(t.Context(), applied.State.Revision, committed, func(Convergence) { calls++ })
		if err != nil || !c.Complete || c.Held != n || c.Total != n || len(c.Awaited) != 0 || calls == 0 {
			t.Fatalf("convergence = %+v, %v after %d calls", c, err, calls)
		}
		t.Logf("held on %d of %d in %s", c.Held, c.Total, c.Elapsed)
		if c.Elapsed > follow.DefaultLease/2 {
			t.Errorf("it took %s", c.Elapsed)
		}
	})
}

func TestAwaitHonouredCountsOutTheDead(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		const lease = 300 * time.Millisecond
		if _, err := s.Renew(t.Context(), follow.Heartbeat{Instance: "dead", Region: "eu", Lease: lease, Honours: 1}); err != nil {
			t.Fatal(err)
		}
		applied := mustApply(t, s, Request{Change: rollout.Rollback{Target: 0}, Actor: operator("ann")})
		committed := time.Now()

		short, cancel := context.WithTimeout(t.Context(), lease/3)
		defer cancel()
		c, err := s.AwaitHonoured(short, applied.State.Revision, committed, nil)
		if !errors.Is(err, context.DeadlineExceeded) || c.Complete || len(c.Awaited) != 1 || c.Awaited[0].ID != "dead" ||
			!c.Awaited[0].LeaseEndsAt.Equal(committed.Add(lease)) {
			t.Fatalf("convergence = %+v, %v", c, err)
		}
		// It leaves the list, and may be deciding nevertheless.
		go func() {
			time.Sleep(lease / 3)
			_ = s.Leave(context.Background(), "dead")
		}()
		c, err = s.AwaitHonoured(t.Context(), applied.State.Revision, committed, nil)
		if err != nil || !c.Complete || c.Held != 1 || c.Elapsed < lease || c.Elapsed > lease+slowestLook+200*time.Millisecond {
			t.Errorf("convergence = %+v, %v", c, err)
		}
	})
}
