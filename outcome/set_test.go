package outcome_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func exactQuantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(int(q*float64(len(sorted))+0.999999)-1, 0)]
}

// shelf keeps shipments by the rule that the store follows.
type shelf map[outcome.Key]outcome.Shipment

func (s shelf) put(list []outcome.Shipment) {
	for _, shipment := range list {
		if shipment.Seq > s[shipment.Key].Seq {
			s[shipment.Key] = shipment
		}
	}
}

// Shipments may be lost, repeated, delayed, and their acknowledgements lost: in the
// end every outcome is on the shelf once.
func TestLossAndRetryCountEveryOutcomeOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, stored := outcome.NewSet(), shelf{}
		now := time.Unix(1_000_000, 0)
		var added []outcome.Outcome
		var delayed [][]outcome.Shipment
		pending := func() []outcome.Shipment {
			list, err := set.Pending(now)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				o := genOutcome().Draw(t, "outcome")
				// Clocks are set back, and reports come late.
				at := now.Add(-time.Duration(rapid.IntRange(0, 1200).Draw(t, "seconds late")) * time.Second)
				if err := set.Add(o, at); err != nil {
					t.Fatal(err)
				}
				added = append(added, o)
			},
			"time passes": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "seconds")) * time.Second)
			},
			"ship":                     func(*rapid.T) { list := pending(); stored.put(list); set.Acknowledge(list) },
			"ship, lose the answer":    func(*rapid.T) { stored.put(pending()) },
			"ship, lose it on the way": func(*rapid.T) { pending() },
			"ship late":                func(*rapid.T) { delayed = append(delayed, pending()) },
			"late ones arrive": func(*rapid.T) {
				for _, list := range delayed {
					stored.put(list)
				}
				delayed = nil
			},
		})
		list := pending()
		stored.put(list)
		set.Acknowledge(list)
		sum := new(outcome.Tally)
		for _, shipment := range stored {
			var tally outcome.Tally
			if err := tally.UnmarshalBinary(shipment.Data); err != nil {
				t.Fatal(err)
			}
			sum.Merge(&tally)
		}
		if !bytes.Equal(encode(t, sum), encode(t, tallyOf(added))) {
			t.Fatalf("%d outcomes were added, %d are stored", len(added), sum.Total().Requests+sum.Excluded().Requests)
		}
	})
}

func TestSetForgetsWhatIsStoredAndOver(t *testing.T) {
	set := outcome.NewSet()
	at := time.Unix(600, 0)
	o := outcome.Outcome{Rollout: "nlp", Epoch: 1, Variant: rollout.Old}
	// As many minutes as the set may hold, twice over, each stored in time.
	for range 2 * outcome.MaxTallies {
		if err := set.Add(o, at); err != nil {
			t.Fatal(err)
		}
		list, err := set.Pending(at)
		if err != nil {
			t.Fatal(err)
		}
		set.Acknowledge(list)
		at = at.Add(time.Minute)
	}
	if n := set.Refused(); n != 0 {
		t.Errorf("%d outcomes were refused", n)
	}
}

// The store replaces a row as a whole: a tally that began anew in a forgotten minute
// would wipe out what the minute had. And what is shipped is final four minutes later.
func TestAnOutcomeOfAClosedMinuteCountsInTheFirstOpenOne(t *testing.T) {
	set, stored := outcome.NewSet(), shelf{}
	minute := time.Unix(6000, 0)
	o := outcome.Outcome{Rollout: "nlp", Epoch: 1, Variant: rollout.Old}
	ship := func(now time.Time) {
		t.Helper()
		list, err := set.Pending(now)
		if err != nil {
			t.Fatal(err)
		}
		stored.put(list)
		set.Acknowledge(list)
	}
	add := func(n int) {
		t.Helper()
		for range n {
			if err := set.Add(o, minute); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(5)
	ship(minute)
	ship(minute.Add(10 * time.Minute)) // forgets the minute
	add(7)
	ship(minute.Add(10 * time.Minute))

	want := map[outcome.Minute]int64{outcome.MinuteOf(minute): 5, outcome.MinuteOf(minute) + 7: 7}
	got := map[outcome.Minute]int64{}
	for key, shipment := range stored {
		var tally outcome.Tally
		if err := tally.UnmarshalBinary(shipment.Data); err != nil {
			t.Fatal(err)
		}
		got[key.Minute] += tally.Total().Requests
	}
	if !maps.Equal(got, want) {
		t.Errorf("stored by minute: %v, want %v", got, want)
	}
}

func TestSetIsBounded(t *testing.T) {
	set := outcome.NewSet()
	at := time.Unix(600, 0)
	o := outcome.Outcome{Rollout: "nlp", Epoch: 1, Variant: rollout.Old}
	for range outcome.MaxTallies {
		if err := set.Add(o, at); err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Minute)
	}
	if err := set.Add(o, at); !errors.Is(err, outcome.ErrFull) {
		t.Errorf("beyond the bound: %v, want ErrFull", err)
	}
	if err := set.Add(o, time.Unix(600, 0)); err != nil {
		t.Errorf("a minute that the set holds already: %v", err)
	}
	if n := set.Refused(); n != 1 {
		t.Errorf("%d refused, want 1", n)
	}
}

func TestSetIsSafeForConcurrentUse(t *testing.T) {
	set, stored := outcome.NewSet(), shelf{}
	o := outcome.Outcome{Rollout: "nlp", Epoch: 1, Variant: rollout.New, UserKey: userKey(1)}
	const workers, each = 8, 500
	var adding sync.WaitGroup
	for range workers {
		adding.Go(func() {
			for range each {
				if err := set.Add(o, time.Unix(600, 0)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	stop := make(chan struct{})
	var shipping sync.WaitGroup
	var shelving sync.Mutex
	for range 2 {
		shipping.Go(func() {
			for last := false; ; {
				list, err := set.Pending(time.Unix(600, 0))
				if err != nil {
					t.Error(err)
				}
				shelving.Lock()
				stored.put(list)
				shelving.Unlock()
				set.Acknowledge(list)
				if last {
					return
				}
				select {
				case <-stop:
					last = true
				default:
				}
			}
		})
	}
	adding.Wait()
	close(stop)
	shipping.Wait()
	for _, shipment := range stored {
		var tally outcome.Tally
		if err := tally.UnmarshalBinary(shipment.Data); err != nil {
			t.Fatal(err)
		}
		if n := tally.Total().Requests; n != workers*each {
			t.Errorf("%d outcomes stored, %d added", n, workers*each)
		}
	}
	if len(stored) != 1 {
		t.Errorf("%d tallies for one minute", len(stored))
	}
}

func TestImpossibleOutcomesAreRefused(t *testing.T) {
	good := outcome.Outcome{Rollout: "nlp", Epoch: 1, Variant: rollout.New}
	for name, c := range map[string]struct {
		field string
		spoil func(*outcome.Outcome)
	}{
		"no rollout":             {"rollout", func(o *outcome.Outcome) { o.Rollout = "" }},
		"no epoch":               {"epoch", func(o *outcome.Outcome) { o.Epoch = 0 }},
		"unknown architecture":   {"architecture", func(o *outcome.Outcome) { o.Variant = "newer" }},
		"negative time":          {"processing_time_ms", func(o *outcome.Outcome) { o.ProcessingTime = -1 }},
		"more than an hour":      {"processing_time_ms", func(o *outcome.Outcome) { o.ProcessingTime = outcome.MaxTime + 1 }},
		"error and timeout":      {"timeout", func(o *outcome.Outcome) { o.Error, o.Timeout = true, true }},
		"negative descriptions":  {"descriptions", func(o *outcome.Outcome) { o.Descriptions = -1 }},
		"old falling back":       {"fallback", func(o *outcome.Outcome) { o.Variant, o.Fallback = rollout.Old, true }},
		"a region without bound": {"region", func(o *outcome.Outcome) { o.Region = rollout.Region(make([]byte, 65)) }},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			c.spoil(&o)
			set := outcome.NewSet()
			var invalid *outcome.InvalidError
			if err := set.Add(o, time.Unix(600, 0)); !errors.As(err, &invalid) || invalid.Field != c.field {
				t.Errorf("got %v, want an InvalidError for %s", err, c.field)
			}
			if list, _ := set.Pending(time.Unix(600, 0)); len(list) != 0 {
				t.Error("a refused outcome was counted")
			}
		})
	}
}
