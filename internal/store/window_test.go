package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// counting is a producer in a test.
type counting struct {
	set   *outcome.Set
	store *Store
	name  string
}

func newCounting(s *Store, name string) *counting {
	return &counting{outcome.NewSet(), s, name}
}

func (c *counting) add(tb testing.TB, n int, o outcome.Outcome, at time.Time) {
	tb.Helper()
	if o.Rollout == "" {
		o.Rollout = "nlp"
	}
	for range n {
		if err := c.set.Add(o, at); err != nil {
			tb.Fatal(err)
		}
	}
}

func (c *counting) ship(tb testing.TB, now time.Time) []outcome.Shipment {
	tb.Helper()
	list, err := c.set.Pending(now)
	if err != nil {
		tb.Fatal(err)
	}
	if err := c.store.PutTallies(tb.Context(), c.name, list); err != nil {
		tb.Fatal(err)
	}
	c.set.Acknowledge(list)
	return list
}

func mustWindow(tb testing.TB, s *Store, query OutcomeQuery) outcome.Window {
	tb.Helper()
	w, err := s.Window(tb.Context(), query)
	if err != nil {
		tb.Fatalf("Window: %v", err)
	}
	return w
}

func TestWindow(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		one, two := newCounting(s, "p1"), newCounting(s, "p2")
		fast := outcome.Outcome{Epoch: 2, Variant: rollout.Old, Region: "eu", ProcessingTime: 10 * time.Millisecond}
		canary := fast
		canary.Variant = rollout.New
		failing, late, pinned := canary, canary, canary
		failing.Error, late.ProcessingTime, pinned.Excluded = true, time.Second, true
		other := fast
		other.Region = "us"
		one.add(t, 3, fast, noon)
		one.add(t, 2, failing, noon)
		one.add(t, 1, late, noon.Add(time.Minute))
		two.add(t, 4, fast, noon)
		two.add(t, 1, other, noon)
		two.add(t, 5, pinned, noon.Add(2*time.Minute)) // no block: in no cohort
		before := fast
		before.Epoch = 1
		one.add(t, 7, before, noon)
		one.ship(t, noon)
		two.ship(t, noon)
		eu, us := rollout.Region("eu"), rollout.Region("us")
		minute := outcome.MinuteOf(noon)
		blocks := []outcome.Block{
			{Minute: minute, Region: eu, Old: outcome.Counts{Requests: 7}, New: outcome.Counts{Requests: 2, Errors: 2}},
			{Minute: minute, Region: us, Old: outcome.Counts{Requests: 1}},
			{Minute: minute + 1, Region: eu, New: outcome.Counts{Requests: 1}},
		}
		w := mustWindow(t, s, OutcomeQuery{Rollout: "nlp", Epoch: 2})
		if diff := cmp.Diff(blocks, w.Blocks); diff != "" {
			t.Errorf("blocks (-want +got):\n%s", diff)
		}
		if old, canary := w.Old.Tally.Total().Requests, w.New.Tally.Total().Requests; old != 8 || canary != 3 || w.New.Tally.Excluded().Requests != 5 {
			t.Errorf("%d outcomes on old, %d on new", old, canary)
		}
		if w.SlowOver != 0 {
			t.Errorf("slow over %v, from eight outcomes", w.SlowOver)
		}
		part := mustWindow(t, s, OutcomeQuery{Rollout: "nlp", Epoch: 2, Region: &eu, From: noon.Add(time.Minute)})
		if diff := cmp.Diff(blocks[2:], part.Blocks); diff != "" {
			t.Errorf("a part (-want +got):\n%s", diff)
		}
		all := mustWindow(t, s, OutcomeQuery{Rollout: "nlp"})
		if got := all.Old.Tally.Total().Requests; got != 15 || len(all.Blocks) != 0 {
			t.Errorf("over all epochs, %d outcomes on old, %d blocks", got, len(all.Blocks))
		}
		none := mustWindow(t, s, OutcomeQuery{Rollout: "x", Epoch: 1})
		if none.Old.Tally == nil || none.New.Tally == nil || len(none.Blocks) != 0 {
			t.Errorf("nothing measured: %+v", none)
		}
	})
}

func TestWindowHasFeedbackByBucket(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		number := func(n int) *int { return &n }
		ticket := outcome.Ticket{Rollout: "nlp", Epoch: 2, Variant: rollout.New, Minute: outcome.MinuteOf(noon), UserKey: rollout.UserKey{200}}
		for id, f := range map[string]outcome.Feedback{
			"a": {Quality: number(7)},
			"b": {Quality: number(2), Correct: number(5), Wrong: number(1), Missed: number(0)},
		} {
			if err := s.PutFeedback(t.Context(), Feedback{OutcomeID: id, Ticket: ticket, Feedback: f, Actor: "ann"}); err != nil {
				t.Fatal(err)
			}
		}
		w := mustWindow(t, s, OutcomeQuery{Rollout: "nlp", Epoch: 2})
		var want [outcome.Buckets]outcome.Marks
		if w.Old.Marks != want {
			t.Errorf("old has marks: %v", w.Old.Marks)
		}
		want[200] = outcome.Marks{Quality: 9, Rated: 2, Labelled: 1, Labels: outcome.Labels{Correct: 5, Wrong: 1}}
		if w.New.Marks != want {
			t.Errorf("%v", w.New.Marks)
		}
	})
}

func TestSlowIsFrozenOncePerEpoch(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		p := newCounting(s, "p")
		took := func(epoch int64, v rollout.Variant, ms int) outcome.Outcome {
			return outcome.Outcome{Epoch: epoch, Variant: v, ProcessingTime: time.Duration(ms) * time.Millisecond}
		}
		epoch := func(n int64) outcome.Window { return mustWindow(t, s, OutcomeQuery{Rollout: "nlp", Epoch: n}) }
		near := func(w outcome.Window, ms float64, from outcome.Minute) {
			t.Helper()
			if got := float64(w.SlowOver) / 1e6; got < ms*.97 || got > ms*1.04 || w.SlowFrom != from {
				t.Errorf("slow over %v from minute %d, want about %v ms from %d", w.SlowOver, w.SlowFrom, ms, from)
			}
		}
		minute := outcome.MinuteOf(noon)
		p.add(t, minBaseline-1, took(1, rollout.Old, 100), noon)
		p.add(t, 10, took(1, rollout.New, 500), noon)
		p.ship(t, noon)
		if w := epoch(1); w.SlowOver != 0 {
			t.Errorf("frozen at %v from too few", w.SlowOver)
		}
		p.add(t, 1, took(1, rollout.Old, 100), noon)
		p.ship(t, noon)
		near(epoch(1), 130, minute+1)
		p.add(t, 5, took(1, rollout.Old, 500), noon.Add(time.Minute))
		p.add(t, 6, took(1, rollout.New, 129), noon.Add(time.Minute))
		p.add(t, 7, took(1, rollout.New, 140), noon.Add(time.Minute))
		p.ship(t, noon)
		w := epoch(1)
		near(w, 130, minute+1)
		want := []outcome.Counts{{Requests: 10}, {Requests: 13, Slow: 7}} // the minute that it was derived from does not count
		if got := []outcome.Counts{w.Blocks[0].New, w.Blocks[1].New}; !cmp.Equal(want, got) || w.Blocks[1].Old.Slow != 5 {
			t.Errorf("%+v, and %d slow on old", got, w.Blocks[1].Old.Slow)
		}
		// The next epoch is judged by what old took before it, from its first minute on.
		p.add(t, 2, took(2, rollout.New, 140), noon.Add(time.Minute))
		p.ship(t, noon)
		w = epoch(2)
		near(w, 130, 0)
		if w.Blocks[0].New.Slow != 2 {
			t.Errorf("%+v", w.Blocks)
		}
		p.add(t, 5000, took(1, rollout.Old, 900), noon.Add(2*time.Minute))
		p.ship(t, noon)
		near(epoch(2), 130, 0)
	})
}
