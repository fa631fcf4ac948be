package store

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLead(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		c := newClock()
		s := d.openAt(t, c.now)
		lead := func(holder string) bool {
			t.Helper()
			leads, err := s.Lead(t.Context(), "guard", holder, 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			return leads
		}
		who := func(want string) {
			t.Helper()
			if got, err := s.Leader(t.Context(), "guard"); err != nil || got != want {
				t.Errorf("leader is %q, %v; want %q", got, err, want)
			}
		}
		who("")
		if !lead("a") || lead("b") {
			t.Fatal("the first to ask does not lead alone")
		}
		if other, err := s.Lead(t.Context(), "ship", "b", time.Second); err != nil || !other {
			t.Errorf("another task is led too: %t, %v", other, err)
		}
		c.advance(4 * time.Second)
		if !lead("a") || lead("b") {
			t.Error("who asks in time does not go on")
		}
		c.advance(5 * time.Second)
		if lead("b") {
			t.Error("another leads before the lease ended")
		}
		c.advance(time.Microsecond)
		if !lead("b") || lead("a") {
			t.Error("nobody takes over when the lease has ended")
		}
		who("b")
		if err := s.StepDown(t.Context(), "guard", "a"); err != nil {
			t.Fatal(err)
		}
		who("b")
		if err := s.StepDown(t.Context(), "guard", "b"); err != nil {
			t.Fatal(err)
		}
		who("")
		if !lead("a") {
			t.Error("nobody takes over after the leader stepped down")
		}
		c.advance(time.Minute)
		who("")
	})
}

// Of many who ask at once one leads.
func TestLeadAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		var all sync.WaitGroup
		leads := make([]bool, 16)
		for i := range leads {
			all.Go(func() {
				got, err := s.Lead(t.Context(), "guard", fmt.Sprint(i), time.Minute)
				if err != nil {
					t.Error(err)
				}
				leads[i] = got
			})
		}
		all.Wait()
		n := 0
		for _, leads := range leads {
			if leads {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d lead", n)
		}
	})
}

func TestAlerts(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		noon := time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
		stale := Alert{Rule: "stale_instance", Subject: "i1", Severity: "warning", Summary: "i1 is gone", Since: noon}
		other := Alert{Rule: "stale_instance", Subject: "i2", Severity: "warning", Summary: "i2 is gone", Since: noon.Add(time.Second), NotifiedAt: noon.Add(time.Second)}
		for _, a := range []Alert{other, stale, stale} {
			if err := s.PutAlert(t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
		stale.ResolvedAt, stale.NotifiedAt, stale.Summary = noon.Add(time.Minute), noon.Add(time.Minute), "i1 is back"
		if err := s.PutAlert(t.Context(), stale); err != nil {
			t.Fatal(err)
		}
		got, err := s.Alerts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]Alert{stale, other}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestEffects(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		noon := time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
		first := Effect{Rollout: "a", Metric: "errors", LogRatio: math.Log(1.5), StdErr: .1, EndedAt: noon}
		second := Effect{Rollout: "b", Metric: "errors", LogRatio: -.02, StdErr: .25, EndedAt: noon.Add(time.Hour)}
		again := first
		again.LogRatio = 7
		for _, list := range [][]Effect{{second}, {first}, {again}, nil} {
			if err := s.PutEffects(t.Context(), list); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Effects(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]Effect{first, second}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
